"""Changes that a test makes to the use of past days.

They imitate what the API does later: rows that appear, change or vanish.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from archiver.simulator.activity import UsageEvent
from archiver.simulator.usage_patterns import DIMENSIONS

if TYPE_CHECKING:
    from fractions import Fraction

Events = tuple[UsageEvent, ...]
Where = Mapping[str, str | None]
_Change = Callable[[Events], Iterable[UsageEvent]]


class Amendments:
    """Changes to days, applied in the order in which they were made.

    Days are numbers of days since 1970-01-01. `version` grows with every change, so that caches can be emptied then.
    """

    def __init__(self) -> None:
        """Begin without any change."""
        # Functions instead of changed events, because the events of a day are generated only when it is read.
        self._changes: defaultdict[int, list[_Change]] = defaultdict(list)
        self._without_charges: set[int] = set()
        self.version = 0

    def apply(self, day: int, events: Events) -> Events:
        """Return the events of a day after every change to it."""
        for change in self._changes.get(day, ()):
            events = tuple(change(events))
        return events

    def keeps_charges(self, day: int) -> bool:
        """Return whether a day still has its charges.

        Charges are the costs of code execution and sessions, and credits.
        """
        return day not in self._without_charges

    def scale(self, day: int, factor: Fraction, where: Where) -> None:
        """Multiply every count of the matching events by `factor`, and round it."""

        def change(events: Events) -> Iterable[UsageEvent]:
            return (_scaled(event, factor) if _matches(event, where) else event for event in events)

        self._add(day, change)

    def remove(self, day: int, where: Where) -> None:
        """Remove the matching events of a day.

        An empty `where` matches all events, and removes the charges of the day too.
        """
        if not where:
            self._without_charges.add(day)
        self._add(day, lambda events: (event for event in events if not _matches(event, where)))

    def add(self, day: int, event: UsageEvent) -> None:
        """Add one event."""
        self._add(day, lambda events: (*events, event))

    def restore(self, day: int) -> None:
        """Undo every change to a day."""
        self._changes.pop(day, None)
        self._without_charges.discard(day)
        self.version += 1

    def _add(self, day: int, change: _Change) -> None:
        self._changes[day].append(change)
        self.version += 1


def _matches(event: UsageEvent, where: Where) -> bool:
    return all(event.values[DIMENSIONS.index(name)] == value for name, value in where.items())


def _scaled(event: UsageEvent, factor: Fraction) -> UsageEvent:
    a, b, c, d, e, f = (round(count * factor) for count in event.counts)
    return event._replace(counts=(a, b, c, d, e, f))
