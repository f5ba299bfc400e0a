"""From what the archive covers to what is left to ask."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from archiver.model import State, Window
from archiver.plan.calendar import floor
from archiver.plan.windows import cut
from archiver.reports import SPECS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from archiver.model import Series, Span

Range = tuple[int, int]


@dataclass(frozen=True, slots=True)
class SeriesPlan:
    """The windows one series needs, oldest first, within the range that was asked for.

    `needed` are the stretches that the windows cut.
    """

    series: Series
    start: int
    end: int
    needed: tuple[Range, ...]
    windows: tuple[Window, ...]


def needed(start: int, end: int, spans: Iterable[Span], refresh_from: int) -> list[Range]:
    """Say which parts of a range have to be asked: whatever is not settled, and all from `refresh_from` on.

    `spans` are disjoint and in order; the answer is disjoint, in order, and merged.
    """
    settled = [
        (max(start, span.start), min(end, span.end, refresh_from)) for span in spans if span.state is State.SETTLED
    ]
    return subtract(start, end, settled)


def reopen_suspects(spans: Sequence[Span], suspects: Iterable[int], width: int) -> list[Span]:
    """Cut suspect buckets out of settled stretches, so that they are asked for again."""
    cut: list[Span] = []
    for span in spans:
        holes = [(start, start + width) for start in suspects if span.start <= start < span.end]
        pieces = [replace(span, start=start, end=end) for start, end in subtract(span.start, span.end, holes)]
        pieces += [replace(span, start=start, end=end, state=State.PROVISIONAL) for start, end in holes]
        cut += sorted(pieces, key=lambda piece: piece.start)
    return cut


def subtract(start: int, end: int, holes: Iterable[Range]) -> list[Range]:
    """Take ordered, disjoint ranges out of one; empty or outlying holes do nothing."""
    left: list[Range] = []
    at = start
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
    asked: Range,
    spans: Sequence[Span],
    refresh_from: int,
    digests: Mapping[Range, bytes],
) -> SeriesPlan:
    """Plan the windows of one series over the whole buckets that are asked for.

    `digests` holds those of the answers that still hold, by their window.
    """
    start, end = asked
    limit = SPECS[series.report].limits[series.bucket_width]
    width = series.bucket_width.seconds
    ranges = needed(start, end, spans, floor(refresh_from, width))
    failed = [(span.start, span.end) for span in spans if span.state is State.FAILED]
    cuts = [piece for lower, upper in ranges for piece in cut(lower, upper, width, limit)]
    windows = (Window(series, *piece, digests.get(piece), _touches(piece, failed)) for piece in cuts)
    return SeriesPlan(series, start, end, tuple(ranges), tuple(windows))


def _touches(piece: Range, others: Iterable[Range]) -> bool:
    return any(start < piece[1] and end > piece[0] for start, end in others)
