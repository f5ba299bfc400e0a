"""The coarse pass: search for the first day with rows in few requests.

Its windows are as wide as the API allows, and are not grouped by any dimension. A probe is one such search.
"""

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
    """A search of one range for its first day with rows.

    Attributes:
        windows: The windows to fetch, oldest first. The search ends as soon as `first_bucket` is known.
        empty_until: The range has no rows before this time.
        first_bucket: The first day that has rows, or that may have rows: the API left the day out, or the window that
            begins with it could not be read. None until such a day is found.
        answered: The number of windows with a result, or with an error.
        guessed: Whether `first_bucket` is only the start of a window that could not be read.
        _early: The results that came before the result of an older window: start of the window → its end, its
            `first_bucket` and its `guessed`.
    """

    windows: tuple[Window, ...]
    empty_until: int
    first_bucket: int | None = None
    answered: int = 0
    guessed: bool = False
    _early: dict[int, tuple[int, int | None, bool]] = field(default_factory=dict)

    @classmethod
    def begin(cls, report: Report, now: int, known_empty_until: int | None, until: int | None = None) -> Probe:
        """Return a search of the time that earlier passes have not searched.

        The range begins at `known_empty_until`, or else at the earliest day. It ends at `until`, or else with the day
        in progress.
        """
        series = Series(report, BucketWidth.DAY)
        end = ceiling(now + 1, DAY) if until is None else until
        start = min(EARLIEST_HISTORY if known_empty_until is None else known_empty_until, end)
        pieces = cut(start, end, DAY, SPECS[report].limits[BucketWidth.DAY])
        return cls(tuple(Window(series, *piece) for piece in pieces), start)

    def learn(self, window: Window, answer: Answer | None, *, failed: bool = False) -> None:
        """Add the result of one window.

        `answer` is None for a window that holds no complete day yet, or that could not be read (`failed`).
        """
        self.answered += 1
        # A window that could not be read may have rows, so the archive begins there at the latest.
        self._early[window.start] = (window.end, window.start if failed else _first_with_rows(window, answer), failed)
        # Results come in any order. Only results without a gap, from the oldest window on, show that there are no
        # earlier rows.
        while self.first_bucket is None and self.empty_until in self._early:
            end, self.first_bucket, self.guessed = self._early.pop(self.empty_until)
            self.empty_until = end if self.first_bucket is None else self.first_bucket

    def certain(self, settled_until: int) -> tuple[int, int | None]:
        """Return the results that later runs need not fetch again.

        The first is the end of the empty range. The second is the first day with rows; None if that is not certain.
        `settled_until` is the time until which days hardly change any more.
        """
        first_day = self.first_bucket
        # Days that are not settled may still get rows, so neither result is certain from `settled_until` on.
        if self.guessed or (first_day is not None and first_day >= settled_until):
            first_day = None
        # There are no windows if earlier passes have searched the whole range.
        begin = self.windows[0].start if self.windows else self.empty_until
        # Never before `begin`, because earlier passes have found no rows before it.
        return min(self.empty_until, max(floor(settled_until, DAY), begin)), first_day


def _first_with_rows(window: Window, answer: Answer | None) -> int | None:
    """Return the first day of a window that has or may have rows, or None."""
    if answer is None or answer.buckets is None:
        return None
    listed = {bucket.start: bucket for bucket in answer.buckets}
    # The start of the newest day that the API should list: the day ended at least the lag of the report ago.
    newest_due = (answer.server_time or window.end) - DAY - SPECS[window.series.report].lag_seconds
    for start in range(window.start, window.end, DAY):
        # A day that the API should list and left out may have rows.
        may_have_rows = bool(listed[start].rows) if start in listed else start <= newest_due
        if may_have_rows:
            return start
    return None
