"""Months and days as dates. Pure."""

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
        """How many days it has."""
        return (self.until - self.since).days

    def first(self, days: int) -> Period:
        """Return its first days, at most all of them."""
        return Period(self.since, min(self.until, self.since + timedelta(days=days)))


def month(text: str) -> Period:
    """Read `YYYY-MM`.

    Raises:
        ConfigurationError: It is no month.
    """
    match = _MONTH.fullmatch(text)
    try:
        first = date(int(match[1]), int(match[2]), 1) if match else None
    except ValueError:
        first = None
    if first is None or first.year >= date.max.year:
        raise ConfigurationError(f"{text!r} is not a month", hint="write it as 2026-01")
    if first.year < _EARLIEST_YEAR:
        raise ConfigurationError(f"{text!r} is long before there was anything to archive")
    return _whole(first)


def _whole(first: date) -> Period:
    return Period(first, (first + timedelta(days=31)).replace(day=1))


def month_of(day: date) -> Period:
    """Return the month of a day."""
    return _whole(day.replace(day=1))


def month_before(period: Period) -> Period:
    """Return the month before one."""
    return month_of(period.since - timedelta(days=1))
