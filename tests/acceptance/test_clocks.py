"""A wrong local clock and a run across midnight change nothing, because the API's clock decides."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel
import pytest

from archiver.api.client import AdminClient
from archiver.api.key import AdminKey
from archiver.api.rate_limit import Rate, RateLimiter
from archiver.api.retry import RetryPolicy
from archiver.api.transport import exchange, open_session
from archiver.clock import Clock
from archiver.crawl.run import Run
from archiver.crawl.summary import Summary
from archiver.model import DAY, BucketWidth, Report
from archiver.plan.scope import Scope
from archiver.simulator import Settings, background
from archiver.store.archive import held_archive, open_archive
from archiver.store.read.verify import verify_archive
from tests.support import FIRST_DAY, NOW, SMALL, archived, day, dump, select, sync, truth

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from datetime import datetime
    from pathlib import Path

    from archiver.api.response import Response
    from archiver.simulator import Simulator

    Exchange = Callable[..., Awaitable[Response]]

SCOPE = Scope(group_by=("none",), since=day("2025-11-05"))
YEARS = 400 * DAY
COVERAGE = "SELECT report, bucket_width, range_start, range_end, state, fetched_at FROM coverage ORDER BY 1, 2, 3"


def run(api: Simulator, db: Path, scope: Scope = SCOPE, *, skew: float = 0.0, through: Exchange = exchange) -> Summary:
    """Sync with a local clock that differs from the API's by so many seconds."""
    summary = Summary()
    clock = Clock(now=lambda: api.clock.now.timestamp() + skew)

    async def go() -> None:
        pace = RateLimiter(Rate(None), 4, clock)
        async with open_session(api.url) as session, open_archive(db) as archive:
            key = AdminKey(api.key, "a test")
            client = AdminClient(session, api.url, key, pace, clock, RetryPolicy(pace, clock), through)
            await Run(archive, client, scope, clock, summary=summary).execute()

    with held_archive(db, now=0):
        anyio.run(go)
    return summary


