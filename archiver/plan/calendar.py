"""Parse dates as users type them, and align times to buckets."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
# Seconds and the offset may be left out, and a space may stand for the T: `2026-01-01 09:30` is accepted.
_RFC3339 = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?([Zz]|[+-]\d{2}:\d{2})?")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

EARLIEST_HISTORY = int(datetime(2023, 1, 1, tzinfo=UTC).timestamp())
"""The earliest day that `--since auto` searches, in UTC seconds; the API had no customers before 2023."""


def parse_time(text: str) -> datetime:
    """Return the time of `YYYY-MM-DD` or RFC 3339 text, in UTC.

    A date is its start. A time without an offset is taken as UTC. Seconds and the offset may be left out.

    Raises:
        ValueError: The text has neither form, the day or time does not exist, or in UTC it is outside the years 1 to
            9999.
    """
    text = text.strip()
    if _DATE.fullmatch(text):
        text = f"{text}T00:00:00Z"
    # `fromisoformat` alone also accepts week dates, hours without minutes and other forms: mistakes of the user here.
    if not _RFC3339.fullmatch(text):
        raise ValueError(f"{text!r} is neither YYYY-MM-DD nor an RFC 3339 time")
    # Upper case, because RFC 3339 also allows `t` and `z`.
    parsed = datetime.fromisoformat(text.upper())
    try:
        return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"{text!r} is not a time in the years 1 to 9999") from None


def to_microseconds(time: datetime) -> int:
    """Return a time with an offset as microseconds since 1970, exactly."""
    # `datetime.timestamp()` is a float, and rounds microseconds.
    return (time - _EPOCH) // timedelta(microseconds=1)


def floor(time: int, width: int) -> int:
    """Return the start of the bucket that contains a time.

    Buckets of `width` are counted from the epoch. Time and width have the same unit, seconds or microseconds.
    """
    return time - time % width


def ceiling(time: int, width: int) -> int:
    """Return the first start of a bucket at or after a time.

    Units are as in `floor`.
    """
    # Floor division of the negated time rounds up, exactly and without a float.
    return -(-time // width) * width


def snap_since(time: datetime, width: int) -> int:
    """Return the start of a range, rounded down to the start of a bucket.

    `width` and the result are in seconds.
    """
    # In microseconds, so that a fraction of a second is rounded like the rest of the time.
    return floor(to_microseconds(time), width * 1_000_000) // 1_000_000


def snap_until(time: datetime, width: int) -> int:
    """Return the exclusive end of a range, rounded up to the end of a bucket.

    `width` and the result are in seconds.
    """
    return ceiling(to_microseconds(time), width * 1_000_000) // 1_000_000
