"""Archived rows survive lost coverage, wrong clocks and an API that no longer returns them."""

from __future__ import annotations

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
from tests.archives import (
    add_day_sums,
    delete_answers,
    delete_coverage,
    delete_digests,
    delete_names,
    set_organization,
)
from tests.support import SMALL, archiver, day, select, sync

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from archiver.simulator import Simulator

SCOPE = Scope(group_by=("none",), since=day("2025-11-01"))
DECEMBER_11 = int(day("2025-12-11").timestamp())
SETTLED_TOKENS = "SELECT sum(output_tokens) FROM daily_tokens WHERE date < '2025-12-11'"


def without_date(patch: pytest.MonkeyPatch, when: str) -> None:
    """Remove `Date` from every response, and stop the local clock at a day."""
    patch.setattr(response_headers, "server_time", lambda _: None)
    patch.setattr(run, "Clock", lambda: Clock(now=day(when).timestamp))


def lose_coverage(db: Path) -> None:
    delete_coverage(db, before=DECEMBER_11)
    delete_answers(db)


def test_the_local_clock_alone_removes_no_coverage(api: Simulator, db: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sync(api, db, SCOPE)
    settled = "SELECT report, range_start, range_end FROM coverage WHERE state = 'settled'"
    before = select(db, settled)
    with monkeypatch.context() as patch:
        without_date(patch, "2025-11-20")
        sync(api, db, SCOPE)
    assert select(db, settled) == before


def test_rows_without_coverage_survive_verify_while_their_digest_matches(api: Simulator, db: Path) -> None:
    sync(api, db, SCOPE)
    (rows,) = select(db, "SELECT count(*) FROM _usage_fact")
    lose_coverage(db)
    assert archiver("verify", "--db", str(db)).returncode == 8
    assert select(db, "SELECT count(*) FROM _usage_fact") == [rows]
    sync(api, db, SCOPE)
    assert archiver("verify", "--db", str(db)).returncode == 0


def test_rows_without_a_matching_response_stop_a_sync_until_verify_has_found_them(api: Simulator, db: Path) -> None:
    sync(api, db, SCOPE)
    before = select(db, SETTLED_TOKENS)
    lose_coverage(db)
    delete_digests(db, before=DECEMBER_11)
    with pytest.raises(DamagedError, match="rows without a matching API response"):
        sync(api, db, SCOPE)
    assert archiver("verify", "--db", str(db)).returncode == 8
    sync(api, db, SCOPE)
    assert select(db, SETTLED_TOKENS) == before
    assert archiver("verify", "--db", str(db)).returncode == 0


@pytest.mark.parametrize("marked", [False, True])
def test_rows_that_the_api_no_longer_returns_are_kept_without_coverage(
    api: Simulator,
    db: Path,
    marked: bool,  # noqa: FBT001  # with or without verify in between
) -> None:
    sync(api, db, SCOPE)
    before = select(db, SETTLED_TOKENS)
    lose_coverage(db)
    if marked:
        archiver("verify", "--db", str(db))
    with background(replace(SMALL, first_day=date(2025, 12, 20))) as later:
        summary = sync(later, db, SCOPE)
    assert select(db, SETTLED_TOKENS) == before
    assert "suspect" in {failure.error for failure in summary.failures}


def test_a_second_between_two_servers_of_the_api_is_no_damage(
    api: Simulator, db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Behind:
        """The clock of the server of reports, a second behind that of the others."""

        @staticmethod
        def server_time(headers: Mapping[str, str]) -> int | None:
            shown = response_headers.server_time(headers)
            return None if shown is None else shown - 1

    with monkeypatch.context() as patch:
        patch.setattr(reading, "headers", Behind)
        sync(api, db, Scope((Report.USAGE,), (BucketWidth.MINUTE,), group_by=("none",), since=day("2026-01-15")))
    done = archiver("verify", "--db", str(db))
    assert done.returncode == 0, done.stdout


def test_hours_with_a_filter_are_repaired(api: Simulator, db: Path) -> None:
    only_batch = make_filters({"service_tier": ("batch",)})
    hours = Scope((Report.USAGE,), (BucketWidth.HOUR,), ("none",), only_batch, since=day("2026-01-10"))
    sync(api, db, hours)
    delete_coverage(db, before=int(day("2026-01-13").timestamp()))
    assert archiver("verify", "--db", str(db)).returncode == 8
    sync(api, db, hours)
    done = archiver("verify", "--db", str(db))
    assert done.returncode == 0, done.stdout


def test_sums_of_a_series_of_days_are_removed(api: Simulator, db: Path) -> None:
    sync(api, db, SCOPE)
    before = select(db, "SELECT * FROM daily_tokens")
    add_day_sums(db)
    assert archiver("verify", "--db", str(db)).returncode == 8
    sync(api, db, SCOPE)
    assert archiver("verify", "--db", str(db)).returncode == 0
    assert select(db, "SELECT * FROM daily_tokens") == before


def test_names_are_not_saved_while_the_organization_is_unknown(
    api: Simulator, db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync(api, db, SCOPE)
    set_organization(db, "another")
    delete_names(db)

    async def nameless(session: Any, url: str, query: Any, headers: Any) -> Response:
        """Remove the organization's header outside of reports, and return an empty `/me`."""
        reply = await transport.exchange(session, url, query, headers)
        if "report" in url:
            return reply
        kept = {name: value for name, value in reply.headers.items() if name != "anthropic-organization-id"}
        return Response(200, kept, b"{}") if url.endswith("/me") else Response(reply.status, kept, reply.wire)

    monkeypatch.setattr(run, "AdminClient", partial(AdminClient, exchange=nameless))
    with pytest.raises(OrganizationMismatchError):
        sync(api, db, SCOPE)
    assert select(db, "SELECT count(*) FROM _name") == [(0,)]