@pytest.fixture(scope="module")
def clean(shared_api: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Path:
    db = tmp_path_factory.mktemp("clean") / "clean.db"
    run(shared_api, db)
    return db


@pytest.mark.parametrize("skew", [YEARS, -YEARS, 36 * DAY, -36 * DAY, 600, -600])
def test_a_wrong_local_clock_changes_nothing_in_the_archive(
    shared_api: Simulator, clean: Path, db: Path, skew: int
) -> None:
    assert run(shared_api, db, skew=skew).exit_code == 0
    assert dump(db) == dump(clean)
    assert select(db, COVERAGE) == select(clean, COVERAGE)
    learnt = "SELECT DISTINCT learnt_at FROM _bucket UNION SELECT DISTINCT learnt_at FROM _name"
    assert select(db, learnt) == [(int(NOW.timestamp()),)]
    assert verify_archive(db) == []


@pytest.mark.parametrize("skew", [YEARS, -YEARS])
def test_a_wrong_local_clock_settles_nothing_early_and_nothing_late(shared_api: Simulator, db: Path, skew: int) -> None:
    run(shared_api, db, skew=skew)
    settled = "SELECT max(span_end) FROM _span WHERE state = 'settled'"
    young = "SELECT min(span_start) FROM _span WHERE state = 'provisional'"
    border = int(day("2025-12-11").timestamp())
    assert select(db, settled) == select(db, young) == [(border,)]


@pytest.mark.parametrize("skew", [YEARS, -YEARS])
def test_a_local_clock_that_is_corrected_between_runs_leaves_no_gap(
    api: Simulator, clean: Path, db: Path, skew: int
) -> None:
    run(api, db, skew=skew)
    assert run(api, db).rows.changed == 0
    assert dump(db) == dump(clean)
    api.clock.now = NOW + timedelta(days=10)
    again = run(api, db, skew=-skew)
    assert again.exit_code == 0
    assert archived(db, "usage", "1d", ()) == truth(api, "usage", "1d", (), day("2025-11-05"), later(11))
    assert select(db, "SELECT count(*) FROM coverage WHERE state IN ('missing', 'failed')") == [(0,)]


def later(days: int) -> datetime:
    return NOW + timedelta(days=days)


@pytest.mark.parametrize(("skew", "warned"), [(301, True), (-301, True), (299, False), (-299, False), (YEARS, True)])
def test_a_local_clock_that_is_off_by_more_than_five_minutes_is_warned_about(
    shared_api: Simulator, db: Path, skew: int, *, warned: bool
) -> None:
    summary = run(shared_api, db, Scope(group_by=("none",), since=day("2026-01-14")), skew=skew)
    warnings = [warning for warning in summary.warnings if "local clock" in warning]
    assert bool(warnings) is warned
    assert all("2026-01-15T12:30:00Z" in warning for warning in warnings)


# Midnight -----------------------------------------------------------------------------------------------------------

MIDNIGHT = day("2026-01-16")


@pytest.fixture
def night_api() -> Iterator[Simulator]:
    settings = Settings(first_day=FIRST_DAY, now=MIDNIGHT - timedelta(seconds=1), size=SMALL.size)
    with background(settings) as simulator:
        yield simulator


@pytest.mark.parametrize("seconds", [-1, 0, 30, 3599])
@pytest.mark.parametrize("width", [BucketWidth.DAY, BucketWidth.HOUR])
def test_a_run_about_midnight_leaves_no_gap_and_settles_nothing_early(
    night_api: Simulator, db: Path, width: BucketWidth, seconds: int
) -> None:
    night_api.clock.now = MIDNIGHT + timedelta(seconds=seconds)
    scope = Scope(bucket_widths=(width,), group_by=("none",), since=day("2025-12-01"))
    assert run(night_api, db, scope).exit_code == 0
    now = int(night_api.clock.now.timestamp())
    assert select(db, "SELECT DISTINCT state FROM _span WHERE state IN ('missing', 'failed')") == []
    early = "SELECT count(*) FROM _span WHERE state = 'settled' AND span_end > ?"
    assert select(db, early, now - 35 * DAY) == [(0,)]
    night_api.clock.now = MIDNIGHT + timedelta(hours=30)
    assert run(night_api, db, scope).exit_code == 0
    since, end = day("2025-12-01"), night_api.clock.now + timedelta(days=1)
    assert archived(db, "usage", width, ()) == truth(night_api, "usage", width, (), since, end)
    assert verify_archive(db) == []


def test_a_day_in_progress_that_is_read_again_after_midnight_is_no_restatement(night_api: Simulator, db: Path) -> None:
    run(night_api, db)
    night_api.clock.now = MIDNIGHT + timedelta(seconds=30)
    night_api.add_usage(MIDNIGHT - timedelta(hours=1), {"output": 5}, model="a-late-model")
    assert run(night_api, db).rows.changed > 0
    assert select(db, "SELECT count(*) FROM restatement") == [(0,)]


class Straggler:
    """An exchange that receives the cost report before midnight and delivers it after midnight, last."""

    def __init__(self, api: Simulator) -> None:
        self._api = api
        self._cost_is_there, self._usage_is_there = anyio.Event(), anyio.Event()

    async def __call__(self, session: Any, url: str, query: Any, headers: Any) -> Response:
        if "cost_report" in url:
            reply = await exchange(session, url, query, headers)
            self._cost_is_there.set()
            await self._usage_is_there.wait()
            await anyio.lowlevel.checkpoint()
            return reply
        if "usage_report" in url:
            await self._cost_is_there.wait()
            self._api.clock.now = MIDNIGHT + timedelta(seconds=1)
            reply = await exchange(session, url, query, headers)
            self._usage_is_there.set()
            return reply
        return await exchange(session, url, query, headers)


def test_an_answer_from_before_midnight_that_comes_in_after_it_leaves_no_gap(night_api: Simulator, db: Path) -> None:
    scope = Scope((Report.USAGE, Report.COST), group_by=("none",), since=day("2026-01-10"))
    summary = run(night_api, db, scope, through=Straggler(night_api))
    assert summary.failures == []
    assert select(db, "SELECT count(*) FROM coverage WHERE state = 'missing'") == [(0,)]


def test_a_gap_that_midnight_made_is_filled_by_the_next_run(night_api: Simulator, db: Path) -> None:
    scope = Scope((Report.USAGE, Report.COST), group_by=("none",), since=day("2026-01-10"))
    run(night_api, db, scope, through=Straggler(night_api))
    night_api.clock.now = MIDNIGHT + timedelta(hours=1)
    assert run(night_api, db, scope).exit_code == 0
    end = MIDNIGHT + timedelta(days=1)
    assert archived(db, "cost", "1d", ()) == truth(night_api, "cost", "1d", (), day("2026-01-10"), MIDNIGHT)
    assert archived(db, "usage", "1d", ()) == truth(night_api, "usage", "1d", (), day("2026-01-10"), end)


def test_an_api_whose_clock_goes_back_unsettles_nothing(api: Simulator, db: Path) -> None:
    sync(api, db, SCOPE)
    settled = "SELECT report, range_start, range_end FROM coverage WHERE state = 'settled' ORDER BY report"
    before = select(db, settled)
    api.clock.now = NOW - timedelta(days=20)
    summary = run(api, db)
    assert summary.rows.removed == 0
    assert select(db, settled) == before
