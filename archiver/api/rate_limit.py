"""Limit the request rate of all workers; pause them after a 429."""

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
_SLOWEST_PART = 16
_QUIET_SECONDS = 60.0

# A request costs a little more than the one that the server counts: two clocks of the same rate drift, the network
# makes requests bunch up, and every refusal is dear.
_COST = 1.03
_RECOVERY = 0.25


@dataclass(frozen=True, slots=True)
class Rate:
    """How many requests a second are allowed; None is no limit."""

    per_second: float | None

    @classmethod
    def parse(cls, text: str) -> Rate:
        """Read `50/min`, `5/s`, `3000/h`, a bare number a minute, or `none`.

        Raises:
            ConfigurationError: Anything else, or zero.
        """
        if text.strip() == "none":
            return cls(None)
        match = _RATE.fullmatch(text.strip())
        if match is None or float(match[1]) <= 0:
            raise ConfigurationError(f"--rate {text!r} is not a rate", hint="write it as 50/min, 5/s, 3000/h or none")
        return cls(float(match[1]) / _UNITS[(match[2] or "m")[0]])


class RateLimiter:
    """A token bucket for all workers, with a gate that closes for all of them.

    In any stretch of time at most burst + rate x time requests pass, and none while the gate is closed. A 429 halves
    the burst, for this run, when it comes while most of what passed was the burst; else it halves the rate. It also
    takes one of the concurrent `slots` away. Each quiet minute returns a part of the rate and one slot.
    """

    def __init__(self, rate: Rate, concurrency: int, clock: Clock, burst: int = DEFAULT_BURST) -> None:
        import anyio  # noqa: PLC0415  # 30 ms that `archiver --help`, which reads a Rate too, can do without

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
        """The current rate; None without a limit."""
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
        """Return a time that passes only while the gate is open."""
        return self._clock.monotonic() - (self._closed_seconds - self.closed_for())

    def close(self, seconds: float) -> None:
        """Close the gate for all workers."""
        open_at = max(self._open_at, self._clock.monotonic() + seconds)
        self._closed_seconds += open_at - max(self._open_at, self._clock.monotonic())
        self._open_at = open_at

    def accept(self) -> None:
        """Count an accepted request.

        The count shows how large a burst the server accepts.
        """
        self._accepted += 1

    def reject(self) -> None:
        """Slow down after a 429; several within a second count once."""
        now = self._clock.monotonic()
        # Concurrent requests are refused together for one reason: one refusal must not halve the rate four times.
        if self._rejected_at is not None and now - self._rejected_at < 1.0:
            return
        self._rejected_at = now
        self.slots.total_tokens = max(1, int(self.slots.total_tokens) - 1)
        if self._is_bursting(now):
            self._burst = max(_COST, min(self._burst // 2, self._accepted - 1))
        elif self._allowed is not None and self._rate is not None:
            self._rate = max(self._allowed / _SLOWEST_PART, self._rate / 2)
        self._tokens = min(self._tokens, 0.0)

    def _is_bursting(self, now: float) -> bool:
        """Return whether the burst is to blame for a 429, and not the rate."""
        # A part of the burst was accepted, and the rate alone had no time for as many requests.
        return self._rate is not None and self._accepted > 1 and (now - self._full_at) * self._rate < self._burst

    def _wait(self) -> float:
        now = self._clock.monotonic()
        self._recover(now)
        if now < self._open_at:
            return self._open_at - now
        if self._rate is None:
            return 0.0
        self._tokens = min(self._burst, self._tokens + (now - self._counted_at) * self._rate)
        self._counted_at = now
        if self._tokens == self._burst:  # a new burst begins here: what was accepted before says nothing about it
            self._full_at, self._accepted = now, 0
        # The millisecond is for rounding: without it the loop could wake just before the token is whole.
        return 0.0 if self._tokens >= _COST else (_COST - self._tokens) / self._rate + 0.001

    def _recover(self, now: float) -> None:
        if self._rejected_at is None or now - max(self._rejected_at, self._open_at) < _QUIET_SECONDS:
            return
        self._rejected_at = now
        self.slots.total_tokens = min(self._most_slots, int(self.slots.total_tokens) + 1)
        if self._allowed is not None and self._rate is not None:
            self._rate = min(self._allowed, self._rate + self._allowed * _RECOVERY)
        if self._rate == self._allowed and self.slots.total_tokens == self._most_slots:
            self._rejected_at = None
