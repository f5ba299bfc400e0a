"""How a line of a report went over its days, in a few marks that fit beside it. Pure."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING

from archiver.offline.periods import month as parse_month

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from archiver.offline.tables.table import Table
    from archiver.store.read.daily_sums import Day, Line

MOST_MARKS = 24
_DAYS_A_MARK_OF_A_MONTH = 2
BARS, ASCII_BARS = "▁▂▃▄▅▆▇█", ".:-=+*#@"
GAP, ASCII_GAP = "·", " "

Trend = list[float | None]
"""Means of a day, slot by slot; None where no day of a slot is known."""


@dataclass(frozen=True, slots=True)
class Slots:
    """Some days each of a period, or of whatever month a line is of (`monthly`)."""

    first: date
    count: int
    days: int
    monthly: bool

    @classmethod
    def over(cls, days: Sequence[Day], since: str | None, until: str | None, *, monthly: bool) -> Slots | None:
        """Lay slots over a period, or over what is archived where it has no bounds; None when that is nothing."""
        if monthly:
            return cls(date.min, 0, _DAYS_A_MARK_OF_A_MONTH, monthly=True)
        if not days:
            return None
        first = date.fromisoformat(since) if since else days[0].date
        end = date.fromisoformat(until) if until else days[-1].date + timedelta(days=1)
        each = -(-(end - first).days // MOST_MARKS)
        return cls(first, -(-(end - first).days // each), each, monthly=False)

    def of(self, day: Day) -> int:
        """Number the slot of a day."""
        return ((day.date.day - 1) if self.monthly else (day.date - self.first).days) // self.days

    def numbers(self, month: str | None) -> range:
        """Number all slots, or those of a month."""
        return range(self.count if month is None else -(-parse_month(month).days // self.days))

    def legend(self) -> str:
        """Say how the marks are to be read."""
        return (
            f"days: {self.days} a mark{'' if self.monthly else f' from {self.first}'}, "
            f"each line to its own scale; {GAP}: not archived, or not asked for"
        )


class Known:
    """Which days of each slot are archived, and grouped as a line has to be."""

    def __init__(self, days: Iterable[tuple[Day, frozenset[str]]], slots: Slots) -> None:
        self.slots = slots
        self._days: dict[tuple[str | None, int, frozenset[str]], set[int]] = defaultdict(set)
        for day, missing in days:
            month = f"{day.date:%Y-%m}" if slots.monthly else None
            self._days[month, slots.of(day), missing].add(day.start)

    def trend(self, lines: Sequence[Line], month: str | None, measure: Callable[[Sequence[int]], int]) -> Trend:
        """Give the mean of a day of these lines together, in each slot."""
        groupings = {line.missing for line in lines}
        trend: Trend = []
        for slot in self.slots.numbers(month):
            days = len(set().union(*(self._days.get((month, slot, missing), ()) for missing in groupings)))
            whole = sum(measure(line.slots[slot]) for line in lines if slot in line.slots)
            trend.append(whole / days if days else None)
        return trend


@dataclass(frozen=True, slots=True)
class Trends:
    """What draws the trends of lines beside a table; without slots, nothing."""

    known: Known | None = None
    measure: Callable[[Sequence[int]], int] = sum
    month_at: int | None = None

    def beside(self, table: Table, parts: Sequence[Sequence[Line]], whole: Sequence[Line]) -> Table:
        """Give a table its trends: that of the lines each row is made of, and that of all for the total."""
        if self.known is None:
            return table
        rows = [self._trend(self.known, lines) for lines in parts]
        return replace(table, trends=rows, total_trend=self._trend(self.known, whole), legend=self.known.slots.legend())

    def _trend(self, known: Known, lines: Sequence[Line]) -> Trend:
        if self.month_at is None:
            return known.trend(lines, None, self.measure)
        months = {line.group[self.month_at] for line in lines}
        return known.trend(lines, months.pop(), self.measure) if len(months) == 1 else []


def sparkline(trend: Trend, *, ascii_only: bool = False) -> str:
    """Draw a trend from nothing to its highest mean; what is not known is a gap, and never a low bar."""
    bars, gap = (ASCII_BARS, ASCII_GAP) if ascii_only else (BARS, GAP)
    top = max((mean for mean in trend if mean is not None), default=0)
    last = len(bars) - 1
    return "".join(
        gap if mean is None else bars[min(last, int(max(mean, 0) / top * len(bars))) if top > 0 else 0]
        for mean in trend
    )
