"""Periods of days as people say them: a month, the last seven days.

The functions are pure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING

from archiver.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

EXAMPLES = "yesterday, 7d, last-month, 2026-10, 2026-Q3"
"""Examples of periods, for help and error messages."""

_EARLIEST_YEAR, _LATEST_YEAR = 2000, 2200
_MONTH = re.compile(r"(\d{4})-(\d{2})", re.ASCII)
_QUARTER = re.compile(r"(\d{4})-[Qq]([1-4])", re.ASCII)
_YEAR = re.compile(r"(\d{4})", re.ASCII)
_WEEK = re.compile(r"(\d{4})-[Ww](\d{2})", re.ASCII)
_LAST_DAYS = re.compile(r"(\d{1,4})([dw])", re.ASCII)
_MONTHS_OF_UNIT = {"month": 1, "quarter": 3, "year": 12}
_DAYS_OF_WEEK = 7


@dataclass(frozen=True, slots=True)
class Period:
    """Days from `since` to `until`, exclusive, as dates.

    Attributes:
        unit: month, quarter or year for a whole one of the calendar; days for all others.
    """

    since: date
    until: date
    unit: str = "days"

    @property
    def days(self) -> int:
        """The number of days."""
        return (self.until - self.since).days

    def dates(self) -> list[date]:
        """Return all days."""
        return [self.since + timedelta(days=number) for number in range(self.days)]

    def before(self) -> Period:
        """Return the period before this one.

        It is a month before a month, and as many days before days.
        """
        if self.unit in _MONTHS_OF_UNIT:
            return _calendar(self.since - timedelta(days=1), self.unit)
        return replace(self, since=self.since - timedelta(days=self.days), until=self.since)

    def __str__(self) -> str:
        """Return the period as it is written in sentences."""
        if self.unit == "month":
            return f"{self.since:%Y-%m}"
        if self.unit == "quarter":
            return f"{self.since:%Y}-Q{(self.since.month + 2) // 3}"
        if self.unit == "year":
            return f"{self.since:%Y}"
        last = self.until - timedelta(days=1)
        return f"{self.since}" if self.days == 1 else f"{self.since} to {last}"


def period(text: str, today: date) -> Period:
    """Return the period of a text, seen from the UTC day `today`.

    It is a date, a month, quarter, year or ISO week (`2026-10-05`, `2026-10`, `2026-Q3`, `2026`, `2026-W40`), a word
    (`today`, `yesterday`, `this-month`, `last-week` and so on), or the last days or weeks up to yesterday (`7d`, `4w`).

    Raises:
        ConfigurationError: The text is no period, or one before the year 2000.
    """
    word = text.strip()
    try:
        found = _written(word) or _spoken(word.lower(), today)
    except (ValueError, OverflowError):  # such as a 13th month, or days before the first date that Python has
        found = None
    if found is None:
        raise ConfigurationError(f"{text!r} is not a period", hint=f"write it as {EXAMPLES} or 2026-10-05")
    if found.since.year < _EARLIEST_YEAR:
        raise ConfigurationError(f"{text!r} is long before there was anything to archive")
    if found.until.year > _LATEST_YEAR:
        raise ConfigurationError(f"{text!r} is long after today", hint=f"write it as {EXAMPLES} or 2026-10-05")
    return found


def _written(text: str) -> Period | None:
    if match := _MONTH.fullmatch(text):
        return _calendar(date(int(match[1]), int(match[2]), 1), "month")
    if match := _QUARTER.fullmatch(text):
        return _calendar(date(int(match[1]), 3 * int(match[2]), 1), "quarter")
    if match := _YEAR.fullmatch(text):
        return _calendar(date(int(match[1]), 1, 1), "year")
    if match := _WEEK.fullmatch(text):
        return _days(date.fromisocalendar(int(match[1]), int(match[2]), 1), _DAYS_OF_WEEK)
    return _days(date.fromisoformat(text), 1) if text.count("-") == len("--") else None


def _spoken(text: str, today: date) -> Period | None:
    if match := _LAST_DAYS.fullmatch(text):
        days = int(match[1]) * (_DAYS_OF_WEEK if match[2] == "w" else 1)
        return _days(today - timedelta(days=days), days) if days else None
    monday = today - timedelta(days=today.weekday())
    words: dict[str, Callable[[], Period]] = {
        "today": lambda: _days(today, 1),
        "yesterday": lambda: _days(today - timedelta(days=1), 1),
        "this-week": lambda: _days(monday, _DAYS_OF_WEEK),
        "last-week": lambda: _days(monday - timedelta(days=_DAYS_OF_WEEK), _DAYS_OF_WEEK),
    }
    for unit in _MONTHS_OF_UNIT:
        words[f"this-{unit}"] = lambda unit=unit: _calendar(today, unit)  # type: ignore[misc]
        words[f"last-{unit}"] = lambda unit=unit: _calendar(today, unit).before()  # type: ignore[misc]
    return words[text]() if text in words else None


def _days(first: date, number: int) -> Period:
    return Period(first, first + timedelta(days=number))


def _calendar(day: date, unit: str) -> Period:
    """Return the month, quarter or year of a day."""
    months = _MONTHS_OF_UNIT[unit]
    first = (day.month - 1) // months * months
    years, month_after = divmod(first + months, 12)
    return Period(date(day.year, first + 1, 1), date(day.year + years, month_after + 1, 1), unit)


def month(text: str, today: date | None = None) -> Period:
    """Return the month of a text, `YYYY-MM`.

    With `today`, it can also be `this-month` or `last-month`.

    Raises:
        ConfigurationError: The text is no month, or one before the year 2000.
    """
    words = ("this-month", "last-month") if today is not None else ()
    if text not in words and not _MONTH.fullmatch(text):
        raise ConfigurationError(f"{text!r} is not a month", hint="write it as 2026-01, this-month or last-month")
    try:
        return period(text, today or date.max)
    except ConfigurationError as error:
        if error.hint:
            raise ConfigurationError(f"{text!r} is not a month", hint="write it as 2026-01") from None
        raise


def containing(day: date, unit: str) -> Period:
    """Return the month, quarter or year of a day."""
    return _calendar(day, unit)


def month_of(day: date) -> Period:
    """Return the month of a day."""
    return containing(day, "month")
