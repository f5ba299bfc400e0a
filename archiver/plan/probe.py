"""The coarse pass: search for the first day with rows in few requests.

Its windows are as wide as the API allows, and ungrouped.
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
        empty_until: There are no rows in the range before this time.
        first_bucket: The first day that has rows, or that may have rows because the API left it out or could not be
            read there; None while it is not known.
        answered: The number of windows with a result.
        guessed: Whether `first_bucket` is only the start of a window that could not be read.
        _early: Results of windows behind one that has no result yet, by start: the window's end, `first_bucket` and
            `guessed`.
    """

    windows: tuple[Window, ...]
    empty_until: int
    first_bucket: int | None = None
    answered: int = 0
    guessed: bool = False
    _early: dict[int, tuple[int, int | None, bool]] = field(default_factory=dict)

    @classmethod
    def begin(cls, report: Report, now: int, known_empty_until: int | None, until: int | None = None) -> Probe:
        """Begin where an earlier pass ended, or else at the earliest day.

        The range ends at `until`, or else with the day in progress.
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
        # Results come in any order, but only an unbroken chain from the oldest on shows that there are no earlier rows.
        while self.first_bucket is None and self.empty_until in self._early:
            end, self.first_bucket, self.guessed = self._early.pop(self.empty_until)
            self.empty_until = end if self.first_bucket is None else self.first_bucket

    def certain(self, settled_until: int) -> tuple[int, int | None]:
        """Return the results that later runs need not fetch again.

        They are the end of the empty range and the first day with rows, or None. `settled_until` is the time until
        which days hardly change any more.
        """
        found = self.first_bucket
        # Days that are not settled may still get rows, so neither result is certain among them.
        if self.guessed or (found is not None and found >= settled_until):
            found = None
        # The range is empty where everything up to its end was checked before.
        begin = self.windows[0].start if self.windows else self.empty_until
        return min(self.empty_until, max(floor(settled_until, DAY), begin)), found


def _first_with_rows(window: Window, answer: Answer | None) -> int | None:
    if answer is None or answer.buckets is None:
        return None
    listed = {bucket.start: bucket for bucket in answer.buckets}
    # The start of the newest day that the API should list: it has ended, and the lag of the report is over.
    newest_due = (answer.server_time or window.end) - DAY - SPECS[window.series.report].lag_seconds
    for start in range(window.start, window.end, DAY):
        # A due day that the API left out may have rows.
        if listed[start].rows if start in listed else start <= newest_due:
            return start
    return None
