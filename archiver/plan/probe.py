"""The coarse pass: the cheapest search for the first day with rows."""

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
    """Searches a range for its first day with rows, ungrouped.

    Attributes:
        windows: The windows to fetch, oldest first; the search ends as soon as `first_bucket` is known.
        empty_until: There are no rows before this time.
        first_bucket: The first day with rows, or the first day that the API left out and that may have some.
        answered: How many results were received.
        guessed: Whether `first_bucket` is only the start of a window that could not be read.
    """

    windows: tuple[Window, ...]
    empty_until: int
    first_bucket: int | None = None
    answered: int = 0
    guessed: bool = False
    _early: dict[int, tuple[int, int | None, bool]] = field(default_factory=dict)

    @classmethod
    def begin(cls, report: Report, now: int, known_empty_until: int | None, until: int | None = None) -> Probe:
        """Begin at the earliest day, or where an earlier pass ended.

        The pass ends at `until`, or with today.
        """
        series = Series(report, BucketWidth.DAY)
        end = ceiling(now + 1, DAY) if until is None else until
        start = min(EARLIEST_HISTORY if known_empty_until is None else known_empty_until, end)
        pieces = cut(start, end, DAY, SPECS[report].limits[BucketWidth.DAY])
        return cls(tuple(Window(series, *piece) for piece in pieces), start)

    def learn(self, window: Window, answer: Answer | None, *, failed: bool = False) -> None:
        """Add a result.

        None for a window without a complete day yet, or one that could not be read (`failed`).
        """
        self.answered += 1
        # A window that could not be read may have rows, so the archive begins there at the latest.
        self._early[window.start] = (window.end, window.start if failed else _first_with_rows(window, answer), failed)
        # Results come in any order, but only an unbroken chain from the oldest on proves that nothing lies before.
        while self.first_bucket is None and self.empty_until in self._early:
            end, self.first_bucket, self.guessed = self._early.pop(self.empty_until)
            self.empty_until = end if self.first_bucket is None else self.first_bucket

    def certain(self, settled_until: int) -> tuple[int, int | None]:
        """Return what later runs need not fetch again.

        It is the end of the empty range, and the first day with rows.
        """
        found = self.first_bucket
        # Days that are not settled may still get rows, so neither result is certain among them.
        if self.guessed or (found is not None and found >= settled_until):
            found = None
        return min(self.empty_until, max(floor(settled_until, DAY), self.windows[0].start)), found


def _first_with_rows(window: Window, answer: Answer | None) -> int | None:
    if answer is None or answer.buckets is None:
        return None
    listed = {bucket.start: bucket for bucket in answer.buckets}
    ended = (answer.server_time or window.end) - DAY - SPECS[window.series.report].lag_seconds
    for start in range(window.start, window.end, DAY):
        # An ended day that the API left out is a hole, and a hole may hide rows.
        if listed[start].rows if start in listed else start <= ended:
            return start
    return None
