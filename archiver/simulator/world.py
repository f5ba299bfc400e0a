"""The world at one moment: what happened, as amended, as far as it is visible at the clock's present."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, NamedTuple

from archiver.simulator.activity import Activity
from archiver.simulator.clock import DAY, MINUTE, Clock
from archiver.simulator.habits import habits_of
from archiver.simulator.ledger import Ledger
from archiver.simulator.organization import invent_organization
from archiver.simulator.prices import (
    CODE_EXECUTION_LINE,
    CODE_EXECUTION_MINUTE,
    CREDIT,
    CREDIT_LINE,
    SESSION_LINE,
    SESSION_MINUTE,
    Line,
)

if TYPE_CHECKING:
    from datetime import date, datetime

    from archiver.simulator.activity import Atom
    from archiver.simulator.settings import Settings

FRESHNESS = 5 * MINUTE  # documented: visible within about 5 minutes of a request's completion
_CREDIT_AFTER_DAYS = 20


class Charge(NamedTuple):
    """A cost that does not come from tokens, in microcents."""

    workspace_id: str | None
    line: Line
    microcents: int


class World:
    """Organisation, use and amendments behind one clock. Days are counted since 1970."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        """Days are generated when somebody asks for them."""
        self.clock = clock
        self.ledger = Ledger()
        first_day = settings.first_day or _thirteen_months_before(clock.now)
        self.organization = invent_organization(settings.seed, first_day, settings.size)
        self.activity = Activity(settings, habits_of(self.organization, settings.seed), first_day)
        self.slack = FRESHNESS + (int(settings.late_by.total_seconds()) + 1 if settings.late else 0)
        self._seed = settings.seed

    def atoms(self, day: int) -> tuple[Atom, ...]:
        """The use of a day that is visible now."""
        now = self.clock.seconds
        start = day * DAY
        if start >= now:
            return ()
        atoms = self.ledger.apply(day, self.activity.day(day))
        if start + DAY + self.slack <= now:
            return atoms
        latest = now - FRESHNESS - start
        return tuple(atom for atom in atoms if atom.minute * MINUTE + atom.delay <= latest)

    def charges(self, day: int) -> tuple[Charge, ...]:
        """What a day that is over cost beside its tokens and searches."""
        if day < self.activity.first or not self.ledger.charges_stand(day):
            return ()
        credit = (Charge(None, CREDIT_LINE, CREDIT),) if day == self.credit_day else ()
        return credit if self.activity.is_quiet(day) else (*self._tools(day), *credit)

    @property
    def credit_day(self) -> int:
        """The one day with a negative amount."""
        return self.activity.first + _CREDIT_AFTER_DAYS

    def _tools(self, day: int) -> list[Charge]:
        rng = Random(f"{self._seed}:{day}:charges")
        homes = [workspace["id"] for workspace in self.organization.workspaces[:2]]
        charges = [
            Charge(home, CODE_EXECUTION_LINE, CODE_EXECUTION_MINUTE * rng.randint(5, 900)) for home in (*homes, None)
        ]
        if rng.random() < 0.5:
            charges.append(Charge(homes[0], SESSION_LINE, SESSION_MINUTE * rng.randint(1, 600)))
        return charges


def _thirteen_months_before(now: datetime) -> date:
    months = now.year * 12 + now.month - 1 - 13
    return now.date().replace(year=months // 12, month=months % 12 + 1, day=1)
