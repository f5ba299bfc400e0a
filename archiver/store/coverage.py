"""How an answer changes what the archive knows of each bucket. Pure."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from archiver.model import COVERED, WORST_CLOCK_SKEW, Span, State, Window
from archiver.plan.work import is_fetched
from archiver.reports import SPECS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

Verdict = tuple[State, int | None] | None


def after_answer(  # six plain facts of one moment; a class to carry them would say less
    window: Window,
    before: Sequence[Span],
    present: Collection[int],
    now: int,
    settled_until: int,
) -> list[Span]:
    """Say what the coverage that touched `window` becomes.

    `present` holds the starts of the buckets the answer listed. A bucket that had ended and was not listed is a
    hole: missing, or what it was when an earlier answer had listed it; one still in progress is nothing at all.
    What was settled once stays settled.
    """
    width, lag = window.series.bucket_width.seconds, SPECS[window.series.report].lag_seconds

    def decide(start: int, known: Span | None) -> Verdict:
        if start in present:
            settled = start + width <= settled_until or (known is not None and known.state is State.SETTLED)
            return (State.SETTLED if settled else State.PROVISIONAL), now
        if known is not None and is_fetched(known):
            return known.state, known.fetched_at
        if start + width <= now - lag:
            return State.MISSING, now
        # Cost is a day late at times: until then its absence is no gap, and no zero either, hence no fetched_at.
        return (State.PROVISIONAL, None) if start + width <= now else None

    return _redraw(window, before, decide)


def after_failure(window: Window, before: Sequence[Span], now: int) -> list[Span]:
    """Mark what had ended and is not covered yet as failed."""
    width = window.series.bucket_width.seconds

    def decide(start: int, known: Span | None) -> Verdict:
        if known is not None and is_fetched(known):
            return known.state, known.fetched_at
        return (State.FAILED, now) if start + width <= now else None

    return _redraw(window, before, decide)


def believable(span: Span, width: int, now: int) -> list[Span]:
    """Take out of a stretch what nobody can have read: buckets that had not begun, and settled ones in progress.

    A time of reading that lies after `now` becomes now.
    """
    read = None if span.fetched_at is None else min(span.fetched_at, now)
    then = now if span.fetched_at is None else min(span.fetched_at + WORST_CLOCK_SKEW, now)
    ended = then - then % width
    pieces = [Span(span.start, min(span.end, ended), span.state, read)]
    if span.state in COVERED and span.end == ended + width:
        pieces.append(Span(max(span.start, ended), span.end, State.PROVISIONAL, read))
    return [piece for piece in pieces if piece.start < piece.end]


def _redraw(window: Window, before: Sequence[Span], decide: Callable[[int, Span | None], Verdict]) -> list[Span]:
    width = window.series.bucket_width.seconds
    outside = [Span(s.start, window.start, s.state, s.fetched_at) for s in before if s.start < window.start]
    beyond = [Span(window.end, s.end, s.state, s.fetched_at) for s in before if s.end > window.end]
    known: dict[int, Span] = {}
    for span in before:
        at = max(span.start, window.start)
        known.update((start, span) for start in range(at, min(span.end, window.end), width))
    starts = range(window.start, window.end, width)
    inside = []
    for verdict, group in groupby(starts, key=lambda start: decide(start, known.get(start))):
        stretch = list(group)
        if verdict is not None:
            inside.append(Span(stretch[0], stretch[-1] + width, *verdict))
    return merge([*outside, *inside, *beyond])


def merge(spans: Sequence[Span]) -> list[Span]:
    """Join neighbours that say the same."""
    merged: list[Span] = []
    for span in spans:
        last = merged[-1] if merged else None
        if last and (last.end, last.state, last.fetched_at) == (span.start, span.state, span.fetched_at):
            merged[-1] = Span(last.start, span.end, span.state, span.fetched_at)
        else:
            merged.append(span)
    return merged
