"""Dates as users type them, and whole buckets."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_RFC3339 = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?([Zz]|[+-]\d{2}:\d{2})?")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

EARLIEST_HISTORY = int(datetime(2023, 1, 1, tzinfo=UTC).timestamp())
"""The earliest day that `--since auto` searches, in UTC seconds; the API had no customers before 2023."""


def parse_time(text: str) -> datetime:
    """Parse `YYYY-MM-DD` or RFC 3339; a time without an offset is UTC.

    Raises:
        ValueError: The text is neither, or there is no such day or time in the years 1 to 9999 of UTC.
    """
    text = text.strip()
    if _DATE.fullmatch(text):
        text = f"{text}T00:00:00Z"
    # `fromisoformat` alone accepts week dates, bare hours and other forms that are typing errors here.
    if not _RFC3339.fullmatch(text):
        raise ValueError(f"{text!r} is neither YYYY-MM-DD nor an RFC 3339 time")
    parsed = datetime.fromisoformat(text.upper())
    try:
        return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"{text!r} is not a time in the years 1 to 9999") from None


def to_microseconds(time: datetime) -> int:
    """Return exact microseconds since the epoch."""
    # `datetime.timestamp()` is a float, and rounds microseconds.
    return (time - _EPOCH) // timedelta(microseconds=1)


def floor(seconds: int, width: int) -> int:
    """Return the start of the bucket that contains a time."""
    return seconds - seconds % width


def ceiling(seconds: int, width: int) -> int:
    """Return the first start of a bucket at or after a time."""
    # Floor division of the negated time rounds up, exactly and without a float.
    return -(-seconds // width) * width


def snap_since(time: datetime, width: int) -> int:
    """Snap the start of a range outwards: down to a whole bucket."""
    return floor(to_microseconds(time), width * 1_000_000) // 1_000_000


def snap_until(time: datetime, width: int) -> int:
    """Snap the exclusive end of a range outwards: up to a whole bucket."""
    return ceiling(to_microseconds(time), width * 1_000_000) // 1_000_000
