"""`verify --online` finds what the API says otherwise now about settled days, and changes nothing."""

from __future__ import annotations

import json
import shlex
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from archiver.plan.scope import Scope
from tests.support import archiver, day, dump, sync

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    from archiver.simulator import Simulator

SCOPE = Scope(group_by=("none", "finest"), since=day("2025-11-01"))


def verify(api: Simulator, db: Path, *more: str) -> subprocess.CompletedProcess[str]:
    return archiver(
        *("verify", "--db", str(db), "--api-url", api.url, "--rate", "none", *more), ANTHROPIC_ADMIN_API_KEY=api.key
    )


def restate(db: Path) -> None:
    """Let a settled bucket hold other rows than the API has, with a digest that fits them: only the API can tell."""
    from archiver.store.diff import facts_digest  # noqa: PLC0415  # only here

    with closing(sqlite3.connect(db)) as connection, connection:
        series, start = connection.execute(
            "SELECT series_id, min(bucket_start) FROM usage_fact WHERE series_id = (SELECT id FROM series "
            "WHERE report = 'usage' AND group_by <> '')"
        ).fetchone()
        connection.execute(
            "UPDATE usage_fact SET output_tokens = output_tokens + 1, uncached_input_tokens = uncached_input_tokens "
            "WHERE series_id = ? AND bucket_start = ?",
            (series, start),
        )
        rows = connection.execute(
            "SELECT * FROM usage_fact WHERE series_id = ? AND bucket_start = ?", (series, start)
        ).fetchall()
        digest = facts_digest({row[2]: row[3:] for row in rows})
        connection.execute(
            "UPDATE bucket SET digest = ? WHERE series_id = ? AND bucket_start = ?", (digest, series, start)
        )


def test_what_is_as_the_api_says_is_confirmed(api: Simulator, db: Path) -> None:
    sync(api, db, SCOPE)
    done = verify(api, db, "--online", "1000", "--json")
    told = json.loads(done.stdout)
    assert done.returncode == 0, done.stderr
    assert told["ok"]
    assert told["online"] >= 6


def test_a_sample_is_as_large_as_it_was_asked_for(api: Simulator, db: Path) -> None:
    sync(api, db, SCOPE)
    assert json.loads(verify(api, db, "--online", "2", "--json").stdout)["online"] == 2


def test_what_the_api_says_otherwise_is_found_and_the_named_sync_takes_it_over(api: Simulator, db: Path) -> None:
    sync(api, db, SCOPE)
    clean = dump(db)
    restate(db)
    before = dump(db)
    done = verify(api, db, "--online", "1000", "--json")
    assert done.returncode == 3, done.stderr
    told = json.loads(done.stdout)
    assert {one["check"] for one in told["findings"]} == {"online", "sums"}
    assert dump(db) == before
    (heal,) = told["heal"]
    healed = archiver(*shlex.split(heal)[1:], "--api-url", api.url, "--rate", "none", ANTHROPIC_ADMIN_API_KEY=api.key)
    assert healed.returncode == 0, healed.stderr
    assert json.loads(dump(db))["usage"] == json.loads(clean)["usage"]
    assert verify(api, db, "--online", "1000").returncode == 0


def test_another_organisations_key_is_refused(api: Simulator, db: Path) -> None:
    sync(api, db, SCOPE)
    with closing(sqlite3.connect(db)) as connection, connection:
        connection.execute("UPDATE organization SET id = 'another'")
    done = verify(api, db, "--online", "1")
    assert done.returncode == 2
    assert "another" in done.stderr


def test_without_a_key_nothing_is_asked(api: Simulator, db: Path) -> None:
    sync(api, db, SCOPE)
    done = archiver("verify", "--db", str(db), "--online", "1")
    assert done.returncode == 2
    assert "admin key" in done.stderr
