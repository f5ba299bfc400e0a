"""Sparklines of daily values: bars to scale, and gaps for days without data."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from archiver.offline.tables.slots import GAP, MOST_MARKS, Mean, Slots
from archiver.offline.tables.sparkline import ASCII_BARS, BARS, SlotDays, halved, sparkline
from archiver.store.read.daily_sums import Day, Line

NONE: frozenset[str] = frozenset()
UNASKED = frozenset({"workspace_id"})


def days(first: str, count: int, *, without: tuple[int, ...] = ()) -> list[Day]:
    start = (date.fromisoformat(first) - date(1970, 1, 1)).days
    return [Day((start + i) * 86400, 1, True, NONE, 2) for i in range(count) if i not in without]  # noqa: FBT003  # a bucket


def line(slots: dict[int, int], missing: frozenset[str] = NONE) -> Line:
    return Line({}, [sum(slots.values())], 0, missing, {slot: [amount] for slot, amount in slots.items()})


def means(trend: list[Mean | None]) -> list[float | None]:
    return [None if one is None else one.total / one.days for one in trend]


@pytest.mark.parametrize(
    ("values", "drawn"),
    [
        ([], ""),
        ([0, 0], "▁▁"),
        ([1, 2, 3, 4, 5, 6, 7, 8], "▂▃▄▅▆▇██"),
        ([0, None, 8], f"▁{GAP}█"),
        ([None, None], GAP * 2),
        ([-5, 5], "▁█"),
        ([-5, -1], "▁▁"),
    ],
)
def test_bars_go_from_nothing_to_the_highest_and_a_gap_is_no_bar(values: list[int | None], drawn: str) -> None:
    trend = [None if mean is None else Mean(2 * mean, 2) for mean in values]
    assert sparkline(trend) == drawn
    plain = sparkline(trend, ascii_only=True)
    assert plain.isascii()
    assert len(plain) == len(drawn)
    assert [ASCII_BARS.find(mark) for mark in plain] == [BARS.find(mark) for mark in drawn]


@pytest.mark.parametrize("count", [1, 7, 23, 24, 25, 48, 49, 365, 1000])
def test_a_period_has_as_many_marks_as_fit_and_each_day_has_its_own(count: int) -> None:
    all_days = days("2025-01-01", count)
    slots = Slots.over(all_days[0].date, all_days[-1].date + timedelta(days=1), monthly=False)
    numbers = [slots.of(day) for day in all_days]
    assert set(numbers) == set(slots.numbers(None))
    assert len(slots.numbers(None)) == min(count, len(slots.numbers(None))) <= MOST_MARKS
    assert numbers == sorted(numbers)


def test_a_mark_is_the_mean_of_the_days_that_are_known() -> None:
    known_days = days("2025-01-01", 48, without=(1, 4, 5))
    slots = Slots.over(date(2025, 1, 1), date(2025, 2, 18), monthly=False)
    assert slots.days == 2
    known = SlotDays(((day, NONE) for day in known_days), slots)
    trend = known.trend([line({0: 10, 1: 10, 3: 8})], None, sum)
    assert means(trend)[:4] == [10, 5, None, 4]
    assert means(trend)[4:] == [0] * 20


def test_a_day_of_another_grouping_is_a_gap_of_the_others() -> None:
    both = days("2025-01-01", 4)
    slots = Slots.over(date(2025, 1, 1), date(2025, 1, 5), monthly=False)
    known = SlotDays(((day, NONE if i < 2 else UNASKED) for i, day in enumerate(both)), slots)
    asked, not_grouped = line({0: 4}), line({2: 6, 3: 2}, UNASKED)
    assert means(known.trend([asked], None, sum)) == [4, 0, None, None]
    assert means(known.trend([not_grouped], None, sum)) == [None, None, 6, 2]
    assert means(known.trend([asked, not_grouped], None, sum)) == [4, 0, 6, 2]


@pytest.mark.parametrize(("month", "marks"), [("2025-02", 14), ("2024-02", 15), ("2025-04", 15), ("2025-01", 16)])
def test_a_line_of_a_month_has_the_days_of_that_month(month: str, marks: int) -> None:
    first = date.fromisoformat(f"{month}-01")
    count = ((first + timedelta(days=31)).replace(day=1) - first).days
    slots = Slots.over(date.min, date.max, monthly=True)
    known = SlotDays(((day, NONE) for day in days(first.isoformat(), count)), slots)
    assert means(known.trend([line({0: 2})], month, sum)) == [1, *[0] * (marks - 1)]


def test_half_the_marks_are_the_means_of_all_their_days() -> None:
    # The second slot has one known day, and counts half as much as the first; the last slot stays alone.
    trend = [Mean(12, 2), Mean(3, 1), None, Mean(8, 2), None]
    assert halved(trend) == [Mean(15, 3), Mean(8, 2), None]
    assert halved([]) == []
    slots = Slots.over(date(2025, 1, 1), date(2025, 2, 18), monthly=False)
    assert "2 days a mark from 2025-01-01" in slots.legend()
    assert "4 days a mark from 2025-01-01" in slots.legend(halved=True)
