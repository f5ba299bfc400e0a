"""Periods of days, read from text: `2026-10`, `last-month`, `7d`.

Nothing here reads the clock or a file: the current day is an argument.
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

# Far outside any history that can be archived: other years are refused as mistakes.
_EARLIEST_YEAR, _LATEST_YEAR = 2000, 2200
_MONTH = re.compile(r"(\d{4})-(\d{2})", re.ASCII)
_QUARTER = re.compile(r"(\d{4})-[Qq]([1-4])", re.ASCII)
_YEAR = re.compile(r"(\d{4})", re.ASCII)
_WEEK = re.compile(r"(\d{4})-[Ww](\d{2})", re.ASCII)
_LAST_DAYS_OR_WEEKS = re.compile(r"(\d{1,4})([dw])", re.ASCII)
_MONTHS_PER_UNIT = {"month": 1, "quarter": 3, "year": 12}
_DAYS_PER_WEEK = 7


@dataclass(frozen=True, slots=True)
class Period:
    """A range of UTC days.

    Attributes:
        since: The first day.
        until: The day after the last day.
        unit: `month`, `quarter` or `year` for one whole month, quarter or year of the calendar; else `days`.
    """

    since: date
    until: date
    unit: str = "days"

    @property
    def days(self) -> int:
        """The number of days."""
        return (self.until - self.since).days

    def dates(self) -> list[date]:
        """Return the date of each day, in order."""
        return [self.since + timedelta(days=offset) for offset in range(self.days)]

    def before(self) -> Period:
        """Return the period that ends where this one begins.

        It has the same unit: the month before a month, and the 7 days before 7 days.
        """
        if self.unit in _MONTHS_PER_UNIT:
            return _calendar_period(self.since - timedelta(days=1), self.unit)
        return replace(self, since=self.since - timedelta(days=self.days), until=self.since)

    def __str__(self) -> str:
        """Return the period as text, for sentences.

        Examples: `2026-10`, `2026-Q3`, `2026`, `2026-10-05`, `2026-10-05 to 2026-10-11` (the last day).
        """
        if self.unit == "month":
            return f"{self.since:%Y-%m}"
        if self.unit == "quarter":
            # Months 1, 4, 7 and 10 begin the quarters 1 to 4.
            return f"{self.since:%Y}-Q{(self.since.month + 2) // 3}"
        if self.unit == "year":
            return f"{self.since:%Y}"
        last = self.until - timedelta(days=1)
        return f"{self.since}" if self.days == 1 else f"{self.since} to {last}"


def days_text(first: date | str, last: date | str) -> str:
    """Return days as text: `2026-10-05 to 2026-10-11`, or a single day."""
    return f"{first}" if first == last else f"{first} to {last}"


def period(text: str, today: date) -> Period:
    """Return the period that a text names.

    The text is one of these:

    - a date, month, quarter, year or ISO week: `2026-10-05`, `2026-10`, `2026-Q3`, `2026`, `2026-W40`
    - `today` or `yesterday`, or `this-` or `last-` before `week`, `month`, `quarter` or `year`, such as `last-month`
    - the last days or weeks up to the day before `today`: `7d`, `4w`

    `today` is the current UTC day, which the last two forms are counted from.

    Raises:
        ConfigurationError: The text is not a period, or the period begins before the year 2000 or ends after 2200.
    """
    stripped = text.strip()
    try:
        found = _absolute(stripped) or _relative(stripped.lower(), today)
    except (ValueError, OverflowError):  # for example a 13th month, or 9999-12-31, the last date of Python
        found = None
    if found is None:
        raise ConfigurationError(f"{text!r} is not a period", hint=f"write it as {EXAMPLES} or 2026-10-05")
    if found.since.year < _EARLIEST_YEAR:
        raise ConfigurationError(f"{text!r} is before the year {_EARLIEST_YEAR}: there was nothing to archive")
    if found.until.year > _LATEST_YEAR:
        raise ConfigurationError(f"{text!r} is long after today", hint=f"write it as {EXAMPLES} or 2026-10-05")
    return found


def _absolute(text: str) -> Period | None:
    """Return the period of a text that names its dates; None for other text.

    Raises:
        ValueError, OverflowError: There is no such day, month or week, or it ends after the last date of Python.
    """
    if match := _MONTH.fullmatch(text):
        return _calendar_period(date(int(match[1]), int(match[2]), 1), "month")
    if match := _QUARTER.fullmatch(text):
        # Month 3, 6, 9 or 12: any month of the quarter leads to the same period.
        return _calendar_period(date(int(match[1]), 3 * int(match[2]), 1), "quarter")
    if match := _YEAR.fullmatch(text):
        return _calendar_period(date(int(match[1]), 1, 1), "year")
    if match := _WEEK.fullmatch(text):
        monday = date.fromisocalendar(int(match[1]), int(match[2]), 1)
        return _days_from(monday, _DAYS_PER_WEEK)
    # A date has two hyphens. Without this check `fromisoformat` would also accept 20261005 and raise for `yesterday`.
    return _days_from(date.fromisoformat(text), 1) if text.count("-") == len("--") else None


def _relative(text: str, today: date) -> Period | None:
    """Return the period of a text that depends on `today`; None for others."""
    if match := _LAST_DAYS_OR_WEEKS.fullmatch(text):
        days = int(match[1]) * (_DAYS_PER_WEEK if match[2] == "w" else 1)
        return _days_from(today - timedelta(days=days), days) if days else None
    monday = today - timedelta(days=today.weekday())
    # Functions, so that only the requested period is computed.
    periods: dict[str, Callable[[], Period]] = {
        "today": lambda: _days_from(today, 1),
        "yesterday": lambda: _days_from(today - timedelta(days=1), 1),
        "this-week": lambda: _days_from(monday, _DAYS_PER_WEEK),
        "last-week": lambda: _days_from(monday - timedelta(days=_DAYS_PER_WEEK), _DAYS_PER_WEEK),
    }
    for unit in _MONTHS_PER_UNIT:
        # `unit=unit` keeps the unit of this iteration; without it every function would use the last one.
        periods[f"this-{unit}"] = lambda unit=unit: _calendar_period(today, unit)  # type: ignore[misc]
        periods[f"last-{unit}"] = lambda unit=unit: _calendar_period(today, unit).before()  # type: ignore[misc]
    return periods[text]() if text in periods else None


def _days_from(first: date, count: int) -> Period:
    return Period(first, first + timedelta(days=count))


def _calendar_period(day: date, unit: str) -> Period:
    """Return the month, quarter or year that contains a day."""
    months = _MONTHS_PER_UNIT[unit]
    # Months are counted from 0 here, so that division and remainder work; `date` counts from 1.
    first_month = (day.month - 1) // months * months
    years_later, month_after = divmod(first_month + months, 12)
    return Period(date(day.year, first_month + 1, 1), date(day.year + years_later, month_after + 1, 1), unit)


def month(text: str, today: date | None = None) -> Period:
    """Return the month that a text names, `YYYY-MM`.

    If `today` is given, the text can also be `this-month` or `last-month`.

    Raises:
        ConfigurationError: The text is not a month, or the month is before the year 2000 or ends after 2200.
    """
    relative = ("this-month", "last-month") if today is not None else ()
    if text not in relative and not _MONTH.fullmatch(text):
        raise ConfigurationError(f"{text!r} is not a month", hint="write it as 2026-01, this-month or last-month")
    try:
        # Without `today` the text is `YYYY-MM`, which does not depend on the day: any date serves.
        return period(text, today or date.max)
    except ConfigurationError as error:
        # Errors with a hint name all forms of a period, but this function accepts months only.
        if error.hint:
            raise ConfigurationError(f"{text!r} is not a month", hint="write it as 2026-01") from None
        raise


def containing(day: date, unit: str) -> Period:
    """Return the month, quarter or year that contains a day."""
    return _calendar_period(day, unit)


def month_of(day: date) -> Period:
    """Return the month that contains a day."""
    return containing(day, "month")
