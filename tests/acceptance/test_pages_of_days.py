"""Pages of chosen days and moments tell of those alone, and never take what is not archived for nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from archiver.offline import page
from archiver.offline.breakdowns import Question
from archiver.offline.reports import Asked
from archiver.plan.scope import Scope
from archiver.simulator import background
from tests.pages import Read
from tests.support import NOW, SMALL, archiver, day, sync

if TYPE_CHECKING:
    from pathlib import Path

EVERYTHING = Asked(Question(), today=date(2026, 1, 15))


@pytest.fixture(scope="module")
def restated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give an archive where a settled day, 12 November, was answered differently in January."""
    made = tmp_path_factory.mktemp("pages") / "restated.db"
    everything = Scope(since=day("2025-11-05"))
    with background(SMALL) as api:
        sync(api, made, everything)
        api.amend(day("2025-11-12").date(), 2)
        api.clock.now = NOW + timedelta(hours=1)
        sync(api, made, replace(everything, refresh_days=90))
    return made


def of_days(since: str, until: str, **more: Any) -> Asked:
    """Ask as the command does for these days."""
    learnt = (f"{since}T00:00:00Z", f"{until}T00:00:00Z")
    return replace(EVERYTHING, question=Question(since, until), learnt=learnt, **more)


def test_restatements_of_the_chosen_days_are_told_whenever_they_were_learnt(restated: Path) -> None:
    read = Read(page.overview(restated, of_days("2025-11-01", "2025-12-01")))
    assert {row[4][:10] for row in read.tables["All restatements"][1:]} == {"2025-11-12"}
    assert sum(map(sum, read.lines("restatements").values())) > 0


def test_restatements_of_other_days_are_left_out_and_do_not_widen_the_page(restated: Path) -> None:
    read = Read(page.overview(restated, of_days("2026-01-01", "2026-02-01")))
    assert len(read.tables.get("All restatements", [[]])) == 1
    assert (read.figures["first"], read.figures["last"]) == ("2026-01-01", "2026-01-15")
    alone = Read(page.of_report(restated, "restatements", of_days("2026-01-01", "2026-02-01"))[0])
    assert (alone.figures["first"], alone.figures["last"]) == ("2025-11-12", "2026-01-15")


def test_restatements_that_were_learnt_later_are_not_told_as_of_before(restated: Path) -> None:
    learnt = int((NOW + timedelta(hours=1)).timestamp())
    for name in ("overview", "restatements"):
        before, then = (
            Read(page.of_report(restated, name, replace(EVERYTHING, question=Question(as_of=as_of)))[0])
            for as_of in (learnt - 1, learnt)
        )
        assert not before.lines("restatements")
        assert sum(map(sum, then.lines("restatements").values())) > 0


@pytest.mark.parametrize("by", ["month", "model", "api_key"])
@pytest.mark.parametrize("html", [(), ("--html", "-")])
def test_the_page_of_everything_refuses_dimensions_plainly(restated: Path, by: str, html: tuple[str, ...]) -> None:
    done = archiver("report", "overview", "--db", str(restated), "--by", by, *html)
    assert (done.returncode, done.stdout) == (2, "")
    assert "the report overview is by month alone" in done.stderr
