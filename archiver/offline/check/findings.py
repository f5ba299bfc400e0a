"""Signals of single days, and the findings that they add up to."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date


Identity = tuple[str | None, ...]
"""Texts that identify the subject of a signal; None is an API null, such as the default workspace."""


@dataclass(frozen=True, slots=True)
class Signal:
    """What a rule says of one day.

    Attributes:
        subject: What it is about, in words.
        identity: What it is about, by ids, which stay and which no two things share, and its currency if it is about
            money.
        text: A sentence with the numbers.
        lines: The parts that caused it, the largest first.
        amount: The amount of the day in 1e-18 cents, if the rule is about money.
        expected: The amount that was expected.
    """

    rule: str
    subject: str
    identity: Identity
    day: date
    text: str
    lines: tuple[str, ...] = ()
    currency: str = "USD"
    amount: int | None = None
    expected: int | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """The signals of one rule about one thing, on consecutive days.

    Its sentence and numbers are those of the first day.
    """

    signal: Signal
    last: date

    @property
    def first(self) -> date:
        """The first day."""
        return self.signal.day

    @property
    def key(self) -> tuple[str, Identity]:
        """The rule and what it is about."""
        return self.signal.rule, self.signal.identity


def findings_of(signals: Iterable[Signal]) -> list[Finding]:
    """Join signals of one rule about one thing on consecutive days.

    Findings are in order of their first days.
    """
    by_key: dict[tuple[str, Identity], list[Signal]] = defaultdict(list)
    for signal in signals:
        by_key[signal.rule, signal.identity].append(signal)
    found: list[Finding] = []
    for mine in by_key.values():
        mine.sort(key=lambda signal: signal.day)
        current = Finding(mine[0], mine[0].day)
        for signal in mine[1:]:
            if signal.day <= current.last + timedelta(days=1):
                current = Finding(current.signal, max(current.last, signal.day))
            else:
                found.append(current)
                current = Finding(signal, signal.day)
        found.append(current)
    return sorted(found, key=lambda one: (one.first, one.signal.rule, one.signal.subject, str(one.signal.identity)))
