"""Changes to the coverage of a window by a response or a failure.

Coverage is a list of spans: ranges of buckets with one state and one time of reading. All functions are pure.
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
"""The `state`, `fetched_at` and `complete_until` of one bucket, as in `Span`; None for a bucket without coverage."""


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

    def decide(start: int, span: Span | None) -> BucketState:
        if start in present:
            # A settled bucket stays settled: a longer --refresh must not turn restatements back into provisional days.
            settled = start + width <= settled_until or (span is not None and span.state is State.SETTLED)
            return (State.SETTLED if settled else State.PROVISIONAL), now, complete_until
        # The response left out the bucket. An earlier response that contained it stays valid.
        if span is not None and is_fetched(span):
            return span.state, span.fetched_at, span.complete_until
        # A bucket is a gap only after the API should have published it.
        if start + width <= now - lag:
            return State.MISSING, now, None
        # Cost is up to a day late: until then a bucket that was left out is neither a gap nor zero. It is provisional
        # without `fetched_at`. A bucket in progress gets no coverage.
        return (State.PROVISIONAL, None, None) if start + width <= now else None

    return _replace(window, before, decide)


def after_failure(window: Window, before: Sequence[Span], now: int) -> list[Span]:
    """Return the coverage of a window after a failed request.

    Buckets that a response contained before stay as they were. Of the others, ended buckets become failed, and buckets
    that have not ended get no coverage.
    """
    width = window.series.bucket_width.seconds

    def decide(start: int, span: Span | None) -> BucketState:
        if span is not None and is_fetched(span):
            return span.state, span.fetched_at, span.complete_until
        return (State.FAILED, now, None) if start + width <= now else None

    return _replace(window, before, decide)


def drop_future(span: Span, width: int, now: int) -> list[Span]:
    """Return the part of a span that could be read at its `fetched_at`.

    Only buckets that had begun at that time are kept. The bucket that was in progress becomes provisional. A
    `fetched_at` after `now` becomes `now`. The list has zero to two spans.
    """
    read_at = None if span.fetched_at is None else min(span.fetched_at, now)
    # The clocks of the API's servers may differ: a bucket that ended within the skew counts as ended.
    latest = now if span.fetched_at is None else min(span.fetched_at + WORST_CLOCK_SKEW, now)
    ended = latest - latest % width
    pieces = [Span(span.start, min(span.end, ended), span.state, read_at, span.complete_until)]
    # A span that extends beyond the bucket in progress did not come from a response, so that bucket is dropped too.
    if span.state in COVERED and span.end == ended + width:
        pieces.append(Span(max(span.start, ended), span.end, State.PROVISIONAL, read_at, span.complete_until))
    return [piece for piece in pieces if piece.start < piece.end]


def _replace(window: Window, before: Sequence[Span], decide: Callable[[int, Span | None], BucketState]) -> list[Span]:
    """Return the coverage after `decide` was applied to each bucket of a window.

    `decide` gets the start of a bucket and its span in `before`, if any. Parts of spans outside the window stay as they
    are.
    """
    width = window.series.bucket_width.seconds
    earlier = [replace(s, end=window.start) for s in before if s.start < window.start]
    later = [replace(s, start=window.end) for s in before if s.end > window.end]
    span_of: dict[int, Span] = {}
    for span in before:
        first = max(span.start, window.start)
        span_of.update((start, span) for start in range(first, min(span.end, window.end), width))
    starts = range(window.start, window.end, width)
    inside = []
    # Adjacent buckets with the same state become one span.
    for state, group in groupby(starts, key=lambda start: decide(start, span_of.get(start))):
        run = list(group)
        if state is not None:
            inside.append(Span(run[0], run[-1] + width, *state))
    return merge([*earlier, *inside, *later])


def merge(spans: Sequence[Span]) -> list[Span]:
    """Join adjacent spans that have the same state and the same times."""
    merged: list[Span] = []
    for span in spans:
        last = merged[-1] if merged else None
        # With equal bounds, two spans are equal if they have the same state and times.
        if last and last.end == span.start and last == replace(span, start=last.start, end=last.end):
            merged[-1] = replace(span, start=last.start)
        else:
            merged.append(span)
    return merged
