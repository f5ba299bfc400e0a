"""Changes of the coverage of a window by a response or a failure.

All functions are pure.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING

from archiver.model import COVERED, WORST_CLOCK_SKEW, Span, State, Window
from archiver.plan.work import is_fetched
from archiver.reports import SPECS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from archiver.store.history import AnswerTime

BucketState = tuple[State, int | None, int | None] | None
"""The state of one bucket, the time of its reading (None: not read) and the time up to which that was complete, as in
`Span`; None for a bucket without coverage."""


def after_answer(
    window: Window,
    before: Sequence[Span],
    present: Collection[int],
    answer_time: AnswerTime,
) -> list[Span]:
    """Return the coverage that replaces `before` after a response.

    `before` holds the spans that touch `window`. `present` holds the starts of the buckets in the response.
    """
    now, settled_until, complete_until = answer_time.now, answer_time.settled_until, answer_time.complete_until
    width, lag = window.series.bucket_width.seconds, SPECS[window.series.report].lag_seconds

    def decide(start: int, known: Span | None) -> BucketState:
        if start in present:
            # A settled bucket stays settled: a longer --refresh must not turn restatements back into provisional days.
            settled = start + width <= settled_until or (known is not None and known.state is State.SETTLED)
            return (State.SETTLED if settled else State.PROVISIONAL), now, complete_until
        # When the response lacks the bucket, an earlier response that contained it stays valid.
        if known is not None and is_fetched(known):
            return known.state, known.fetched_at, known.complete_until
        # The bucket in progress may be left out by the API; only an ended one is a gap.
        if start + width <= now - lag:
            return State.MISSING, now, None
        # Cost is up to a day late: until then an absent bucket is neither a gap nor zero. It is provisional without
        # `fetched_at`. A bucket in progress gets no coverage.
        return (State.PROVISIONAL, None, None) if start + width <= now else None

    return _replace(window, before, decide)


def after_failure(window: Window, before: Sequence[Span], now: int) -> list[Span]:
    """Return the coverage of a window after a failed request.

    Ended buckets that were not covered are failed. Covered ones stay as they were.
    """
    width = window.series.bucket_width.seconds

    def decide(start: int, known: Span | None) -> BucketState:
        if known is not None and is_fetched(known):
            return known.state, known.fetched_at, known.complete_until
        return (State.FAILED, now, None) if start + width <= now else None

    return _replace(window, before, decide)


def drop_future(span: Span, width: int, now: int) -> list[Span]:
    """Return the part of a span that could be read at its `fetched_at`.

    Buckets that had not begun then are dropped. The bucket in progress becomes provisional. A `fetched_at` after `now`
    becomes `now`. The list has zero to two spans.
    """
    read_at = None if span.fetched_at is None else min(span.fetched_at, now)
    # The clocks of the API's servers may differ: a bucket that ended within the skew counts as ended.
    then = now if span.fetched_at is None else min(span.fetched_at + WORST_CLOCK_SKEW, now)
    ended = then - then % width
    pieces = [Span(span.start, min(span.end, ended), span.state, read_at, span.complete_until)]
    # A covered span that ends after a bucket in progress did not come from a response: that bucket is dropped too.
    if span.state in COVERED and span.end == ended + width:
        pieces.append(Span(max(span.start, ended), span.end, State.PROVISIONAL, read_at, span.complete_until))
    return [piece for piece in pieces if piece.start < piece.end]


def _replace(window: Window, before: Sequence[Span], decide: Callable[[int, Span | None], BucketState]) -> list[Span]:
    """Return spans with the state of each bucket of a window replaced.

    Parts of spans outside the window stay as they are.
    """
    width = window.series.bucket_width.seconds
    outside = [replace(s, end=window.start) for s in before if s.start < window.start]
    beyond = [replace(s, start=window.end) for s in before if s.end > window.end]
    known: dict[int, Span] = {}
    for span in before:
        first = max(span.start, window.start)
        known.update((start, span) for start in range(first, min(span.end, window.end), width))
    starts = range(window.start, window.end, width)
    inside = []
    for state, group in groupby(starts, key=lambda start: decide(start, known.get(start))):
        run = list(group)
        if state is not None:
            inside.append(Span(run[0], run[-1] + width, *state))
    return merge([*outside, *inside, *beyond])


def merge(spans: Sequence[Span]) -> list[Span]:
    """Join adjacent spans that have the same state and the same times."""
    merged: list[Span] = []
    for span in spans:
        last = merged[-1] if merged else None
        if last and last.end == span.start and last == replace(span, start=last.start, end=last.end):
            merged[-1] = replace(span, start=last.start)
        else:
            merged.append(span)
    return merged
