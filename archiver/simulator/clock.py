"""The clock of the `Date` header and of what use is visible."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

MINUTE = 60
HOUR = 3600
DAY = 86400
_EPOCH = date(1970, 1, 1)


class Clock:
    """The real time, or a frozen time that a test moves by setting `now`."""

    def __init__(self, now: datetime | None = None) -> None:
        """Freeze the clock at `now`, if given."""
        self._frozen: datetime | None = None
        # For the rate limit and the times of recorded requests. A test may replace it to control the rate limit.
        self.monotonic: Callable[[], float] = time.monotonic
        if now is not None:
            self.now = now

    @property
    def now(self) -> datetime:
        """The current time in UTC."""
        return self._frozen or datetime.now(UTC)

    @now.setter
    def now(self, value: datetime) -> None:
        self._frozen = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)

    @property
    def seconds(self) -> int:
        """The current time in whole seconds since 1970."""
        return int(self.now.timestamp())

    def advance(self, step: timedelta) -> None:
        """Freeze the clock `step` after the current time."""
        self.now = self.now + step


def day_number(day: date) -> int:
    """Return the number of days from 1970-01-01 to `day`."""
    return (day - _EPOCH).days


def date_of(day: int) -> date:
    """Return the date `day` days after 1970-01-01."""
    return _EPOCH + timedelta(days=day)


def stamp(seconds: int) -> str:
    """Return seconds since 1970 in the API's form: `2025-08-01T00:00:00Z`."""
    # The zone is dropped, because isoformat would write it as +00:00 where the API writes Z.
    return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None).isoformat() + "Z"
