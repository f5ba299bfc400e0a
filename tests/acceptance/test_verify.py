"""Damage is found, reported, marked and repaired, and a snapshot is complete."""

from __future__ import annotations

import json
import os
import random
import shlex
import shutil
import sqlite3
import stat
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from archiver.model import BucketWidth
from archiver.plan.scope import Scope
from archiver.store.read.verify import verify_archive
from tests.support import archiver, day, dump, select, sync

if TYPE_CHECKING:
    from pathlib import Path

    from archiver.simulator import Simulator

FLIPS = int(os.environ.get("ARCHIVER_TEST_FLIPS", "60"))

TABLES = {
    "_usage_fact": "series_id bucket_start key_id uncached_input_tokens cache_creation_1h_input_tokens "
    "cache_creation_5m_input_tokens cache_read_input_tokens output_tokens web_search_requests",
    "_cost_fact": "series_id bucket_start key_id amount amount_microcents",
    "_usage_key": "key workspace_id api_key_id model service_tier context_window",
    "_cost_key": "key workspace_id description cost_type token_type currency",
}


@pytest.fixture
def archive(shared_api: Simulator, db: Path) -> Path:
    scope = Scope(
        bucket_widths=(BucketWidth.DAY, BucketWidth.HOUR), group_by=("finest", "none"), since=day("2025-11-25")
    )
    sync(shared_api, db, scope)
    return db


def change(db: Path, sql: str, *values: Any) -> None:
    with closing(sqlite3.connect(db)) as connection:
        connection.execute(sql, values)
        connection.commit()


def test_an_archive_that_is_as_it_was_is_fine(archive: Path) -> None:
    done = archiver("verify", "--db", str(archive))
    assert (done.returncode, done.stderr) == (0, "")
    assert "match" in done.stdout


DAMAGE = {
    "a changed count": "UPDATE _usage_fact SET output_tokens = output_tokens + 1 WHERE bucket_start = 1764547200",
    "a changed amount": "UPDATE _cost_fact SET amount = '1.5' WHERE bucket_start = 1764547200",
    "changed microcents": "UPDATE _cost_fact SET amount_microcents = 5 WHERE bucket_start = 1764547200",
    "a lost row": "DELETE FROM _usage_fact WHERE bucket_start = 1764547200 AND series_id = 1 "
    "AND key_id = (SELECT max(key_id) FROM _usage_fact WHERE bucket_start = 1764547200 AND series_id = 1)",
    "a lost day": "DELETE FROM _cost_fact WHERE bucket_start = 1764547200",
    "a row far away": "UPDATE _usage_fact SET bucket_start = bucket_start + (1 << 40) WHERE bucket_start = 1764547200",
    "a changed model": "UPDATE _usage_key SET model = 'other' WHERE id = 3",
    "a changed key": "UPDATE _cost_key SET key = key || ' ' WHERE id = 3",
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_found_marked_and_repaired_by_the_sync_that_verify_prints(
    shared_api: Simulator, archive: Path, name: str
) -> None:
    before = dump(archive)
    change(archive, DAMAGE[name])
    done = archiver("verify", "--json", "--db", str(archive))
    reported = json.loads(done.stdout)
    assert done.returncode == 8
    assert reported["repair"]
    assert archiver("status", "--db", str(archive)).returncode == 3
    for command in reported["repair"]:
        common = ["--api-url", shared_api.url, "--db", str(archive), "--rate", "none"]
        healed = archiver(*shlex.split(command)[1:], *common, ANTHROPIC_ADMIN_API_KEY=shared_api.key)
        assert healed.returncode == 0, healed.stderr
    assert archiver("verify", "--db", str(archive)).returncode == 0
    assert dump(archive) == before


def test_coverage_that_overlaps_is_found(archive: Path) -> None:
    change(
        archive, "UPDATE _span SET span_end = span_end + 86400 WHERE span_start = (SELECT min(span_start) FROM _span)"
    )
    assert [finding.check for finding in verify_archive(archive)].count("coverage") >= 1


def test_sums_that_differ_between_series_are_found(archive: Path) -> None:
    settled = "SELECT range_start FROM coverage WHERE state = 'settled'"
    assert select(archive, settled)
    with closing(sqlite3.connect(archive)) as connection:
        (series,) = connection.execute("SELECT id FROM _series WHERE report = 'cost' AND group_by = ''").fetchone()
        where = "WHERE series_id = ? AND bucket_start = 1764547200"
        connection.execute(f"UPDATE _cost_fact SET amount = '5', amount_microcents = 5000000 {where}", (series,))  # noqa: S608  # from above
        connection.commit()
    findings = verify_archive(archive)
    assert {"digest", "sums"} <= {finding.check for finding in findings}
    # Sums that differ show no culprit: marking one series as damaged could mark a right one.
    assert {finding.series_id for finding in findings if finding.check == "sums"} == {None}


def flip(value: Any, chance: random.Random) -> Any:
    """Flip one bit of a stored value."""
    if isinstance(value, int):
        return value ^ (1 << chance.randrange(40))
    data = bytearray(value.encode())
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(7)
    return data.decode("latin-1")


def test_every_flipped_bit_of_the_content_is_found(archive: Path, tmp_path: Path) -> None:
    chance = random.Random(1)  # noqa: S311  # repeatable chance
    damaged = tmp_path / "damaged.db"
    for _ in range(FLIPS):
        table = chance.choice(list(TABLES))
        column = chance.choice(TABLES[table].split())
        identity = ["id"] if table.endswith("key") else ["series_id", "bucket_start", "key_id"]
        chosen = f"SELECT {', '.join(identity)}, {column} FROM {table} WHERE {column} IS NOT NULL"  # noqa: S608  # from above
        *key, value = chance.choice(select(archive, chosen))
        shutil.copy(archive, damaged)
        where = " AND ".join(f"{name} = ?" for name in identity)
        change(damaged, f"UPDATE OR REPLACE {table} SET {column} = ? WHERE {where}", flip(value, chance), *key)  # noqa: S608  # the same
        assert [finding for finding in verify_archive(damaged) if finding.is_damage], (table, column, key, value)


def test_a_snapshot_is_a_whole_private_archive(archive: Path, tmp_path: Path) -> None:
    target = tmp_path / "copy.db"
    done = archiver("snapshot", str(target), "--db", str(archive))
    assert done.returncode == 0, done.stderr
    assert dump(target) == dump(archive)
    assert verify_archive(target) == []
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


def test_a_snapshot_overwrites_nothing(archive: Path, tmp_path: Path) -> None:
    target = tmp_path / "mine.txt"
    target.write_text("mine")
    done = archiver("snapshot", str(target), "--db", str(archive))
    assert done.returncode == 2
    assert target.read_text() == "mine"
