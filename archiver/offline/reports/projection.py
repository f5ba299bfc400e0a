"""Projection of the cost of a month or another period.

A day is whole if it was read after it had ended. The cost of all other days is projected from the same weekday in the
last four weeks.
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
    """The cost of a period to date, and projected to its end.

    Attributes:
        known: The period, and which of its days are archived.
        recent: The whole days that the projection is based on. Without any, nothing can be projected.
        groups: The cost of each group by day, of the period and of the recent days.
    """

    known: KnownDays
    recent: tuple[date, ...]
    groups: list[DailyAmounts]

    def to_date(self, group: DailyAmounts) -> int:
        """Return the amount of the archived days in the period."""
        return group.total(self.known.archived)

    def to_end(self, group: DailyAmounts) -> Estimate | None:
        """Return the projected amount of the period; None without recent days."""
        if not self.recent:
            return None
        return Estimate(sum(self.of_day(group, day) for day in self.known.period.dates()))

    def of_day(self, group: DailyAmounts, day: date) -> int:
        """Return the amount of a day, projected if it is not archived whole.

        Without recent days it is the archived amount, and 0 for a missing day.
        """
        archived = group.amounts.get(day, 0) if day in self.known.archived else 0
        if day in self.known.whole or not self.recent:
            return archived
        # A day in progress costs at least the part that is archived.
        return max(archived, _mean(group, self.recent, day))

    def range_of_day(self, groups: Sequence[DailyAmounts], day: date) -> tuple[int, int]:
        """Return the least and the largest cost to expect on a day of the period.

        They are the smallest and the largest cost of all groups together on the recent days with the same weekday. For
        a day that is archived whole, both are its amount.
        """
        projected = sum(self.of_day(group, day) for group in groups)
        if day in self.known.whole or not self.recent:
            return projected, projected
        archived = sum(group.amounts.get(day, 0) for group in groups) if day in self.known.archived else 0
        recent = [sum(group.without_credits(past) for group in groups) for past in _same_weekdays(self.recent, day)]
        # A day in progress costs at least the part that is archived.
        return max(archived, min(recent)), max(projected, *recent)

    def day_over(self, groups: Sequence[DailyAmounts], limit: int) -> date | None:
        """Return the first day by which the sum of groups exceeds a limit.

        Days that are not archived whole are projected. None if the sum stays within the limit.
        """
        total = 0
        for day in self.known.period.dates():
            total += sum(self.of_day(group, day) for group in groups)
            if total > limit:
                return day
        return None

    @property
    def projected_days(self) -> list[date]:
        """The days of the period that are not archived whole."""
        return [day for day in self.known.period.dates() if day not in self.known.whole]


def _mean(group: DailyAmounts, recent: Sequence[date], day: date) -> int:
    """Return a group's mean on the recent days with the weekday of `day`."""
    same = _same_weekdays(recent, day)
    return sum(group.without_credits(past) for past in same) // len(same)


def _same_weekdays(recent: Sequence[date], day: date) -> Sequence[date]:
    """Return the recent days with the weekday of `day`, or else all.

    Weekdays are kept apart because use at weekends differs from use on working days.
    """
    return [past for past in recent if past.weekday() == day.weekday()] or recent


def project(reader: ArchiveReader, request: ReportRequest, by: tuple[str, ...], period: Period) -> Projection:
    """Project a period, each group by itself.

    The recent days are the whole days in the four weeks that end with the last whole day before the period's end.
    """
    first = period.since - timedelta(days=RECENT_DAYS)
    read = read_daily_money(reader, request, by, lambda day: first <= day < period.until)
    whole_days = [day.date for day in read.days if day.is_whole]
    # Up to the last whole day and not up to today, so that an archive that was not synced recently can be projected.
    recent: tuple[date, ...] = ()
    if whole_days:
        recent = tuple(day for day in whole_days if day > whole_days[-1] - timedelta(days=RECENT_DAYS))
    return Projection(KnownDays.of(period, read.days), recent, read.groups)
