"""Projection of a month.

Every day that is not known, from the same weekdays of the last four weeks. Pure arithmetic.

Measured against other means on simulated months; see docs/concepts.
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

RECENT_DAYS = 28
_LABELS = ("workspace", "api_key")


@dataclass(slots=True)
class DailyAmounts:
    """The amounts of one group by day, and the credits within them.

    In 1e-18 cents; credits are the negative rows.
    """

    values: Row
    amounts: dict[date, int] = field(default_factory=lambda: defaultdict(int))
    credits: dict[date, int] = field(default_factory=lambda: defaultdict(int))

    def total(self, days: Iterable[date]) -> int:
        """Add up the amounts of some days."""
        return sum(self.amounts.get(day, 0) for day in days)

    def without_credits(self, day: date) -> int:
        """Return the amount of a day that may recur: credits are one-off."""
        return self.amounts.get(day, 0) - self.credits.get(day, 0)


def read_daily_amounts(reader: ArchiveReader, by: tuple[str, ...], days: Sequence[Day]) -> list[DailyAmounts]:
    """Read amounts by day and group.

    A group is identified by ids, and shown under its last name.
    """
    groups: dict[tuple[Any, ...], DailyAmounts] = {}
    for line in reader.lines(Report.COST, ("day", *by), days):
        values = {name: value for name, value in line.values.items() if name != "date"}
        key = tuple(value for name, value in values.items() if name not in _LABELS)
        group = groups.setdefault(key, DailyAmounts(values))
        group.values = values  # lines come in order of time: the last name stays
        day = date.fromisoformat(line.values["date"])
        group.amounts[day] += line.sums[0]
        group.credits[day] += line.sums[1]
    return list(groups.values())


@dataclass(frozen=True, slots=True)
class Projection:
    """A month to date and to its end.

    Attributes:
        known: The days of the month, and which of them are archived.
        recent: The whole days that the projection is based on; empty: nothing can be projected.
    """

    known: KnownDays
    recent: tuple[date, ...]
    groups: list[DailyAmounts]

    def to_date(self, group: DailyAmounts) -> int:
        """Return the amount of the archived days."""
        return group.total(self.known.archived)

    def to_end(self, group: DailyAmounts) -> Estimate | None:
        """Return the amount of the whole month.

        None when there is no day to project from.
        """
        if not self.recent:
            return None
        total = group.total(self.known.whole)
        for day in self.projected_days:
            partial = group.amounts.get(day, 0) if day in self.known.in_progress else 0
            total += max(partial, _mean(group, self.recent, day))
        return Estimate(total)

    @property
    def projected_days(self) -> list[date]:
        """The days that are not archived whole."""
        period = self.known.period
        days = (period.since + timedelta(days=i) for i in range(period.days))
        return [day for day in days if day not in self.known.whole]


def _mean(group: DailyAmounts, recent: Sequence[date], day: date) -> int:
    """Return the mean of the same weekday among recent days, or of all of them where there is none."""
    same = [one for one in recent if one.weekday() == day.weekday()] or recent
    return sum(group.without_credits(one) for one in same) // len(same)


def project(reader: ArchiveReader, by: tuple[str, ...], period: Period) -> Projection:
    """Project a month by groups.

    From its own days and those of the four weeks before its last whole day.
    """
    first = period.since - timedelta(days=RECENT_DAYS)
    days = reader.days(Report.COST, first.isoformat(), period.until.isoformat())
    whole = [day.date for day in days if day.is_whole]
    recent = tuple(one for one in whole if one > whole[-1] - timedelta(days=RECENT_DAYS)) if whole else ()
    return Projection(KnownDays.of(period, days), recent, read_daily_amounts(reader, by, days))
