"""Read times, and check those of a bucket against the window."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING

from archiver.errors import ContractError, excerpt
from archiver.model import to_text

if TYPE_CHECKING:
    from archiver.model import Window

_TIME = re.compile(r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d{1,6})?([Zz]|[+-]\d{2}:\d{2})", re.ASCII)


def read_interval(starting_at: str, ending_at: str, window: Window, after: int, place: str) -> int:
    """Return the start of a bucket in UTC seconds.

    `after` is the end of the bucket before it, or the time at which the first one may begin. `place` is the bucket's
    path in the answer, for errors.

    Raises:
        ContractError: The times are malformed, are not those of a bucket of the window, or are out of order.
    """
    width = window.series.bucket_width.seconds
    start, end = _seconds(starting_at), _seconds(ending_at)
    if start is None:
        raise _bad_time(starting_at, f"{place}.starting_at")
    if end is None:
        raise _bad_time(ending_at, f"{place}.ending_at")
    if start % width or end != start + width:
        raise ContractError(f"the bucket is not one whole {window.series.bucket_width}", place=place)
    if start < window.start or end > window.end:
        requested = f"{to_text(window.start)} to {to_text(window.end)}"
        raise ContractError(f"the bucket is outside the requested window, {requested}", place=place)
    if start < after:
        raise ContractError("the bucket repeats or precedes the one before it", place=place)
    return start


def _bad_time(text: str, place: str) -> ContractError:
    return ContractError(f"{excerpt(text, 40)!r} is not a time of whole seconds with an offset", place=place)


# Windows of several series cover the same buckets, so the same times are parsed again and again.
@lru_cache(4096)
def read_time(text: str) -> datetime | None:
    """Return the UTC time of a text with date, time and offset.

    None is returned for any other text.
    """
    try:
        return datetime.fromisoformat(text).astimezone(UTC) if _TIME.fullmatch(text) else None
    except (ValueError, OverflowError):
        return None


def _seconds(text: str) -> int | None:
    """Return a time in UTC seconds; None unless it is a whole second."""
    time = read_time(text)
    return None if time is None or time.microsecond else int(time.timestamp())
