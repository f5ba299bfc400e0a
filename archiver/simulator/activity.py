"""The invented use of the API, generated day by day.

The events of a day depend on the settings, the first day of use and the day, never on which days were read before.
The order of the draws from a `Random` must stay as it is: another order changes all data that a seed makes. The same
holds for the words in the seed of a `Random`, such as `quiet`.
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
_EVENTS_PER_DAY = 620  # on a weekday, at `size` 1 and after all growth
_MOST_CACHED_EVENTS = 600_000  # about 200 MB

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
    """All use, before the changes to past days that a test makes.

    These changes are `Amendments`. Days are numbers of days since 1970-01-01. `first` is the first day of use.
    """

    def __init__(self, settings: Settings, patterns: tuple[UsagePattern, ...], first_day: date) -> None:
        """Initialise; the events of a day are generated when they are read."""
        self._settings = settings
        self._patterns = patterns
        self.first = day_number(first_day)
        quiet = settings.quiet
        # Both days of the setting are quiet, and the end of a range is exclusive.
        self._quiet = range(day_number(quiet[0]), day_number(quiet[1]) + 1) if quiet else range(0)
        self._cache: OrderedDict[int, tuple[UsageEvent, ...]] = OrderedDict()
        self._cached_events = 0

    def day(self, day: int) -> tuple[UsageEvent, ...]:
        """Return the events of a day.

        A day before the first one, and a quiet day, has no events.
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
        # About one day in 40 is quiet. The first day never is: tests and the demo rely on where history begins.
        return day != self.first and Random(f"{self._settings.seed}:{day}:quiet").random() < 0.025

    def _remember(self, day: int, events: tuple[UsageEvent, ...]) -> None:
        self._cache[day] = events
        self._cached_events += len(events)
        # The least recently read days are removed first; the day just generated always stays.
        while self._cached_events > _MOST_CACHED_EVENTS and len(self._cache) > 1:
            self._cached_events -= len(self._cache.popitem(last=False)[1])

    def _generate(self, day: int) -> tuple[UsageEvent, ...]:
        if self.is_quiet(day):
            return ()
        age = day - self.first  # `since` and `until` of a pattern count from the first day of use
        # One `Random` for each day, so that a day does not depend on the days that were read before it.
        rng = Random(f"{self._settings.seed}:{day}:atoms")
        patterns = [pattern for pattern in self._patterns if pattern.since <= age < pattern.until]
        weights = list(accumulate(pattern.weight for pattern in patterns))
        # Up to 15 % fewer or more events than expected.
        count = max(1, round(self._expected_events(day) * (0.85 + 0.3 * rng.random())))
        chosen = rng.choices(patterns, cum_weights=weights, k=count)
        delays = self._delays(day, count)
        return tuple(
            UsageEvent(_minute(rng), pattern.values, _counts(rng), delay)
            for pattern, delay in zip(chosen, delays, strict=True)
        )

    def _expected_events(self, day: int) -> float:
        # Use starts at 30 % of its final amount. The other 70 % come exponentially, 63 % of them in the first 300 days.
        growth = 0.3 + 0.7 * (1 - math.exp((self.first - day) / 300))
        # Weekends have a quarter of the use. Day 0 was a Thursday, so (day + 3) % 7 is 5 or 6 on a weekend.
        weekend = 0.25 if (day + 3) % 7 >= 5 else 1.0
        return _EVENTS_PER_DAY * self._settings.size * growth * weekend

    def _delays(self, day: int, count: int) -> list[int]:
        """Return how many seconds late each event becomes visible."""
        if not self._settings.late:
            return [0] * count
        # A separate `Random`, so that the setting `late` changes when use is visible, never the use itself.
        rng = Random(f"{self._settings.seed}:{day}:late")
        longest = int(self._settings.late_by.total_seconds())
        # Two draws for every event, late or not: a larger `late` delays more events and keeps the delays of the others.
        draws = ((rng.random(), rng.random()) for _ in range(count))
        return [math.ceil(longest * share) if chance < self._settings.late else 0 for chance, share in draws]


def _minute(rng: Random) -> int:
    # The sum of two draws makes noon the busiest time and midnight the quietest. A draw spans 720 minutes, half a day.
    return int((rng.random() + rng.random()) * 720)


def _counts(rng: Random) -> Counts:
    """Return invented counts: `chance` decides about cache and web searches, `scale` how large the counts are."""
    chance = rng.random()
    scale = rng.random()
    # The cube makes most prompts short and a few very long, as in real use.
    uncached = 1 + int(90_000 * scale * scale * scale)
    output = 1 + int(12_000 * chance * scale)
    if chance < 0.4:  # no cache
        return (uncached, 0, 0, 0, output, 0)
    cache_read = int(400_000 * scale * rng.random())
    if chance < 0.6:  # the cache is read, and written for 5 minutes
        return (uncached, 0, int(30_000 * rng.random()), cache_read, output, 0)
    # Above, the cache is read. The highest chances also write it for an hour, and make 1 to 4 web searches.
    cache_1h = int(50_000 * chance * scale) if chance > 0.85 else 0
    searches = int(chance * 40) - 35 if chance > 0.9 else 0
    return (uncached, cache_1h, 0, cache_read, output, searches)
