"""The days that the API forgets: what is archived of them, and what is lost when."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import anyio

from archiver.answer import Answer, Bucket
from archiver.model import BucketWidth, Organization, Report, Series, Window
from archiver.offline.retention import Retention, retentions
from archiver.reports import SPECS
from archiver.store.archive import held_archive, open_archive
from archiver.store.history import AnswerTime
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


def test_hours_of_a_day_of_which_some_are_settled_make_a_whole_day(db: Path) -> None:
    series = Series(Report.ANALYTICS_COST, BucketWidth.HOUR, ("model",))

    async def write() -> None:
        async with open_archive(db) as held:
            await held.bind_organization(Organization("org_invented", None))
            # Noon is the boundary between what is settled and what is not.
            start, now = seconds("2026-11-20"), seconds("2026-12-25T12:00:00")
            buckets = SPECS[Report.ANALYTICS_COST].empty_buckets()
            for hour in range(48):
                buckets.append(Bucket(start + hour * 3600, {}))
            answer = Answer(Window(series, start, start + 2 * 86400), buckets, None, now)
            await held.record(answer, AnswerTime(now, now - 35 * 86400, accept_restatements=True))

    with held_archive(db, now=0):
        anyio.run(write)
    found = of_cost(db, "2026-12-25T12:00:00")
    assert found.archived_since == date(2026, 11, 20)
    assert not {date(2026, 11, 20), date(2026, 11, 21)} & set(found.not_archived)


def test_a_grouping_with_people_in_several_groups_is_no_archive_of_its_days(db: Path) -> None:
    Handmade(db).analytics_cost({"2026-12-01": DAY}, read_at="2026-12-05", group_by=("rbac_group_id",))
    assert of_cost(db, "2026-12-05T12:00:00").archived_since is None
