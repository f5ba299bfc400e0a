"""A projection by hand: January 2026, which begins on a Thursday."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

from archiver.offline.periods import Period
from archiver.offline.reports.daily_money import DailyAmounts
from archiver.offline.reports.known_days import KnownDays
from archiver.offline.reports.projection import Projection, project
from archiver.offline.reports.request import ReportRequest
from archiver.store.read.reader import open_archive_reader
from tests.handmade import Handmade, cost_row, days

if TYPE_CHECKING:
    from pathlib import Path

JANUARY = Period(date(2026, 1, 1), date(2026, 2, 1))
FIRST_WEEK = [date(2026, 1, 1) + timedelta(days=i) for i in range(7)]
SATURDAY, SUNDAY = date(2026, 1, 3), date(2026, 1, 4)


def projected(amounts: dict[date, int], credits_of: dict[date, int], known: KnownDays) -> int | None:
    group = DailyAmounts({}, amounts, credits_of)
    return Projection(known, tuple(sorted(known.whole)), [group]).to_end(group)


def test_weekends_are_projected_from_weekends() -> None:
    """100 a working day and 10 a day of a weekend: January has 22 and 9 of them."""
    amounts = {day: 10 if day in {SATURDAY, SUNDAY} else 100 for day in FIRST_WEEK}
    assert projected(amounts, {}, KnownDays(JANUARY, frozenset(FIRST_WEEK), frozenset())) == 2290


def test_credits_count_once() -> None:
    amounts = dict.fromkeys(FIRST_WEEK, 100) | {FIRST_WEEK[0]: -400}
    known = KnownDays(JANUARY, frozenset(FIRST_WEEK), frozenset())
    assert projected(amounts, {FIRST_WEEK[0]: -500}, known) == 3100 - 500


def test_a_day_in_progress_is_its_mean_or_what_it_costs_already() -> None:
    eighth = date(2026, 1, 8)
    known = KnownDays(JANUARY, frozenset(FIRST_WEEK), frozenset({eighth}))
    amounts = dict.fromkeys(FIRST_WEEK, 100)
    assert projected(amounts | {eighth: 30}, {}, known) == 3100
    assert projected(amounts | {eighth: 130}, {}, known) == 3130


def test_without_a_whole_day_nothing_is_projected() -> None:
    known = KnownDays(JANUARY, frozenset(), frozenset({FIRST_WEEK[0]}))
    assert projected({FIRST_WEEK[0]: 30}, {}, known) is None


def test_a_projection_is_from_the_28_days_up_to_the_last_whole_one(db: Path) -> None:
    """The day in progress, 29 January, and the 29th day before are no base of it."""
    made = Handmade(db)
    dates = days("2025-12-31", "2026-01-29")
    made.cost({day: [cost_row("100", description="d")] for day in dates}, read_at="2026-01-29T12:00:00")
    with open_archive_reader(db) as reader:
        found = project(reader, ReportRequest(), (), JANUARY)
    assert (found.recent[0], found.recent[-1], len(found.recent)) == (date(2026, 1, 1), date(2026, 1, 28), 28)
    assert found.known.in_progress == {date(2026, 1, 29)}
    assert found.projected_days == [date(2026, 1, day) for day in (29, 30, 31)]


def test_holes_are_days_before_the_last_archived_one() -> None:
    def known(*numbers: int) -> KnownDays:
        return KnownDays(JANUARY, frozenset(date(2026, 1, one) for one in numbers), frozenset())

    assert [known().holes(), known(1).holes(), known(1, 2, 3).holes(), known(2, 4).holes()] == [0, 0, 0, 2]
    assert known(*range(2, 32)).sentence() == (
        "1 of 31 days from 2026-01-01 to 2026-01-31 is not archived and not in these numbers"
    )
