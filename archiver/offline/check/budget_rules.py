"""The rules `budget`, `pace` and `limit`, on months, quarters and years.

A day is whole if it was read after it had ended.
"""

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
    """A limit, one of its periods, and the cost that counts toward it.

    Attributes:
        whole_days: The days that are archived whole, in the period and in the days that it is projected from.
        groups: The cost that counts, by day.
    """

    limit: Limit
    period: Period
    whole_days: frozenset[date]
    groups: list[DailyAmounts]

    @property
    def subject(self) -> str:
        """The limit and the period, in words."""
        name = f"budget of {self.limit.name}" if self.limit.is_configured else self.limit.name
        return f"{name} in {self.period}"

    def spent(self, until: date) -> int:
        """Return the archived cost in the period up to `until`, inclusive."""
        days = [day for day in self.period.dates() if day <= until]
        return sum(int(group.total(days)) for group in self.groups)

    def projected_after(self, day: date) -> int | None:
        """Return the period's cost, projected from the days up to `day`.

        None if one of the period's days up to `day` is not archived whole.
        """
        # Later days are left out, so that the projection is the one that a report would have shown after `day`.
        past_days = frozenset(past for past in self.whole_days if self.period.since <= past <= day)
        recent_days = sorted(past for past in self.whole_days if day - timedelta(days=RECENT_DAYS) < past <= day)
        projection = Projection(KnownDays(self.period, past_days, frozenset()), tuple(recent_days), self.groups)
        if len(past_days) < (day - self.period.since).days + 1:
            return None
        return sum(int(projection.to_end(group) or 0) for group in self.groups)

    def signal(self, rule: str, day: date, text: str, amount: int) -> Signal:
        """Return a signal; `text` continues the sentence after the subject."""
        identity = (*self.limit.identity, f"{self.period}")
        return Signal(rule, self.subject, identity, day, f"{self.subject} {text}", (), "USD", amount, self.limit.amount)


def budgets(watch: Watch) -> Iterator[Signal]:
    """Yield the days by which the archived cost exceeds a budget."""
    for watched, day in _limits_by_day(watch, is_configured=True):
        spent, limit = watched.spent(day), watched.limit.amount
        if spent > limit:
            yield watched.signal("budget", day, f"is passed: {dollars(spent)} of {dollars(limit)} by {day}", spent)


def paces(watch: Watch) -> Iterator[Signal]:
    """Yield the days after which a budget was projected to be passed.

    Days by which the budget was passed already are left out: the rule `budget` reports them.
    """
    for watched, day in _limits_by_day(watch, is_configured=True):
        projected, limit = watched.projected_after(day), watched.limit.amount
        if projected is not None and projected > limit >= watched.spent(day):
            text = f"is projected to be passed: {dollars(projected)} of {dollars(limit)}, as of {day}"
            yield watched.signal("pace", day, text, projected)


def api_limits(watch: Watch) -> Iterator[Signal]:
    """Yield the days by which a spend limit of the API is nearly used."""
    for watched, day in _limits_by_day(watch, is_configured=False):
        spent, limit = watched.spent(day), watched.limit.amount
        # A limit of zero is left out, because its used part cannot be computed.
        if limit and spent >= limit * watch.settings.limit.used:
            text = f"is used to {spent / limit:.0%}: {dollars(spent)} of {dollars(limit)} by {day}"
            yield watched.signal("limit", day, text, spent)


def _limits_by_day(watch: Watch, *, is_configured: bool) -> Iterator[tuple[_Watched, date]]:
    """Yield each limit and period with each of its whole, watched days.

    With `is_configured` the limits are the budgets of the configuration, otherwise the limits of the API.
    """
    read: dict[tuple[str, Period], DailyMoney] = {}
    seen: set[tuple[Identity, Period]] = set()
    months = {month_of(day) for day in watch.period.dates()}
    for month in sorted(months, key=lambda month: month.since):
        for limit in limits_of(watch.reader, watch.request, month)[0]:
            period = containing(month.since, limit.unit)
            # A quarter or year is met in each of its months, but is looked at only once.
            if limit.is_configured is not is_configured or (limit.identity, period) in seen:
                continue
            seen.add((limit.identity, period))
            # For a limit on all cost any dimension serves, because all groups are summed.
            key = (limit.dimension or "workspace", period)
            if key not in read:
                read[key] = _read(watch, *key)
            groups = [
                group for group in read[key].groups if group.values["currency"] == "USD" and limit.is_of(group.values)
            ]
            whole_days = frozenset(day.date for day in read[key].days if day.is_whole)
            watched = _Watched(limit, period, whole_days, groups)
            for day in sorted(whole_days):
                if watch.has(day) and period.since <= day < period.until:
                    yield watched, day


def _read(watch: Watch, dimension: str, period: Period) -> DailyMoney:
    """Read the cost of a period, and of earlier days for its projection."""
    first = period.since - timedelta(days=RECENT_DAYS)
    return read_daily_money(watch.reader, watch.request, (dimension,), lambda day: first <= day < period.until)
