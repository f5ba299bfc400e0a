"""The input of the rules, and helpers that they share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from archiver.offline.tables.money import to_rounded

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime

    from archiver.offline.check.settings import Settings
    from archiver.offline.periods import Period
    from archiver.offline.reports.request import ReportRequest
    from archiver.store.read.reader import ArchiveReader


@dataclass(frozen=True, slots=True)
class Watch:
    """The input of one run of the rules.

    Attributes:
        request: The teams, the budgets, and the time `as_of` that the archive is read at.
        period: The days that a rule can report. Rules also read earlier days, to compare these with.
        now: The current time, for the rule `stale`.
        is_backtest: Whether the run only evaluates past days, and reports nothing as new.
    """

    reader: ArchiveReader
    request: ReportRequest
    settings: Settings
    period: Period
    now: datetime
    is_backtest: bool = False

    def has(self, day: date) -> bool:
        """Return whether a day is in the period."""
        return self.period.since <= day < self.period.until


def median(values: Sequence[int]) -> int:
    """Return the median, rounded down to a whole number.

    `values` must not be empty.
    """
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) // 2


def dollars(amount: int, currency: str = "USD") -> str:
    """Return an amount as text for people, for example `1,234.50 USD`."""
    return f"{to_rounded(amount, 'usd')} {currency}"
