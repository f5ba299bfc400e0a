"""Suspects and collapses are failures, on stderr even with --quiet and in the exit code."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from archiver.model import Report
from archiver.plan.scope import Scope
from archiver.store.read.verify import verify_archive
from tests.raw_server import Good, RawServer, raw_server
from tests.support import NOW, archived, archiver, day, printed_json, run_sync, select, sync, truth

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from archiver.simulator import Simulator

SCOPE = Scope(group_by=("none",), since=day("2025-12-20"))


def amend(api: Simulator, days: int, factor: float) -> None:
    for back in range(1, days + 1):
        api.amend((NOW - timedelta(days=back)).date(), factor)


def test_a_loss_of_a_third_over_three_days_is_a_collapse(api: Simulator, db: Path) -> None:
    sync(api, db, SCOPE)
    amend(api, 3, 0.66)
    done = run_sync(api, db, "--since", "2025-12-20", "--group-by", "none", "--quiet", "--json")
    assert done.returncode == 3
    result = printed_json(done)
    assert result["outcome"] == "partial"
    collapses = [failure for failure in result["failures"] if failure["error"] == "collapse"]
    assert {failure["report"] for failure in collapses} == {"usage", "cost"}
    assert (collapses[0]["start"], collapses[0]["end"]) == ("2026-01-12T00:00:00Z", "2026-01-15T00:00:00Z")
    assert "3 days lost 34% of their tokens" in done.stderr
    [(remembered,)] = select(db, "SELECT value FROM _memory WHERE key = 'collapse'")
    assert [one["report"] for one in json.loads(remembered)["collapses"]] == [one["report"] for one in collapses]
    shown = archiver("status", "--db", str(db))
    assert (shown.returncode, shown.stdout.count(" collapsed: 3 days lost ")) == (3, 2)
    assert run_sync(api, db, "--since", "2025-12-20", "--group-by", "none").returncode == 0
    shown = archiver("status", "--db", str(db))
    assert (shown.returncode, "collapsed" in shown.stdout) == (0, False)


@pytest.mark.parametrize(("days", "factor"), [(2, 0.1), (5, 0.81), (5, 1.5)])
def test_smaller_losses_and_gains_are_no_collapse(api: Simulator, db: Path, days: int, factor: float) -> None:
    sync(api, db, SCOPE)
    amend(api, days, factor)
    assert sync(api, db, SCOPE).exit_code == 0
    assert select(db, "SELECT count(*) FROM _memory WHERE key = 'collapse'") == [(0,)]


def test_a_suspect_day_is_exit_3_and_on_stderr_under_quiet(api: Simulator, db: Path) -> None:
    sync(api, db, Scope((Report.USAGE,), group_by=("none",), since=day("2025-11-05")))
    api.remove(day("2025-11-12").date())
    arguments = ("--report", "usage", "--group-by", "none", "--since", "2025-11-05", "--refresh", "300", "--quiet")
    done = run_sync(api, db, *arguments, "--json")
    assert done.returncode == 3
    assert [failure["error"] for failure in printed_json(done)["failures"]] == ["suspect"]
    assert "suspect: usage 1d" in done.stderr
    assert "1 settled bucket came back with less than half" in done.stderr


def test_failures_are_on_stderr_under_quiet(api: Simulator, db: Path) -> None:
    api.faults.set("missing_bucket", match="usage_report")
    done = run_sync(api, db, "--since", "2025-12-20", "--group-by", "none", "--quiet")
    assert done.returncode == 3
    assert "missing: usage 1d" in done.stderr


# Cost comes late ----------------------------------------------------------------------------------------------------


@pytest.fixture
def late_cost(api: Simulator) -> Iterator[RawServer]:
    """Run a simulator in which the cost of 2026-01-14 is still missing."""
    with raw_server(api) as server:

        def spoil(good: Good) -> bytes:
            raw = json.loads(good.body)
            if "cost" in good.path:
                raw["data"] = [one for one in raw["data"] if one["starting_at"] != "2026-01-14T00:00:00Z"]
            return good.bytes(json.dumps(raw).encode())

        server.spoil = spoil
        yield server


def test_the_cost_of_today_is_not_fetched_and_not_missing(api: Simulator, db: Path) -> None:
    assert sync(api, db, SCOPE).exit_code == 0
    ends = {dict(r.query)["ending_at"] for r in api.requests if "cost_report" in r.path}
    assert max(ends) == "2026-01-15T00:00:00Z"
    assert select(db, "SELECT max(range_end) FROM coverage WHERE report = 'cost'") == [("2026-01-15T00:00:00Z",)]
    assert archiver("status", "--db", str(db)).returncode == 0


def test_a_cost_of_yesterday_that_is_not_there_is_no_gap_and_no_zero(
    api: Simulator, db: Path, late_cost: RawServer
) -> None:
    summary = sync(api, db, SCOPE, api_url=late_cost.url)
    assert (summary.exit_code, summary.failures) == (0, [])
    states = select(db, "SELECT state, max(range_end) FROM coverage WHERE report = 'cost' GROUP BY state")
    assert states == [("provisional", "2026-01-15T00:00:00Z")]
    last = int(day("2026-01-13").timestamp())
    assert select(db, "SELECT max(day_start) FROM _canonical_day WHERE report = 'cost'") == [(last,)]
    assert verify_archive(db) == []
    assert archiver("status", "--db", str(db)).returncode == 0
    late_cost.spoil = None
    assert sync(api, db, SCOPE, api_url=late_cost.url).exit_code == 0
    assert archived(db, "cost", "1d", ()) == truth(api, "cost", "1d", (), day("2025-12-20"))
    assert select(db, "SELECT count(*) FROM _revision") == [(0,)]
    assert verify_archive(db) == []


def test_a_cost_that_is_absent_a_day_after_its_end_is_missing(api: Simulator, db: Path, late_cost: RawServer) -> None:
    sync(api, db, SCOPE, api_url=late_cost.url)
    api.clock.now = day("2026-01-16") - timedelta(seconds=1)
    assert sync(api, db, SCOPE, api_url=late_cost.url).exit_code == 0
    api.clock.now = day("2026-01-16")
    summary = sync(api, db, SCOPE, api_url=late_cost.url)
    assert (summary.exit_code, [failure.error for failure in summary.failures]) == (3, ["missing"])
    gaps = "SELECT range_start, range_end, state FROM coverage WHERE report = 'cost' AND state = 'missing'"
    assert select(db, gaps) == [("2026-01-14T00:00:00Z", "2026-01-15T00:00:00Z", "missing")]


# Ranges without a bucket --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("until", ["2026-01-05", "2026-01-04"])
@pytest.mark.parametrize("more", [(), ("--dry-run",)])
def test_an_empty_range_is_exit_2_before_any_request_and_makes_no_file(
    api: Simulator, db: Path, until: str, more: tuple[str, ...]
) -> None:
    done = run_sync(api, db, "--since", "2026-01-05", "--until", until, *more)
    assert done.returncode == 2
    assert "contains no bucket" in done.stderr
    assert not api.requests
    assert not db.exists()


@pytest.mark.parametrize("arguments", [("--since", "2027-01-01"), ("--since", "2026-01-15", "--report", "cost")])
def test_a_range_that_has_not_begun_is_exit_2(api: Simulator, db: Path, arguments: tuple[str, ...]) -> None:
    done = run_sync(api, db, *arguments)
    assert done.returncode == 2
    assert not [r for r in api.requests if "report" in r.path]


# --log-format json --------------------------------------------------------------------------------------------------


def test_every_line_of_a_failing_run_is_an_object(api: Simulator, db: Path) -> None:
    api.faults.set("missing_bucket", match="usage_report")
    done = run_sync(api, db, "--since", "2025-12-20", "--group-by", "none", "--log-format", "json")
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert {line["level"] for line in lines} == {"info", "warning", "error"}
    failure = next(line for line in lines if line["level"] == "error")
    assert failure["message"].startswith("the API left out")
    assert (failure["error"], failure["report"], failure["bucket_width"]) == ("missing", "usage", "1d")
    done = run_sync(api, db, "--log-format", "json", ANTHROPIC_ADMIN_API_KEY="sk-ant-admin01-that-is-not-valid")
    [error] = [json.loads(line) for line in done.stderr.splitlines() if '"outcome"' in line]
    assert (error["level"], error["outcome"]) == ("error", "auth")
