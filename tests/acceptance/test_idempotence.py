"""Any sync repeated, overlapped, cut short and rerun gives the archive of one clean run."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from archiver.model import BucketWidth, Report, RowCounts
from archiver.plan.scope import Scope
from archiver.simulator import Settings, background
from tests.support import FIRST_DAY, NOW, SMALL, archived, day, dump, environment, select, sync, truth

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from archiver.simulator import Simulator

FINEST = ("workspace_id", "api_key_id", "model", "service_tier", "context_window")


def test_a_second_sync_finds_nothing_new_and_writes_no_rows(api: Simulator, db: Path) -> None:
    first = sync(api, db)
    before = dump(db)
    second = sync(api, db)
    assert first.rows.inserted > 0
    assert second.rows.changed == 0
    assert second.unchanged == second.fetched == second.planned > 0
    assert dump(db) == before


def test_a_second_sync_requests_only_the_trailing_refresh_days(api: Simulator, db: Path) -> None:
    sync(api, db)
    second = sync(api, db)
    assert {plan.series.report: len(plan.windows) for plan in second.plans} == {Report.USAGE: 2, Report.COST: 2}


def test_overlapping_ranges_are_once(api: Simulator, db: Path, tmp_path: Path) -> None:
    for since, until in [("2025-11-10", "2025-12-20"), ("2025-11-01", "2025-11-20"), ("2025-12-01", "2026-01-16")]:
        sync(api, db, Scope(since=day(since), until=day(until)))
    sync(api, db, Scope(since=day("2025-11-01")))
    clean = tmp_path / "clean.db"
    sync(api, clean, Scope(since=day("2025-11-01")))
    assert dump(db) == dump(clean)


@pytest.mark.parametrize("width", BucketWidth)
def test_late_changed_and_vanished_rows_are_taken_over(api: Simulator, db: Path, width: BucketWidth) -> None:
    scope = Scope((Report.USAGE,), (width,), since=day("2026-01-12"))
    sync(api, db, scope)
    api.amend(day("2026-01-12").date(), 3)
    api.remove(day("2026-01-13").date())
    api.add_usage(day("2026-01-14") + timedelta(hours=3), {"output": 5}, model="a-new-model")
    summary = sync(api, db, scope)
    assert summary.rows.inserted > 0
    assert summary.rows.removed > 0
    assert summary.rows.updated > 0
    assert archived(db, "usage", width, FINEST) == truth(api, "usage", width, FINEST, day("2026-01-12"))


def test_only_what_changed_is_written(api: Simulator, db: Path) -> None:
    scope = Scope((Report.USAGE,), group_by=("none",), since=day("2025-12-20"))
    sync(api, db, scope)
    api.amend(day("2026-01-12").date(), 3)
    rows = sync(api, db, scope).rows
    assert rows == RowCounts(updated=1, unchanged=rows.unchanged)
    assert rows.unchanged > 20


def test_a_changed_settled_bucket_becomes_a_restatement(api: Simulator, db: Path) -> None:
    scope = Scope((Report.USAGE,), group_by=(("model",),), since=day("2025-11-10"))
    sync(api, db, scope)
    was: dict[str, int] = dict(
        select(db, "SELECT model, output_tokens FROM usage WHERE bucket_start = '2025-11-12T00:00:00Z'")
    )
    api.amend(day("2025-11-12").date(), 2)
    sync(api, db, Scope((Report.USAGE,), group_by=(("model",),), since=day("2025-11-10"), refresh_days=90))
    restatements = select(
        db,
        """SELECT model, was, now, learnt_at, previously_learnt_at FROM restatement
        WHERE field = 'output_tokens' AND bucket_start = '2025-11-12T00:00:00Z'""",
    )
    assert {model: before for model, before, *_ in restatements} == was
    assert all(now == 2 * before for _, before, now, *_ in restatements)
    assert {row[3:] for row in restatements} == {("2026-01-15T12:30:00Z", "2026-01-15T12:30:00Z")}


WIDE = Scope((Report.USAGE,), group_by=("none",), since=day("2025-11-05"), refresh_days=90)


@pytest.mark.parametrize("factor", [0, 0.4])
def test_a_settled_day_that_loses_most_is_kept_until_the_api_returns_that_twice(
    api: Simulator, db: Path, factor: float
) -> None:
    sync(api, db, Scope((Report.USAGE,), group_by=("none",), since=day("2025-11-05")))
    before = dump(db)
    if factor:
        api.amend(day("2025-11-12").date(), factor)
    else:
        api.remove(day("2025-11-12").date())
    doubting = sync(api, db, WIDE)
    assert doubting.rows.changed == 0
    assert [failure.error for failure in doubting.failures] == ["suspect"]
    assert doubting.exit_code == 3
    assert archived(db, "usage", "1d", ()) != truth(api, "usage", "1d", (), day("2025-11-05"))
    assert dump(db) == before
    api.clock.now = NOW + timedelta(hours=5, minutes=59)
    assert sync(api, db, WIDE).exit_code == 3
    assert select(db, "SELECT count(*) FROM restatement") == [(0,)]
    api.clock.now = NOW + timedelta(hours=6)
    assert sync(api, db, WIDE).exit_code == 0
    assert archived(db, "usage", "1d", ()) == truth(api, "usage", "1d", (), day("2025-11-05"))
    assert select(db, "SELECT count(*) FROM _suspect") == [(0,)]
    assert select(db, "SELECT count(*) > 0 FROM restatement") == [(1,)]


def test_a_suspect_is_dropped_when_the_api_returns_the_old_rows_again(api: Simulator, db: Path) -> None:
    sync(api, db, Scope((Report.USAGE,), group_by=("none",), since=day("2025-11-05")))
    api.remove(day("2025-11-12").date())
    sync(api, db, WIDE)
    assert select(db, "SELECT count(*) FROM _suspect") == [(1,)]
    api.restore(day("2025-11-12").date())
    assert sync(api, db, WIDE).rows.changed == 0
    assert select(db, "SELECT count(*) FROM _suspect") == [(0,)]


def test_a_suspect_bucket_is_requested_by_every_run_until_it_is_decided(api: Simulator, db: Path) -> None:
    scope = Scope((Report.USAGE,), group_by=("none",), since=day("2025-11-05"))
    sync(api, db, scope)
    api.remove(day("2025-11-12").date())
    sync(api, db, WIDE)
    api.clock.now = NOW + timedelta(hours=6)
    assert sync(api, db, scope).rows.removed == 1
    assert archived(db, "usage", "1d", ()) == truth(api, "usage", "1d", (), day("2025-11-05"))


def test_accept_restatements_replaces_rows_at_once(api: Simulator, db: Path) -> None:
    sync(api, db, Scope((Report.USAGE,), group_by=("none",), since=day("2025-11-05")))
    api.remove(day("2025-11-12").date())
    assert sync(api, db, WIDE, accept_restatements=True).rows.removed == 1
    assert archived(db, "usage", "1d", ()) == truth(api, "usage", "1d", (), day("2025-11-05"))


def test_a_changed_provisional_bucket_is_no_restatement(api: Simulator, db: Path) -> None:
    scope = Scope((Report.USAGE,), group_by=(("model",),), since=day("2026-01-01"))
    sync(api, db, scope)
    api.amend(day("2026-01-05").date(), 2)
    assert sync(api, db, scope).rows.updated > 0
    assert select(db, "SELECT count(*) FROM restatement") == [(0,)]


def test_a_night_later_the_archive_is_that_of_a_clean_run(api: Simulator, db: Path, tmp_path: Path) -> None:
    sync(api, db)
    api.clock.now = NOW + timedelta(days=40, hours=5)
    sync(api, db)
    clean = tmp_path / "clean.db"
    sync(api, clean)
    for view in ("usage", "cost"):
        counted = f"SELECT count(*), min(bucket_start), max(bucket_start) FROM {view}"  # noqa: S608  # a name from above
        assert select(db, counted) == select(clean, counted)
    coverage = "SELECT report, range_start, range_end, state FROM coverage ORDER BY report, range_start"
    assert select(db, coverage) == select(clean, coverage)


@pytest.fixture
def slow_api() -> Iterator[Simulator]:
    with background(Settings(first_day=FIRST_DAY, now=NOW, size=SMALL.size, latency=0.05)) as simulator:
        yield simulator


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -signal.SIGKILL)]
)
def test_a_run_that_is_stopped_is_continued_by_the_next(
    slow_api: Simulator, db: Path, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    arguments = [
        "sync",
        "--api-url",
        slow_api.url,
        "--db",
        str(db),
        "--rate",
        "none",
        "--concurrency",
        "1",
        "--since",
        "2025-11-01",
    ]
    arguments += ["--bucket-width", "1h", "--group-by", "none", "--group-by", "model"]
    process = subprocess.Popen(
        [sys.executable, "-m", "archiver", *arguments],
        env=environment(ANTHROPIC_ADMIN_API_KEY=slow_api.key),
        stderr=subprocess.DEVNULL,
    )
    # Newest first: only what lies before the trailing days need not be fetched again.
    while sum("usage_report" in r.path for r in list(slow_api.requests)) < 16:
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(number)
    assert process.wait(5) == code
    done = select(db, "SELECT count(*) FROM _answer")[0][0]
    assert done > 0
    scope = Scope(bucket_widths=(BucketWidth.HOUR,), group_by=("none", ("model",)), since=day("2025-11-01"))
    rerun = sync(slow_api, db, scope)
    clean = tmp_path / "clean.db"
    whole = sync(slow_api, clean, scope)
    assert rerun.planned < whole.planned
    assert dump(db) == dump(clean)


def test_what_a_killed_run_had_not_fetched_is_missing_until_the_next_run(slow_api: Simulator, db: Path) -> None:
    summary = sync(slow_api, db, Scope(since=day("2025-11-01")), max_runtime=0.4, concurrency=1)
    assert summary.exit_code == 10
    assert summary.left > 0
    states = {state for (state,) in select(db, "SELECT DISTINCT state FROM coverage")}
    assert "missing" in states
    sync(slow_api, db, Scope(since=day("2025-11-01")))
    assert {state for (state,) in select(db, "SELECT DISTINCT state FROM coverage")} == {"settled", "provisional"}
