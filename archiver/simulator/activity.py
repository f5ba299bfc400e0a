"""The base facts: atoms of use, generated a day at a time from (seed, day) alone."""

from __future__ import annotations

import math
from collections import OrderedDict
from itertools import accumulate
from random import Random
from typing import TYPE_CHECKING, NamedTuple

from archiver.simulator.clock import day_number

if TYPE_CHECKING:
    from datetime import date

    from archiver.simulator.habits import Dims, Habit
    from archiver.simulator.settings import Settings

COUNTS = ("uncached", "cache_1h", "cache_5m", "cache_read", "output", "web_searches")
_ATOMS_A_DAY = 620
_KEPT_ATOMS = 600_000  # about 200 MB

Tokens = tuple[int, int, int, int, int, int]


class Atom(NamedTuple):
    """Use of one combination in one minute of a day.

    `dims` is in the order of `habits.DIMENSIONS`, `tokens` in the order of `COUNTS`; `delay` is how many
    seconds later than usual it becomes visible.
    """

    minute: int
    dims: Dims
    tokens: Tokens
    delay: int


class Activity:
    """All use of the organisation, before anybody amends it. Days are counted since 1970."""

    def __init__(self, settings: Settings, habits: tuple[Habit, ...], first_day: date) -> None:
        """Nothing is generated until a day is asked for."""
        self._settings = settings
        self._habits = habits
        self.first = day_number(first_day)
        quiet = settings.quiet
        self._quiet = range(day_number(quiet[0]), day_number(quiet[1]) + 1) if quiet else range(0)
        self._kept: OrderedDict[int, tuple[Atom, ...]] = OrderedDict()
        self._kept_atoms = 0

    def day(self, day: int) -> tuple[Atom, ...]:
        """The atoms of a day; none before the first day and on quiet days."""
        if day in self._kept:
            self._kept.move_to_end(day)
            return self._kept[day]
        atoms = self._generate(day)
        self._keep(day, atoms)
        return atoms

    def is_quiet(self, day: int) -> bool:
        """Whether nothing at all happens; the first day is never quiet by chance."""
        if day < self.first or day in self._quiet:
            return True
        return day != self.first and Random(f"{self._settings.seed}:{day}:quiet").random() < 0.025

    def _keep(self, day: int, atoms: tuple[Atom, ...]) -> None:
        self._kept[day] = atoms
        self._kept_atoms += len(atoms)
        while self._kept_atoms > _KEPT_ATOMS and len(self._kept) > 1:
            self._kept_atoms -= len(self._kept.popitem(last=False)[1])

    def _generate(self, day: int) -> tuple[Atom, ...]:
        if self.is_quiet(day):
            return ()
        age = day - self.first
        rng = Random(f"{self._settings.seed}:{day}:atoms")
        habits = [habit for habit in self._habits if habit.since <= age < habit.until]
        weights = list(accumulate(habit.weight for habit in habits))
        count = max(1, round(self._atoms_expected(day) * (0.85 + 0.3 * rng.random())))
        chosen = rng.choices(habits, cum_weights=weights, k=count)
        delays = self._delays(day, count)
        return tuple(
            Atom(_minute(rng), habit.dims, _tokens(rng), delay) for habit, delay in zip(chosen, delays, strict=True)
        )

    def _atoms_expected(self, day: int) -> float:
        growth = 0.3 + 0.7 * (1 - math.exp((self.first - day) / 300))
        weekend = 0.25 if (day + 3) % 7 >= 5 else 1.0  # day 0 was a Thursday
        return _ATOMS_A_DAY * self._settings.size * growth * weekend

    def _delays(self, day: int, count: int) -> list[int]:
        """Drawn apart from the use itself, so that lateness changes when, never what."""
        if not self._settings.late:
            return [0] * count
        rng = Random(f"{self._settings.seed}:{day}:late")
        longest = int(self._settings.late_by.total_seconds())
        draws = ((rng.random(), rng.random()) for _ in range(count))
        return [math.ceil(longest * how) if who < self._settings.late else 0 for who, how in draws]


def _minute(rng: Random) -> int:
    return int((rng.random() + rng.random()) * 720)


def _tokens(rng: Random) -> Tokens:
    chance = rng.random()
    scale = rng.random()
    uncached = 1 + int(90_000 * scale * scale * scale)
    output = 1 + int(12_000 * chance * scale)
    if chance < 0.4:
        return (uncached, 0, 0, 0, output, 0)
    read = int(400_000 * scale * rng.random())
    searches = int(chance * 40) - 35 if chance > 0.9 else 0
    if chance < 0.6:
        return (uncached, 0, int(30_000 * rng.random()), read, output, 0)
    return (uncached, int(50_000 * chance * scale) if chance > 0.85 else 0, 0, read, output, searches)
