"""Read the response headers that the client acts upon.

`date` and `retry-after` are standard HTTP. The other headers are the vendor's own: `retry-after-ms`, `x-should-retry`,
`request-id`, `anthropic-organization-id` and `anthropic-ratelimit-requests-reset` (a time in the format of RFC 3339).
No function here has side effects.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from archiver.errors import excerpt

if TYPE_CHECKING:
    from collections.abc import Mapping

# A wait of this many seconds or more counts as a mistake, because the API's rate limits are per minute.
LONGEST_RETRY_AFTER = 3600.0

# A request id has about 30 characters. A much longer header is not a request id, and must not fill messages.
_LONGEST_REQUEST_ID = 80


def request_id(headers: Mapping[str, str]) -> str | None:
    """Return the vendor's id of a request, fit to be printed, or None."""
    return printable_id(headers.get("request-id"))


def printable_id(sent: str | None) -> str | None:
    """Return an id shortened and escaped for a message; None stays None."""
    return None if sent is None else excerpt(sent, _LONGEST_REQUEST_ID)


def should_retry(headers: Mapping[str, str]) -> bool | None:
    """Return the server's decision on a retry; None without a decision."""
    return {"true": True, "false": False}.get(headers.get("x-should-retry", "").strip().lower())


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Return the seconds that the server asks to wait.

    None is returned without a sensible wait. A wait of an hour or more, of zero or less, or until a time that has
    passed is not sensible. `now` is in UTC seconds, by the server's clock if a response had a Date.
    """
    # The order is the same as in the vendor's own client: milliseconds first, then seconds, then dates. A wait of 0 was
    # seen on 429 responses that went on for hours, so it is ignored, as it is by that client.
    for name, scale in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        wait = _number(headers.get(name))
        if wait is not None and 0 < wait * scale < LONGEST_RETRY_AFTER:
            return wait * scale
    for name, read in (("retry-after", _http_date), ("anthropic-ratelimit-requests-reset", _rfc3339)):
        time = read(headers.get(name, ""))
        # Real 429 responses often have a reset time that is already in the past. It is ignored.
        if time is not None and 0 < time - now < LONGEST_RETRY_AFTER:
            return time - now
    return None


def organization_id(headers: Mapping[str, str]) -> str | None:
    """Return the id of the key's organisation; None without a printable id."""
    sent = headers.get("anthropic-organization-id", "")
    # Bytes that are not UTF-8 arrive as surrogates, which no database can store.
    return sent if sent and sent.isascii() and sent.isprintable() else None


def server_time(headers: Mapping[str, str]) -> int | None:
    """Return `Date` in UTC seconds; None without a date after 1970."""
    time = _http_date(headers.get("date", ""))
    return int(time) if time is not None and time > 0 else None


def _number(text: str | None) -> float | None:
    try:
        value = float(text) if text is not None else math.nan
    except ValueError:
        return None
    # float() also reads "nan" and "inf", and neither is a wait.
    return value if math.isfinite(value) else None


def _http_date(text: str) -> float | None:
    try:
        return _utc_seconds(parsedate_to_datetime(text))
    except (ValueError, TypeError, IndexError, OverflowError):  # the parser for e-mail dates raises all of these
        return None


def _rfc3339(text: str) -> float | None:
    try:
        return _utc_seconds(datetime.fromisoformat(text.strip()))
    except (ValueError, OverflowError):
        return None


def _utc_seconds(time: datetime) -> float:
    # Python reads a time without a zone as local time, but times in HTTP are UTC.
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
