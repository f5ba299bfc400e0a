"""What the rules look at: an archive, some days of it, and the time."""

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
    """One run of the rules.

    Attributes:
        request: Teams, budgets and the time of reading.
        period: The days to look at; days before them are what they are compared with.
        now: The time, for rules about freshness.
        is_backtest: Whether it is about the past alone.
    """

    reader: ArchiveReader
    request: ReportRequest
    settings: Settings
    period: Period
    now: datetime
    is_backtest: bool = False

    def has(self, day: date) -> bool:
        """Return whether a day is looked at."""
        return self.period.since <= day < self.period.until


def median(values: Sequence[int]) -> int:
    """Return the median, rounded down to a whole number."""
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) // 2


def dollars(amount: int, currency: str = "USD") -> str:
    """Return an amount in words, as `1,234.50 USD`."""
    return f"{to_rounded(amount, 'usd')} {currency}"
