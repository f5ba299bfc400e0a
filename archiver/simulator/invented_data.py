"""The invented use and costs that are visible at the clock's time."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, NamedTuple

from archiver.simulator.activity import Activity
from archiver.simulator.amendments import Amendments
from archiver.simulator.clock import DAY, MINUTE, Clock
from archiver.simulator.organization import invent_organization
from archiver.simulator.prices import (
    CODE_EXECUTION_ITEM,
    CODE_EXECUTION_MINUTE,
    CREDIT,
    CREDIT_ITEM,
    SESSION_ITEM,
    SESSION_MINUTE,
    CostItem,
)
from archiver.simulator.usage_patterns import invent_usage_patterns

if TYPE_CHECKING:
    from datetime import date, datetime

    from archiver.simulator.activity import UsageEvent
    from archiver.simulator.settings import Settings

FRESHNESS = 5 * MINUTE  # documented: visible within about 5 minutes of a request's completion
_CREDIT_AFTER_DAYS = 20


class Charge(NamedTuple):
    """A cost of neither tokens nor web searches, in microcents."""

    workspace_id: str | None
    item: CostItem
    microcents: int


class InventedData:
    """Organisation, use, amendments and clock.

    Days are numbers of days since 1970-01-01.
    """

    def __init__(self, settings: Settings, clock: Clock) -> None:
        """Invent the organisation; its days are generated when they are read."""
        self.clock = clock
        self.settings = settings
        self.amendments = Amendments()
        first_day = settings.first_day or _thirteen_months_before(clock.now)
        self.organization = invent_organization(settings, first_day)
        patterns = invent_usage_patterns(self.organization, settings.seed)
        self.activity = Activity(settings, patterns, first_day)
        # Seconds after its end from which a day no longer changes by itself.
        self.settling = FRESHNESS + (int(settings.late_by.total_seconds()) + 1 if settings.late else 0)

    def events(self, day: int) -> tuple[UsageEvent, ...]:
        """Return the use of a day that is visible now."""
        return self.visible(day, self.clock.seconds)

    def visible(self, day: int, now: int) -> tuple[UsageEvent, ...]:
        """Return the use of a day that is visible at a time, in UTC seconds."""
        start = day * DAY
        # Days are generated as a whole, so use of the future exists already and has to be hidden.
        if start >= now:
            return ()
        events = self.amendments.apply(day, self.activity.day(day))
        if start + DAY + self.settling <= now:
            return events
        # In seconds of the day: an event is visible when its minute and its delay end before this.
        latest = now - FRESHNESS - start
        return tuple(event for event in events if event.minute * MINUTE + event.delay <= latest)

    def charges(self, day: int) -> tuple[Charge, ...]:
        """Return the costs of an ended day other than tokens and web searches."""
        if day < self.activity.first or not self.amendments.keeps_charges(day):
            return ()
        credit = (Charge(None, CREDIT_ITEM, CREDIT),) if day == self.credit_day else ()
        return credit if self.activity.is_quiet(day) else (*self._tools(day), *credit)

    def currency_of(self, workspace_id: str | None) -> str:
        """Return the currency of a workspace.

        The default workspace and unknown workspaces have the first currency.
        """
        ids = [workspace["id"] for workspace in self.organization.workspaces]
        number = ids.index(workspace_id) if workspace_id in ids else 0
        return self.settings.currencies[number % len(self.settings.currencies)]

    @property
    def credit_day(self) -> int:
        """The one day with a negative amount."""
        return self.activity.first + _CREDIT_AFTER_DAYS

    def _tools(self, day: int) -> list[Charge]:
        # Only the default workspace and two others have such costs: in the others all cost comes from tokens.
        rng = Random(f"{self.settings.seed}:{day}:charges")
        ids = [workspace["id"] for workspace in self.organization.workspaces[:2]]
        charges = [
            Charge(workspace, CODE_EXECUTION_ITEM, CODE_EXECUTION_MINUTE * rng.randint(5, 900))
            for workspace in (*ids, None)
        ]
        if rng.random() < 0.5:
            charges.append(Charge(ids[0], SESSION_ITEM, SESSION_MINUTE * rng.randint(1, 600)))
        return charges


def _thirteen_months_before(now: datetime) -> date:
    # Months are counted from 0 here, so that a division splits them into year and month.
    months = now.year * 12 + now.month - 1 - 13
    return now.date().replace(year=months // 12, month=months % 12 + 1, day=1)
