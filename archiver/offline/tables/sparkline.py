"""Sparklines: the daily values of a row of a report as a few marks.

Pure functions.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING

from archiver.offline.periods import month as parse_month

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from archiver.offline.tables.table import Table, Trend
    from archiver.store.read.daily_sums import Day, Line

# Enough to see weeks and trends, and few enough to stand in a terminal next to the other columns.
MOST_MARKS = 24
_DAYS_A_MARK_OF_A_MONTH = 2  # a month has at most 16 marks
BARS, ASCII_BARS = "▁▂▃▄▅▆▇█", ".:-=+*#@"
GAP, ASCII_GAP = "·", " "


@dataclass(frozen=True, slots=True)
class Slots:
    """The division of a period into slots of equally many days.

    Each slot becomes one mark. Where rows are grouped by month, each row has the slots of its own month (`monthly`),
    and `first` and `count` have no meaning.
    """

    first: date
    count: int
    days: int
    monthly: bool

    @classmethod
    def over(cls, first: date, end: date, *, monthly: bool) -> Slots:
        """Divide the days from `first` to `end`, exclusive, into at most 24 slots."""
        if monthly:
            # The slots of a month begin with its first day, and depend on its length: see `numbers`.
            return cls(date.min, 0, _DAYS_A_MARK_OF_A_MONTH, monthly=True)
        # -(-a // b) divides and rounds up: the last slot may have fewer days, but none is left over.
        each = max(1, -(-(end - first).days // MOST_MARKS))
        return cls(first, -(-(end - first).days // each), each, monthly=False)

    def of(self, day: Day) -> int:
        """Return the number of a day's slot."""
        return ((day.date.day - 1) if self.monthly else (day.date - self.first).days) // self.days

    def numbers(self, month: str | None) -> range:
        """Return the numbers of all slots, or of those of a month."""
        return range(self.count if month is None else -(-parse_month(month).days // self.days))

    def legend(self) -> str:
        """Return the sentence that explains the marks."""
        days = "1 day" if self.days == 1 else f"{self.days} days"
        return (
            f"days: a sparkline of daily values, {days} a mark{'' if self.monthly else f' from {self.first}'}, "
            f"each line on its own scale; {GAP}: not archived, or not grouped by this"
        )


class SlotDays:
    """The archived days of each slot, which the means are divided by.

    Days are kept apart by the columns that their series is not grouped by. A row of `(not grouped)` has values only on
    days without the grouping, and all other rows only on days with it.
    """

    def __init__(self, days: Iterable[tuple[Day, frozenset[str]]], slots: Slots) -> None:
        self.slots = slots
        self._days: dict[tuple[str | None, int, frozenset[str]], set[int]] = defaultdict(set)
        for day, missing in days:
            month = f"{day.date:%Y-%m}" if slots.monthly else None
            self._days[month, slots.of(day), missing].add(day.start)

    def trend(self, lines: Sequence[Line], month: str | None, measure: Callable[[Sequence[int]], int]) -> Trend:
        """Return the daily mean of the sum of lines, for each slot.

        `measure` returns the number to show of the sums of a line.
        """
        groupings = {line.missing for line in lines}
        trend: Trend = []
        for slot in self.slots.numbers(month):
            days = len(set().union(*(self._days.get((month, slot, missing), ()) for missing in groupings)))
            # A day without a row of these lines counts as zero, as it is archived.
            whole = sum(measure(line.slots[slot]) for line in lines if slot in line.slots)
            trend.append(whole / days if days else None)
        return trend


def add_sparklines(
    table: Table,
    days: SlotDays | None,
    parts: Sequence[Sequence[Line]],
    measure: Callable[[Sequence[int]], int],
) -> Table:
    """Return a table with a sparkline for each row and for the total.

    `parts` are the lines that each row sums.
    """
    if days is None:
        return table
    rows = [_trend_of(days, lines, measure) for lines in parts]
    total = _trend_of(days, [line for lines in parts for line in lines], measure)
    return replace(table, sparklines=rows, total_sparkline=total, legend=days.slots.legend())


def _trend_of(days: SlotDays, lines: Sequence[Line], measure: Callable[[Sequence[int]], int]) -> Trend:
    if not days.slots.monthly:
        return days.trend(lines, None, measure)
    # Slots of two months do not align: the total, or a folded row of several months, has no sparkline.
    months = {line.values["month"] for line in lines}
    return days.trend(lines, months.pop(), measure) if len(months) == 1 else []


def sparkline(trend: Trend, *, ascii_only: bool = False) -> str:
    """Return the marks of a trend, from zero to its highest mean.

    A slot without a known day is a gap, never a low bar.
    """
    bars, gap = (ASCII_BARS, ASCII_GAP) if ascii_only else (BARS, GAP)
    top = max((mean for mean in trend if mean is not None), default=0)
    last = len(bars) - 1
    # The scale begins at zero: credits are drawn as zero, and without a positive mean every bar is the lowest.
    return "".join(
        gap if mean is None else bars[min(last, int(max(mean, 0) / top * len(bars))) if top > 0 else 0]
        for mean in trend
    )
