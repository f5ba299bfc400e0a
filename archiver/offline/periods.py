"""Periods of days, such as months. Pure functions."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta

from archiver.errors import ConfigurationError

_EARLIEST_YEAR = 2000
_MONTH = re.compile(r"(\d{4})-(\d{2})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Period:
    """Days from `since` to `until`, exclusive, as dates."""

    since: date
    until: date

    @property
    def days(self) -> int:
        """The number of days."""
        return (self.until - self.since).days


def month(text: str) -> Period:
    """Return the month of a text, `YYYY-MM`.

    Raises:
        ConfigurationError: The text is no month, or one before the year 2000.
    """
    match = _MONTH.fullmatch(text)
    try:
        first = date(int(match[1]), int(match[2]), 1) if match else None
    except ValueError:
        first = None
    # The end of a month in the last year could be beyond the dates that Python has.
    if first is None or first.year >= date.max.year:
        raise ConfigurationError(f"{text!r} is not a month", hint="write it as 2026-01")
    if first.year < _EARLIEST_YEAR:
        raise ConfigurationError(f"{text!r} is long before there was anything to archive")
    return _whole(first)


def _whole(first: date) -> Period:
    # 31 days after the first of any month is a day of the next one.
    return Period(first, (first + timedelta(days=31)).replace(day=1))


def month_of(day: date) -> Period:
    """Return the month of a day."""
    return _whole(day.replace(day=1))


def month_before(period: Period) -> Period:
    """Return the month before the one that a period begins in."""
    return month_of(period.since - timedelta(days=1))
