"""What charts of a page are made of: days in progress, and bars of keys."""

from __future__ import annotations

from typing import Any

import pytest

from archiver.offline.page import figures
from archiver.offline.page.coverage import coverage_strips, in_progress
from archiver.offline.tables.money import ATTOCENTS
from archiver.offline.tables.table import Table
from archiver.store.read.status import CoverageRange

DAY = "2026-01-15"


def coverage(start: str, end: str, state: str, fetched_at: str | None) -> CoverageRange:
    return CoverageRange("usage", "1d", "model", "", f"{start}Z", f"{end}Z", state, fetched_at and f"{fetched_at}Z")


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ([], DAY),
        # The range before ends where the day begins: its reading is not one of the day.
        ([coverage("2026-01-14T00:00:00", "2026-01-15T00:00:00", "settled", "2026-02-20T00:00:00")], DAY),
        # A request that failed returned nothing of the day.
        ([coverage("2026-01-15T00:00:00", "2026-01-16T00:00:00", "failed", "2026-01-17T00:00:00")], DAY),
        ([coverage("2026-01-15T00:00:00", "2026-01-16T00:00:00", "provisional", "2026-01-17T00:00:00")], ""),
    ],
)
def test_a_day_is_in_progress_until_it_was_read_after_its_end(more: list[CoverageRange], expected: str) -> None:
    read = coverage("2026-01-15T00:00:00", "2026-01-16T00:00:00", "provisional", "2026-01-15T12:00:00")
    assert in_progress([read, *more], DAY, None) == expected


def test_the_time_of_a_request_that_failed_is_not_one_of_reading() -> None:
    failed = coverage("2026-01-15T00:00:00", "2026-01-16T00:00:00", "failed", "2026-01-17T00:00:00")
    assert [dict(row["texts"]).get("read") for row in coverage_strips([failed])["rows"]] == [None]


def test_bars_of_keys_have_the_newest_name_and_what_is_no_key_is_grey() -> None:
    # The most expensive row first, as the report has them: of `a` the older name comes first.
    rows: list[dict[str, Any]] = [
        {"date": date, "api_key_id": key, "api_key": name, "currency": "USD", "amount": cents * ATTOCENTS}
        for date, key, name, cents in (
            ("2026-01-14", None, "(no API key)", 90),
            ("2026-01-14", "a", "old", 40),
            ("2026-01-15", "a", "new", 30),
            ("2026-01-14", "b", "b", 2),
            ("2026-01-14", "c", "c", 1),
        )
    ]
    days = figures.PageDays(["2026-01-14", "2026-01-15"], {})
    (facet,) = figures.ranked("keys", Table([], rows), "api_key", days, "ss", 2).facets
    grey = figures.OTHERS_COLOUR
    assert [(line.name, line.colour == grey) for line in facet.lines] == [
        ("(no API key)", True),
        ("new", False),
        ("2 others", True),
    ]
