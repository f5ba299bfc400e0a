"""Decide after a failed attempt whether to retry, and how long to wait.

Retries and waits are bounded.
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

LONGEST_REQUEST_SECONDS = 600.0
MOST_ATTEMPTS = 7
MOST_DAMAGED_ATTEMPTS = 3
MOST_REFUSALS = 5
SLOW_ATTEMPTS_BEFORE_SPLIT = 2

_FIRST_BACKOFF = 0.5
_LONGEST_BACKOFF = 30.0
_LONGEST_OUTAGE_BACKOFF = 300.0
_OUTAGE_IS_REAL = 10
_FIRST_UNADVISED_WAIT, _LONGEST_UNADVISED_WAIT = 15.0, 300.0
_BUDGET_FLOOR = 10.0
_BUDGET_SHARE = 0.1
_BUDGET_REFILL = 0.1


@dataclass(slots=True)
class FailedAttempt:
    """One attempt that brought no usable answer.

    Attributes:
        error: What the request ends in when it is not retried.
        again: Whether a retry may succeed.
        refused: Whether it was a 429.
        damaged: Whether the response looked damaged in transit.
        slow: Whether the API took too long, or sent too much: a narrower window may help.
        gate: Whether all workers have to wait, and not this request alone.
        retry_after: The seconds that the API asked to wait; None without such advice.
        reason: Why the run waits, for the progress display.
    """

    error: ApiError
    again: bool
    refused: bool = False
    damaged: bool = False
    slow: bool = False
    gate: bool = False
    retry_after: float | None = None
    reason: str = ""


def unadvised_wait(refusals: int, chance: Callable[[], float]) -> float:
    """Return the wait after a 429 without advice: 15 s doubling to 5 minutes.

    Up to a fifth is added at random. `refusals` counts those before; `chance` returns numbers from 0 to 1.
    """
    wait = min(_LONGEST_UNADVISED_WAIT, _FIRST_UNADVISED_WAIT * 2.0 ** min(refusals, 10))
    return wait * (1 + 0.2 * chance())


def backoff(attempt: int, chance: Callable[[], float], longest: float) -> float:
    """Return a wait with full jitter: up to 0.5 s doubling to `longest`.

    `attempt` counts from 0.
    """
    return min(longest, _FIRST_BACKOFF * 2.0 ** min(attempt, 20)) * chance()


@dataclass(slots=True)
class RetryBudget:
    """The retries that a whole run may still make.

    Ten or a tenth of its windows, whichever is more; every ten successes return one.
    """

    most: float = _BUDGET_FLOOR
    left: float = _BUDGET_FLOOR

    def grow(self, windows: int) -> None:
        """Allow a tenth of the planned windows, if that is more."""
        self.most = max(self.most, windows * _BUDGET_SHARE)
        self.left = self.most

    def refill(self) -> None:
        """Return a part of a retry after a success, up to the initial budget."""
        self.left = min(self.most, self.left + _BUDGET_REFILL)

    def spend(self) -> bool:
        """Use one retry; return False when none is left."""
        if self.left < 1:
            return False
        self.left -= 1
        return True


@dataclass(slots=True)
class Attempts:
    """The attempts of one request so far; a `splittable` window may be halved.

    `queued` are the seconds that it waited for the rate limit, while the gate was open.
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

    Failures without a success between them are one outage: the waits grow for all workers together, so an outage costs
    few requests whatever the concurrency.

    Attributes:
        deadline: The monotonic time at which the run has to end; None without a limit.
    """

    limiter: RateLimiter
    clock: Clock
    chance: Callable[[], float] = random.random
    budget: RetryBudget = field(default_factory=RetryBudget)
    deadline: float | None = None
    _succeeded_at: float | None = None
    _failing_since: float | None = None
    _final_failures: int = 0
    _outage: int = 0
    _unadvised_refusals: int = 0
    _counted_at: float | None = None

    def succeeded(self) -> None:
        """Count a success: any outage is over."""
        self.budget.refill()
        self.limiter.accept()
        self._succeeded_at = self.clock.monotonic()
        self._failing_since = None
        self._outage = 0
        self._unadvised_refusals = 0

    def next_wait(self, failure: FailedAttempt, attempts: Attempts) -> tuple[float, bool]:
        """Return the wait before the retry, and whether it is for all workers.

        Raises:
            ApiError: There is no retry. Its `ends_run` is set where other requests would fail likewise.
            TooWideError: A narrower window is worth a request instead.
        """
        attempts.failures += 1
        attempts.damages += failure.damaged
        attempts.slow += failure.slow
        if failure.slow and attempts.splittable and (not failure.again or attempts.slow >= SLOW_ATTEMPTS_BEFORE_SPLIT):
            raise TooWideError(failure.error.message, request_id=failure.error.request_id)
        # A 429 or 529 that is not to be retried still means that the next request of any worker comes too early.
        if not failure.again and not failure.gate:
            self._refuse(failure)
        wait = self._choose_wait(failure, attempts)
        for_all = failure.gate or self._outage > 1
        if failure.refused:
            self.limiter.reject()
        if for_all:
            self.limiter.close(wait)
        if not failure.again:
            self._refuse(failure, wait)
        self._check_end(failure, attempts, wait)
        return wait, for_all

    def _refuse(self, failure: FailedAttempt, wait: float = 0.0) -> NoReturn:
        """Raise a final error; it ends the run where nothing else can be expected of other requests."""
        error = failure.error
        self._final_failures += not isinstance(error, GroupByCapError)
        # A wrong address refuses every request: a handful shows it. Once a request has succeeded, refusals concern
        # single windows. The cap of dimensions is an answer to be acted upon, not a refusal.
        if self._succeeded_at is None and self._final_failures >= MOST_REFUSALS:
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
        # Requests that were in flight when the last failure was counted belong to it: four workers that fail at once
        # are one event, and must not double the wait four times.
        fresh = self._counted_at is None or attempts.sent_at >= self._counted_at
        if self._failing_since is None:
            self._failing_since = now
        if fresh:
            self._counted_at = now
            self._outage += 1
        if failure.retry_after is not None:
            return failure.retry_after + 0.25 * self.chance()  # the jitter keeps the workers from returning at once
        if failure.refused:
            if not fresh and self.limiter.closed_for() > 0:
                return self.limiter.closed_for()
            self._unadvised_refusals += 1
            return unadvised_wait(self._unadvised_refusals - 1, self.chance)
        if self._outage > 1:
            return backoff(self._outage - 1, self.chance, _LONGEST_OUTAGE_BACKOFF)
        return backoff(attempts.failures - 1, self.chance, _LONGEST_BACKOFF)

    def _check_end(self, failure: FailedAttempt, attempts: Attempts, wait: float) -> None:
        """Raise the error of a failure that may not be retried any more."""
        now = self.clock.monotonic()
        error = failure.error
        # A success of another request since this one began: the API works, and only this request does not.
        others_succeed = self._succeeded_at is not None and self._succeeded_at >= attempts.began_at
        if self._is_too_late(now + wait, attempts):
            error.ends_run = not others_succeed or failure.retry_after is not None
            if failure.gate and error.ends_run and isinstance(error, TemporaryError):
                self._note_not_before(error, wait)
            raise error
        if attempts.damages >= MOST_DAMAGED_ATTEMPTS:
            self._refuse(failure)
        # While the run has had successes before an outage, it waits longer than one request's attempts: the outage may
        # pass, and the progress of the run would be lost.
        if attempts.failures >= MOST_ATTEMPTS and not failure.gate and (others_succeed or self._succeeded_at is None):
            error.ends_run = not others_succeed
            raise error
        if not self.budget.spend():
            error.ends_run = self._succeeded_at is None or self._outage >= _OUTAGE_IS_REAL
            raise error

    def _note_not_before(self, error: TemporaryError, wait: float) -> None:
        error.not_before = int(self.clock.now() + wait) + 1
        error.hint = f"run again after {to_text(error.not_before)}: the API asked for a longer wait than this run has"

    def _is_too_late(self, time: float, attempts: Attempts) -> bool:
        if self.deadline is not None and time > self.deadline:
            return True
        return time - attempts.began_at - attempts.queued > LONGEST_REQUEST_SECONDS
