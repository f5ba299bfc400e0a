"""How a run went: what it counted, and which outcome and exit code that makes. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from archiver.errors import PARTIAL_EXIT, ApiError, ArchiverError
from archiver.model import RowCounts, Window, to_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from archiver.plan.work import SeriesPlan

WINNING_EXITS = (4, 7, 8, 9)


@dataclass(frozen=True, slots=True)
class Failure:
    """One window that could not be archived, or not all of it."""

    window: Window
    error: str
    message: str
    exit_code: int
    request_id: str | None = None

    @classmethod
    def of(cls, window: Window, error: ApiError) -> Failure:
        """Note the error a window ended in."""
        return cls(window, error.outcome, error.message, error.exit_code, error.request_id)

    def to_json(self) -> dict[str, Any]:
        """Give the object that `sync --json` lists."""
        series = self.window.series
        return {
            "report": series.report,
            "bucket_width": series.bucket_width,
            "group_by": series.group_by_text,
            "start": to_text(self.window.start),
            "end": to_text(self.window.end),
            "error": self.error,
            "message": self.message,
            "request_id": self.request_id,
        }


@dataclass(slots=True)
class Summary:
    """What a run did, filled in while it goes on.

    `fetched` counts every window the API answered, `unchanged` those among them that said nothing new, `not_ready`
    those of which it said that there is nothing yet; what is neither fetched nor failed is left. `stopped` is what
    ended the run before its plan did.
    """

    plans: Sequence[SeriesPlan] = ()
    requests: int = 0
    retries: int = 0
    planned: int = 0
    fetched: int = 0
    not_ready: int = 0
    unchanged: int = 0
    failed: int = 0
    rows: RowCounts = field(default_factory=RowCounts)
    failures: list[Failure] = field(default_factory=list)
    warnings: dict[str, None] = field(default_factory=dict)
    stopped: ArchiverError | None = None
    organization: str | None = None

    def begin_again(self) -> None:
        """Forget the windows of a plan that is made anew; the rows that were written stay counted."""
        self.fetched = self.unchanged = self.not_ready = self.failed = 0
        self.failures.clear()

    @property
    def left(self) -> int:
        """How many windows nobody asked for in the end."""
        return self.planned - self.fetched - self.failed

    @property
    def exit_code(self) -> int:
        """The exit code: a refused key and a broken disk or file win, then partial if anything was archived."""
        codes = [failure.exit_code for failure in self.failures]
        if self.stopped is not None:
            if not isinstance(self.stopped, ApiError):
                return self.stopped.exit_code
            codes.insert(0, self.stopped.exit_code)
        winning = [code for code in codes if code in WINNING_EXITS]
        if winning:
            return winning[0]
        if not codes:
            return 0
        return PARTIAL_EXIT if self.fetched > self.not_ready else codes[0]

    @property
    def outcome(self) -> str:
        """The word for the exit code."""
        if self.stopped is not None and self.stopped.exit_code == self.exit_code:
            return self.stopped.outcome
        known = {0: "ok", PARTIAL_EXIT: "partial"}
        return known.get(self.exit_code) or next(f.error for f in self.failures if f.exit_code == self.exit_code)

    def to_json(self) -> dict[str, Any]:
        """Give the one object that `sync --json` prints."""
        ends = [(plan.start, plan.end) for plan in self.plans if plan.start < plan.end]
        return {
            "outcome": self.outcome,
            "exit_code": self.exit_code,
            "requests": self.requests,
            "retries": self.retries,
            "windows": {
                "planned": self.planned,
                "fetched": self.fetched,
                "unchanged": self.unchanged,
                "failed": self.failed,
                "left": self.left,
            },
            "rows": {
                "inserted": self.rows.inserted,
                "updated": self.rows.updated,
                "removed": self.rows.removed,
                "unchanged": self.rows.unchanged,
            },
            "from": to_text(min(start for start, _ in ends)) if ends else None,
            "to": to_text(max(end for _, end in ends)) if ends else None,
            "failures": [failure.to_json() for failure in self.failures],
            "warnings": list(self.warnings),
        }
