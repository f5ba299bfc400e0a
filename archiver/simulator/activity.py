"""The invented use, generated day by day.

The events of a day depend on the settings, the first day and the day, never on which days were read before.
The order of the draws from a `Random` is part of that: another order changes all data of a seed.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from itertools import accumulate
from random import Random
from typing import TYPE_CHECKING, NamedTuple

from archiver.simulator.clock import day_number

if TYPE_CHECKING:
    from datetime import date

    from archiver.simulator.settings import Settings
    from archiver.simulator.usage_patterns import DimensionValues, UsagePattern

# The first five are in the order of `prices.TOKEN_TYPES`: `aggregate` finds the count of a token type by its position.
COUNTS = ("uncached", "cache_1h", "cache_5m", "cache_read", "output", "web_searches")
_EVENTS_A_DAY = 620
_CACHED_EVENTS = 600_000  # about 200 MB

Counts = tuple[int, int, int, int, int, int]


class UsageEvent(NamedTuple):
    """Use of one combination of dimension values in one minute of a day.

    `minute` is counted from the start of the UTC day. `values` is in the order of `usage_patterns.DIMENSIONS`,
    `counts` in the order of `COUNTS`. `delay` is in seconds: the event becomes visible that much later than usual.
    """

    minute: int
    values: DimensionValues
    counts: Counts
    delay: int


class Activity:
    """All use before amendments.

    Days are numbers of days since 1970-01-01.
    """

    def __init__(self, settings: Settings, patterns: tuple[UsagePattern, ...], first_day: date) -> None:
        """Generate nothing yet: days are generated when they are read."""
        self._settings = settings
        self._patterns = patterns
        self.first = day_number(first_day)
        quiet = settings.quiet
        self._quiet = range(day_number(quiet[0]), day_number(quiet[1]) + 1) if quiet else range(0)
        self._cache: OrderedDict[int, tuple[UsageEvent, ...]] = OrderedDict()
        self._cached_events = 0

    def day(self, day: int) -> tuple[UsageEvent, ...]:
        """Return the events of a day.

        There are none before the first day and on quiet days.
        """
        if day in self._cache:
            self._cache.move_to_end(day)
            return self._cache[day]
        events = self._generate(day)
        self._remember(day, events)
        return events

    def is_quiet(self, day: int) -> bool:
        """Return whether a day has no use at all."""
        if day < self.first or day in self._quiet:
            return True
        # The first day always has use: tests and the demo rely on where history begins.
        return day != self.first and Random(f"{self._settings.seed}:{day}:quiet").random() < 0.025

    def _remember(self, day: int, events: tuple[UsageEvent, ...]) -> None:
        self._cache[day] = events
        self._cached_events += len(events)
        # The least recently used days go first; the day just generated always stays.
        while self._cached_events > _CACHED_EVENTS and len(self._cache) > 1:
            self._cached_events -= len(self._cache.popitem(last=False)[1])

    def _generate(self, day: int) -> tuple[UsageEvent, ...]:
        if self.is_quiet(day):
            return ()
        age = day - self.first
        # One `Random` a day, so that a day does not depend on the days that were read before it.
        rng = Random(f"{self._settings.seed}:{day}:atoms")
        patterns = [pattern for pattern in self._patterns if pattern.since <= age < pattern.until]
        weights = list(accumulate(pattern.weight for pattern in patterns))
        count = max(1, round(self._expected_events(day) * (0.85 + 0.3 * rng.random())))
        chosen = rng.choices(patterns, cum_weights=weights, k=count)
        delays = self._delays(day, count)
        return tuple(
            UsageEvent(_minute(rng), pattern.values, _counts(rng), delay)
            for pattern, delay in zip(chosen, delays, strict=True)
        )

    def _expected_events(self, day: int) -> float:
        # Use starts at 30 % of its final amount, and the rest grows with a time constant of 300 days.
        growth = 0.3 + 0.7 * (1 - math.exp((self.first - day) / 300))
        # Day 0 was a Thursday, so (day + 3) % 7 counts from Monday.
        weekend = 0.25 if (day + 3) % 7 >= 5 else 1.0
        return _EVENTS_A_DAY * self._settings.size * growth * weekend

    def _delays(self, day: int, count: int) -> list[int]:
        """Return how many seconds late each event becomes visible."""
        # From a `Random` of its own: the setting `late` changes when use is visible, never the use itself.
        if not self._settings.late:
            return [0] * count
        rng = Random(f"{self._settings.seed}:{day}:late")
        longest = int(self._settings.late_by.total_seconds())
        # Two draws for every event, late or not: a larger `late` delays more events and keeps the delays of the others.
        draws = ((rng.random(), rng.random()) for _ in range(count))
        return [math.ceil(longest * share) if chance < self._settings.late else 0 for chance, share in draws]


def _minute(rng: Random) -> int:
    # The sum of two draws makes noon the busiest time and midnight the quietest.
    return int((rng.random() + rng.random()) * 720)


def _counts(rng: Random) -> Counts:
    chance = rng.random()
    scale = rng.random()
    # The cube makes most prompts short and a few very long, as in real use.
    uncached = 1 + int(90_000 * scale * scale * scale)
    output = 1 + int(12_000 * chance * scale)
    # By `chance`: below 0.4 no cache is used, below 0.6 it is read and written for 5 minutes, and above it is read.
    # Above 0.85 it is also written for an hour, and above 0.9 there are 1 to 4 web searches.
    if chance < 0.4:
        return (uncached, 0, 0, 0, output, 0)
    read = int(400_000 * scale * rng.random())
    searches = int(chance * 40) - 35 if chance > 0.9 else 0
    if chance < 0.6:
        return (uncached, 0, int(30_000 * rng.random()), read, output, 0)
    return (uncached, int(50_000 * chance * scale) if chance > 0.85 else 0, 0, read, output, searches)
