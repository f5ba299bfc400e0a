"""Pages say what the reports say, to the last digit, and a gap is never a zero."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from archiver.offline.reports.breakdowns import Question
from archiver.offline.reports.months import Budgets
from archiver.store.read.reads import one_moment, read_grouped

from archiver.offline import page
from archiver.offline.page.html import amounts
from archiver.offline.reports.registry import REPORTS, Asked
from archiver.offline.tables.table import Kind, Table, to_display
from archiver.plan.scope import Scope
from archiver.simulator import background
from tests.pages import HOSTILE, Read
from tests.support import NOW, SMALL, archiver, day, select, sync

if TYPE_CHECKING:
    from pathlib import Path

TODAY = date(2026, 1, 15)
EVERYTHING = Asked(Question(), today=TODAY, budgets=Budgets(Decimal(1), {}))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Archive all of the invented organisation, once."""
    made = tmp_path_factory.mktemp("pages") / "archive.db"
    with background(SMALL) as api:
        sync(api, made)
    return made


@pytest.fixture
def gaping(tmp_path: Path) -> Path:
    """Give an archive that was never asked about the days from 21 November to 9 December."""
    made = tmp_path / "gaping.db"
    with background(SMALL) as api:
        sync(api, made, Scope(since=day("2025-11-10"), until=day("2025-11-21")))
        sync(api, made, Scope(since=day("2025-12-10"), until=day("2025-12-20")))
    return made


def changed(source: Path, target: Path, statement: str, *values: object) -> Path:
    """Copy an archive with something in it changed by hand."""
    shutil.copy(source, target)
    with closing(sqlite3.connect(target)) as connection, connection:
        connection.execute(statement, values)
    return target


def told(table: Table, unit: str = "usd") -> list[list[str]]:
    """Spell a table as a page has to: as people read it, but amounts exactly."""
    rows = [list(row) for row in (*table.rows, *([table.total] if table.total else []))]
    columns = [replace(c, kind=Kind.TEXT) if c.kind is Kind.MONEY else c for c in table.columns]
    for i, column in enumerate(table.columns):
        if column.kind is Kind.MONEY:
            for row, text in zip(rows, amounts([row[i] for row in rows], unit), strict=True):
                row[i] = text
    split = len(rows) - bool(table.total)
    _, lines = to_display(
        Table(columns, [tuple(r) for r in rows[:split]], total=tuple(rows[-1]) if table.total else None), unit
    )
    return [[str(value) for value in line] for line in lines]


@pytest.mark.parametrize("unit", ["usd", "cents"])
@pytest.mark.parametrize("name", [name for name in REPORTS if name != "overview"])
def test_the_page_of_every_report_has_its_table_whole(whole: Path, name: str, unit: str) -> None:
    made, _ = page.of_report(whole, name, EVERYTHING, unit)
    assert Read(made).tables["Table"][1:] == told(REPORTS[name][1](whole, EVERYTHING), unit)


def test_the_page_of_everything_has_the_tables_of_the_reports(whole: Path) -> None:
    tables = Read(page.overview(whole, EVERYTHING)).tables
    by_model = replace(EVERYTHING, question=Question(by=("month", "model")))
    for caption, name, asked in (
        ("Totals by month", "overview", EVERYTHING),
        ("By month and workspace", "spend", EVERYTHING),
        ("By month, workspace and model", "tokens", EVERYTHING),
        ("All keys", "keys", EVERYTHING),
        ("All restatements", "restatements", EVERYTHING),
    ):
        assert tables[caption][1:] == told(REPORTS[name][1](whole, asked)), caption
    assert len(REPORTS["spend"][1](whole, by_model).rows) > 1
    assert {"All stretches", "By month and model"} <= tables.keys()


def test_the_lines_of_the_charts_add_up_to_the_reports(whole: Path) -> None:
    read = Read(page.overview(whole, EVERYTHING))
    (billed,) = select(whole, "SELECT sum(amount_microcents) FROM daily_cost")[0]
    for facet in (0, 1):
        assert sum(map(sum, read.lines("spend", facet).values())) == billed
    assert sum(map(sum, read.lines("keys").values())) == billed
    ranked = REPORTS["keys"][1](whole, EVERYTHING).rows
    by_key = {
        f"{row[1] or row[0] or '(no API key: Console)'}": row[3] for row in ranked
    }  # labels equal themselves alone
    shown = {name: sum(values) for name, values in read.lines("keys").items() if "other" not in name}
    assert shown == by_key
    kinds = ("uncached_input", "cache_creation_1h_input", "cache_creation_5m_input", "cache_read_input", "output")
    whole_of_it = f"SELECT sum({' + '.join(f'{kind}_tokens' for kind in kinds)}) FROM daily_tokens"  # noqa: S608  # columns
    (used,) = select(whole, whole_of_it)[0]
    for facet in (0, 1, 2):
        assert sum(map(sum, read.lines("tokens", facet).values())) == used


