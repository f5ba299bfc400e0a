"""The events of a run, for a progress display."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from archiver.errors import ApiError
    from archiver.model import Report, RowCounts, Window
    from archiver.plan.work import SeriesPlan


class Progress:
    """The receiver of the events of a run; this one ignores all events."""

    # A class and not a protocol, so that a display overrides only the events that it shows, and a quiet run uses this
    # class itself.

    def probing(self, report: Report, done: int, of: int) -> None:
        """The search for a report's first day has `done` of at most `of` windows."""

    def planned(self, plans: Sequence[SeriesPlan]) -> None:
        """The windows of the run, or further windows, are planned."""

    def split(self, window: Window) -> None:
        """A window is fetched in two halves instead."""

    def done(self, window: Window, rows: RowCounts) -> None:
        """A window was archived."""

    def failed(self, window: Window, error: ApiError) -> None:
        """A window could not be archived."""

    def waiting(self, seconds: float, reason: str) -> None:
        """No worker sends a request for the next `seconds`."""
