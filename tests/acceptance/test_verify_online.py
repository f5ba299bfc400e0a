"""`verify --online` finds settled rows that differ from the API, and changes nothing."""

from __future__ import annotations

import json
import shlex
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from archiver.api import response as reply
from archiver.api import transport
from archiver.api.key import AdminKey
from archiver.api.rate_limit import Rate
from archiver.cli.run import run_spot_check
from archiver.cli.settings import Connect
from archiver.plan.scope import Scope
from archiver.store.diff import facts_digest
from tests.support import archiver, day, dump, select, sync

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    import pytest

    from archiver.simulator import Simulator

SCOPE = Scope(group_by=("none", "finest"), since=day("2025-11-01"))


def verify(api: Simulator, db: Path, *more: str) -> subprocess.CompletedProcess[str]:
    return archiver(
        *("verify", "--db", str(db), "--api-url", api.url, "--rate", "none", *more), ANTHROPIC_ADMIN_API_KEY=api.key
    )


def restate(db: Path, tokens: str = "output_tokens + 1") -> None:
    """Change the rows and the digest of a settled bucket, so that only the API shows the difference."""
    with closing(sqlite3.connect(db)) as connection, connection:
        series, start = connection.execute(
            "SELECT series_id, min(bucket_start) FROM _usage_fact WHERE series_id = (SELECT id FROM _series "
            "WHERE report = 'usage' AND group_by <> '')"
        ).fetchone()
        connection.execute(
            f"UPDATE _usage_fact SET output_tokens = {tokens} WHERE series_id = ? AND bucket_start = ?",  # noqa: S608  # from below
            (series, start),
        )
        rows = connection.execute(
            "SELECT * FROM _usage_fact WHERE series_id = ? AND bucket_start = ?", (series, start)
        ).fetchall()
        digest = facts_digest({row[2]: row[3:] for row in rows})
        connection.execute(
            "UPDATE _bucket SET digest = ? WHERE series_id = ? AND bucket_start = ?", (digest, series, start)
        )


def test_rows_that_equal_those_of_the_api_are_confirmed(api: Simulator, db: Path) -> None:
    sync(api, db, SCOPE)
    done = verify(api, db, "--online", "1000", "--json")
    reported = json.loads(done.stdout)
    assert done.returncode == 0, done.stderr
    assert reported["ok"]
    assert reported["online"] >= 6


def test_a_sample_is_as_large_as_it_was_asked_for(api: Simulator, db: Path) -> None:
    sync(api, db, SCOPE)
    assert json.loads(verify(api, db, "--online", "2", "--json").stdout)["online"] == 2


def test_rows_that_differ_from_the_api_are_found_and_the_printed_sync_replaces_them(api: Simulator, db: Path) -> None:
    sync(api, db, SCOPE)
    clean = dump(db)
    restate(db)
    before = dump(db)
    done = verify(api, db, "--online", "1000", "--json")
    assert done.returncode == 3, done.stderr
    reported = json.loads(done.stdout)
    assert {one["check"] for one in reported["findings"]} == {"online", "sums"}
    assert dump(db) == before
    (heal,) = reported["repair"]
    healed = archiver(*shlex.split(heal)[1:], "--api-url", api.url, "--rate", "none", ANTHROPIC_ADMIN_API_KEY=api.key)
    assert healed.returncode == 0, healed.stderr
    assert json.loads(dump(db))["usage"] == json.loads(clean)["usage"]
    assert verify(api, db, "--online", "1000").returncode == 0


def test_another_organisations_key_is_refused(api: Simulator, db: Path) -> None:
    sync(api, db, SCOPE)
    with closing(sqlite3.connect(db)) as connection, connection:
        connection.execute("UPDATE _organization SET id = 'another'")
    done = verify(api, db, "--online", "1")
    assert done.returncode == 2
    assert "another" in done.stderr


def test_without_a_key_no_request_is_sent(api: Simulator, db: Path) -> None:
    sync(api, db, SCOPE)
    done = archiver("verify", "--db", str(db), "--online", "1")
    assert done.returncode == 2
    assert "admin key" in done.stderr


def test_damage_is_reported_and_marked_although_the_api_is_down(api: Simulator, db: Path) -> None:
    sync(api, db, SCOPE)
    with closing(sqlite3.connect(db)) as connection, connection:
        connection.execute(
            "UPDATE _usage_fact SET output_tokens = output_tokens + 7 "
            "WHERE bucket_start = (SELECT min(bucket_start) FROM _usage_fact)"
        )
    done = archiver("verify", "--db", str(db), "--online", "1")
    assert done.returncode == 8
    assert "no window was compared" in done.stderr
    assert select(db, "SELECT count(*) FROM coverage WHERE state = 'failed'") != [(0,)]


def test_a_window_that_is_too_wide_is_compared_in_halves(
    api: Simulator, db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync(api, db, Scope(group_by=("none",), since=day("2025-11-01")))
    monkeypatch.setattr(transport, "LARGEST_BODY", 6000)
    monkeypatch.setattr(reply, "LARGEST_BODY", 6000)
    asked, findings = run_spot_check(db, Connect(api.url, AdminKey(api.key, "a test"), Rate(None), 1), 2)
    assert (asked, findings) == (2, [])


def test_the_named_sync_takes_a_large_loss_over(api: Simulator, db: Path) -> None:
    sync(api, db, SCOPE)
    restate(db, "output_tokens * 5 + 1000000000")
    (heal,) = json.loads(verify(api, db, "--online", "1000", "--json").stdout)["repair"]
    healed = archiver(*shlex.split(heal)[1:], "--rate", "none", ANTHROPIC_ADMIN_API_KEY=api.key)
    assert healed.returncode == 0, healed.stderr
    assert verify(api, db, "--online", "1000").returncode == 0
