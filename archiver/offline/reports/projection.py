"""Projection of the cost of a month or another period.

The cost of a day that is not known yet is projected from the same weekdays of the last four weeks.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from archiver.offline.reports.daily_money import read_daily_money
from archiver.offline.reports.known_days import KnownDays
from archiver.offline.tables.money import Estimate

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from archiver.offline.periods import Period
    from archiver.offline.reports.daily_money import DailyAmounts
    from archiver.offline.reports.request import ReportRequest
    from archiver.store.read.reader import ArchiveReader

RECENT_DAYS = 28  # whole weeks, so that every weekday has the same weight


@dataclass(frozen=True, slots=True)
class Projection:
    """The cost of a month to date, and projected to its end.

    Attributes:
        known: The month, and which of its days are archived.
        recent: The whole days that the projection is based on. Without any, nothing can be projected.
        groups: The groups, with amounts of the recent days too.
    """

    known: KnownDays
    recent: tuple[date, ...]
    groups: list[DailyAmounts]

    def to_date(self, group: DailyAmounts) -> int:
        """Return the amount of the archived days."""
        return group.total(self.known.archived)

    def to_end(self, group: DailyAmounts) -> Estimate | None:
        """Return the projected amount of the month, None without recent days."""
        if not self.recent:
            return None
        return Estimate(sum(self.of_day(group, day) for day in self.known.period.dates()))

    def of_day(self, group: DailyAmounts, day: date) -> int:
        """Return the amount of a day, projected if it is not archived whole."""
        known = group.amounts.get(day, 0) if day in self.known.archived else 0
        if day in self.known.whole or not self.recent:
            return known
        # A day in progress costs at least what is known of it.
        return max(known, _mean(group, self.recent, day))

    def range_of_day(self, groups: Sequence[DailyAmounts], day: date) -> tuple[int, int]:
        """Return the least and the most that a day of the month may cost.

        They are those of all groups together on the recent days of the same weekday. Of a day that is archived whole
        both are its amount.
        """
        projected = sum(self.of_day(group, day) for group in groups)
        if day in self.known.whole or not self.recent:
            return projected, projected
        known = sum(group.amounts.get(day, 0) for group in groups) if day in self.known.archived else 0
        recent = [sum(group.without_credits(one) for group in groups) for one in _alike(self.recent, day)]
        return max(known, min(recent)), max(projected, *recent)

    def day_over(self, groups: Sequence[DailyAmounts], limit: int) -> date | None:
        """Return the first day by which groups exceed a limit.

        Unknown days are projected. None if they do not exceed it.
        """
        total = 0
        for day in self.known.period.dates():
            total += sum(self.of_day(group, day) for group in groups)
            if total > limit:
                return day
        return None

    @property
    def projected_days(self) -> list[date]:
        """The days of the month that are not archived whole."""
        return [day for day in self.known.period.dates() if day not in self.known.whole]


def _mean(group: DailyAmounts, recent: Sequence[date], day: date) -> int:
    """Return the mean amount of the recent days of the same weekday.

    Where that weekday is not among them, it is the mean of all recent days. Weekdays are kept apart because use at
    weekends differs from use on working days.
    """
    same = _alike(recent, day)
    return sum(group.without_credits(one) for one in same) // len(same)


def _alike(recent: Sequence[date], day: date) -> Sequence[date]:
    return [one for one in recent if one.weekday() == day.weekday()] or recent


def project(reader: ArchiveReader, request: ReportRequest, by: tuple[str, ...], period: Period) -> Projection:
    """Project a period, each group by itself.

    The recent days are those of the four weeks up to the last whole day that is archived.
    """
    first = period.since - timedelta(days=RECENT_DAYS)
    read = read_daily_money(reader, request, by, lambda day: first <= day < period.until)
    whole = [day.date for day in read.days if day.is_whole]
    # Up to the last whole day and not up to today, so that an archive that was not synced lately can be projected too.
    recent = tuple(one for one in whole if one > whole[-1] - timedelta(days=RECENT_DAYS)) if whole else ()
    return Projection(KnownDays.of(period, read.days), recent, read.groups)
