"""Dates as people write them, and whole buckets."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_RFC3339 = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?([Zz]|[+-]\d{2}:\d{2})?")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

EARLIEST_HISTORY = int(datetime(2023, 1, 1, tzinfo=UTC).timestamp())
"""Where `--since auto` begins to look: before the API had customers."""


def parse_time(text: str) -> datetime:
    """Read `YYYY-MM-DD` or RFC 3339; a time without an offset is UTC.

    Raises:
        ValueError: Neither, or no such day.
    """
    text = text.strip()
    if _DATE.fullmatch(text):
        text = f"{text}T00:00:00Z"
    if not _RFC3339.fullmatch(text):
        raise ValueError(f"{text!r} is neither YYYY-MM-DD nor an RFC 3339 time")
    parsed = datetime.fromisoformat(text.upper())
    return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)


def to_microseconds(moment: datetime) -> int:
    """Count exact microseconds since the epoch."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def floor(seconds: int, width: int) -> int:
    """Snap down to the start of the bucket that holds the moment."""
    return seconds - seconds % width


def ceiling(seconds: int, width: int) -> int:
    """Snap up to the next start of a bucket; a start stays."""
    return -(-seconds // width) * width


def snap_since(moment: datetime, width: int) -> int:
    """Snap a range's start outwards: down to a whole bucket."""
    return floor(to_microseconds(moment), width * 1_000_000) // 1_000_000


def snap_until(moment: datetime, width: int) -> int:
    """Snap a range's exclusive end outwards: up to a whole bucket."""
    return ceiling(to_microseconds(moment), width * 1_000_000) // 1_000_000
