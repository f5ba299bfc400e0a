"""Cut a range into windows of one request each."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from archiver.model import Window


def cut(start: int, end: int, width: int, limit: int) -> list[tuple[int, int]]:
    """Cut whole buckets into the fewest windows of at most `limit` buckets.

    Times and `width` are in seconds.
    """
    if end <= start:
        return []
    cell = width * limit
    # A grid counted from the epoch makes runs on different days request the same windows, so that an unchanged answer
    # is recognised by its digest. Where the grid would cost one request more, windows are counted from `start`.
    on_grid = _cut_at(start, end, cell, start - start % cell)
    from_start = _cut_at(start, end, cell, start)
    return from_start if len(from_start) < len(on_grid) else on_grid


def halve(window: Window) -> tuple[Window, Window]:
    """Cut a window of several buckets in two halves.

    Neither has a digest, because the known one is that of the whole window.
    """
    middle = window.start + window.buckets // 2 * window.series.bucket_width.seconds
    first = replace(window, end=middle, digest=None)
    return first, replace(window, start=middle, digest=None)


def _cut_at(start: int, end: int, cell: int, origin: int) -> list[tuple[int, int]]:
    return [(max(start, at), min(end, at + cell)) for at in range(origin, end, cell)]
