"""Signals of single days, joined to findings over consecutive days."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date


Identity = tuple[str | None, ...]
"""Texts that identify the subject of a signal. None stands for an API null, such as the default workspace."""


@dataclass(frozen=True, slots=True)
class Signal:
    """One day on which a rule applies to a subject.

    Attributes:
        subject: The limit, workspace, report or other thing that the signal is about, in words.
        identity: The same subject by its ids, because names can change and be shared; with its currency if the signal
            is about the cost of a subject.
        text: A sentence with the numbers.
        lines: The parts of the cost that changed most, the largest change first.
        amount: The amount in 1e-18 cents; None if the rule is not about money.
        expected: The amount to compare it with: the usual amount or the limit, in 1e-18 cents; None if there is none.
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
    """The signals of one rule about one subject, on consecutive days.

    Attributes:
        signal: The signal of the first day. The sentence and the numbers of the finding are taken from it.
        last: The last day.
    """

    signal: Signal
    last: date

    @property
    def first(self) -> date:
        """The first day."""
        return self.signal.day

    @property
    def key(self) -> tuple[str, Identity]:
        """The rule and the identity of the subject."""
        return self.signal.rule, self.signal.identity


def findings_of(signals: Iterable[Signal]) -> list[Finding]:
    """Join signals of one rule about one subject on consecutive days.

    Findings are ordered by their first day.
    """
    by_key: dict[tuple[str, Identity], list[Signal]] = defaultdict(list)
    for signal in signals:
        by_key[signal.rule, signal.identity].append(signal)
    found: list[Finding] = []
    for its_signals in by_key.values():
        its_signals.sort(key=lambda signal: signal.day)
        current = Finding(its_signals[0], its_signals[0].day)
        for signal in its_signals[1:]:
            if signal.day <= current.last + timedelta(days=1):
                current = Finding(current.signal, max(current.last, signal.day))
            else:
                found.append(current)
                current = Finding(signal, signal.day)
        found.append(current)
    return sorted(found, key=_order)


def _order(finding: Finding) -> tuple[date, str, str, str]:
    # The identity as text, because its None values cannot be compared with texts.
    signal = finding.signal
    return finding.first, signal.rule, signal.subject, str(signal.identity)
