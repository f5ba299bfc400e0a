"""Decide after a failed attempt whether to retry, and how long to wait.

Retries and waits are bounded. Waits are in seconds, and times are from the monotonic clock.

The gate is the rate limiter's: while it is closed, no worker sends a request. Advice is a `retry-after` header, or
another header that names a wait.
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

# The longest time of a request with all its retries, without its wait for the rate limit. A request that would take
# longer is left to the next run.
LONGEST_REQUEST_SECONDS = 600.0
# The waits between seven attempts add up to about half a minute, so that a command that cannot work ends soon.
MOST_ATTEMPTS = 7
# Damage in transit is rare, so a body that is damaged three times was sent in this state.
MOST_DAMAGED_ATTEMPTS = 3
# A run without any success ends after this many final failures: most likely its address or its proxy is wrong.
MOST_FINAL_FAILURES = 5
# One slow attempt can be chance, but each may take five minutes, which is the timeout. The second splits the window.
SLOW_ATTEMPTS_BEFORE_SPLIT = 2

# The longest wait of a single request leaves time for several attempts. In an outage all workers share longer waits.
_FIRST_BACKOFF = 0.5
_LONGEST_BACKOFF = 30.0
_LONGEST_OUTAGE_BACKOFF = 300.0
# Ten failures in a row, with the growing waits between them, take minutes.
_FAILURES_OF_LONG_OUTAGE = 10
# The waits after a 429 without advice. The API's limits are per minute, so a part of a minute may be enough.
_FIRST_UNADVISED_WAIT, _LONGEST_UNADVISED_WAIT = 15.0, 300.0
# An API that fails often gets at most a fifth more requests than an API that works. The budget begins with one retry
# for ten windows, and each success adds a tenth of a retry. Small runs may make ten retries.
_BUDGET_FLOOR = 10.0
_BUDGET_SHARE = 0.1
_BUDGET_REFILL = 0.1


@dataclass(slots=True)
class FailedAttempt:
    """One attempt that ended without a usable answer.

    Attributes:
        error: The error to raise when the request is not retried.
        again: Whether a retry may succeed.
        rate_limited: Whether it was a 429.
        damaged: Whether the response looked damaged in transit.
        slow: Whether the API took too long or sent too much, so that a narrower window may succeed.
        gate: Whether all workers have to wait, and not this request alone.
        retry_after: The seconds that the API asked to wait; None without such advice.
        reason: The reason for the wait, for the progress display.
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

    Up to a fifth is added at random. `earlier` is the number of 429s without advice since the last success, without
    this one. `chance` returns numbers from 0 to 1.
    """
    # The exponent is bounded, here and in `backoff`, because a large power overflows a float.
    wait = min(_LONGEST_UNADVISED_WAIT, _FIRST_UNADVISED_WAIT * 2.0 ** min(earlier, 10))
    return wait * (1 + 0.2 * chance())


def backoff(attempt: int, chance: Callable[[], float], longest: float) -> float:
    """Return a wait with full jitter: up to 0.5 s doubling to `longest`.

    Full jitter means that the wait is drawn between 0 and that bound. `attempt` counts from 0. `chance` returns numbers
    from 0 to 1.
    """
    return min(longest, _FIRST_BACKOFF * 2.0 ** min(attempt, 20)) * chance()


@dataclass(slots=True)
class RetryBudget:
    """The retries that a whole run may still make.

    `most` is ten, or a tenth of the run's windows if that is more. `left` is the number of retries that are not used
    yet. Every ten successes return one retry.
    """

    most: float = _BUDGET_FLOOR
    left: float = _BUDGET_FLOOR

    def grow(self, windows: int) -> None:
        """Fill the budget for a further set of planned windows.

        `most` becomes a tenth of `windows` if that is more than before.
        """
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
        splittable: Whether the window of the request can be fetched in halves.
        queued: The seconds that the request waited for the rate limit while the gate was open.
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

    Failures without a success between them are one outage. The waits of an outage grow for all workers together, so
    that it costs few requests at any concurrency.

    Attributes:
        chance: Returns random numbers from 0 to 1.
        budget: The retries that the run may still make.
        deadline: The time at which the run has to end; None without a limit.
        _succeeded_at: The time of the last success; None before the first.
        _failing_since: The time of the first failure of the current outage; None without an outage.
        _final_failures: The number of requests in this run that ended in a final failure.
        _outage_failures: The number of failures in the current outage. Failures of requests that were in flight at the
            same time count as one.
        _unadvised_429s: The number of 429s without advice in the current outage.
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
        """Count a success, which ends an outage."""
        self.budget.refill()
        self.limiter.accept()
        self._succeeded_at = self.clock.monotonic()
        self._failing_since = None
        self._outage_failures = 0
        self._unadvised_429s = 0

    def next_wait(self, failure: FailedAttempt, attempts: Attempts) -> tuple[float, bool]:
        """Return the wait before the retry, and whether it is for all workers.

        Raises:
            ApiError: The request is not retried. `ends_run` of the error is set where other requests are expected to
                fail likewise.
            TooWideError: The window is to be fetched in halves instead.
        """
        attempts.failures += 1
        attempts.damages += failure.damaged
        attempts.slow += failure.slow
        if failure.slow and attempts.splittable and (not failure.again or attempts.slow >= SLOW_ATTEMPTS_BEFORE_SPLIT):
            raise TooWideError(failure.error.message, request_id=failure.error.request_id)
        # After a 429 or 529 that is not to be retried, the next request of any worker has to wait all the same. So the
        # gate is closed before such an error is raised.
        if not failure.again and not failure.gate:
            self._raise_final(failure)
        wait = self._choose_wait(failure, attempts)
        # From its second failure on, all workers share the waits of an outage.
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
        # A refusal of too many dimensions is not a failure, because the run plans again with fewer dimensions.
        self._final_failures += not isinstance(error, GroupByCapError)
        # With a wrong address every request fails, and a few failures show this. Once a request has succeeded, a final
        # failure concerns a single window.
        if self._succeeded_at is None and self._final_failures >= MOST_FINAL_FAILURES:
            error.ends_run = True
        if failure.gate and self._is_failing_too_long(wait):
            error.ends_run = True
        raise error

    def _is_failing_too_long(self, wait: float) -> bool:
        """Return whether, after a wait, the outage outlasts the longest request."""
        return self._failing_since is not None and (
            self.clock.monotonic() + wait - self._failing_since > LONGEST_REQUEST_SECONDS
        )

    def _choose_wait(self, failure: FailedAttempt, attempts: Attempts) -> float:
        """Count a failure in the current outage, and return the wait after it."""
        now = self.clock.monotonic()
        # The failure of a request that was in flight when the last failure was counted is the same event: workers that
        # fail at once must not double the wait once for each of them.
        is_new_event = self._counted_at is None or attempts.sent_at >= self._counted_at
        if self._failing_since is None:
            self._failing_since = now
        if is_new_event:
            self._counted_at = now
            self._outage_failures += 1
        if failure.retry_after is not None:
            return failure.retry_after + 0.25 * self.chance()  # the jitter keeps the workers from returning at once
        if failure.rate_limited:
            # The other 429 of the same event has chosen the wait already.
            if not is_new_event and self.limiter.closed_for() > 0:
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
        # If another request has succeeded since this request began, the API works, and only this request fails.
        others_succeed = self._succeeded_at is not None and self._succeeded_at >= attempts.began_at
        if self._is_too_late(now + wait, attempts):
            error.ends_run = not others_succeed or failure.retry_after is not None
            if failure.gate and error.ends_run and isinstance(error, TemporaryError):
                self._note_not_before(error, wait)
            raise error
        if attempts.damages >= MOST_DAMAGED_ATTEMPTS:
            self._raise_final(failure)
        # In an outage after a success, a request may make more than `MOST_ATTEMPTS` attempts: the outage may pass, and
        # then the other windows need not wait for the next run. The retry budget and the longest time bound this.
        if attempts.failures >= MOST_ATTEMPTS and not failure.gate and (others_succeed or self._succeeded_at is None):
            error.ends_run = not others_succeed
            raise error
        if not self.budget.spend():
            # After a short outage only this window fails, because other windows may succeed without a retry.
            error.ends_run = self._succeeded_at is None or self._outage_failures >= _FAILURES_OF_LONG_OUTAGE
            raise error

    def _note_not_before(self, error: TemporaryError, wait: float) -> None:
        """Set the time before which the next run sends no request."""
        error.not_before = int(self.clock.now() + wait) + 1  # rounded up: int() cuts off, and would be too early
        error.hint = f"run again after {to_text(error.not_before)}: the wait is longer than this run may take"

    def _is_too_late(self, time: float, attempts: Attempts) -> bool:
        """Return whether a retry at `time` would be after a time limit."""
        if self.deadline is not None and time > self.deadline:
            return True
        return time - attempts.began_at - attempts.queued > LONGEST_REQUEST_SECONDS
