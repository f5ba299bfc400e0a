"""The live picture of a run on a terminal, and plain lines everywhere else. All of it on stderr."""

from __future__ import annotations

import sys
import time
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from archiver.cli.talk import count
from archiver.crawl.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rich.table import Table

    from archiver.errors import ApiError
    from archiver.model import Report, RowCounts, Series, Window
    from archiver.plan.work import SeriesPlan

PLAIN_SECONDS = 30.0
_RECENT_SECONDS = 60.0
_LEAST_SECONDS = 1.0


@dataclass(slots=True)
class Line:
    """How far one series is."""

    planned: int
    done: int = 0
    failed: int = 0
    rows: int = 0


class Tally(Progress):
    """Counts what a run tells, for either picture."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.monotonic = monotonic
        self.lines: dict[Series, Line] = {}
        self.note = ""
        self._note_until = 0.0
        self._finished: deque[float] = deque()
        self._began = monotonic()

    def probing(self, report: Report, done: int, of: int) -> None:
        """Note that the beginning of a history is looked for."""
        self.tell(f"looking where {report} history begins: {done} of at most {of} requests", 3600.0)

    def planned(self, plans: Sequence[SeriesPlan]) -> None:
        """Begin to count windows."""
        self.lines = {plan.series: Line(len(plan.windows)) for plan in plans}
        self.note = ""
        self._began = self.monotonic()

    def split(self, window: Window) -> None:
        """Count one more; a window that only looks for the beginning of history is not counted."""
        if window.series in self.lines:
            self.lines[window.series].planned += 1

    def done(self, window: Window, rows: RowCounts) -> None:
        """Count a window and its rows."""
        line = self.lines[window.series]
        line.done += 1
        line.rows += rows.changed + rows.unchanged
        self._finish()

    def failed(self, window: Window, error: ApiError) -> None:  # noqa: ARG002  # the summary says why
        """Count a window that could not be archived."""
        self.lines[window.series].failed += 1
        self._finish()

    def waiting(self, seconds: float, reason: str) -> None:
        """Say why nothing happens, and for how long."""
        left = sum(line.planned - line.done - line.failed for line in self.lines.values())
        planned = sum(line.planned for line in self.lines.values())
        windows = f"; {left:,} of {count(planned, 'window')} left" if planned else ""
        self.tell(f"waiting {seconds:.0f} s: {reason}{windows}", seconds)

    def tell(self, note: str, seconds: float) -> None:
        """Show a note for so long."""
        self.note, self._note_until = note, self.monotonic() + seconds

    def current_note(self) -> str:
        """Give the note while it is true."""
        return self.note if self.monotonic() < self._note_until else ""

    def _finish(self) -> None:
        now = self.monotonic()
        self._finished.append(now)
        while self._finished[0] < now - _RECENT_SECONDS:
            self._finished.popleft()

    def per_minute(self) -> float:
        """Say how many windows a minute were finished of late."""
        seconds = min(_RECENT_SECONDS, max(_LEAST_SECONDS, self.monotonic() - self._began))
        return len(self._finished) / seconds * 60

    def seconds_left(self) -> float | None:
        """Guess how long it will go on at this pace."""
        left = sum(line.planned - line.done - line.failed for line in self.lines.values())
        pace = self.per_minute()
        return left / pace * 60 if pace else None

    def sentence(self) -> str:
        """Say on one line how far the run is."""
        finished = sum(line.done + line.failed for line in self.lines.values())
        planned = sum(line.planned for line in self.lines.values())
        rows = sum(line.rows for line in self.lines.values())
        left = self.seconds_left()
        guess = f", about {_spell_seconds(left)} left" if left and finished < planned else ""
        pace = f"{self.per_minute():.0f} requests/min"
        return f"{finished:,} of {count(planned, 'window')}, {count(rows, 'row')}, {pace}{guess}"


class PlainProgress(Tally):
    """A line every 30 seconds, and one for each wait."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        super().__init__(monotonic)
        self._said_at = monotonic()

    def tell(self, note: str, seconds: float) -> None:
        """Say a note, but not twice within 30 seconds."""
        if self.monotonic() - self._said_at >= PLAIN_SECONDS or note.startswith("waiting"):
            self._say(note)
        super().tell(note, seconds)

    def _finish(self) -> None:
        super()._finish()
        if self.monotonic() - self._said_at >= PLAIN_SECONDS:
            self._say(self.sentence())

    def _say(self, text: str) -> None:
        self._said_at = self.monotonic()
        click.echo(text, err=True)


class LivePicture(Tally):
    """One line a series: windows done of planned, rows; below, the pace and the time left."""

    def __rich__(self) -> Table:
        from rich.progress_bar import ProgressBar  # noqa: PLC0415  # only on a terminal
        from rich.table import Table  # noqa: PLC0415  # the same
        from rich.text import Text  # noqa: PLC0415  # the same

        table = Table.grid(padding=(0, 2))
        for series, line in self.lines.items():
            total, finished = max(1, line.planned), line.done + line.failed
            table.add_row(
                Text(f"{series.report} {series.bucket_width}", style="bold"),
                Text(series.group_by_text or "total", style="dim", overflow="ellipsis", no_wrap=True),
                ProgressBar(total, finished if line.planned else total, width=24),
                f"{finished}/{line.planned} windows",
                f"{line.rows:,} rows",
                Text(f"{line.failed} failed" if line.failed else "", style="red"),
            )
        grid = Table.grid()
        grid.add_row(table)
        grid.add_row(Text(self.current_note() or (self.sentence() if self.lines else "asking"), style="cyan"))
        return grid


def _spell_seconds(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


@contextmanager
def choose_progress(*, quiet: bool) -> Iterator[Progress]:
    """Give the picture that fits where stderr goes."""
    if quiet:
        yield Progress()
    elif not sys.stderr.isatty():
        yield PlainProgress()
    else:
        from rich.console import Console  # noqa: PLC0415  # only on a terminal
        from rich.live import Live  # noqa: PLC0415  # the same

        picture = LivePicture()
        with Live(picture, console=Console(stderr=True), refresh_per_second=8):
            yield picture
