"""What is right survives lost coverage, wrong clocks and an API that forgets."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import date
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from archiver.api import headers as response_headers
from archiver.api import transport
from archiver.api.client import AdminClient
from archiver.api.decode import page as reading
from archiver.api.response import Response
from archiver.cli import run
from archiver.clock import Clock
from archiver.errors import DamagedError, OrganizationMismatchError
from archiver.model import BucketWidth, Report, make_filters
from archiver.plan.scope import Scope
from archiver.simulator import background
from tests.support import SMALL, archiver, day, select, sync

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from archiver.simulator import Simulator

SCOPE = Scope(group_by=("none",), since=day("2025-11-01"))
SETTLED_TOKENS = "SELECT sum(output_tokens) FROM daily_tokens WHERE date < '2025-12-11'"


def without_date(patch: pytest.MonkeyPatch, when: str) -> None:
    """Take `Date` out of every answer, and let the local clock stand still."""
    patch.setattr(response_headers, "server_time", lambda _: None)
    patch.setattr(run, "Clock", lambda: Clock(now=day(when).timestamp))


def forget_coverage(db: Path) -> None:
    with closing(sqlite3.connect(db)) as connection, connection:
        connection.execute("DELETE FROM span WHERE span_start < 1765411200")
        connection.execute("DELETE FROM answer")


def test_one_clock_alone_takes_no_coverage_back(api: Simulator, db: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sync(api, db, SCOPE)
    settled = "SELECT report, range_start, range_end FROM coverage WHERE state = 'settled'"
    before = select(db, settled)
    with monkeypatch.context() as patch:
        without_date(patch, "2025-11-20")
        sync(api, db, SCOPE)
    assert select(db, settled) == before


def test_rows_that_an_answer_brought_survive_verify_without_their_coverage(api: Simulator, db: Path) -> None:
    sync(api, db, SCOPE)
    (rows,) = select(db, "SELECT count(*) FROM usage_fact")
    forget_coverage(db)
    assert archiver("verify", "--db", str(db)).returncode == 8
    assert select(db, "SELECT count(*) FROM usage_fact") == [rows]
    sync(api, db, SCOPE)
    assert archiver("verify", "--db", str(db)).returncode == 0


def test_rows_that_no_answer_brought_stop_a_sync_until_verify_has_seen_them(api: Simulator, db: Path) -> None:
    sync(api, db, SCOPE)
    before = select(db, SETTLED_TOKENS)
    forget_coverage(db)
    with closing(sqlite3.connect(db)) as connection, connection:
        connection.execute("DELETE FROM bucket WHERE bucket_start < 1765411200")
    with pytest.raises(DamagedError, match="rows that no answer brought"):
        sync(api, db, SCOPE)
    assert archiver("verify", "--db", str(db)).returncode == 8
    sync(api, db, SCOPE)
    assert select(db, SETTLED_TOKENS) == before
    assert archiver("verify", "--db", str(db)).returncode == 0


@pytest.mark.parametrize("marked", [False, True])
def test_what_the_api_forgot_is_kept_though_nothing_vouches_for_it(
    api: Simulator,
    db: Path,
    marked: bool,  # noqa: FBT001  # with or without verify in between
) -> None:
    sync(api, db, SCOPE)
    before = select(db, SETTLED_TOKENS)
    forget_coverage(db)
    if marked:
        archiver("verify", "--db", str(db))
    with background(replace(SMALL, first_day=date(2025, 12, 20))) as later:
        summary = sync(later, db, SCOPE)
    assert select(db, SETTLED_TOKENS) == before
    assert "kept as they were" in " ".join(summary.warnings)


def test_a_second_between_two_clocks_of_the_api_is_no_damage(
    api: Simulator, db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Behind:
        """The clock of the report's server, a second behind that of the others."""

        @staticmethod
        def server_time(headers: Mapping[str, str]) -> int | None:
            shown = response_headers.server_time(headers)
            return None if shown is None else shown - 1

    with monkeypatch.context() as patch:
        patch.setattr(reading, "headers", Behind)
        sync(api, db, Scope((Report.USAGE,), (BucketWidth.MINUTE,), group_by=("none",), since=day("2026-01-15")))
    done = archiver("verify", "--db", str(db))
    assert done.returncode == 0, done.stdout


def test_hours_of_a_filter_are_healed(api: Simulator, db: Path) -> None:
    only_batch = make_filters({"service_tier": ("batch",)})
    hours = Scope((Report.USAGE,), (BucketWidth.HOUR,), ("none",), only_batch, since=day("2026-01-10"))
    sync(api, db, hours)
    with closing(sqlite3.connect(db)) as connection, connection:
        connection.execute("DELETE FROM span WHERE span_start < 1768262400")
    assert archiver("verify", "--db", str(db)).returncode == 8
    sync(api, db, hours)
    done = archiver("verify", "--db", str(db))
    assert done.returncode == 0, done.stdout


def test_sums_that_no_day_should_have_are_taken_away(api: Simulator, db: Path) -> None:
    sync(api, db, SCOPE)
    before = select(db, "SELECT * FROM daily_tokens")
    with closing(sqlite3.connect(db)) as connection, connection:
        connection.execute(
            "INSERT INTO usage_day SELECT series_id, bucket_start, key_id, 1, 1, 1, 1, 1, 1 FROM usage_fact LIMIT 1"
        )
    assert archiver("verify", "--db", str(db)).returncode == 8
    sync(api, db, SCOPE)
    assert archiver("verify", "--db", str(db)).returncode == 0
    assert select(db, "SELECT * FROM daily_tokens") == before


def test_names_are_not_kept_while_nobody_knows_whose_they_are(
    api: Simulator, db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync(api, db, SCOPE)
    with closing(sqlite3.connect(db)) as connection, connection:
        connection.execute("UPDATE organization SET id = 'another'")
        connection.execute("DELETE FROM name")

    async def nameless(session: Any, url: str, query: Any, headers: Any) -> Response:
        """Let only the reports say whose they are, and let `/me` be nonsense."""
        reply = await transport.exchange(session, url, query, headers)
        if "report" in url:
            return reply
        kept = {name: value for name, value in reply.headers.items() if name != "anthropic-organization-id"}
        return Response(200, kept, b"{}") if url.endswith("/me") else Response(reply.status, kept, reply.wire)

    monkeypatch.setattr(run, "AdminClient", partial(AdminClient, exchange=nameless))
    with pytest.raises(OrganizationMismatchError):
        sync(api, db, SCOPE)
    assert select(db, "SELECT count(*) FROM name") == [(0,)]
