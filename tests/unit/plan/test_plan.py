"""Planning: ranges, groupings, windows and their order."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from archiver.answer import Answer, Bucket
from archiver.errors import ConfigurationError
from archiver.model import (
    DAY,
    HOUR,
    BucketWidth,
    DimensionValues,
    Report,
    Series,
    Span,
    State,
    Values,
    Window,
)
from archiver.plan.calendar import ceiling, floor, parse_time, snap_since, snap_until
from archiver.plan.groupings import each, every_subset, finest, groupings, parse_group_by
from archiver.plan.probe import Probe
from archiver.plan.scope import Scope
from archiver.plan.windows import cut
from archiver.plan.work import SeriesPlan, fetch_order, needed, newest_range, plan_series, subtract
from archiver.reports import COST, SPECS, USAGE

FIVE = USAGE.default_dimensions
NOW = int(datetime(2026, 1, 15, 12, 30, tzinfo=UTC).timestamp())
TODAY = NOW - NOW % DAY
DAYS = Series(Report.USAGE, BucketWidth.DAY)


def at(text: str) -> int:
    return int(parse_time(text).timestamp())


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2026-01-15", "2026-01-15T00:00:00Z"),
        ("2026-01-15T12:30:00Z", "2026-01-15T12:30:00Z"),
        ("2026-01-15t12:30:00z", "2026-01-15T12:30:00Z"),
        ("2026-01-15T12:30", "2026-01-15T12:30:00Z"),
        ("2026-01-15T12:30:00+02:00", "2026-01-15T10:30:00Z"),
        (" 2026-01-15 ", "2026-01-15T00:00:00Z"),
    ],
)
def test_a_date_is_read_as_utc(text: str, meant: str) -> None:
    assert parse_time(text) == datetime.fromisoformat(meant)


@pytest.mark.parametrize(
    "text",
    ["", "yesterday", "2026-02-30", "2026-1-5", "20260105", "15.1.2026", "2026-W03", "2026", "0001-01-01T00:00+01:00"],
)
def test_what_is_no_date_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_time(text)


def test_ranges_snap_outwards_to_whole_buckets() -> None:
    moment = parse_time("2026-01-15T12:30:00.000001Z")
    assert snap_since(moment, DAY) == at("2026-01-15")
    assert snap_until(moment, DAY) == at("2026-01-16")
    assert snap_until(moment, HOUR) == at("2026-01-15T13:00:00Z")
    assert snap_until(parse_time("2026-01-15"), DAY) == at("2026-01-15")
    assert (floor(NOW, DAY), ceiling(NOW, DAY)) == (TODAY, TODAY + DAY)


def test_finest_is_one_pass_when_the_cap_allows() -> None:
    assert finest(FIVE, 5) == [tuple(sorted(FIVE))]


@pytest.mark.parametrize("cap", [1, 2, 3, 4, 5, 9])
def test_finest_passes_cover_every_dimension_and_keep_to_the_cap(cap: int) -> None:
    passes = finest(USAGE.group_by, cap)
    assert set().union(*passes) == set(USAGE.group_by)
    assert all(len(one) == cap for one in passes)
    assert len(passes) == -(-9 // cap)


def test_each_is_the_total_and_one_pass_a_dimension() -> None:
    assert each(("a", "b")) == [(), ("a",), ("b",)]


def test_all_is_every_subset_up_to_the_cap() -> None:
    assert len(every_subset(FIVE, 5)) == 32
    assert len(every_subset(FIVE, 2)) == 1 + 5 + 10


def test_the_order_and_repeats_of_dimensions_mean_nothing() -> None:
    assert parse_group_by("model, api_key_id,model") == ("api_key_id", "model")
    assert Series(Report.USAGE, BucketWidth.DAY, ("model", "api_key_id")).group_by == ("api_key_id", "model")


def test_a_list_is_requested_of_each_report_that_has_all_of_it() -> None:
    chosen = groupings([("workspace_id",), ("model",), ("description",)], [USAGE, COST])
    assert chosen == {Report.USAGE: [("workspace_id",), ("model",)], Report.COST: [("workspace_id",), ("description",)]}


@pytest.mark.parametrize("wanted", [("colour",), ("description", "model")])
def test_a_list_that_fits_no_chosen_report_is_refused(wanted: tuple[str, ...]) -> None:
    with pytest.raises(ConfigurationError, match="no selected report"):
        groupings([wanted], [USAGE, COST])


def test_a_list_beyond_the_cap_is_refused_with_the_way_out() -> None:
    with pytest.raises(ConfigurationError, match="6 dimensions") as refused:
        groupings([USAGE.group_by[:6]], [USAGE])
    assert "finest" in str(refused.value.hint)


def test_an_empty_list_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="names no dimension"):
        parse_group_by(" , ")


@pytest.mark.parametrize("first", [f"2023-{month:02d}-{day:02d}" for month in (1, 11) for day in (1, 9, 17, 22, 28)])
def test_three_years_of_days_are_36_windows_whenever_they_begin(first: str) -> None:
    start = at(first)
    end = at(first.replace("2023", "2026"))
    assert len(cut(start, end, DAY, 31)) == 36


def test_cuts_lie_on_a_grid_from_the_epoch_when_that_costs_nothing() -> None:
    cell = 31 * DAY
    assert cut(cell * 600 + DAY, cell * 602, DAY, 31) == [(cell * 600 + DAY, cell * 601), (cell * 601, cell * 602)]


def test_an_empty_range_needs_no_window() -> None:
    assert cut(DAY, DAY, DAY, 31) == []


def test_settled_buckets_are_not_requested_again() -> None:
    spans = [Span(0, 10, State.SETTLED), Span(10, 20, State.PROVISIONAL), Span(20, 30, State.MISSING)]
    assert needed(0, 40, spans, refresh_from=100) == [(10, 40)]


def test_the_refresh_days_are_requested_again_although_settled() -> None:
    assert needed(0, 40, [Span(0, 40, State.SETTLED)], refresh_from=30) == [(30, 40)]


def test_failed_and_missing_ranges_between_settled_ones_are_requested() -> None:
    spans = [Span(0, 10, State.SETTLED), Span(10, 20, State.FAILED), Span(20, 30, State.SETTLED)]
    assert needed(0, 30, spans, refresh_from=30) == [(10, 20)]


def test_subtracting_nothing_leaves_all() -> None:
    assert subtract(0, 10, [(3, 3), (20, 30)]) == [(0, 10)]


def test_a_window_carries_the_digest_of_its_last_answer() -> None:
    plan = plan_series(DAYS, (0, 31 * DAY), [], 0, {(0, 31 * DAY): b"digest"})
    assert [w.digest for w in plan.windows] == [b"digest"]


def test_the_default_end_is_that_of_the_bucket_in_progress() -> None:
    assert Scope(since=parse_time("2026-01-01")).range_of(DAYS, NOW, None) == (at("2026-01-01"), TODAY + DAY)


def test_nothing_is_requested_beyond_the_bucket_in_progress() -> None:
    scope = Scope(since=parse_time("2026-01-01"), until=parse_time("2999-01-01"))
    assert scope.range_of(DAYS, NOW, None)[1] == TODAY + DAY


def test_midnight_belongs_to_the_day_that_begins() -> None:
    assert Scope(since=parse_time("2026-01-01")).range_of(DAYS, TODAY, None)[1] == TODAY + DAY


@pytest.mark.parametrize("until", ["2026-01-05", "2026-01-01"])
def test_a_since_that_does_not_lie_before_the_until_is_refused(until: str) -> None:
    with pytest.raises(ConfigurationError, match="contains no bucket"):
        Scope(since=parse_time("2026-01-05"), until=parse_time(until)).check()


def test_a_range_in_the_future_is_empty() -> None:
    start, end = Scope(since=parse_time("2027-01-01")).range_of(DAYS, NOW, None)
    assert start == end


def test_cost_ends_with_yesterday_because_the_report_never_has_today() -> None:
    cost = Series(Report.COST, BucketWidth.DAY)
    for until in (None, parse_time("2999-01-01")):
        assert Scope(since=parse_time("2026-01-01"), until=until).range_of(cost, NOW, None)[1] == TODAY
    assert Scope(since=parse_time("2026-01-01")).range_of(cost, TODAY, None)[1] == TODAY


def plan(report: Report, start: str, end: str, *, failed: tuple[str, str] | None = None) -> SeriesPlan:
    spans = [] if failed is None else [Span(at(failed[0]), at(failed[1]), State.FAILED)]
    return plan_series(Series(report, BucketWidth.DAY), (at(start), at(end)), spans, 0, {})


def test_windows_are_fetched_newest_first_and_reports_take_turns() -> None:
    plans = [plan(Report.USAGE, "2025-09-01", "2026-01-16"), plan(Report.COST, "2025-09-01", "2026-01-15")]
    order = fetch_order(plans)
    assert [window.series.report for window in order] == [Report.USAGE, Report.COST] * (len(order) // 2)
    assert [window.end for window in order] == sorted((window.end for window in order), reverse=True)
    newest = [window for window in order[:4] if window.series.report is Report.COST]
    assert min(window.start for window in newest) <= at("2025-12-16")


def test_windows_that_the_archive_has_already_are_fetched_after_new_ones() -> None:
    spans = [Span(at("2025-12-01"), at("2026-01-16"), State.PROVISIONAL, NOW)]
    order = fetch_order([plan_series(DAYS, (at("2025-09-01"), at("2026-01-16")), spans, 0, {})])
    new = [window.start < at("2025-12-01") for window in order]
    assert new == sorted(new, reverse=True)
    assert not all(new)


def test_windows_that_failed_before_are_fetched_last() -> None:
    order = fetch_order([plan(Report.USAGE, "2025-09-01", "2026-01-16", failed=("2026-01-14", "2026-01-15"))])
    assert order[-1].end == at("2026-01-16")


def test_the_newest_range_ends_at_the_first_hole() -> None:
    spans = [
        Span(0, DAY, State.SETTLED, 9),
        Span(DAY, 2 * DAY, State.MISSING, 9),
        Span(2 * DAY, 3 * DAY, State.SETTLED, 9),
        Span(3 * DAY, 4 * DAY, State.PROVISIONAL, 9),
        Span(4 * DAY, 5 * DAY, State.PROVISIONAL),
    ]
    assert newest_range(spans) == (2 * DAY, 4 * DAY)
    assert newest_range([]) is None


def test_widths_and_filters_concern_usage_only() -> None:
    scope = Scope(bucket_widths=(BucketWidth.HOUR,), filters=(("model", ("m",)),), group_by=("none",))
    usage, cost = scope.series()
    assert (usage.bucket_width, usage.filters) == (BucketWidth.HOUR, (("model", ("m",)),))
    assert (cost.bucket_width, cost.filters) == (BucketWidth.DAY, ())


def answered(window: Window, *with_rows: int, left_out: tuple[int, ...] = ()) -> Answer:
    rows: dict[DimensionValues, Values] = {(None,) * 9: (*(1,) * 6, None)}
    buckets = SPECS[window.series.report].empty_buckets()
    for start in range(window.start, window.end, DAY):
        if start not in left_out:
            buckets.append(Bucket(start, rows if start in with_rows else {}))
    return Answer(window, buckets, b"", NOW)


def probe() -> Probe:
    return Probe.begin(Report.USAGE, NOW, None)


def test_a_probe_requests_all_time_since_2023_in_the_fewest_requests() -> None:
    windows = probe().windows
    assert (windows[0].start, windows[-1].end) == (at("2023-01-01"), TODAY + DAY)
    assert len(windows) == -(-((TODAY + DAY - at("2023-01-01")) // DAY) // 31)


def test_a_probe_finds_the_first_rows_behind_a_quiet_year_in_whatever_order_answers_come() -> None:
    one = probe()
    first = one.windows[14].start + 5 * DAY
    for window in reversed(one.windows[:20]):
        one.learn(
            window,
            answered(window, *([first] if window is one.windows[14] else [window.start] * (window.start > first))),
        )
    assert one.first_bucket == first


def test_a_probe_does_not_conclude_before_older_answers_are_there() -> None:
    one = probe()
    one.learn(one.windows[3], answered(one.windows[3], one.windows[3].start))
    assert one.first_bucket is None
    assert one.empty_until == one.windows[0].start


def test_a_day_the_api_left_out_counts_as_one_with_rows() -> None:
    one = probe()
    hole = one.windows[0].start + 3 * DAY
    one.learn(one.windows[0], answered(one.windows[0], left_out=(hole,)))
    assert one.first_bucket == hole


def test_a_day_in_progress_that_is_left_out_is_no_hole() -> None:
    one = probe()
    for window in one.windows:
        one.learn(window, answered(window, left_out=(TODAY,)))
    assert one.first_bucket is None


def test_a_probe_is_sure_only_of_settled_days() -> None:
    settled_until = NOW - 35 * DAY
    one = probe()
    for window in one.windows:
        one.learn(window, answered(window, TODAY))
    assert one.first_bucket == TODAY
    assert one.certain(settled_until) == (floor(settled_until, DAY), None)
