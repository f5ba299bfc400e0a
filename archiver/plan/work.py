"""From the coverage of the archive to the windows that are left to fetch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from archiver.model import COVERED, State, Window
from archiver.plan.calendar import floor
from archiver.plan.windows import cut
from archiver.reports import SPECS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from archiver.model import Series, Span

Range = tuple[int, int]


@dataclass(frozen=True, slots=True)
class SeriesPlan:
    """The windows of one series within a range, oldest first.

    `needed` are the ranges that the windows cut, `fetched` those that the archive has already, in order.
    """

    series: Series
    start: int
    end: int
    needed: tuple[Range, ...]
    windows: tuple[Window, ...]
    fetched: tuple[Range, ...] = ()

    def is_refresh(self, window: Window) -> bool:
        """Return whether the archive has all of a window already."""
        return not subtract(window.start, window.end, self.fetched)


def needed(start: int, end: int, spans: Iterable[Span], refresh_from: int) -> list[Range]:
    """Return the parts of a range to fetch.

    They are all that is not settled, and all from `refresh_from` on.

    `spans` are disjoint and in order; the result is disjoint, in order, and merged.
    """
    settled = [
        (max(start, span.start), min(end, span.end, refresh_from)) for span in spans if span.state is State.SETTLED
    ]
    return subtract(start, end, settled)


def reopen_suspects(spans: Sequence[Span], suspects: Iterable[int], width: int) -> list[Span]:
    """Cut suspects out of settled spans, so that they are fetched again."""
    reopened: list[Span] = []
    for span in spans:
        # A suspect is still settled in the file: its rows were confirmed once, and only its last answer was not.
        holes = [(start, start + width) for start in suspects if span.start <= start < span.end]
        pieces = [replace(span, start=start, end=end) for start, end in subtract(span.start, span.end, holes)]
        pieces += [replace(span, start=start, end=end, state=State.PROVISIONAL) for start, end in holes]
        reopened += sorted(pieces, key=lambda piece: piece.start)
    return reopened


def subtract(start: int, end: int, holes: Iterable[Range]) -> list[Range]:
    """Subtract ordered, disjoint ranges from one.

    Empty and outlying ones are ignored.
    """
    left: list[Range] = []
    at = start  # all before this is decided
    for hole_start, hole_end in holes:
        if hole_end <= at or hole_start >= hole_end:
            continue
        if hole_start >= end:
            break
        if hole_start > at:
            left.append((at, hole_start))
        at = hole_end
    if at < end:
        left.append((at, end))
    return left


def plan_series(
    series: Series,
    wanted: Range,
    spans: Sequence[Span],
    refresh_from: int,
    digests: Mapping[Range, bytes],
) -> SeriesPlan:
    """Plan the windows of one series over a range of whole buckets.

    `digests` are those of the last answers that are still valid, by window.
    """
    start, end = wanted
    limit = SPECS[series.report].limits[series.bucket_width]
    width = series.bucket_width.seconds
    # Floored, because a bucket that is refreshed in part is refreshed as a whole.
    ranges = needed(start, end, spans, floor(refresh_from, width))
    failed = [(span.start, span.end) for span in spans if span.state is State.FAILED]
    cuts = [piece for lower, upper in ranges for piece in cut(lower, upper, width, limit)]
    windows = (Window(series, *piece, digests.get(piece), _overlaps(piece, failed)) for piece in cuts)
    fetched = ((span.start, span.end) for span in spans if is_fetched(span))
    return SeriesPlan(series, start, end, tuple(ranges), tuple(windows), tuple(fetched))


def fetch_order(plans: Iterable[SeriesPlan]) -> list[Window]:
    """Return the windows of all series, newest first."""
    # Sorting by the end interleaves reports and widths: after a few requests the newest month of both reports is
    # in the file. Refreshes come after windows that are new: else runs with a short time limit would refresh the same
    # days each time and never get further. Windows that failed before come last: they may fail again, slowly.
    keys = {
        window: (window.failed_before, plan.is_refresh(window), -window.end)
        for plan in plans
        for window in plan.windows
    }
    return sorted(keys, key=keys.__getitem__)


def is_fetched(span: Span) -> bool:
    """Return whether the API returned the buckets of a span at least once."""
    return span.state in COVERED and span.fetched_at is not None


def newest_range(spans: Sequence[Span]) -> Range | None:
    """Return the unbroken range of fetched buckets that reaches furthest.

    `spans` are in order.
    """
    found: Range | None = None
    for span in spans:
        if is_fetched(span):
            found = (found[0] if found is not None and found[1] == span.start else span.start), span.end
    return found


def _overlaps(piece: Range, others: Iterable[Range]) -> bool:
    return any(start < piece[1] and end > piece[0] for start, end in others)
