"""The days that the API forgets: what is archived of them, and what is lost when."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from archiver.model import Report
from archiver.offline.retention import Retention, retentions
from archiver.store.read.reader import open_archive_reader
from tests.handmade import Handmade, cost_row, days, run, seconds

if TYPE_CHECKING:
    from pathlib import Path

DAY = [cost_row("100", workspace_id="w")]


def of_cost(db: Path, now: str) -> Retention:
    with open_archive_reader(db) as reader:
        status = reader.status()
    return next(one for one in retentions(status, seconds(now)) if one.report is Report.ANALYTICS_COST)


def archive(db: Path, first: str, last: str, read_at: str = "2026-12-30") -> None:
    Handmade(db).analytics_cost(dict.fromkeys(days(first, last), DAY), read_at=read_at)


def test_all_days_of_the_year_are_archived(db: Path) -> None:
    archive(db, "2026-01-01", "2026-12-29")
    found = of_cost(db, "2026-12-30T12:00:00")
    assert (found.archived_since, found.forgotten_before) == (date(2026, 1, 1), date(2026, 1, 1))
    assert (found.not_archived, found.next_loss) == ((), None)
    assert found.sentence() == "archived since 2026-01-01; forgotten by the API before 2026-01-01"


def test_the_first_day_that_is_not_archived_is_lost_after_365_days(db: Path) -> None:
    archive(db, "2026-01-01", "2026-02-28")
    archive(db, "2026-03-11", "2026-12-29")
    found = of_cost(db, "2026-12-30T12:00:00")
    assert len(found.not_archived) == 10
    assert found.next_loss == date(2027, 3, 1)
    assert found.sentence() == (
        "archived since 2026-01-01; forgotten by the API before 2026-01-01; 10 days from 2026-03-01 are not archived, "
        "and the first of them is lost on 2027-03-01"
    )
    # A year later nine of them are lost.
    later = of_cost(db, "2027-03-10T12:00:00")
    assert (later.forgotten_before, later.not_archived[0]) == (date(2026, 3, 11), date(2026, 12, 30))


def test_a_day_of_a_filter_or_of_today_does_not_count(db: Path) -> None:
    archive(db, "2026-12-20", "2026-12-20", "2026-12-21")
    assert len(of_cost(db, "2026-12-21T12:00:00").not_archived) == 353
    assert len(of_cost(db, "2026-12-20T12:00:00").not_archived) == 353


def test_status_names_the_days_that_will_be_lost(db: Path) -> None:
    made = Handmade(db)
    made.cost({"2026-01-01": [cost_row("100", description="d")]}, read_at="2026-01-02T03:00:00")
    printed = run("status", "--db", str(db)).stdout
    assert "billed cost by key and person is not archived, and the API forgets it after a year" in printed
    assert "archiver sync --report all" in printed
    archive(db, "2026-03-01", "2026-03-01")
    printed = run("status", "--db", str(db)).stdout
    assert "analytics-cost: archived since 2026-03-01; forgotten by the API before " in printed
    assert "analytics-usage: not archived; forgotten by the API before " in printed
    (usage, cost) = run("status", "--json", "--db", str(db)).rows()["retention"]
    assert (usage["report"], usage["archived_since"]) == ("analytics-usage", None)
    assert (cost["report"], cost["archived_since"]) == ("analytics-cost", "2026-03-01")
    assert cost["days_not_archived"] > 0
    assert cost["first_not_archived"] < cost["next_loss"]
