"""The analytics reports are archived row by row, and keep the promises of the older ones."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from archiver.model import DEFAULT_REPORTS, BucketWidth, Report
from archiver.plan.groupings import parse_group_by
from archiver.plan.scope import Scope
from archiver.simulator import background
from archiver.store.read.reader import open_archive_reader
from archiver.store.read.verify import verify_archive
from tests.analytics import (
    BOTH,
    COST_GROUPING,
    FIRST_DAY,
    NOW,
    SMALL,
    USAGE_GROUPING,
    archived,
    money,
    only_days,
    scope,
    truth,
)
from tests.raw_server import raw_server
from tests.support import day, run_sync, select, sync

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from archiver.simulator import Simulator

START = day("2026-02-01")
GROUPINGS = {
    Report.ANALYTICS_COST: [
        (),
        ("actor",),
        ("actor", "actor_type", "cost_type"),
        ("api_key_id", "model"),
        ("product", "speed", "token_type"),
        ("rbac_group_id",),
        COST_GROUPING,
    ],
    Report.ANALYTICS_USAGE: [(), ("actor",), ("actor_type", "context_window"), ("rbac_group_id",), USAGE_GROUPING],
}


@pytest.fixture(scope="module")
def api() -> Iterator[Simulator]:
    with background(SMALL) as running:
        yield running


@pytest.mark.parametrize(("report", "group_by"), [(report, one) for report, all_ in GROUPINGS.items() for one in all_])
def test_every_row_is_the_apis(api: Simulator, db: Path, report: Report, group_by: tuple[str, ...]) -> None:
    wanted = parse_group_by(",".join(group_by)) if group_by else "none"
    summary = sync(api, db, scope(report, group_by=(wanted,), since=START))
    assert (summary.exit_code, summary.failures) == (0, [])
    expected = truth(api, report, group_by, START)
    assert expected
    assert archived(db, report, group_by) == expected
    assert verify_archive(db) == []


@pytest.mark.parametrize("width", [BucketWidth.HOUR, BucketWidth.MINUTE])
@pytest.mark.parametrize("report", BOTH)
def test_hours_and_minutes_are_the_apis(api: Simulator, db: Path, report: Report, width: BucketWidth) -> None:
    since = day("2026-03-18")
    sync(api, db, scope(report, bucket_widths=(width,), group_by=(("api_key_id",),), since=since))
    assert archived(db, report, ("api_key_id",), width) == truth(api, report, ("api_key_id",), since, width)
    assert select(db, "SELECT count(*) FROM _canonical_day") == [(0,)]


def test_finest_groups_cost_by_workspace_key_actor_and_model_and_both_cost_components(api: Simulator, db: Path) -> None:
    sync(api, db, scope(since=START))
    assert select(db, "SELECT report, group_by FROM _series ORDER BY 1") == [
        ("analytics-cost", ",".join(COST_GROUPING)),
        ("analytics-usage", ",".join(USAGE_GROUPING)),
    ]
    assert archived(db, Report.ANALYTICS_COST, COST_GROUPING) == truth(api, Report.ANALYTICS_COST, COST_GROUPING, START)


def test_all_history_begins_where_the_api_answers_and_a_settled_day_is_not_asked_again(
    api: Simulator, db: Path
) -> None:
    first = sync(api, db, scope())
    assert (first.exit_code, first.rows.inserted > 0) == (0, True)
    assert select(db, "SELECT min(range_start) FROM coverage") == [("2026-01-01T00:00:00Z",)]
    again = sync(api, db, scope())
    assert (again.rows.changed, again.unchanged, again.exit_code) == (0, again.fetched, 0)
    assert again.fetched < first.fetched
    assert verify_archive(db) == []


def test_what_the_api_has_forgotten_is_not_asked_for_and_stays(db: Path) -> None:
    later = datetime(2027, 3, 1, 12, tzinfo=UTC)
    with background(SMALL) as api:
        sync(api, db, only_days("2026-02-01"))
        before = select(db, "SELECT bucket_start, amount FROM analytics_cost WHERE bucket_start < '2026-02-20'")
        api.clock.now = later
        summary = sync(api, db, only_days("2026-02-01"))
    assert (summary.exit_code, summary.failures) == (0, [])
    starts = {plan.start for plan in summary.plans}
    assert starts == {int(datetime(2026, 3, 2, tzinfo=UTC).timestamp())}
    assert before
    assert select(db, "SELECT bucket_start, amount FROM analytics_cost WHERE bucket_start < '2026-02-20'") == before
    with background(replace(SMALL, now=later, size=0.02)) as api:
        # The edge: the oldest day is answered at the first and at the last second of a day.
        for now in (later.replace(hour=0), later.replace(hour=23, minute=59, second=59)):
            api.clock.now = now
            assert sync(api, db.with_name(f"{now.hour}.db"), scope()).exit_code == 0


def test_a_day_is_whole_only_when_the_api_says_that_it_has_all_of_its_use(db: Path) -> None:
    """At 02:00 the API has all use up to 22:00 of the day before; at 12:30, all of that day."""
    night, noon = NOW.replace(hour=2), NOW
    ranks = "SELECT date, state FROM day_series WHERE report = 'analytics-cost' AND date >= '2026-03-18' ORDER BY 1"
    with background(replace(SMALL, now=night)) as api:
        sync(api, db, only_days("2026-03-10"))
        with open_archive_reader(db) as reader:
            days = {f"{one.date}": one.rank for one in reader.days(Report.ANALYTICS_COST)}
        assert (days["2026-03-18"], days["2026-03-19"], days["2026-03-20"]) == (1, 0, 0)
        api.clock.now = noon
        sync(api, db, only_days("2026-03-10"))
        with open_archive_reader(db) as reader:
            days = {f"{one.date}": one.rank for one in reader.days(Report.ANALYTICS_COST)}
        assert (days["2026-03-19"], days["2026-03-20"]) == (1, 0)
        assert archived(db, Report.ANALYTICS_COST, COST_GROUPING) == truth(
            api, Report.ANALYTICS_COST, COST_GROUPING, day("2026-03-10")
        )
    assert [state for _, state in select(db, ranks)] == ["provisional"] * 3
    # Of the hours beyond what was complete, no restatement is noted.
    assert select(db, "SELECT count(*) FROM restatement") == [(0,)]


def test_settled_days_are_restated_and_can_be_read_as_of_before(db: Path) -> None:
    total = "SELECT date, sum(amount_microcents) FROM daily_cost_by_key WHERE date = '2026-02-03' GROUP BY date"
    with background(SMALL) as api:
        sync(api, db, only_days("2026-02-01"))
        was = select(db, total)
        api.amend(day("2026-02-03").date(), 2)
        api.clock.now = NOW + timedelta(hours=1)
        summary = sync(api, db, only_days("2026-02-01", refresh_days=60))
        assert summary.rows.updated > 0
        assert archived(db, Report.ANALYTICS_COST, COST_GROUPING) == truth(
            api, Report.ANALYTICS_COST, COST_GROUPING, START
        )
        api.clock.now = NOW + timedelta(hours=2)
        lost = api.organization.api_keys[0]["id"]
        api.remove(day("2026-02-03").date(), api_key_id=lost)
        assert sync(api, db, only_days("2026-02-01", refresh_days=60)).rows.removed > 0
    now = select(db, total)
    assert now[0][1] != was[0][1]
    with open_archive_reader(db, int(NOW.timestamp()) + 60) as reader:
        assert reader.connection.execute(total).fetchall() == was
    fields = select(db, "SELECT DISTINCT report, field FROM restatement WHERE report LIKE 'analytics%' ORDER BY 1, 2")
    assert ("analytics-cost", "amount") in fields
    assert ("analytics-usage", "output_tokens") in fields
    assert verify_archive(db) == []


def test_a_settled_day_that_loses_most_is_held_back_until_it_is_confirmed(db: Path) -> None:
    count = "SELECT count(*) FROM analytics_cost WHERE bucket_start LIKE '2026-02-04%'"
    with background(SMALL) as api:
        sync(api, db, only_days("2026-02-01"))
        (before,) = select(db, count)
        api.remove(day("2026-02-04").date())
        held = sync(api, db, only_days("2026-02-01", refresh_days=60))
        assert {failure.error for failure in held.failures} == {"suspect"}
        assert select(db, count) == [before]
        api.clock.now = NOW + timedelta(hours=7)
        sync(api, db, only_days("2026-02-01", refresh_days=60))
    assert select(db, count) == [(0,)]


def test_the_two_sources_have_the_same_money_but_for_credits_and_other_products(api: Simulator, db: Path) -> None:
    sync(api, db, Scope((*DEFAULT_REPORTS, *BOTH), since=START, until=day("2026-03-15")))
    (billed,) = select(db, "SELECT sum(amount_microcents) FROM daily_cost WHERE amount_microcents > 0")
    others = ("chat", "cowork")
    rows = [
        row["cost"] | row["group"]
        for row in api.analytics_truth("analytics-cost", START, day("2026-03-15"), group_by=("product",))
    ]
    of_others = money([row for row in rows if row["product"] in others])
    assert of_others > 0
    (analytics,) = select(db, "SELECT sum(amount_microcents) FROM daily_cost_by_key")
    assert Decimal(analytics[0]) - of_others * 10**6 == billed[0]
    (by_person,) = select(db, "SELECT sum(amount_microcents) FROM daily_cost_by_person")
    assert by_person == analytics


def test_pages_of_a_thousand_rows_are_put_together(db: Path) -> None:
    with background(replace(SMALL, size=3.0)) as api:
        summary = sync(api, db, scope(Report.ANALYTICS_COST, since=day("2026-03-01")))
        pages = [one for one in api.requests if one.path.endswith("/analytics/cost")]
        assert len(pages) > summary.fetched == 1
        assert all(dict(one.query)["limit"] == "1000" for one in pages)
        assert archived(db, Report.ANALYTICS_COST, COST_GROUPING) == truth(
            api, Report.ANALYTICS_COST, COST_GROUPING, day("2026-03-01")
        )


def test_a_window_with_more_rows_than_fit_in_memory_is_fetched_in_halves(
    db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("archiver.api.row_pages._MOST_ROWS", 4000)
    with background(replace(SMALL, size=3.0)) as api:
        summary = sync(api, db, scope(Report.ANALYTICS_COST, since=day("2026-03-01")))
        assert (summary.exit_code, summary.fetched > 1) == (0, True)
        assert archived(db, Report.ANALYTICS_COST, COST_GROUPING) == truth(
            api, Report.ANALYTICS_COST, COST_GROUPING, day("2026-03-01")
        )


@pytest.mark.parametrize("reason", ["hipaa", "no_scope", "absent"])
def test_an_organisation_without_the_reports_is_told_once_and_the_others_go_on(db: Path, reason: str) -> None:
    everything = Scope((*DEFAULT_REPORTS, *BOTH), since=START)

    def asked(api: Simulator) -> int:
        return sum("/analytics/" in one.path for one in api.requests)

    with background(replace(SMALL, analytics=reason)) as api:
        first = sync(api, db, everything)
        assert (first.exit_code, first.failures, first.left) == (0, [], 0)
        assert sum("not available" in one for one in first.warnings) == 2
        assert select(db, "SELECT DISTINCT report FROM coverage ORDER BY 1") == [("cost",), ("usage",)]
        number = asked(api)
        assert 0 < number <= 8
        api.clock.now = NOW + timedelta(days=6)
        again = sync(api, db, everything)
        assert (again.exit_code, asked(api)) == (0, number)
        assert sum("not available" in one for one in again.warnings) == 2
        api.clock.now = NOW + timedelta(days=8)
        sync(api, db, everything)
        assert asked(api) > number


def test_a_run_of_nothing_but_unavailable_reports_is_refused(db: Path) -> None:
    with background(replace(SMALL, analytics="no_scope")) as api:
        done = run_sync(api, db, "--report", "analytics-cost", "--since", "2026-03-01")
    assert done.returncode == 4
    assert "read:analytics" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_key_is_never_told_and_the_beta_is_sent(api: Simulator, db: Path) -> None:
    sync(api, db, only_days("2026-03-15"))
    mine = [one for one in api.requests if "/analytics/" in one.path]
    assert {one.headers["anthropic-beta"] for one in mine} == {"analytics-usage-cost-2026-08-24"}
    assert api.key.encode() not in db.read_bytes()
    assert api.first_day == FIRST_DAY


def test_a_gap_that_the_api_has_forgotten_is_no_gap_for_ever(db: Path) -> None:
    with background(replace(SMALL, size=0.02)) as api:
        with raw_server(api) as server:
            server.spoil = lambda good: good.bytes(b'{"data": 5}')
            broken = scope(Report.ANALYTICS_COST, since=day("2026-02-01"), until=day("2026-03-01"))
            assert sync(api, db, broken, api_url=server.url).exit_code == 6
        gaps = "SELECT state, range_start, range_end FROM coverage WHERE state = 'failed'"
        assert select(db, gaps) == [("failed", "2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z")]
        api.clock.now = datetime(2027, 2, 10, 12, tzinfo=UTC)
        sync(api, db, scope(Report.ANALYTICS_COST, since=day("2027-02-01")))
        assert select(db, gaps) == [("failed", "2026-02-11T00:00:00Z", "2026-03-01T00:00:00Z")]
        api.clock.now = datetime(2027, 3, 10, 12, tzinfo=UTC)
        sync(api, db, scope(Report.ANALYTICS_COST, since=day("2027-02-01")))
        assert select(db, gaps) == []
