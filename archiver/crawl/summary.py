"""The result of a run: counts, failures, outcome and exit code."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from archiver.errors import PARTIAL_EXIT, ApiError, ArchiverError
from archiver.model import DAY, RowCounts, Series, Window, to_text
from archiver.reports import SPECS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from archiver.plan.work import Range, SeriesPlan

# The exit codes of a refused key (4), of the disk (7) and of the file (8, 9). These errors stay until a person acts, so
# they take precedence over "partial".
WINNING_EXITS = (4, 7, 8, 9)
# Corrections of single days are usual. A loss of more than a fifth in three days is more likely an error of the API.
COLLAPSE_DAYS = 3
COLLAPSE_SHARE = 5
"""A collapse is a loss of more than 1/5 in at least three days."""


def count(number: int, noun: str) -> str:
    """Return a number with its noun: `1 window`, `1,234 windows`."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


@dataclass(frozen=True, slots=True)
class Failure:
    """A window that is not archived, is incomplete, or lost many rows.

    `error` is for programs: the `outcome` of an error class, or `missing`, `suspect` or `collapse`.
    """

    window: Window
    error: str
    message: str
    exit_code: int
    request_id: str | None = None

    @classmethod
    def of(cls, window: Window, error: ApiError) -> Failure:
        """Return the failure of a window that ended in an error."""
        return cls(window, error.outcome, error.message, error.exit_code, error.request_id)

    def to_json(self) -> dict[str, Any]:
        """Return the object that `sync --json` lists."""
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


Change = tuple[int, int]
"""A magnitude before and after a run: the sum of all counts of usage, or the sum of absolute microcents of cost."""


def find_collapses(rewritten: Mapping[Series, Mapping[int, Change]]) -> list[Failure]:
    """Return a failure for each series that lost over a fifth in three days.

    `rewritten` has the changes of the days that this run rewrote, by the start of the day. The sums over all days that
    lost something are compared, if there are three or more. Other days are left out, so that their late rows cannot
    hide a loss.
    """
    failures = []
    for series, days in rewritten.items():
        lost = {day: (before, after) for day, (before, after) in days.items() if after < before}
        total_before = sum(before for before, _ in lost.values())
        total_after = sum(after for _, after in lost.values())
        loss = total_before - total_after
        if len(lost) >= COLLAPSE_DAYS and COLLAPSE_SHARE * loss > total_before:
            # The message shows a percentage and not an amount, because a sum over currencies has no unit.
            what = "money" if SPECS[series.report].is_money else "tokens"
            message = (
                f"{count(len(lost), 'day')} lost {loss / total_before:.0%} of their {what} since they were last read; "
                "compare with the Console before you rely on these days"
            )
            window = Window(series, min(lost), max(lost) + DAY)
            failures.append(Failure(window, "collapse", message, PARTIAL_EXIT))
    return failures


@dataclass(slots=True)
class Summary:
    """The counts of a run, filled in while it goes on.

    Attributes:
        plans: The plans of all series.
        requests: The number of requests sent, retries included.
        retries: The number of retries among them.
        planned: The number of windows to fetch; a window that is split counts as two.
        fetched: The number of windows with an answer.
        unchanged: The number of answers that changed no row.
        not_ready: The number of windows without a complete bucket yet; `fetched` includes them.
        failed: The number of windows that could not be read.
        rows: The numbers of rows that the run inserted, updated, removed or left unchanged.
        failures: Windows that are not archived, are incomplete or lost rows, and the collapses.
        warnings: The sentences for the user. The keys of a dict keep their order and do not repeat.
        stopped: The error that ended the run before all windows were fetched; None without such an error.
        organization: The name or the id of the organisation; None while it is unknown.
        archived: For each planned series, the newest unbroken range in the archive at the end of the run.
        _rewritten: For each series, the start of a day → its magnitude before and after this run.
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
    archived: dict[Series, Range] = field(default_factory=dict)
    _rewritten: dict[Series, dict[int, Change]] = field(default_factory=dict)

    def begin_again(self) -> None:
        """Reset the counts of windows before a new plan; the counts of rows stay."""
        # The new plan fetches the same time again with fewer dimensions, so its windows would be counted twice.
        self.planned = self.fetched = self.unchanged = self.not_ready = self.failed = 0
        self.plans = ()
        self.failures.clear()

    def note_rewritten(self, series: Series, buckets: Iterable[tuple[int, int, int]], now: int) -> None:
        """Add rewritten buckets to the changes of their days.

        `buckets` has (start, magnitude before, magnitude after). Buckets that end after `now` are left out.
        """
        for start, before, after in buckets:
            # A bucket in progress is rewritten by every run, and its change is not a restatement.
            if start + series.bucket_width.seconds <= now:
                days = self._rewritten.setdefault(series, {})
                day = start - start % DAY
                day_before, day_after = days.get(day, (0, 0))
                days[day] = day_before + before, day_after + after

    def add_collapses(self) -> list[Failure]:
        """Add the collapses of this run to its failures, and return them."""
        collapses = find_collapses(self._rewritten)
        self.failures += collapses
        return collapses

    @property
    def left(self) -> int:
        """The number of planned windows that have no result."""
        return self.planned - self.fetched - self.failed

    @property
    def exit_code(self) -> int:
        """The exit code of the run.

        In this order:
        1. If the run was stopped by an error that is not an ApiError, the code of this error.
        2. The first code of `WINNING_EXITS` among the errors of the run.
        3. 0 without any error.
        4. 3 ("partial") if at least one answer was archived, or else the code of the first error.
        """
        # The error that stopped the run is the first.
        codes = [failure.exit_code for failure in self.failures]
        if self.stopped is not None:
            # After a signal, the time limit or an error of the disk, the failures of windows matter less.
            if not isinstance(self.stopped, ApiError):
                return self.stopped.exit_code
            codes.insert(0, self.stopped.exit_code)
        winning = [code for code in codes if code in WINNING_EXITS]
        if winning:
            return winning[0]
        if not codes:
            return 0
        # A window that is not ready has no rows, so it does not make a failed run a partial run.
        return PARTIAL_EXIT if self.fetched > self.not_ready else codes[0]

    @property
    def outcome(self) -> str:
        """The outcome for programs, such as `ok` or `partial`, for the exit code."""
        if self.stopped is not None and self.stopped.exit_code == self.exit_code:
            return self.stopped.outcome
        outcomes = {0: "ok", PARTIAL_EXIT: "partial"}
        # Any other code is the code of a failure.
        return outcomes.get(self.exit_code) or next(f.error for f in self.failures if f.exit_code == self.exit_code)

    @property
    def range(self) -> Range | None:
        """The range of all plans; None when nothing was planned."""
        if not self.plans:
            return None
        return min(plan.start for plan in self.plans), max(plan.end for plan in self.plans)

    def to_json(self) -> dict[str, Any]:
        """Return the object that `sync --json` prints."""
        start, end = self.range or (None, None)
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
            "from": None if start is None else to_text(start),
            "to": None if end is None else to_text(end),
            "failures": [failure.to_json() for failure in self.failures],
            "warnings": list(self.warnings),
        }
