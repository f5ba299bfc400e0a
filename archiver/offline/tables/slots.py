"""The division of a period into slots, one for each mark of a sparkline."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, NamedTuple

from archiver.offline.periods import month as parse_month

if TYPE_CHECKING:
    from archiver.store.read.daily_sums import Day

# Enough to see weeks and trends, and few enough to stand in a terminal next to the other columns.
MOST_MARKS = 24
_DAYS_A_MARK_OF_A_MONTH = 2  # a month has at most 16 marks
GAP = "·"


class Mean(NamedTuple):
    """A daily mean, as a sum and the number of days that it is of."""

    total: int
    days: int


Trend = list[Mean | None]
"""The values of a sparkline: one daily mean for each slot of days, or None where no day of the slot is known."""


@dataclass(frozen=True, slots=True)
class Slots:
    """The division of a period into slots of equally many days.

    Each slot becomes one mark. Where rows are grouped by month, each row has the slots of its own month (`monthly`),
    and `first` and `count` have no meaning.
    """

    first: date
    count: int
    days: int
    monthly: bool

    @classmethod
    def over(cls, first: date, end: date, *, monthly: bool) -> Slots:
        """Divide the days from `first` to `end`, exclusive, into at most 24 slots."""
        if monthly:
            # The slots of a month begin with its first day, and depend on its length: see `numbers`.
            return cls(date.min, 0, _DAYS_A_MARK_OF_A_MONTH, monthly=True)
        # -(-a // b) divides and rounds up: the last slot may have fewer days, but none is left over.
        each = max(1, -(-(end - first).days // MOST_MARKS))
        return cls(first, -(-(end - first).days // each), each, monthly=False)

    def of(self, day: Day) -> int:
        """Return the number of a day's slot."""
        return ((day.date.day - 1) if self.monthly else (day.date - self.first).days) // self.days

    def numbers(self, month: str | None) -> range:
        """Return the numbers of all slots, or of those of a month."""
        return range(self.count if month is None else -(-parse_month(month).days // self.days))

    def legend(self, *, halved: bool = False) -> str:
        """Return the sentence that explains the marks."""
        number = self.days * (2 if halved else 1)
        days = "1 day" if number == 1 else f"{number} days"
        return (
            f"days: a sparkline of daily values, {days} a mark{'' if self.monthly else f' from {self.first}'}, "
            f"each line on its own scale; {GAP}: not archived, or not grouped by this"
        )
