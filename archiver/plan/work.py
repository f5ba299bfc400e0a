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
"""The start of a range, and its end (exclusive), in UTC seconds."""


@dataclass(frozen=True, slots=True)
class SeriesPlan:
    """The plan of one series within a range.

    Attributes:
        series: The series.
        start: The start of the range.
        end: The end of the range (exclusive).
        needed: The parts of the range to fetch, in order.
        windows: The same parts, cut into windows of one request each, oldest first.
        fetched: The parts of the range that an earlier response contained, in order.
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
    """Return the parts of a range that are to be fetched.

    These are all buckets that are not settled, and all buckets from `refresh_from` on.

    `spans` are disjoint and in order. The result is disjoint, in order, and merged.
    """
    # For a span that begins at `refresh_from` or later, the end here is not after the start; `subtract` ignores it.
    settled = [
        (max(start, span.start), min(end, span.end, refresh_from)) for span in spans if span.state is State.SETTLED
    ]
    return subtract(start, end, settled)


def reopen_suspects(spans: Sequence[Span], suspects: Iterable[int], width: int) -> list[Span]:
    """Return spans in which suspects are provisional, to be fetched again.

    `suspects` are the starts of settled buckets with an unconfirmed change. `width` is the length of a bucket in
    seconds.
    """
    reopened: list[Span] = []
    for span in spans:
        # A suspect is provisional only in this plan. In the archive it stays settled: it keeps the rows of an earlier
        # response, and only their loss waits for confirmation.
        inside = [(start, start + width) for start in suspects if span.start <= start < span.end]
        pieces = [replace(span, start=start, end=end) for start, end in subtract(span.start, span.end, inside)]
        pieces += [replace(span, start=start, end=end, state=State.PROVISIONAL) for start, end in inside]
        reopened += sorted(pieces, key=lambda piece: piece.start)
    return reopened


def subtract(start: int, end: int, holes: Iterable[Range]) -> list[Range]:
    """Return the parts of the range `start` to `end` outside of `holes`.

    `holes` are ranges, disjoint and in order. Holes that are empty, end before they start, or lie outside are ignored.
    """
    remaining: list[Range] = []
    done_until = start  # the range before this time is in `remaining` or in a hole
    for hole_start, hole_end in holes:
        if hole_end <= done_until or hole_start >= hole_end:
            continue
        if hole_start >= end:
            break
        if hole_start > done_until:
            remaining.append((done_until, hole_start))
        done_until = hole_end
    if done_until < end:
        remaining.append((done_until, end))
    return remaining


def plan_series(
    series: Series,
    wanted: Range,
    spans: Sequence[Span],
    refresh_from: int,
    digests: Mapping[Range, bytes],
) -> SeriesPlan:
    """Plan the windows of one series over a range of whole buckets.

    `spans` is the coverage of the range in the archive. `digests` has the digests of the last valid answers, by the
    range of their window. Settled buckets from `refresh_from` on are fetched again too.
    """
    start, end = wanted
    limit = SPECS[series.report].limits[series.bucket_width]
    width = series.bucket_width.seconds
    # Rounded down, because a bucket is fetched again as a whole if `refresh_from` lies within it.
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
    # Sorting by the end mixes reports and bucket widths, so that the first requests fetch the newest month of each.
    # Refreshes come after new windows: otherwise runs with a short time limit would refresh the same days each time and
    # never fetch older ones. Windows that failed before come last, because they may fail again after long retries.
    keys = {
        window: (window.failed_before, plan.is_refresh(window), -window.end)
        for plan in plans
        for window in plan.windows
    }
    return sorted(keys, key=keys.__getitem__)


def is_fetched(span: Span) -> bool:
    """Return whether a response contained the buckets of a span."""
    # A provisional span without `fetched_at` is cost that was requested but left out of the response. It may come
    # late.
    return span.state in COVERED and span.fetched_at is not None


def newest_range(spans: Sequence[Span]) -> Range | None:
    """Return the newest unbroken range of fetched buckets.

    `spans` are in order. None is returned without fetched buckets.
    """
    newest: Range | None = None
    for span in spans:
        if is_fetched(span):
            # A span that follows without a gap extends the range. Any other span begins a newer range.
            start = newest[0] if newest is not None and newest[1] == span.start else span.start
            newest = start, span.end
    return newest


def _overlaps(window_range: Range, ranges: Iterable[Range]) -> bool:
    return any(start < window_range[1] and end > window_range[0] for start, end in ranges)
