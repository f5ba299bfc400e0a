"""The progress of a run on stderr: a live display, lines or JSON lines."""

from __future__ import annotations

import sys
import time
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from archiver.cli.logs import TEXT, Log
from archiver.cli.talk import duration
from archiver.crawl.progress import Progress
from archiver.crawl.summary import count

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rich.console import RenderableType
    from rich.table import Table

    from archiver.errors import ApiError
    from archiver.model import Report, RowCounts, Series, Window
    from archiver.plan.work import SeriesPlan

PLAIN_SECONDS = 30.0
_RECENT_SECONDS = 60.0  # the pace is measured over these
_LEAST_SECONDS = 1.0  # the first windows of a run would seem to be infinitely fast
_BAR_WIDTH = 24


@dataclass(slots=True)
class Line:
    """The counts of one series."""

    planned: int
    done: int = 0
    failed: int = 0
    rows: int = 0

    @property
    def finished(self) -> int:
        """The number of windows that need no more work."""
        return self.done + self.failed


class Tally(Progress):
    """Counts the events of a run.

    `per_minute` is the configured limit of requests, None without one.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic, per_minute: float | None = None) -> None:
        self.monotonic = monotonic
        self.lines: dict[Series, Line] = {}
        self.coarse: dict[Report, tuple[int, int]] = {}
        self._allowed = per_minute
        self._wait_reason = ""
        self._wait_ends = 0.0
        self._finished: deque[float] = deque()
        self._began = monotonic()

    def probing(self, report: Report, done: int, of: int) -> None:
        """Note how far the coarse pass is."""
        self.coarse[report] = done, of

    def planned(self, plans: Sequence[SeriesPlan]) -> None:
        """Add the windows of a plan.

        A run can plan several times: windows that it has finished stay counted, all others are planned anew.
        """
        for line in self.lines.values():
            line.planned = line.finished
        for plan in plans:
            self.lines.setdefault(plan.series, Line(0)).planned += len(plan.windows)
        # The pace is measured anew: planning and the coarse pass finish no windows.
        self._began = self.monotonic()
        self._finished.clear()

    def split(self, window: Window) -> None:
        """Count one more window; windows of the coarse pass have no line."""
        if window.series in self.lines:
            self.lines[window.series].planned += 1

    def done(self, window: Window, rows: RowCounts) -> None:
        """Count a window and its rows."""
        line = self.lines[window.series]
        line.done += 1
        line.rows += rows.changed + rows.unchanged
        self._finish()

    def failed(self, window: Window, error: ApiError) -> None:  # noqa: ARG002  # the summary has the error
        """Count a window that could not be archived."""
        self.lines[window.series].failed += 1
        self._finish()

    def waiting(self, seconds: float, reason: str) -> None:
        """Note a wait, unless a longer one is noted already.

        All workers wait for the same limit and report it, each with a slightly different time.
        """
        ends = self.monotonic() + seconds
        if ends > self._wait_ends:
            self._wait_ends, self._wait_reason = ends, reason

    def wait_text(self) -> str:
        """Return the wait that is left and its reason; empty when there is none."""
        left = self._wait_ends - self.monotonic()
        return f"waiting {left:.0f} s: {self._wait_reason}" if left > 0 else ""

    def _finish(self) -> None:
        now = self.monotonic()
        self._finished.append(now)
        while self._finished[0] < now - _RECENT_SECONDS:
            self._finished.popleft()

    def per_minute(self) -> float:
        """Return the recent pace in finished windows a minute."""
        seconds = min(_RECENT_SECONDS, max(_LEAST_SECONDS, self.monotonic() - self._began))
        return len(self._finished) / seconds * 60

    def seconds_left(self) -> float | None:
        """Return an estimate of the seconds left, None without a finished window."""
        left = sum(line.planned - line.finished for line in self.lines.values())
        pace = self.per_minute()
        # The first burst is faster than the limit, which holds for the rest of the run.
        pace = pace if self._allowed is None else min(pace, self._allowed)
        return left / pace * 60 if pace else None

    def sentence(self) -> str:
        """Return the progress of the run on one line."""
        finished = sum(line.finished for line in self.lines.values())
        planned = sum(line.planned for line in self.lines.values())
        rows = sum(line.rows for line in self.lines.values())
        left = self.seconds_left()
        estimate = f", about {duration(left)} left" if left and finished < planned else ""
        pace = f"{self.per_minute():.0f} windows/min"
        return f"{finished:,} of {count(planned, 'window')}, {count(rows, 'row')}, {pace}{estimate}"


class PlainProgress(Tally):
    """A line every 30 seconds, and one for each wait."""

    def __init__(
        self,
        monotonic: Callable[[], float] = time.monotonic,
        per_minute: float | None = None,
        log: Log = TEXT,
    ) -> None:
        super().__init__(monotonic, per_minute)
        self._log = log
        self._printed_at = monotonic()

    def probing(self, report: Report, done: int, of: int) -> None:
        """Note how far the coarse pass is."""
        super().probing(report, done, of)
        self._print_sometimes(f"checking {report} for older history: {done} of {count(of, 'request')}")

    def waiting(self, seconds: float, reason: str) -> None:
        """Print a wait, once for all workers."""
        is_known = self._wait_ends > self.monotonic()
        super().waiting(seconds, reason)
        if not is_known:
            progress = f"; {self.sentence()}" if self.lines else ""
            self._print(self.wait_text() + progress, seconds=round(seconds, 1))

    def _finish(self) -> None:
        super()._finish()
        self._print_sometimes(self.sentence())

    def _print_sometimes(self, text: str) -> None:
        if self.monotonic() - self._printed_at >= PLAIN_SECONDS:
            self._print(text)

    def _print(self, text: str, seconds: float | None = None) -> None:
        self._printed_at = self.monotonic()
        finished = sum(line.finished for line in self.lines.values())
        planned = sum(line.planned for line in self.lines.values())
        self._log.write("info", text, windows_finished=finished, windows_planned=planned, seconds=seconds)


class LiveDisplay(Tally):
    """A bar for each series and the coarse pass, and the wait or time left."""

    def __rich__(self) -> Table:
        from rich.table import Table  # noqa: PLC0415  # only on a terminal
        from rich.text import Text  # noqa: PLC0415  # the same

        table = Table.grid(padding=(0, 2))
        for series, line in self.lines.items():
            name, group_by = f"{series.report} {series.bucket_width}", series.group_by_text or "total"
            table.add_row(
                *_bar(name, group_by, line.finished, line.planned, "window"),
                f"{line.rows:,} rows",
                Text(f"{line.failed} failed" if line.failed else "", style="red"),
            )
        for report, (done, of) in self.coarse.items():
            table.add_row(*_bar(str(report), "older history", done, of, "request"))
        grid = Table.grid()
        grid.add_row(table)
        grid.add_row(Text(self.wait_text() or (self.sentence() if self.lines else "planning"), style="cyan"))
        return grid


def _bar(name: str, detail: str, done: int, of: int, noun: str) -> list[RenderableType]:
    from rich.progress_bar import ProgressBar  # noqa: PLC0415  # only on a terminal
    from rich.text import Text  # noqa: PLC0415  # the same

    total = max(1, of)  # a bar of nothing is drawn full
    return [
        Text(name, style="bold"),
        Text(detail, style="dim", overflow="ellipsis", no_wrap=True),
        ProgressBar(total, done if of else total, width=_BAR_WIDTH),
        f"{done}/{count(of, noun)}",
    ]


@contextmanager
def choose_progress(*, quiet: bool, log: Log = TEXT, per_minute: float | None = None) -> Iterator[Progress]:
    """Yield the display that fits stderr: none, lines, or a live one."""
    if quiet:
        yield Progress()
    elif log.as_json or not sys.stderr.isatty():
        yield PlainProgress(per_minute=per_minute, log=log)
    else:
        from rich.console import Console  # noqa: PLC0415  # only on a terminal
        from rich.live import Live  # noqa: PLC0415  # the same

        display = LiveDisplay(per_minute=per_minute)
        with Live(display, console=Console(stderr=True), refresh_per_second=8):
            yield display
