"""Projection of the cost of a month.

The cost of a day that is not known yet is projected from the same weekdays of the last four weeks.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from archiver.model import Report
from archiver.offline.reports.daily_money import read_daily_amounts
from archiver.offline.reports.known_days import KnownDays
from archiver.offline.tables.money import Estimate

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from archiver.offline.periods import Period
    from archiver.offline.reports.daily_money import DailyAmounts
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
        total = group.total(self.known.whole)
        for day in self.projected_days:
            # A day in progress costs at least what is known of it.
            partial = group.amounts.get(day, 0) if day in self.known.in_progress else 0
            total += max(partial, _mean(group, self.recent, day))
        return Estimate(total)

    @property
    def projected_days(self) -> list[date]:
        """The days of the month that are not archived whole."""
        period = self.known.period
        days = (period.since + timedelta(days=i) for i in range(period.days))
        return [day for day in days if day not in self.known.whole]


def _mean(group: DailyAmounts, recent: Sequence[date], day: date) -> int:
    """Return the mean amount of the recent days of the same weekday.

    Where that weekday is not among them, it is the mean of all recent days. Weekdays are kept apart because use at
    weekends differs from use on working days.
    """
    same = [one for one in recent if one.weekday() == day.weekday()] or recent
    return sum(group.without_credits(one) for one in same) // len(same)


def project(reader: ArchiveReader, by: tuple[str, ...], period: Period) -> Projection:
    """Project a month, each group by itself.

    The recent days are those of the four weeks up to the last whole day that is archived.
    """
    first = period.since - timedelta(days=RECENT_DAYS)
    days = reader.days(Report.COST, first.isoformat(), period.until.isoformat())
    whole = [day.date for day in days if day.is_whole]
    # Up to the last whole day and not up to today, so that an archive that was not synced lately can be projected too.
    recent = tuple(one for one in whole if one > whole[-1] - timedelta(days=RECENT_DAYS)) if whole else ()
    return Projection(KnownDays.of(period, days), recent, read_daily_amounts(reader, by, days))
