"""When to ask again, and how long to wait before. Pure."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

RETRIED_STATUSES = frozenset({408, 409, 429})
GATE_STATUSES = frozenset({429, 529})
LONGEST_RETRY_AFTER = 3600.0

_FIRST_BACKOFF = 0.5
_FIRST_SILENT_WAIT, _LONGEST_SILENT_WAIT = 15.0, 300.0
_SPENT = re.compile(r"usage limit|spend(?:ing)? limit|credit balance|regain access", re.IGNORECASE)


def is_retried(status: int, headers: Mapping[str, str]) -> bool:
    """Say whether a status may be better next time; the server's own `x-should-retry` comes first."""
    told = headers.get("x-should-retry", "").strip().lower()
    if told in {"true", "false"}:
        return told == "true"
    return is_temporary(status)


def is_temporary(status: int) -> bool:
    """Say whether a status speaks of a passing state, retried or not."""
    return status in RETRIED_STATUSES or status >= HTTPStatus.INTERNAL_SERVER_ERROR


def is_spend_limit(message: str) -> bool:
    """Say whether a 429 is a spent limit, which does not end soon, and not a pace that was too fast."""
    return _SPENT.search(message) is not None


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Read how long the server asks to wait, in seconds; None where it says nothing sensible.

    A wait of an hour or more, a negative one, or a reset that has passed is not sensible.
    """
    for name, scale in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        wait = _number(headers.get(name))
        if wait is not None and 0 <= wait * scale < LONGEST_RETRY_AFTER:
            return wait * scale
    for name, read in (("retry-after", _http_date), ("anthropic-ratelimit-requests-reset", _rfc3339)):
        moment = read(headers.get(name, ""))
        if moment is not None and 0 < moment - now < LONGEST_RETRY_AFTER:
            return moment - now
    return None


def unadvised_wait(refusals: int, chance: Callable[[], float]) -> float:
    """Choose how long to wait after a 429 that says nothing: 15 s doubling to 5 minutes, and up to a fifth more.

    `refusals` counts the ones before it; `chance` gives numbers from 0 to 1.
    """
    wait = min(_LONGEST_SILENT_WAIT, _FIRST_SILENT_WAIT * 2.0 ** min(refusals, 10))
    return wait * (1 + 0.2 * chance())


def backoff(attempt: int, chance: Callable[[], float], longest: float) -> float:
    """Choose a wait with full jitter: up to 0.5 s doubling to `longest`. `attempt` counts from 0."""
    return min(longest, _FIRST_BACKOFF * 2.0 ** min(attempt, 20)) * chance()


def _number(text: str | None) -> float | None:
    try:
        value = float(text) if text is not None else math.nan
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _http_date(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _rfc3339(text: str) -> float | None:
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def server_time(headers: Mapping[str, str]) -> int | None:
    """Read the server's clock from `Date`, in UTC seconds; None without a sensible one."""
    moment = _http_date(headers.get("date", ""))
    return int(moment) if moment is not None and moment > 0 else None
