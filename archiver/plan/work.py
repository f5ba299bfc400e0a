"""Compare a range with the archive's coverage, and plan what to fetch."""

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
    """The plan of one series within a range.

    Attributes:
        series: The series.
        start: The start of the range.
        end: The end of the range (exclusive).
        needed: The parts of the range to fetch, in order.
        windows: The same parts, cut into windows of one request each, oldest first.
        fetched: The parts that some response contained already, in order.
    """

    series: Series
    start: int
    end: int
    needed: tuple[Range, ...]
    windows: tuple[Window, ...]
    fetched: tuple[Range, ...] = ()

    def is_refresh(self, window: Window) -> bool:
        """Return whether earlier responses contained the whole window."""
        return not subtract(window.start, window.end, self.fetched)


def needed(start: int, end: int, spans: Iterable[Span], refresh_from: int) -> list[Range]:
    """Return the parts of a range to fetch.

    These are the buckets that are not settled, and all buckets from `refresh_from` on.

    `spans` are disjoint and in order. The result is disjoint, in order, and merged.
    """
    # A span that begins at `refresh_from` or later is empty or ends before it starts here; `subtract` ignores it.
    settled = [
        (max(start, span.start), min(end, span.end, refresh_from)) for span in spans if span.state is State.SETTLED
    ]
    return subtract(start, end, settled)


def reopen_suspects(spans: Sequence[Span], suspects: Iterable[int], width: int) -> list[Span]:
    """Return spans in which suspects are provisional, to be fetched again.

    `suspects` are the starts of settled buckets with an unconfirmed change; `width` is that of a bucket in seconds.
    """
    reopened: list[Span] = []
    for span in spans:
        # Only this plan takes a suspect for provisional. In the file it stays settled, because its archived rows were
        # those of an earlier response and only the loss of them waits for confirmation.
        holes = [(start, start + width) for start in suspects if span.start <= start < span.end]
        pieces = [replace(span, start=start, end=end) for start, end in subtract(span.start, span.end, holes)]
        pieces += [replace(span, start=start, end=end, state=State.PROVISIONAL) for start, end in holes]
        reopened += sorted(pieces, key=lambda piece: piece.start)
    return reopened


def subtract(start: int, end: int, holes: Iterable[Range]) -> list[Range]:
    """Subtract holes from the range `start` to `end`.

    `holes` are disjoint and in order. Holes that are empty, end before they start, or lie outside are ignored.
    """
    left: list[Range] = []
    at = start  # the range before this time is in `left` or in a hole
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

    `spans` is the coverage of the range. `digests` are those of the last valid answers, by window.
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
    """Return the windows of all series in the order in which to fetch them.

    New windows come first, then refreshes, then windows that failed before; the newest window is first in each group.
    """
    # Sorting by the end interleaves reports and widths, so that a few requests bring the newest month of all of them.
    # Refreshes come after new windows, because runs with a short time limit would else refresh the same days each time
    # and never get further. Windows that failed before come last, because they may fail again after long retries.
    keys = {
        window: (window.failed_before, plan.is_refresh(window), -window.end)
        for plan in plans
        for window in plan.windows
    }
    return sorted(keys, key=keys.__getitem__)


def is_fetched(span: Span) -> bool:
    """Return whether some response contained the buckets of a span."""
    # Provisional cost without `fetched_at` was requested, and left out of the response: it may come late.
    return span.state in COVERED and span.fetched_at is not None


def newest_range(spans: Sequence[Span]) -> Range | None:
    """Return the newest unbroken range of fetched buckets.

    `spans` are in order. None is returned without fetched buckets.
    """
    found: Range | None = None
    for span in spans:
        if is_fetched(span):
            found = (found[0] if found is not None and found[1] == span.start else span.start), span.end
    return found


def _overlaps(piece: Range, others: Iterable[Range]) -> bool:
    return any(start < piece[1] and end > piece[0] for start, end in others)
