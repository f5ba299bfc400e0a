"""How long to go on asking, shared by all requests of a run: always bounded, never against a closed door."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from archiver.api import retry
from archiver.errors import TemporaryError, TooWideError
from archiver.model import to_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from archiver.api.classify import FailedAttempt
    from archiver.api.rate_limit import RateLimiter
    from archiver.clock import Clock

LONGEST_REQUEST_SECONDS = 600.0
MOST_ATTEMPTS = 7
MOST_DAMAGED_ATTEMPTS = 3
SLOW_ATTEMPTS_BEFORE_SPLIT = 2

_BUDGET_FLOOR = 10.0
_BUDGET_SHARE = 0.1
_BUDGET_REFILL = 0.1
_LONGEST_BACKOFF = 30.0
_LONGEST_OUTAGE_BACKOFF = 300.0
_OUTAGE_IS_REAL = 10


@dataclass(slots=True)
class RetryBudget:
    """Retries that the whole run may still make: ten or a tenth of its windows, and one more for ten successes."""

    most: float = _BUDGET_FLOOR
    left: float = _BUDGET_FLOOR

    def grow(self, windows: int) -> None:
        """Allow a tenth of the planned windows, if that is more."""
        self.most = max(self.most, windows * _BUDGET_SHARE)
        self.left = self.most

    def succeeded(self) -> None:
        """Count a good answer: it gives a part of a retry back, up to where the budget began."""
        self.left = min(self.most, self.left + _BUDGET_REFILL)

    def spend(self) -> bool:
        """Take one retry; False when there is none left."""
        if self.left < 1:
            return False
        self.left -= 1
        return True


@dataclass(slots=True)
class Attempts:
    """How one request has gone so far; `splittable` says that its window could be halved."""

    began_at: float
    splittable: bool = False
    sent_at: float = 0.0
    failures: int = 0
    damages: int = 0
    slow: int = 0


@dataclass(slots=True)
class RetryPolicy:
    """Decides after every failure whether and when to ask again.

    Failures without a success between them are one outage: the pauses between tries grow for all workers together, so
    that an outage costs few requests however many workers there are.

    Attributes:
        deadline: The monotonic time at which the run has to end; None without a limit.
    """

    pace: RateLimiter
    clock: Clock
    chance: Callable[[], float] = random.random
    budget: RetryBudget = field(default_factory=RetryBudget)
    deadline: float | None = None
    _succeeded_at: float | None = None
    _outage: int = 0
    _silent_refusals: int = 0
    _counted_at: float | None = None

    def succeeded(self) -> None:
        """Note a good answer: whatever was wrong is over."""
        self.budget.succeeded()
        self.pace.accepted()
        self._succeeded_at = self.clock.monotonic()
        self._outage = 0
        self._silent_refusals = 0

    def pause_after(self, failure: FailedAttempt, course: Attempts) -> tuple[float, bool]:
        """Say how long to wait before the next try, and whether everybody has to.

        Raises:
            ApiError: There is no next try. Its `ends_run` says that other requests would go the same way.
            TooWideError: A narrower window is worth trying instead.
        """
        course.failures += 1
        course.damages += failure.damaged
        course.slow += failure.slow
        if failure.slow and course.splittable and (not failure.again or course.slow >= SLOW_ATTEMPTS_BEFORE_SPLIT):
            raise TooWideError(failure.error.message, request_id=failure.error.request_id)
        if not failure.again:
            raise failure.error
        wait = self._wait(failure, course)
        everybody = failure.gate or self._outage > 1
        if failure.refused:
            self.pace.refused()
        if everybody:
            self.pace.close(wait)
        self._check_end(failure, course, wait)
        return wait, everybody

    def _wait(self, failure: FailedAttempt, course: Attempts) -> float:
        now = self.clock.monotonic()
        fresh = self._counted_at is None or course.sent_at >= self._counted_at
        if fresh:
            self._counted_at = now
            self._outage += 1
        if failure.told is not None:
            return failure.told + 0.25 * self.chance()
        if failure.refused:
            if not fresh and self.pace.closed_for() > 0:
                return self.pace.closed_for()
            self._silent_refusals += 1
            return retry.unadvised_wait(self._silent_refusals - 1, self.chance)
        if self._outage > 1:
            return retry.backoff(self._outage - 1, self.chance, _LONGEST_OUTAGE_BACKOFF)
        return retry.backoff(course.failures - 1, self.chance, _LONGEST_BACKOFF)

    def _check_end(self, failure: FailedAttempt, course: Attempts, wait: float) -> None:
        now = self.clock.monotonic()
        error = failure.error
        others_do_better = self._succeeded_at is not None and self._succeeded_at >= course.began_at
        if self._is_beyond(now + wait, course):
            error.ends_run = not others_do_better or failure.told is not None
            if failure.gate and error.ends_run and isinstance(error, TemporaryError):
                error.not_before = int(self.clock.now() + wait) + 1
                error.hint = (
                    f"not before {to_text(error.not_before)}: the API asked for a longer wait than this run has"
                )
            raise error
        if course.damages >= MOST_DAMAGED_ATTEMPTS:
            raise error
        if course.failures >= MOST_ATTEMPTS and not failure.gate and (others_do_better or self._succeeded_at is None):
            error.ends_run = not others_do_better
            raise error
        if not self.budget.spend():
            error.ends_run = self._succeeded_at is None or self._outage >= _OUTAGE_IS_REAL
            raise error

    def _is_beyond(self, moment: float, course: Attempts) -> bool:
        if self.deadline is not None and moment > self.deadline:
            return True
        return moment - course.began_at > LONGEST_REQUEST_SECONDS
