"""A collapse is a loss of more than a fifth over at least three days."""

from __future__ import annotations

import pytest

from archiver.crawl.summary import Summary, count, find_collapses
from archiver.errors import TemporaryError
from archiver.model import DAY, HOUR, BucketWidth, Report, Series

USAGE = Series(Report.USAGE, BucketWidth.DAY)
COST = Series(Report.COST, BucketWidth.DAY)


def days(*changes: tuple[int, int]) -> dict[int, tuple[int, int]]:
    return {(10 + number) * DAY: change for number, change in enumerate(changes)}


@pytest.mark.parametrize(
    "changes",
    [
        [(100, 79)] * 3,
        [(100, 0), (100, 99), (100, 99)],
        [(100, 79)] * 3 + [(100, 1000)] * 30,
        [(100, 79)] * 3 + [(1, 1)] * 30,
    ],
    ids=["each day", "one day lost all", "other days gained", "other days are equal"],
)
def test_a_loss_of_more_than_a_fifth_over_three_days_is_a_collapse(changes: list[tuple[int, int]]) -> None:
    [collapse] = find_collapses({USAGE: days(*changes)})
    assert (collapse.error, collapse.exit_code) == ("collapse", 3)
    assert (collapse.window.start, collapse.window.end) == (10 * DAY, 13 * DAY)


@pytest.mark.parametrize(
    "changes",
    [[], [(100, 80)] * 9, [(100, 0)] * 2, [(100, 0)] * 2 + [(100, 200)] * 9, [(0, 0)] * 5],
    ids=["nothing", "a fifth", "two days", "two days, others gained", "no use"],
)
def test_smaller_losses_are_none(changes: list[tuple[int, int]]) -> None:
    assert find_collapses({USAGE: days(*changes)}) == []


def test_each_series_is_compared_by_itself() -> None:
    found = find_collapses({USAGE: days(*[(100, 100)] * 9), COST: days(*[(100, 50)] * 3)})
    assert [one.window.series for one in found] == [COST]
    assert "3 days lost 50% of their money" in found[0].message


def test_buckets_are_added_up_by_day_and_those_in_progress_do_not_count() -> None:
    hours = Series(Report.USAGE, BucketWidth.HOUR)
    summary = Summary()
    buckets = [(day * DAY + hour * HOUR, 10, 5) for day in range(3) for hour in range(24)]
    summary.note_rewritten(hours, buckets, 2 * DAY + HOUR - 1)
    assert summary.add_collapses() == []
    summary.note_rewritten(hours, buckets[48:49], 2 * DAY + HOUR)
    [collapse] = summary.add_collapses()
    assert (collapse.window.start, collapse.window.end) == (0, 3 * DAY)
    assert summary.failures == [collapse]


def test_a_plan_that_is_made_anew_starts_the_counts_again() -> None:
    summary = Summary(planned=5, fetched=3, failed=1, unchanged=2)
    summary.begin_again()
    assert (summary.fetched, summary.failed, summary.unchanged, summary.plans) == (0, 0, 0, ())


def test_what_stopped_a_run_that_fetched_something_is_partial() -> None:
    summary = Summary(planned=5, fetched=3, stopped=TemporaryError("later"))
    assert (summary.exit_code, summary.outcome, summary.left) == (3, "partial", 2)


def test_numbers_have_their_noun() -> None:
    assert [count(n, "window") for n in (0, 1, 2, 1234)] == ["0 windows", "1 window", "2 windows", "1,234 windows"]
