"""Periods as people say them."""

from __future__ import annotations

from datetime import date

import pytest

from archiver.errors import ConfigurationError
from archiver.offline.periods import Period, days_text, month, period

TODAY = date(2026, 11, 26)  # a Thursday


@pytest.mark.parametrize(
    ("text", "since", "until", "written"),
    [
        ("today", "2026-11-26", "2026-11-27", "2026-11-26"),
        ("Yesterday", "2026-11-25", "2026-11-26", "2026-11-25"),
        ("7d", "2026-11-19", "2026-11-26", "2026-11-19 to 2026-11-25"),
        ("2w", "2026-11-12", "2026-11-26", "2026-11-12 to 2026-11-25"),
        ("this-week", "2026-11-23", "2026-11-30", "2026-11-23 to 2026-11-29"),
        ("last-week", "2026-11-16", "2026-11-23", "2026-11-16 to 2026-11-22"),
        ("this-month", "2026-11-01", "2026-12-01", "2026-11"),
        ("last-month", "2026-10-01", "2026-11-01", "2026-10"),
        ("this-quarter", "2026-10-01", "2027-01-01", "2026-Q4"),
        ("last-quarter", "2026-07-01", "2026-10-01", "2026-Q3"),
        ("this-year", "2026-01-01", "2027-01-01", "2026"),
        ("last-year", "2025-01-01", "2026-01-01", "2025"),
        ("2026-12", "2026-12-01", "2027-01-01", "2026-12"),
        ("2026-Q3", "2026-07-01", "2026-10-01", "2026-Q3"),
        ("2026-q4", "2026-10-01", "2027-01-01", "2026-Q4"),
        ("2024", "2024-01-01", "2025-01-01", "2024"),
        ("2026-W01", "2025-12-29", "2026-01-05", "2025-12-29 to 2026-01-04"),
        ("2024-02-29", "2024-02-29", "2024-03-01", "2024-02-29"),
    ],
)
def test_a_period_is_whole_days(text: str, since: str, until: str, written: str) -> None:
    found = period(text, TODAY)
    assert (str(found.since), str(found.until), str(found)) == (since, until, written)


@pytest.mark.parametrize(
    ("text", "before"),
    [
        ("2026-01", "2025-12"),
        ("2026-Q1", "2025-Q4"),
        ("2026", "2025"),
        ("last-week", "2026-11-09 to 2026-11-15"),
        ("yesterday", "2026-11-24"),
        ("30d", "2026-09-27 to 2026-10-26"),
    ],
)
def test_the_period_before_is_of_the_same_kind(text: str, before: str) -> None:
    assert str(period(text, TODAY).before()) == before


NO_PERIODS = (
    "|tomorrow|0d|-7d|7|1999|1999-12|2026-13|2026-Q5|2026-W54|2026-02-30|last month|9999999d|9999|9999-12|9999-Q4|"
    "9999-12-31|2026-1|last-day|\u0667d|2026-10-05T00:00:00Z"
)


@pytest.mark.parametrize("text", NO_PERIODS.split("|"))
def test_what_is_no_period_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError):
        period(text, TODAY)


def test_a_month_can_be_said_too() -> None:
    assert month("last-month", TODAY) == Period(date(2026, 10, 1), date(2026, 11, 1), "month")
    for text in ("last-week", "2026-Q3", "2026-13"):
        with pytest.raises(ConfigurationError, match="is not a month"):
            month(text, TODAY)


def test_a_range_of_one_day_is_that_day() -> None:
    assert days_text(date(2026, 10, 5), date(2026, 10, 5)) == "2026-10-05"
    assert days_text("2026-10-05", "2026-10-11") == "2026-10-05 to 2026-10-11"
