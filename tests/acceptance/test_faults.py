"""Named faults in raw responses, each for every report to which it applies.

After every fault the outcome is the documented one and nothing wrong is archived. The next run without a fault makes
the archive equal to the simulator.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import aiohttp
import anyio
import pytest

from archiver.api.client import AdminClient
from archiver.api.key import AdminKey
from archiver.api.rate_limit import Rate, RateLimiter
from archiver.api.retry import RetryPolicy
from archiver.api.transport import open_session
from archiver.clock import Clock
from archiver.crawl.run import Run
from archiver.crawl.summary import Summary
from archiver.model import DEFAULT_REPORTS, Report
from archiver.plan.scope import Scope
from archiver.simulator import background
from archiver.store.archive import held_archive, open_archive
from tests import analytics, claude_code
from tests.faults import FAULTS, HARMLESS, HOLE, TEMPORARY, applies, raw
from tests.raw_server import Good, RawServer, raw_server
from tests.support import NOW, SMALL, archived, day, select, truth

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from archiver.simulator import Simulator

SINCE = day("2026-01-06")
YESTERDAY = day("2026-01-14").date()
PATIENCE = aiohttp.ClientTimeout(total=0.4)


def test_the_table_is_as_long_as_it_should_be() -> None:
    assert len(FAULTS) >= 110


@pytest.fixture(scope="module")
def upstream() -> Iterator[Simulator]:
    with background(SMALL) as simulator:
        yield simulator


@pytest.fixture(scope="module")
def server(upstream: Simulator) -> Iterator[RawServer]:
    with raw_server(upstream) as running:
        yield running


class Hurried:
    """A clock that counts the seconds of waits and does not wait."""

    def __init__(self, later: float = 0.0) -> None:
        self.waited = later

    async def sleep(self, seconds: float) -> None:
        self.waited += seconds
        await anyio.lowlevel.checkpoint()

    def clock(self) -> Clock:
        return Clock(now=lambda: NOW.timestamp() + self.waited, monotonic=lambda: self.waited, sleep=self.sleep)


def run(  # noqa: PLR0913  # what a run can differ in
    server: RawServer,
    db: Path,
    report: Report,
    *,
    since: str = "2026-01-06",
    until: str | None = None,
    later: float = 0.0,
) -> tuple[Summary, float]:
    """Sync ten days of one report; return its summary and the seconds that it would have waited.

    Of the Claude Code report, which has one day a request, it is one day.
    """
    hurried = Hurried(later)
    if report is Report.CLAUDE_CODE:
        since, until = "2026-01-14", "2026-01-15"
    scope = Scope(
        (report,),
        group_by=("none",) if report is Report.CLAUDE_CODE else (("workspace_id",),),
        since=None if since == "auto" else day(since),
        until=day(until) if until else None,
    )
    summary = Summary()

    async def go() -> None:
        clock = hurried.clock()
        limiter = RateLimiter(Rate(None), 4, clock)
        retry_policy = RetryPolicy(limiter, clock, chance=lambda: 0.5)
        async with open_session(server.url, PATIENCE) as session, open_archive(db) as archive:
            client = AdminClient(session, server.url, AdminKey(server.key, "a test"), limiter, clock, retry_policy)
            await Run(archive, client, scope, clock, summary=summary).execute()

    with held_archive(db, now=0):
        anyio.run(go)
    return summary, hurried.waited


@pytest.mark.parametrize(
    ("name", "report"),
    [(name, report) for name in FAULTS for report in Report if applies(name, report)],
)
def test_a_fault_has_its_outcome_archives_nothing_wrong_and_is_repaired(
    server: RawServer, upstream: Simulator, db: Path, name: str, report: Report
) -> None:
    spoil, expected = FAULTS[name]
    true_rows = true(upstream, report)
    server.spoil = spoil
    summary, waited = run(server, db, report)
    assert summary.exit_code == expected, summary.failures
    assert summary.failures or expected == HARMLESS
    assert waited <= 1200
    assert summary.requests <= 5 + 40
    kept = kept_rows(db, report)
    if expected == HARMLESS:
        assert kept == true_rows
    elif expected == HOLE:
        assert set(kept) <= set(true_rows)
        assert select(db, "SELECT count(*) > 0 FROM coverage WHERE state = 'missing'") == [(1,)]
    else:
        assert kept == []
        assert select(db, "SELECT DISTINCT state FROM coverage") in ([("failed",)], [("missing",)])
    server.spoil = None
    with_later_clock(db)
    healed, _ = run(server, db, report)
    assert healed.exit_code == 0, healed.failures
    assert kept_rows(db, report) == true_rows
    assert select(db, "SELECT count(*) FROM coverage WHERE state IN ('missing', 'failed')") == [(0,)]


def true(upstream: Simulator, report: Report) -> list[Any]:
    """Return the rows of the simulator by workspace."""
    if report in DEFAULT_REPORTS:
        return truth(upstream, report, "1d", ("workspace_id",), SINCE)
    if report is Report.CLAUDE_CODE:
        return claude_code.truth(upstream, YESTERDAY, YESTERDAY)
    return analytics.truth(upstream, report, ("workspace_id",), SINCE)


def kept_rows(db: Path, report: Report) -> list[Any]:
    """Return the rows of the archive by workspace."""
    if report in DEFAULT_REPORTS:
        return archived(db, report, "1d", ("workspace_id",))
    if report is Report.CLAUDE_CODE:
        return claude_code.archived(db, YESTERDAY, YESTERDAY)
    return analytics.archived(db, report, ("workspace_id",))


def with_later_clock(db: Path) -> None:
    """Delete the time before which the API asked for no request."""
    import sqlite3  # noqa: PLC0415
    from contextlib import closing  # noqa: PLC0415

    with closing(sqlite3.connect(db)) as connection:
        connection.execute("DELETE FROM _memory WHERE key = 'not_before'")
        connection.commit()


def once(spoil: Callable[[Good], bytes | None]) -> Callable[[Good], bytes | None]:
    """Return a fault that changes only the first response."""
    used: list[bool] = []

    def first(good: Good) -> bytes | None:
        if used:
            return good.bytes()
        used.append(True)
        return spoil(good)

    return first


PASSING = [name for name, (_, code) in FAULTS.items() if code == TEMPORARY] + [
    "gzip that is cut short",
    "gzip with a flipped bit",
    "an empty body",
    "half the body",
    "HTML",
    "HTML with its content type",
]
FINAL = {"402", "429 for a spent limit", "500 not to be retried", "429 and retry-after of half an hour"}


@pytest.mark.parametrize("name", [name for name in PASSING if name not in FINAL])
def test_a_fault_that_passes_is_retried(server: RawServer, upstream: Simulator, db: Path, name: str) -> None:
    server.spoil = once(FAULTS[name][0])
    summary, _ = run(server, db, Report.USAGE)
    assert summary.exit_code == 0, summary.failures
    assert summary.retries == 1
    assert archived(db, "usage", "1d", ("workspace_id",)) == truth(upstream, "usage", "1d", ("workspace_id",), SINCE)


def test_a_retry_after_a_closed_kept_connection_is_counted(upstream: Simulator, db: Path) -> None:
    with raw_server(upstream) as server:
        server.spoil = once(raw(b""))
        summary, _ = run(server, db, Report.USAGE)
        assert summary.requests == len(server.asked)
