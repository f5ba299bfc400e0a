"""Cut a range into windows of one request each."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from archiver.model import Window


def cut(start: int, end: int, width: int, limit: int) -> list[tuple[int, int]]:
    """Cut whole buckets into the fewest windows of at most `limit` buckets.

    Times and `width`, the length of a bucket, are in seconds.
    """
    if end <= start:
        return []
    longest = width * limit
    # On a grid that is counted from the epoch, runs on different days request the same windows, so that an unchanged
    # answer is recognised by its digest. Where the grid needs one request more, windows are counted from `start`.
    on_grid = _cut_from(start - start % longest, start, end, longest)
    from_start = _cut_from(start, start, end, longest)
    return from_start if len(from_start) < len(on_grid) else on_grid


def halve(window: Window) -> tuple[Window, Window]:
    """Cut a window of several buckets in two halves.

    The halves have no digest, because the window's digest belongs to the answer about the whole window.
    """
    middle = window.start + window.buckets // 2 * window.series.bucket_width.seconds
    first = replace(window, end=middle, digest=None)
    return first, replace(window, start=middle, digest=None)


def _cut_from(origin: int, start: int, end: int, length: int) -> list[tuple[int, int]]:
    """Cut `start` to `end` at `origin` and at every `length` after it."""
    return [(max(start, lower), min(end, lower + length)) for lower in range(origin, end, length)]
