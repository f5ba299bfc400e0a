"""The division of a period into slots for a sparkline.

A slot is a run of consecutive days. A sparkline shows one character for each slot: its mark.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, NamedTuple

from archiver.offline.periods import month as parse_month

if TYPE_CHECKING:
    from archiver.store.read.daily_sums import Day

# 24 marks show weeks and trends, and fit in a terminal next to the other columns.
MOST_MARKS = 24
_DAYS_PER_MARK_IN_A_MONTH = 2  # so a month of 31 days has 16 marks
GAP = "·"
"""The mark of a slot without a value."""


class Mean(NamedTuple):
    """A daily mean as a sum and the number of days summed.

    It is not divided yet, so that the means of two slots can be merged exactly.
    """

    total: int
    days: int


Trend = list[Mean | None]
"""The values of a sparkline: for each slot its daily mean; None if no day of it is archived with the row's grouping."""


@dataclass(frozen=True, slots=True)
class Slots:
    """The division of a period into slots of equal length.

    The last slot may be shorter.

    Attributes:
        first: The first day of the period; no meaning if `monthly`.
        count: The number of slots; no meaning if `monthly`.
        days: The number of days in a slot.
        monthly: Whether rows are grouped by month. Each row then has the slots of its own month.
    """

    first: date
    count: int
    days: int
    monthly: bool

    @classmethod
    def over(cls, first: date, end: date, *, monthly: bool) -> Slots:
        """Divide the days from `first` to `end`, exclusive, into at most 24 slots."""
        if monthly:
            # Each month has its own first day and its own number of slots (see `numbers`), so neither is set here.
            return cls(date.min, 0, _DAYS_PER_MARK_IN_A_MONTH, monthly=True)
        # -(-a // b) divides and rounds up, so that no day is left without a slot.
        days_per_slot = max(1, -(-(end - first).days // MOST_MARKS))
        return cls(first, -(-(end - first).days // days_per_slot), days_per_slot, monthly=False)

    def of(self, day: Day) -> int:
        """Return the index of the slot that contains a day, from 0."""
        return ((day.date.day - 1) if self.monthly else (day.date - self.first).days) // self.days

    def numbers(self, month: str | None) -> range:
        """Return the indexes of all slots.

        `month` (`YYYY-MM`) is the month of a row if the slots are `monthly`, else None.
        """
        # -(-a // b) rounds up, because the last slot of a month may be shorter.
        return range(self.count if month is None else -(-parse_month(month).days // self.days))

    def legend(self, *, halved: bool = False) -> str:
        """Return the sentence that explains the marks.

        `halved` is for sparklines with half the marks, where a mark covers two slots.
        """
        days_per_mark = self.days * (2 if halved else 1)
        days = "1 day" if days_per_mark == 1 else f"{days_per_mark} days"
        return (
            f"days: a sparkline of daily values, {days} a mark{'' if self.monthly else f' from {self.first}'}, "
            f"each line on its own scale; {GAP}: not archived, or not grouped by this"
        )
