"""Limit the request rate of all workers, and pause them after a 429."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from archiver.errors import ConfigurationError

if TYPE_CHECKING:
    from archiver.clock import Clock

DEFAULT_BURST = 10

_RATE = re.compile(r"(\d+(?:\.\d+)?)(?:/(s|sec|second|m|min|minute|h|hour))?")
_UNITS = {"s": 1, "m": 60, "h": 3600}
# The rate never falls below 1/16 of the allowed rate, which is four halvings: a run must not stop by itself.
_SLOWEST_PART = 16
# The API's limits are per minute, so a minute without a 429 shows that requests are accepted again. Each such minute
# returns a quarter of the allowed rate, because a jump back to all of it would cause the next 429.
_QUIET_SECONDS = 60.0
_RECOVERY = 0.25
# The tokens that a request takes: three per cent more than one. At exactly the allowed rate, jitter of the network
# causes a 429. Its wait of at least 15 seconds costs more than three per cent of the rate.
_COST = 1.03


@dataclass(frozen=True, slots=True)
class Rate:
    """The number of requests allowed per second; None means no limit."""

    per_second: float | None

    @classmethod
    def parse(cls, text: str) -> Rate:
        """Parse `50/min`, `5/s`, `3000/h` or `none`; a bare number is per minute.

        Raises:
            ConfigurationError: The text is none of these, or the number is zero.
        """
        if text.strip() == "none":
            return cls(None)
        match = _RATE.fullmatch(text.strip())
        if match is None or float(match[1]) <= 0:
            raise ConfigurationError(f"--rate {text!r} is not a rate", hint="write it as 50/min, 5/s, 3000/h or none")
        # The first letter decides on the unit: s, sec and second are the same.
        return cls(float(match[1]) / _UNITS[(match[2] or "m")[0]])


class RateLimiter:
    """A token bucket and a gate that all workers share.

    In t seconds at most burst + rate * t requests pass, and no request passes while the gate is closed.

    A 429 during a burst halves the burst for the rest of the run: most requests so far were allowed by the burst, not
    by the rate. Any other 429 halves the rate. Both also remove one of the concurrent `slots`. Each minute without a
    429 returns a part of the rate and one slot.

    Attributes:
        slots: Limits how many requests are sent at the same time.
        _allowed: The rate that the user allows, per second; None without a limit.
        _rate: The current rate, which 429s make lower than `_allowed`.
        _burst: The most tokens that the bucket holds.
        _tokens: The tokens in the bucket at `_counted_at`.
        _full_at: The time at which the bucket was last full, where the current burst began.
        _accepted: The number of requests that succeeded since `_full_at`.
        _open_at: The time at which the gate opens, or has opened.
        _closed_seconds: The sum of all closures of the gate, with the rest of the current closure.
        _rejected_at: The time of the last 429 or of the last recovery step; None while nothing is reduced.
    """

    def __init__(self, rate: Rate, concurrency: int, clock: Clock, burst: int = DEFAULT_BURST) -> None:
        import anyio  # noqa: PLC0415  # takes 30 ms, and `archiver --help` imports this file only for Rate

        self._clock = clock
        self._allowed = rate.per_second
        self._rate = rate.per_second
        self._burst = max(_COST, burst)
        self._tokens = float(burst)
        self._counted_at = clock.monotonic()
        self._full_at = self._counted_at
        self._accepted = 0
        self._open_at = 0.0
        self._closed_seconds = 0.0
        self._rejected_at: float | None = None
        self._queue = anyio.Lock()
        self._most_slots = concurrency
        self.slots = anyio.CapacityLimiter(concurrency)

    @property
    def per_minute(self) -> float | None:
        """The current rate in requests per minute; None without a limit."""
        return None if self._rate is None else self._rate * 60

    def closed_for(self) -> float:
        """Return for how many more seconds the gate is closed."""
        return max(0.0, self._open_at - self._clock.monotonic())

    async def acquire(self) -> None:
        """Wait until the next request may be sent."""
        async with self._queue:
            while (wait := self._wait()) > 0:
                await self._clock.sleep(wait)
            self._tokens -= _COST

    def open_seconds(self) -> float:
        """Return the time of a clock that stops while the gate is closed."""
        # `_closed_seconds` includes the rest of the current closure, which has not passed yet.
        return self._clock.monotonic() - (self._closed_seconds - self.closed_for())

    def close(self, seconds: float) -> None:
        """Close the gate for all workers, unless it is closed for longer already."""
        # Only the time by which this call prolongs a closure is counted, because closures overlap.
        open_at = max(self._open_at, self._clock.monotonic() + seconds)
        self._closed_seconds += open_at - max(self._open_at, self._clock.monotonic())
        self._open_at = open_at

    def accept(self) -> None:
        """Count an accepted request, to learn which burst the server accepts."""
        self._accepted += 1

    def reject(self) -> None:
        """Slow down after a 429; several 429s within a second count as one."""
        now = self._clock.monotonic()
        # Concurrent requests are refused together for one reason, which must not halve the rate once for each of them.
        if self._rejected_at is not None and now - self._rejected_at < 1.0:
            return
        self._rejected_at = now
        self.slots.total_tokens = max(1, int(self.slots.total_tokens) - 1)
        if self._is_bursting(now):
            # The next burst is smaller than the number of requests that the server accepted in this burst.
            self._burst = max(_COST, min(self._burst // 2, self._accepted - 1))
        elif self._allowed is not None and self._rate is not None:
            self._rate = max(self._allowed / _SLOWEST_PART, self._rate / 2)
        # Without tokens the next request waits for the rate, even if the gate opens at once.
        self._tokens = min(self._tokens, 0.0)

    def _is_bursting(self, now: float) -> bool:
        """Return whether a 429 is due to the burst, and not to the rate."""
        # That is so if some requests were accepted, and if since the bucket was full the rate has added fewer tokens
        # than the burst.
        return self._rate is not None and self._accepted > 1 and (now - self._full_at) * self._rate < self._burst

    def _wait(self) -> float:
        """Return the seconds until the next request may pass, 0 if it may now."""
        now = self._clock.monotonic()
        self._recover(now)
        if now < self._open_at:
            return self._open_at - now
        if self._rate is None:
            return 0.0
        self._tokens = min(self._burst, self._tokens + (now - self._counted_at) * self._rate)
        self._counted_at = now
        if self._tokens == self._burst:  # a new burst begins; requests accepted before do not belong to it
            self._full_at, self._accepted = now, 0
        # The extra millisecond covers rounding errors: without it the waiter could wake just before the token is full.
        return 0.0 if self._tokens >= _COST else (_COST - self._tokens) / self._rate + 0.001

    def _recover(self, now: float) -> None:
        """Return a part of the rate and one slot after each quiet minute."""
        if self._rejected_at is None or now - max(self._rejected_at, self._open_at) < _QUIET_SECONDS:
            return
        self._rejected_at = now
        self.slots.total_tokens = min(self._most_slots, int(self.slots.total_tokens) + 1)
        if self._allowed is not None and self._rate is not None:
            self._rate = min(self._allowed, self._rate + self._allowed * _RECOVERY)
        if self._rate == self._allowed and self.slots.total_tokens == self._most_slots:
            self._rejected_at = None
