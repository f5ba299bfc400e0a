"""Pages of chosen days or of an earlier time contain those alone, and never show a gap as zero."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from archiver.model import Report
from archiver.offline import page
from archiver.offline.periods import Period
from archiver.offline.reports.request import ReportRequest
from archiver.plan.scope import Scope
from archiver.simulator import background
from tests.handmade import Handmade, cost_row, days
from tests.pages import Read
from tests.support import NOW, SMALL, archiver, day, sync

if TYPE_CHECKING:
    from pathlib import Path

EVERYTHING = ReportRequest(today=date(2026, 1, 15))


@pytest.fixture(scope="module")
def restated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an archive with a restatement: the settled 12 November changed in January."""
    made = tmp_path_factory.mktemp("pages") / "restated.db"
    everything = Scope(since=day("2025-11-05"))
    with background(SMALL) as api:
        sync(api, made, everything)
        api.amend(day("2025-11-12").date(), 2)
        api.clock.now = NOW + timedelta(hours=1)
        sync(api, made, replace(everything, refresh_days=90))
    return made


def of_days(since: str, until: str, **more: Any) -> ReportRequest:
    """Return the options of the command for these days."""
    seen = (f"{since}T00:00:00Z", f"{until}T00:00:00Z")
    first, end = date.fromisoformat(since), date.fromisoformat(until)
    return replace(EVERYTHING, first_seen=seen, since=first, until=end, **more)


def test_restatements_of_the_chosen_days_are_shown_whenever_they_were_seen(restated: Path) -> None:
    read = Read(page.overview(restated, of_days("2025-11-01", "2025-12-01")))
    assert {row[4][:10] for row in read.tables["All restatements"][1:]} == {"2025-11-12"}
    assert sum(map(sum, read.lines("restatements").values())) > 0


def test_restatements_of_other_days_are_left_out_and_do_not_widen_the_page(restated: Path) -> None:
    read = Read(page.overview(restated, of_days("2026-01-01", "2026-02-01")))
    assert len(read.tables.get("All restatements", [[]])) == 1
    assert (read.figures["first"], read.figures["last"]) == ("2026-01-01", "2026-01-15")
    alone = Read(page.of_report(restated, "restatements", of_days("2026-01-01", "2026-02-01"))[0])
    assert (alone.figures["first"], alone.figures["last"]) == ("2025-11-12", "2026-01-15")


def test_restatements_seen_later_are_not_shown_as_of_an_earlier_time(restated: Path) -> None:
    learnt = int((NOW + timedelta(hours=1)).timestamp())
    for name in ("overview", "restatements"):
        before, then = (
            Read(page.of_report(restated, name, replace(EVERYTHING, as_of=as_of))[0]) for as_of in (learnt - 1, learnt)
        )
        assert not before.lines("restatements")
        assert sum(map(sum, then.lines("restatements").values())) > 0


@pytest.mark.parametrize("by", ["month", "model", "api_key"])
@pytest.mark.parametrize("html", [(), ("--html", "-")])
def test_the_page_of_everything_refuses_dimensions_plainly(restated: Path, by: str, html: tuple[str, ...]) -> None:
    done = archiver("report", "overview", "--db", str(restated), "--by", by, *html)
    assert (done.returncode, done.stdout) == (2, "")
    assert "'--by'" in done.stderr


@pytest.fixture
def unbilled(db: Path) -> Path:
    """Return an archive of usage alone, up to today."""
    with background(SMALL) as api:
        sync(api, db, Scope((Report.USAGE,), since=day("2026-01-05")))
    return db


def test_an_archive_of_use_alone_has_no_money_and_days_that_may_change(unbilled: Path) -> None:
    made = page.overview(unbilled, EVERYTHING)
    assert Read(made).cards["Spend"].startswith("\u2013 ")
    assert "0.00" not in str(Read(made).cards)
    assert Read(made).cards["2026-01 to date"].endswith("not archived")
    assert "may still change" in Read(made).cards["Coverage"]
    total = Read(made).tables["Totals by month"][-1]
    assert (total[0], total[2], bool(total[3]), total[5]) == ("total", "", True, "0")


def test_a_period_that_is_not_archived_has_no_totals(restated: Path) -> None:
    asked = of_days("2020-01-01", "2020-02-01", period=Period(date(2020, 1, 1), date(2020, 2, 1)))
    made = page.overview(restated, asked)
    assert all(text.replace(";", " ").split()[0] == "\u2013" for text in Read(made).cards.values()), Read(made).cards
    done = archiver("report", "overview", "--db", str(restated), "--month", "2020-01", "--json")
    assert json.loads(done.stdout) == []
    shown = archiver("report", "overview", "--db", str(restated), "--month", "2020-01")
    assert "0.00" not in shown.stdout


def test_the_month_to_date_is_that_of_the_moment_and_counts_its_own_days_alone(restated: Path, db: Path) -> None:
    before = int(day("2025-03-10").timestamp())
    cards = Read(page.overview(restated, replace(EVERYTHING, as_of=before))).cards
    assert cards["2025-03 to date"].endswith("not archived")
    made = Handmade(db)  # January lacks two days, February lacks none of those that have passed
    for first, last in (("2026-01-01", "2026-01-10"), ("2026-01-13", "2026-02-03")):
        made.cost({one: [cost_row("100", description="x")] for one in days(first, last)}, read_at="2026-02-04T03:00:00")
    cards = Read(page.overview(db, replace(EVERYTHING, today=date(2026, 2, 4)))).cards
    assert cards["2026-02 to date"] == "3.00 USD; +0.0% on the same days of 2026-01; projected 28.00"
    assert cards["Spend"].endswith("; 2 days not archived")


def test_settled_now_is_not_settled_then(restated: Path) -> None:
    before = of_days("2025-11-05", "2025-11-10", as_of=int(NOW.timestamp()) + 60)
    assert "as of the chosen time" in Read(page.overview(restated, before)).cards["Coverage"]
    now = page.overview(restated, of_days("2025-11-05", "2025-11-10"))
    assert "all settled" in Read(now).cards["Coverage"]
