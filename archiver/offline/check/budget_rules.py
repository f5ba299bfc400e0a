"""The rules `budget`, `pace` and `limit`, about whole periods."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from archiver.offline.check.findings import Signal
from archiver.offline.check.watch import dollars
from archiver.offline.periods import containing, month_of
from archiver.offline.reports.budget_limits import limits_of
from archiver.offline.reports.daily_money import read_daily_money
from archiver.offline.reports.known_days import KnownDays
from archiver.offline.reports.projection import RECENT_DAYS, Projection

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from archiver.offline.check.findings import Identity
    from archiver.offline.check.watch import Watch
    from archiver.offline.periods import Period
    from archiver.offline.reports.budget_limits import Limit
    from archiver.offline.reports.daily_money import DailyAmounts, DailyMoney


@dataclass(frozen=True, slots=True)
class _Watched:
    """A limit, one period that it has, and the cost that counts."""

    limit: Limit
    period: Period
    whole: frozenset[date]
    groups: list[DailyAmounts]

    @property
    def subject(self) -> str:
        """The limit and the period in words."""
        what = f"budget of {self.limit.name}" if self.limit.is_configured else self.limit.name
        return f"{what} in {self.period}"

    def spent(self, until: date) -> int:
        """Return the known cost from the start of the period to a day, inclusive."""
        days = [day for day in self.period.dates() if day <= until]
        return sum(int(group.total(days)) for group in self.groups)

    def end_as_of(self, day: date) -> int | None:
        """Return the cost of the period as it was projected after a day.

        None if a day of the period before it is not archived.
        """
        known = frozenset(one for one in self.whole if self.period.since <= one <= day)
        recent = tuple(sorted(one for one in self.whole if day - timedelta(days=RECENT_DAYS) < one <= day))
        then = Projection(KnownDays(self.period, known, frozenset()), recent, self.groups)
        if len(known) < (day - self.period.since).days + 1:
            return None
        return sum(int(then.to_end(group) or 0) for group in self.groups)

    def signal(self, rule: str, day: date, text: str, amount: int) -> Signal:
        """Return a signal of a day."""
        identity = (*self.limit.identity, f"{self.period}")
        return Signal(rule, self.subject, identity, day, f"{self.subject} {text}", (), "USD", amount, self.limit.amount)


def budgets(watch: Watch) -> Iterator[Signal]:
    """Yield the days by which the known cost of a period is above a budget."""
    for one, day in _days(watch, is_configured=True):
        spent = one.spent(day)
        if spent > one.limit.amount:
            yield one.signal(
                "budget", day, f"is passed: {dollars(spent)} of {dollars(one.limit.amount)} by {day}", spent
            )


def paces(watch: Watch) -> Iterator[Signal]:
    """Yield the days after which a budget was projected to be passed.

    It was not passed yet.
    """
    for one, day in _days(watch, is_configured=True):
        end = one.end_as_of(day)
        if end is not None and end > one.limit.amount >= one.spent(day):
            text = f"is projected to be passed: {dollars(end)} of {dollars(one.limit.amount)}, as of {day}"
            yield one.signal("pace", day, text, end)


def api_limits(watch: Watch) -> Iterator[Signal]:
    """Yield the days by which a spend limit of the API is nearly used."""
    for one, day in _days(watch, is_configured=False):
        spent = one.spent(day)
        if one.limit.amount and spent >= one.limit.amount * watch.settings.limit.used:
            used = f"{spent / one.limit.amount:.0%}"
            yield one.signal(
                "limit", day, f"is used to {used}: {dollars(spent)} of {dollars(one.limit.amount)} by {day}", spent
            )


def _days(watch: Watch, *, is_configured: bool) -> Iterator[tuple[_Watched, date]]:
    """Yield each limit with each day to look at that is archived whole."""
    read: dict[tuple[str, Period], DailyMoney] = {}
    seen: set[tuple[Identity, Period]] = set()
    months = {month_of(watch.period.since + timedelta(days=i)) for i in range(watch.period.days)}
    for month in sorted(months, key=lambda one: one.since):
        for limit in limits_of(watch.reader, watch.request, month)[0]:
            period = containing(month.since, limit.unit)
            if limit.is_configured is not is_configured or (limit.identity, period) in seen:
                continue
            seen.add((limit.identity, period))
            key = (limit.dimension or "workspace", period)
            if key not in read:
                read[key] = _read(watch, *key)
            groups = [
                group for group in read[key].groups if group.values["currency"] == "USD" and limit.is_of(group.values)
            ]
            whole = frozenset(day.date for day in read[key].days if day.is_whole)
            one = _Watched(limit, period, whole, groups)
            yield from ((one, day) for day in sorted(whole) if watch.has(day) and period.since <= day < period.until)


def _read(watch: Watch, dimension: str, period: Period) -> DailyMoney:
    first = period.since - timedelta(days=RECENT_DAYS)
    return read_daily_money(watch.reader, watch.request, (dimension,), lambda day: first <= day < period.until)
