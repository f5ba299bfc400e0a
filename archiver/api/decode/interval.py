"""Reading the times of a bucket, and whether it may stand where it stands."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING

from archiver.api.text import excerpt
from archiver.errors import ContractError
from archiver.model import to_text

if TYPE_CHECKING:
    from archiver.model import Window

_TIME = re.compile(r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d{1,6})?([Zz]|[+-]\d{2}:\d{2})", re.ASCII)


def read_interval(starting_at: str, ending_at: str, window: Window, at: int, place: str) -> int:
    """Read where a bucket begins, in UTC seconds; it may not begin before `at`. `place` is for errors.

    Raises:
        ContractError: The times are no times, not one bucket of the window, or out of order.
    """
    width = window.series.bucket_width.seconds
    start, end = _seconds(starting_at), _seconds(ending_at)
    if start is None:
        raise _no_time(starting_at, f"{place}.starting_at")
    if end is None:
        raise _no_time(ending_at, f"{place}.ending_at")
    if start % width or end != start + width:
        raise ContractError(f"the bucket is not one whole {window.series.bucket_width}", place=place)
    if start < window.start or end > window.end:
        asked = f"{to_text(window.start)} to {to_text(window.end)}"
        raise ContractError(f"the bucket lies outside of what was asked, {asked}", place=place)
    if start < at:
        raise ContractError("the bucket repeats or precedes the one before it", place=place)
    return start


def _no_time(text: str, place: str) -> ContractError:
    return ContractError(f"{excerpt(text, 40)!r} is not a time of whole seconds with an offset", place=place)


@lru_cache(4096)
def _seconds(text: str) -> int | None:
    try:
        moment = datetime.fromisoformat(text).astimezone(UTC) if _TIME.fullmatch(text) else None
    except (ValueError, OverflowError):
        return None
    return None if moment is None or moment.microsecond else int(moment.timestamp())
