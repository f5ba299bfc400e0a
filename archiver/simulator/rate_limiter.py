"""The rate limit of the organisation: a token bucket with a small burst."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import TYPE_CHECKING

from archiver.simulator.errors import ApiError

if TYPE_CHECKING:
    from archiver.simulator.clock import Clock
    from archiver.simulator.settings import Settings

_MESSAGE = "This request would exceed the rate limit for your organization of {} requests per minute (simulated)"


class RateLimiter:
    """A token bucket that refuses requests above the rate limit."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        """Begin with a full bucket."""
        self._limit = settings.rate_limit
        self._burst = max(1, settings.rate_burst)
        self._headers = settings.rate_headers
        self._clock = clock
        self._tokens = float(self._burst)
        self._filled_at = clock.monotonic()

    def acquire(self) -> None:
        """Use one token for a request; raises a 429 if there is none."""
        if self._limit is None:
            return
        now = self._clock.monotonic()
        gained = (now - self._filled_at) * self._limit / 60
        self._tokens = min(float(self._burst), self._tokens + gained)
        self._filled_at = now
        # A refused request takes no token, so that refusals do not lengthen the wait.
        if self._tokens < 1:
            raise ApiError(429, _MESSAGE.format(self._limit), self._advice(self._limit))
        self._tokens -= 1

    def _advice(self, limit: int) -> dict[str, str]:
        if not self._headers:
            return {}
        wait = math.ceil((1 - self._tokens) * 60 / limit)
        reset = self._clock.now + timedelta(seconds=wait)
        return {
            "retry-after": str(wait),
            "anthropic-ratelimit-requests-limit": str(limit),
            "anthropic-ratelimit-requests-remaining": "0",
            "anthropic-ratelimit-requests-reset": reset.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