def test_a_day_of_a_chart_is_that_day_of_the_archive(whole: Path) -> None:
    read = Read(page.overview(whole, EVERYTHING))
    (spend,) = [one for one in read.figures["charts"] if one["id"] == "spend"]
    by_day: dict[str, int] = dict(select(whole, "SELECT date, sum(amount_microcents) FROM daily_cost GROUP BY date"))
    lines = read.lines("spend")
    for number in range(len(spend["states"])):
        name = date.fromordinal(date.fromisoformat(spend["begin"]).toordinal() + number).isoformat()
        assert sum(values[number] for values in lines.values()) == by_day.get(name, 0), name


def test_a_gap_is_told_and_never_a_zero(gaping: Path) -> None:
    made = page.overview(gaping, EVERYTHING)
    (spend,) = [one for one in Read(made).figures["charts"] if one["id"] == "spend"]
    assert spend["begin"] == "2025-11-10"
    assert spend["states"][11:30] == "-" * 19
    assert not set(spend["states"][:11] + spend["states"][30:]) & set("- ")
    for line in spend["facets"][0]["lines"]:
        assert set(line["values"][11:30]) == {""}
    assert '<dd class="figure">19 <span class="unit">days missing</span>' in made


def test_what_the_archive_does_not_reach_is_no_gap(whole: Path) -> None:
    (spend,) = [one for one in Read(page.overview(whole, EVERYTHING)).figures["charts"] if one["id"] == "spend"]
    assert spend["states"].endswith("p ")  # today's use is archived, and is not billed yet
    assert "-" not in spend["states"]


def test_a_chosen_time_bounds_charts_tables_and_the_choice_of_days(whole: Path) -> None:
    asked = replace(EVERYTHING, question=Question("2025-12-01", "2025-12-08"))
    read = Read(page.overview(whole, asked))
    assert (read.figures["first"], read.figures["last"]) == ("2025-12-01", "2025-12-07")
    week = "SELECT sum(amount_microcents) FROM daily_cost WHERE date BETWEEN ? AND ?"
    (billed,) = select(whole, week, "2025-12-01", "2025-12-07")[0]
    assert sum(map(sum, read.lines("spend").values())) == billed


def test_the_largest_are_kept_apart_and_the_others_added_up(whole: Path) -> None:
    asked = replace(EVERYTHING, question=Question(top=2))
    lines = Read(page.of_report(whole, "workspaces", asked)[0]).lines("spend")
    ranked = REPORTS["workspaces"][1](whole, EVERYTHING).rows
    assert [sum(values) for values in lines.values()] == [ranked[0][3], ranked[1][3], sum(row[3] for row in ranked[2:])]
    assert list(lines)[-1] == f"{len(ranked) - 2} others"


def test_the_page_is_by_what_is_asked_for(whole: Path) -> None:
    asked = replace(EVERYTHING, question=Question(by=("month", "service_tier")))
    (spend,) = Read(page.of_report(whole, "spend", asked)[0]).figures["charts"]
    assert [facet["by"] for facet in spend["facets"]] == ["service_tier"]


def test_an_empty_archive_has_a_page(db: Path) -> None:
    with background(SMALL) as api:
        sync(api, db, Scope(since=day("2025-11-10"), until=day("2025-11-11")))
    asked = replace(EVERYTHING, question=Question("2025-12-01", "2025-12-08"))
    for name in REPORTS:
        read = Read(page.of_report(db, name, asked)[0])
        assert [one["id"] for one in read.figures["charts"]] in ([], ["coverage"])
    assert "nothing of this period is archived" in page.overview(db, asked)


def test_two_workspaces_of_one_name_stay_two(whole: Path, tmp_path: Path) -> None:
    same = changed(whole, tmp_path / "same.db", "UPDATE name SET name = 'Same' WHERE kind = 'workspace'")
    before, after = (Read(page.overview(one, EVERYTHING)).lines("spend") for one in (whole, same))
    assert sorted(map(sum, after.values())) == sorted(map(sum, before.values()))
    assert [name for name in after if name.startswith("Same (wrkspc_")]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_makes_no_element(whole: Path, tmp_path: Path, name: str) -> None:
    hostile = changed(whole, tmp_path / "hostile.db", "UPDATE name SET name = ?", name)
    clean, odd = (Read(page.overview(one, EVERYTHING)) for one in (whole, hostile))
    assert [e.name for e in odd.elements] == [e.name for e in clean.elements]
    assert len(odd.scripts) == 3
    assert odd.policy == clean.policy


