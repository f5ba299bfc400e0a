"""Sparklines: the daily values of a row of a report as a few marks.

Pure functions.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from archiver.offline.tables.slots import GAP, Mean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from archiver.offline.tables.slots import Slots, Trend
    from archiver.offline.tables.table import Table
    from archiver.store.read.daily_sums import Day, Line

BARS, ASCII_BARS = "▁▂▃▄▅▆▇█", ".:-=+*#@"
ASCII_GAP = " "


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
            trend.append(Mean(whole, days) if days else None)
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
    return replace(table, sparklines=rows, total_sparkline=total, slots=days.slots)


def _trend_of(days: SlotDays, lines: Sequence[Line], measure: Callable[[Sequence[int]], int]) -> Trend:
    if not days.slots.monthly:
        return days.trend(lines, None, measure)
    # Slots of two months do not align: the total, or a folded row of several months, has no sparkline.
    months = {line.values["month"] for line in lines}
    return days.trend(lines, months.pop(), measure) if len(months) == 1 else []


def halved(trend: Trend) -> Trend:
    """Return the trend with half the marks: the means of two slots each."""
    pairs = ([one for one in trend[i : i + 2] if one is not None] for i in range(0, len(trend), 2))
    return [Mean(sum(one.total for one in pair), sum(one.days for one in pair)) if pair else None for pair in pairs]


def sparkline(trend: Trend, *, ascii_only: bool = False) -> str:
    """Return the marks of a trend, from zero to its highest mean.

    A slot without a known day is a gap, never a low bar.
    """
    bars, gap = (ASCII_BARS, ASCII_GAP) if ascii_only else (BARS, GAP)
    means = [None if one is None else one.total / one.days for one in trend]
    top = max((mean for mean in means if mean is not None), default=0)
    last = len(bars) - 1
    # The scale begins at zero: credits are drawn as zero, and without a positive mean every bar is the lowest.
    return "".join(
        gap if mean is None else bars[min(last, int(max(mean, 0) / top * len(bars))) if top > 0 else 0]
        for mean in means
    )


_BAR_WIDTH = 12


def bar(parts: tuple[float, float | None] | None, *, ascii_only: bool = False) -> str:
    """Return a bar of what is used of a limit, and of what is projected.

    Its whole length is the limit; what is beyond it ends in an arrow.
    """
    if parts is None:
        return ""
    used, projected, left, over = "#+.>" if ascii_only else "█▒·▶"
    first = min(_BAR_WIDTH, max(0, int(parts[0] * _BAR_WIDTH)))
    more = min(_BAR_WIDTH, max(first, int((parts[1] or 0) * _BAR_WIDTH)))
    text = used * first + projected * (more - first) + left * (_BAR_WIDTH - more)
    return text[:-1] + over if max(parts[0], parts[1] or 0) > 1 else text
