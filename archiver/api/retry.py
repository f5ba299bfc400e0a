"""Decide after a failed attempt whether to retry, and how long to wait.

Retries and waits are bounded. Waits are in seconds; times are those of the monotonic clock.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NoReturn

from archiver.errors import GroupByCapError, TemporaryError, TooWideError
from archiver.model import to_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from archiver.api.rate_limit import RateLimiter
    from archiver.clock import Clock
    from archiver.errors import ApiError

# A request with all its retries, without its wait for the rate limit. Whatever lasts longer is left to the next run.
LONGEST_REQUEST_SECONDS = 600.0
# The waits between seven attempts add up to about half a minute, so that a command that cannot work ends soon.
MOST_ATTEMPTS = 7
# Damage in transit is rare. A body that is damaged three times is sent that way.
MOST_DAMAGED_ATTEMPTS = 3
# A run that has had no success ends after so many final failures: its address or its proxy is wrong.
MOST_FINAL_FAILURES = 5
# One slow attempt can be chance, but each may take a whole timeout (five minutes): the second one splits the window.
SLOW_ATTEMPTS_BEFORE_SPLIT = 2

# The longest wait of one request leaves time for several attempts. In an outage all workers share a longer one.
_FIRST_BACKOFF = 0.5
_LONGEST_BACKOFF = 30.0
_LONGEST_OUTAGE_BACKOFF = 300.0
# With the waits of an outage, ten failures without a success between them span minutes.
_FAILURES_OF_LONG_OUTAGE = 10
# After a 429 without advice. The API's limits are by the minute, so it may take a part of one to have room again.
_FIRST_UNADVISED_WAIT, _LONGEST_UNADVISED_WAIT = 15.0, 300.0
# An API that fails often gets at most a fifth more requests than one that works: a tenth of the windows at first, and
# a tenth of a retry for each success. Small runs may make ten retries.
_BUDGET_FLOOR = 10.0
_BUDGET_SHARE = 0.1
_BUDGET_REFILL = 0.1


@dataclass(slots=True)
class FailedAttempt:
    """One attempt that brought no usable answer.

    Attributes:
        error: The error to raise when the request is not retried.
        again: Whether a retry may succeed.
        rate_limited: Whether it was a 429.
        damaged: Whether the response looked damaged in transit.
        slow: Whether the API took too long or sent too much, so that a narrower window may succeed.
        gate: Whether all workers have to wait, and not this request alone.
        retry_after: The seconds that the API asked to wait; None without such advice.
        reason: The reason of the wait, for the progress display.
    """

    error: ApiError
    again: bool
    rate_limited: bool = False
    damaged: bool = False
    slow: bool = False
    gate: bool = False
    retry_after: float | None = None
    reason: str = ""


def unadvised_wait(earlier: int, chance: Callable[[], float]) -> float:
    """Return the wait after a 429 without advice: 15 s doubling to 5 minutes.

    Up to a fifth is added at random. `earlier` is the number of such 429 before this one since the last success;
    `chance` returns numbers from 0 to 1.
    """
    # The exponent is bounded, here and below, because a large power overflows a float.
    wait = min(_LONGEST_UNADVISED_WAIT, _FIRST_UNADVISED_WAIT * 2.0 ** min(earlier, 10))
    return wait * (1 + 0.2 * chance())


def backoff(attempt: int, chance: Callable[[], float], longest: float) -> float:
    """Return a wait with full jitter: up to 0.5 s doubling to `longest`.

    The wait is drawn between 0 and that bound. `attempt` counts from 0; `chance` returns numbers from 0 to 1.
    """
    return min(longest, _FIRST_BACKOFF * 2.0 ** min(attempt, 20)) * chance()


@dataclass(slots=True)
class RetryBudget:
    """The retries that a whole run may still make.

    `most` is ten, or a tenth of the run's windows if that is more; `left` is the rest. Every ten successes return one
    retry.
    """

    most: float = _BUDGET_FLOOR
    left: float = _BUDGET_FLOOR

    def grow(self, windows: int) -> None:
        """Adapt the budget to a further set of planned windows, and refill it."""
        self.most = max(self.most, windows * _BUDGET_SHARE)
        self.left = self.most

    def refill(self) -> None:
        """Return a part of a retry after a success, up to `most`."""
        self.left = min(self.most, self.left + _BUDGET_REFILL)

    def spend(self) -> bool:
        """Use one retry; return False when none is left."""
        if self.left < 1:
            return False
        self.left -= 1
        return True


@dataclass(slots=True)
class Attempts:
    """The attempts of one request so far.

    Attributes:
        began_at: The time at which the request began.
        splittable: Whether its window can be fetched in halves.
        queued: The seconds that it waited for the rate limit while the gate was open.
        sent_at: The time at which the last attempt was sent.
        failures: The number of failed attempts.
        damages: The number of attempts with a damaged response.
        slow: The number of slow attempts.
    """

    began_at: float
    splittable: bool = False
    queued: float = 0.0
    sent_at: float = 0.0
    failures: int = 0
    damages: int = 0
    slow: int = 0


@dataclass(slots=True)
class RetryPolicy:
    """The retry decisions of one run, shared by all its requests.

    Failures without a success between them are one outage. Its waits grow for all workers together, so that it costs
    few requests whatever the concurrency.

    Attributes:
        deadline: The time at which the run has to end; None without a limit.
        _succeeded_at: The time of the last success; None before the first.
        _failing_since: The time of the first failure of the current outage; None outside of one.
        _final_failures: The number of requests in this run that ended in a final failure.
        _outage_failures: The number of failures in the current outage, where those of requests in flight count once.
        _unadvised_429s: The number of 429 without advice in the current outage.
        _counted_at: The time at which the last failure was added to `_outage_failures`.
    """

    limiter: RateLimiter
    clock: Clock
    chance: Callable[[], float] = random.random
    budget: RetryBudget = field(default_factory=RetryBudget)
    deadline: float | None = None
    _succeeded_at: float | None = None
    _failing_since: float | None = None
    _final_failures: int = 0
    _outage_failures: int = 0
    _unadvised_429s: int = 0
    _counted_at: float | None = None

    def succeeded(self) -> None:
        """Count a success: any outage is over."""
        self.budget.refill()
        self.limiter.accept()
        self._succeeded_at = self.clock.monotonic()
        self._failing_since = None
        self._outage_failures = 0
        self._unadvised_429s = 0

    def next_wait(self, failure: FailedAttempt, attempts: Attempts) -> tuple[float, bool]:
        """Return the wait before the retry, and whether it is for all workers.

        Raises:
            ApiError: There is no retry. Its `ends_run` is set where other requests would fail likewise.
            TooWideError: The window is to be fetched in halves instead.
        """
        attempts.failures += 1
        attempts.damages += failure.damaged
        attempts.slow += failure.slow
        if failure.slow and attempts.splittable and (not failure.again or attempts.slow >= SLOW_ATTEMPTS_BEFORE_SPLIT):
            raise TooWideError(failure.error.message, request_id=failure.error.request_id)
        # Also after a 429 or 529 that is not to be retried, the next request of any worker has to wait. So the gate is
        # closed before such an error is raised.
        if not failure.again and not failure.gate:
            self._raise_final(failure)
        wait = self._choose_wait(failure, attempts)
        for_all = failure.gate or self._outage_failures > 1
        if failure.rate_limited:
            self.limiter.reject()
        if for_all:
            self.limiter.close(wait)
        if not failure.again:
            self._raise_final(failure, wait)
        self._check_end(failure, attempts, wait)
        return wait, for_all

    def _raise_final(self, failure: FailedAttempt, wait: float = 0.0) -> NoReturn:
        """Raise the error of a failure that is not retried.

        `ends_run` is set where other requests are expected to fail likewise.
        """
        error = failure.error
        # The cap of dimensions is no failure: the run plans again with fewer.
        self._final_failures += not isinstance(error, GroupByCapError)
        # With a wrong address every request fails, and a handful shows it. Once a request has succeeded, final failures
        # concern single windows.
        if self._succeeded_at is None and self._final_failures >= MOST_FINAL_FAILURES:
            error.ends_run = True
        if failure.gate and self._is_failing_too_long(wait):
            error.ends_run = True
        raise error

    def _is_failing_too_long(self, wait: float) -> bool:
        return self._failing_since is not None and (
            self.clock.monotonic() + wait - self._failing_since > LONGEST_REQUEST_SECONDS
        )

    def _choose_wait(self, failure: FailedAttempt, attempts: Attempts) -> float:
        now = self.clock.monotonic()
        # Requests that were in flight when the last failure was counted belong to it. Four workers that fail at once
        # are one event, and must not double the wait four times.
        fresh = self._counted_at is None or attempts.sent_at >= self._counted_at
        if self._failing_since is None:
            self._failing_since = now
        if fresh:
            self._counted_at = now
            self._outage_failures += 1
        if failure.retry_after is not None:
            return failure.retry_after + 0.25 * self.chance()  # the jitter keeps the workers from returning at once
        if failure.rate_limited:
            if not fresh and self.limiter.closed_for() > 0:
                return self.limiter.closed_for()
            self._unadvised_429s += 1
            return unadvised_wait(self._unadvised_429s - 1, self.chance)
        if self._outage_failures > 1:
            return backoff(self._outage_failures - 1, self.chance, _LONGEST_OUTAGE_BACKOFF)
        return backoff(attempts.failures - 1, self.chance, _LONGEST_BACKOFF)

    def _check_end(self, failure: FailedAttempt, attempts: Attempts, wait: float) -> None:
        """Raise the error of a failure that may not be retried any more."""
        now = self.clock.monotonic()
        error = failure.error
        # After a success of another request since this one began, the API works, and only this request does not.
        others_succeed = self._succeeded_at is not None and self._succeeded_at >= attempts.began_at
        if self._is_too_late(now + wait, attempts):
            error.ends_run = not others_succeed or failure.retry_after is not None
            if failure.gate and error.ends_run and isinstance(error, TemporaryError):
                self._note_not_before(error, wait)
            raise error
        if attempts.damages >= MOST_DAMAGED_ATTEMPTS:
            self._raise_final(failure)
        # A run that succeeded before the outage waits for more than one request's attempts: the outage may pass, and
        # the rest of the windows need not wait for the next run. The budget and the longest time bound it.
        if attempts.failures >= MOST_ATTEMPTS and not failure.gate and (others_succeed or self._succeeded_at is None):
            error.ends_run = not others_succeed
            raise error
        if not self.budget.spend():
            # A short outage fails this window alone, because the others may still succeed without a retry.
            error.ends_run = self._succeeded_at is None or self._outage_failures >= _FAILURES_OF_LONG_OUTAGE
            raise error

    def _note_not_before(self, error: TemporaryError, wait: float) -> None:
        error.not_before = int(self.clock.now() + wait) + 1  # rounded up, to be no second too early
        error.hint = f"run again after {to_text(error.not_before)}: the wait is longer than this run may take"

    def _is_too_late(self, time: float, attempts: Attempts) -> bool:
        if self.deadline is not None and time > self.deadline:
            return True
        return time - attempts.began_at - attempts.queued > LONGEST_REQUEST_SECONDS