def test_a_page_is_of_one_moment(whole: Path, tmp_path: Path) -> None:
    target = changed(whole, tmp_path / "moving.db", "PRAGMA journal_mode = WAL")

    def read(*by: str) -> list[tuple[Any, ...]]:
        return read_grouped(target, "cost", by, by, None, None)

    with one_moment(target):
        ((_, before),) = read()
        with closing(sqlite3.connect(target)) as connection, connection:
            connection.execute("UPDATE cost_fact SET amount_microcents = amount_microcents + 1")
        assert sum(row[-1] for row in read("model")) == before
    assert sum(row[-1] for row in read("model")) > before


def test_the_command_writes_the_page_and_says_so(whole: Path, tmp_path: Path) -> None:
    target = tmp_path / "page.html"
    done = archiver("report", "models", "--db", str(whole), "--html", str(target), "--top", "2")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", f"wrote {target}\n")
    assert target.read_text("utf-8").startswith("<!doctype html>")
    printed = archiver("report", "models", "--db", str(whole), "--html", "-")
    assert printed.stdout.startswith("<!doctype html>")
    assert printed.stderr == ""


def test_a_passed_budget_is_told_by_its_page_too(whole: Path, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text("[budgets]\ntotal = 1\n")
    target = tmp_path / "page.html"
    done = archiver("report", "budget", "--db", str(whole), "--config", str(config), "--html", str(target))
    assert done.returncode == 3
    assert "passed" in target.read_text("utf-8")


def test_a_page_that_cannot_be_written_is_an_error_and_leaves_the_old_one(whole: Path, tmp_path: Path) -> None:
    there = tmp_path / "page.html"
    there.write_text("before")
    assert archiver("report", "spend", "--db", str(whole), "--html", str(there), "--csv").returncode == 2
    assert archiver("report", "spend", "--db", str(tmp_path / "none.db"), "--html", str(there)).returncode == 2
    assert archiver("report", "spend", "--db", str(whole), "--html", str(tmp_path / "no" / "page.html")).returncode == 7
    assert there.read_text() == "before"


def test_a_page_of_an_earlier_time_says_what_was_known_then(db: Path) -> None:
    everything = Scope(since=day("2025-11-05"))
    with background(SMALL) as api:
        sync(api, db, everything)
        ((before,),) = select(db, "SELECT sum(amount_microcents) FROM daily_cost")
        api.amend(day("2025-11-12").date(), 2)
        api.clock.now = NOW + timedelta(hours=1)
        sync(api, db, replace(everything, refresh_days=90))
    ((after,),) = select(db, "SELECT sum(amount_microcents) FROM daily_cost")
    assert after > before
    then = replace(EVERYTHING, question=Question(as_of=int(NOW.timestamp()) + 60))
    read = Read(page.overview(db, then))
    assert sum(map(sum, read.lines("spend").values())) == before
    assert Decimal(read.tables["Totals by month"][-1][2].replace(",", "")) == Decimal(before) / 10**8
    (spend,) = [one for one in read.figures["charts"] if one["id"] == "spend"]
    assert set(spend["states"]) <= {"k", " "}
    now = Read(page.overview(db, EVERYTHING))
    assert sum(map(sum, now.lines("spend").values())) == after
    assert sum(map(sum, now.lines("restatements").values())) > 0


def test_amounts_of_two_currencies_are_kept_apart_and_have_no_sum(whole: Path, tmp_path: Path) -> None:
    two = changed(
        whole, tmp_path / "two.db", "UPDATE cost_key SET currency = 'EUR' WHERE model = 'claude-opus-4-5-20251101'"
    )
    made = page.overview(two, EVERYTHING)
    read = Read(made)
    assert (read.figures["mixed"], read.figures["unit"]) == (True, "EUR, USD")
    by_name: dict[str, int] = dict(
        select(
            two,
            "SELECT coalesce(workspace_name, '(default workspace)') || ' (' || currency || ')', sum(amount_microcents) "
            "FROM daily_cost GROUP BY 1",
        )
    )
    assert {name: sum(values) for name, values in read.lines("spend").items()} == by_name
    assert "Amounts are in EUR, USD" in made
    assert '<dd class="figure">\u2013 <span class="unit">EUR, USD</span>' in made
    assert Read(page.overview(whole, EVERYTHING)).figures["unit"] == "USD"


@pytest.mark.parametrize("name", ["workspaces", "keys", "models"])
def test_a_line_of_others_is_in_no_currency_of_its_own(whole: Path, name: str) -> None:
    made = page.of_report(whole, name, replace(EVERYTHING, question=Question(top=1)))[0]
    read = Read(made)
    assert (read.figures["mixed"], read.figures["unit"]) == (False, "USD")
    assert "Amounts are in USD, " in made
    assert "amount (USD)" in read.tables["Table"][0]
