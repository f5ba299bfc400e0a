"""Finding where history begins: one coarse pass over all the time there may be any, once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from archiver.model import DAY, BucketWidth, Report, Series, Window
from archiver.plan.calendar import EARLIEST_HISTORY, ceiling, floor
from archiver.plan.windows import cut
from archiver.reports import SPECS

if TYPE_CHECKING:
    from archiver.answer import Answer


@dataclass(slots=True)
class Probe:
    """Looks for the first day with rows, by the cheapest question: days, not grouped, not filtered.

    Attributes:
        windows: What to ask, oldest first; asking can stop as soon as `first_bucket` is known.
        empty_until: Before this there is nothing.
        first_bucket: The first day with rows, or the first one that the API left out and that may have some.
        answered: How many answers were taken in.
        guessed: Whether `first_bucket` is only where it may be, because that answer could not be had.
    """

    windows: tuple[Window, ...]
    empty_until: int
    first_bucket: int | None = None
    answered: int = 0
    guessed: bool = False
    _early: dict[int, tuple[int, int | None, bool]] = field(default_factory=dict)

    @classmethod
    def begin(cls, report: Report, now: int, known_empty_until: int | None) -> Probe:
        """Look from the earliest time there may be history, or from where an earlier pass had got to."""
        series = Series(report, BucketWidth.DAY)
        end = ceiling(now + 1, DAY)
        start = min(EARLIEST_HISTORY if known_empty_until is None else known_empty_until, end)
        pieces = cut(start, end, DAY, SPECS[report].limits[BucketWidth.DAY])
        return cls(tuple(Window(series, *piece) for piece in pieces), start)

    def learn(self, window: Window, answer: Answer | None, *, failed: bool = False) -> None:
        """Take an answer in; None for a window that has no complete day yet, or that could not be read (`failed`).

        Answers come in any order; they are understood from the oldest on. What could not be read may have rows.
        """
        self.answered += 1
        self._early[window.start] = (window.end, window.start if failed else _first_with_rows(window, answer), failed)
        while self.first_bucket is None and self.empty_until in self._early:
            end, self.first_bucket, self.guessed = self._early.pop(self.empty_until)
            self.empty_until = end if self.first_bucket is None else self.first_bucket

    def certain(self, settled_until: int) -> tuple[int, int | None]:
        """Give what need not be asked again: up to where nothing is, and the first day with rows.

        Days that are not settled may still get rows, so neither is certain among them.
        """
        found = self.first_bucket
        if self.guessed or (found is not None and found >= settled_until):
            found = None
        return min(self.empty_until, max(floor(settled_until, DAY), self.windows[0].start)), found


def _first_with_rows(window: Window, answer: Answer | None) -> int | None:
    if answer is None or answer.buckets is None:
        return None
    listed = {bucket.start: bucket for bucket in answer.buckets}
    ended = (answer.server_time or window.end) - DAY
    for start in range(window.start, window.end, DAY):
        if listed[start].rows if start in listed else start <= ended:
            return start
    return None
