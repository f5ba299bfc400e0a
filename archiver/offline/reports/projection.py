"""Projection of the cost of a month.

The cost of a day that is not known yet is projected from the same weekdays of the last four weeks.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from archiver.model import Report
from archiver.offline.reports.known_days import KnownDays
from archiver.offline.tables.money import Estimate

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from archiver.offline.periods import Period
    from archiver.offline.tables.table import Row
    from archiver.store.read.daily_sums import Day
    from archiver.store.read.reader import ArchiveReader

RECENT_DAYS = 28  # whole weeks, so that every weekday has the same weight
_LABELS = ("workspace", "api_key")


@dataclass(slots=True)
class DailyAmounts:
    """The amounts of one group by day, in 1e-18 cents.

    `credits` are the negative amounts, which `amounts` include.
    """

    values: Row
    amounts: dict[date, int] = field(default_factory=lambda: defaultdict(int))
    credits: dict[date, int] = field(default_factory=lambda: defaultdict(int))

    def total(self, days: Iterable[date]) -> int:
        """Add up the amounts of some days."""
        return sum(self.amounts.get(day, 0) for day in days)

    def without_credits(self, day: date) -> int:
        """Return the amount of a day without its credits, which do not recur."""
        return self.amounts.get(day, 0) - self.credits.get(day, 0)


def read_daily_amounts(reader: ArchiveReader, by: tuple[str, ...], days: Sequence[Day]) -> list[DailyAmounts]:
    """Read the amounts of each group by day.

    Groups are identified by ids, as names change; they have their latest name.
    """
    groups: dict[tuple[Any, ...], DailyAmounts] = {}
    for line in reader.lines(Report.COST, ("day", *by), days):
        values = {name: value for name, value in line.values.items() if name != "date"}
        key = tuple(value for name, value in values.items() if name not in _LABELS)
        group = groups.setdefault(key, DailyAmounts(values))
        group.values = values  # lines come in order of time, so the latest name stays
        day = date.fromisoformat(line.values["date"])
        group.amounts[day] += line.sums[0]
        group.credits[day] += line.sums[1]
    return list(groups.values())


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
