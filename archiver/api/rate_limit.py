"""One pace for all workers: a limiter in front of every request, and a gate that a refusal closes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from archiver.api.rate import Rate
    from archiver.clock import Clock

_SLOWEST_PART = 16
_QUIET_SECONDS = 60.0
DEFAULT_BURST = 10

# A request costs a little more than the one that the server counts: two clocks of the same rate drift, the network
# makes requests bunch up, and every refusal is dear.
_COST = 1.03
_RECOVERY = 0.25


class RateLimiter:
    """Lets requests through: at most burst + rate x time in any stretch of time, and none while the gate is closed.

    A refusal (429) halves what was too fast and takes one of the concurrent places away: the burst, for this run, when
    it comes while most of what was let through was the burst; the rate otherwise. Each quiet minute gives a part of the
    rate and the places back.
    """

    def __init__(self, rate: Rate, concurrency: int, clock: Clock, burst: int = DEFAULT_BURST) -> None:
        self._clock = clock
        self._allowed = rate.per_second
        self._rate = rate.per_second
        self._burst = max(_COST, burst)
        self._tokens = float(burst)
        self._counted_at = clock.monotonic()
        self._full_at = self._counted_at
        self._accepted = 0
        self._open_at = 0.0
        self._refused_at: float | None = None
        self._turns = anyio.Lock()
        self._most_places = concurrency
        self.places = anyio.CapacityLimiter(concurrency)

    @property
    def per_minute(self) -> float | None:
        """The rate it keeps to now; None without a limit."""
        return None if self._rate is None else self._rate * 60

    def closed_for(self) -> float:
        """Say how many seconds the gate stays closed."""
        return max(0.0, self._open_at - self._clock.monotonic())

    async def turn(self) -> None:
        """Wait until the next request may go."""
        async with self._turns:
            while (wait := self._wait()) > 0:
                await self._clock.sleep(wait)
            self._tokens -= _COST

    def close(self, seconds: float) -> None:
        """Keep every worker from asking for so long."""
        self._open_at = max(self._open_at, self._clock.monotonic() + seconds)

    def accepted(self) -> None:
        """Count a request that was not refused: it shows how large a burst the server bears."""
        self._accepted += 1

    def refused(self) -> None:
        """Slow down after a 429; several at one time count once."""
        now = self._clock.monotonic()
        if self._refused_at is not None and now - self._refused_at < 1.0:
            return
        self._refused_at = now
        self.places.total_tokens = max(1, int(self.places.total_tokens) - 1)
        if self._is_bursting(now):
            self._burst = max(_COST, min(self._burst // 2, self._accepted - 1))
        elif self._allowed is not None and self._rate is not None:
            self._rate = max(self._allowed / _SLOWEST_PART, self._rate / 2)
        self._tokens = min(self._tokens, 0.0)

    def _is_bursting(self, now: float) -> bool:
        """Say whether the burst is to blame: it was borne in part, and the rate alone had no time for as much."""
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
        if self._tokens == self._burst:
            self._full_at, self._accepted = now, 0
        return 0.0 if self._tokens >= _COST else (_COST - self._tokens) / self._rate + 0.001

    def _recover(self, now: float) -> None:
        if self._refused_at is None or now - max(self._refused_at, self._open_at) < _QUIET_SECONDS:
            return
        self._refused_at = now
        self.places.total_tokens = min(self._most_places, int(self.places.total_tokens) + 1)
        if self._allowed is not None and self._rate is not None:
            self._rate = min(self._allowed, self._rate + self._allowed * _RECOVERY)
        if self._rate == self._allowed and self.places.total_tokens == self._most_places:
            self._refused_at = None
