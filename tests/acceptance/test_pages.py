"""Pages show what was billed and counted, to the last digit, and a gap is never a zero."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from archiver.model import Report
from archiver.offline import page
from archiver.offline.reports.registry import REPORTS
from archiver.offline.reports.request import Budget, ReportRequest
from archiver.offline.tables.display import to_display
from archiver.offline.tables.table import Kind
from archiver.offline.teams.rules import Rule, Teams
from archiver.plan.scope import Scope
from archiver.simulator import Settings, background
from archiver.store.read.daily_sums import read_sums
from archiver.store.read.reader import ArchiveReader, open_archive_reader
from tests.bills import billed, billed_by, exactly, tokens
from tests.pages import HOSTILE, Read
from tests.support import NOW, SMALL, archiver, day, select, sync

if TYPE_CHECKING:
    from pathlib import Path

TODAY = date(2026, 1, 15)
EVERYTHING = ReportRequest(
    today=TODAY,
    budgets=(Budget(Decimal(1)),),
    first_seen=("2026-01-15T12:30:00Z", None),
    period=None,
    teams=Teams((Rule(1, {"A": 1}, patterns={"workspace": ("Invented R*",)}),)),
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Archive all of the invented organisation, once."""
    made = tmp_path_factory.mktemp("pages") / "archive.db"
    with background(SMALL) as api:
        sync(api, made)
    return made


@pytest.fixture
def gaping(tmp_path: Path) -> Path:
    """Return an archive without the days from 21 November to 9 December."""
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


def as_shown(db: Path, name: str, request: ReportRequest) -> list[list[str]]:
    """Return a report's table as a page has to show it: formatted, with exact amounts."""
    with open_archive_reader(db) as reader:
        table = REPORTS[name].compute(reader, request)
    # Bars are drawn as a chart.
    table = replace(table, columns=[column for column in table.columns if column.kind is not Kind.BAR])
    return to_display(table, request.unit, exact=True)[1] if table.rows else []


@pytest.mark.parametrize("unit", ["usd", "cents"])
@pytest.mark.parametrize("name", [name for name in REPORTS if name != "overview"])
def test_the_page_of_every_report_has_its_table_whole(whole: Path, name: str, unit: str) -> None:
    request = replace(EVERYTHING, unit=unit)
    made, _ = page.of_report(whole, name, request)
    assert Read(made).tables.get("Table", [[]])[1:] == as_shown(whole, name, request)


def test_the_page_of_everything_has_the_tables_of_the_reports(whole: Path) -> None:
    tables = Read(page.overview(whole, EVERYTHING)).tables
    for caption, name in (
        ("Totals by month", "overview"),
        ("By month and workspace", "spend"),
        ("By month, workspace and model", "tokens"),
        ("All keys", "keys"),
    ):
        assert tables.get(caption, [[]])[1:] == as_shown(whole, name, EVERYTHING), caption
    by_model = replace(EVERYTHING, by=("month", "model"))
    assert tables["By month and model"][1:] in (
        as_shown(whole, "spend", by_model),
        as_shown(whole, "cache", EVERYTHING),
    )
    assert "All ranges" in tables


def test_the_page_of_everything_makes_three_sums_over_the_archive(whole: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sums: list[str] = []

    def counted(connection: Any, report: Any, *rest: Any) -> Any:
        sums.append(report)
        return read_sums(connection, report, *rest)

    monkeypatch.setattr("archiver.store.read.reader.read_sums", counted)
    page.overview(whole, EVERYTHING)
    assert sorted(sums) == ["cost", "usage", "usage"]


def test_with_billed_cost_by_key_it_makes_four(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    db, sums = tmp_path / "archive.db", list[str]()
    with background(Settings(first_day=date(2025, 12, 20), now=NOW, size=0.1)) as api:
        sync(api, db, Scope((Report.USAGE, Report.COST, Report.ANALYTICS_COST)))

    def counted(connection: Any, report: Any, *rest: Any) -> Any:
        sums.append(report)
        return read_sums(connection, report, *rest)

    monkeypatch.setattr("archiver.store.read.reader.read_sums", counted)
    page.overview(db, EVERYTHING)
    assert sorted(sums) == ["analytics-cost", "cost", "usage", "usage"]


def test_the_totals_of_the_page_are_what_was_billed_and_counted(whole: Path) -> None:
    read = Read(page.overview(whole, EVERYTHING))
    *months, total = read.tables["Totals by month"][1:]
    # The archive begins when the oldest user was added, before anything was billed.
    by_month = {"2025-10": 0} | billed_by(lambda bill: bill.day[:7])
    assert {row[0]: row[2] for row in months} == {
        # of one number of decimals, so that they line up
        month: exactly(amount).ljust(len(exactly(amount).partition(".")[0]) + 9, "0")
        for month, amount in by_month.items()
    }
    assert total[2] == exactly(billed())
    assert total[3] == f"{sum(tokens().values()):,}"
    assert read.cards["Spend"].startswith(f"{billed() / 10**8:,.2f} USD; ")


def test_the_lines_of_the_charts_are_what_was_billed_and_counted(whole: Path) -> None:
    read = Read(page.overview(whole, EVERYTHING))
    for facet, key in enumerate((lambda bill: bill.workspace, lambda bill: bill.model)):
        shown = {name: sum(values) for name, values in read.lines("spend", facet).items()}
        assert shown == billed_by(key)
    # Estimated amounts of keys add up to what was billed as well: they are rounded only where they are written.
    assert sum(map(sum, read.lines("keys").values())) == billed()
    for facet in (0, 1, 2):
        assert sum(map(sum, read.lines("tokens", facet).values())) == sum(tokens().values())


def test_the_chart_of_keys_has_the_amounts_of_the_report(whole: Path) -> None:
    read = Read(page.overview(whole, EVERYTHING))
    with open_archive_reader(whole) as reader:
        rows = REPORTS["keys"].compute(reader, EVERYTHING).rows
    by_key = {str(row["api_key"]): int(row["amount"]) // 10**12 for row in rows}
    shown = {name: sum(values) for name, values in read.lines("keys").items() if "other" not in name}
    assert shown.keys() <= by_key.keys()
    assert all(abs(amount - by_key[name]) <= 1 for name, amount in shown.items())


def test_a_day_of_a_chart_is_that_day_of_the_bills(whole: Path) -> None:
    read = Read(page.overview(whole, EVERYTHING))
    (spend,) = [one for one in read.figures["charts"] if one["id"] == "spend"]
    by_day, lines = billed_by(lambda bill: bill.day), read.lines("spend")
    for number in range(len(spend["states"])):
        name = (date.fromisoformat(spend["begin"]) + timedelta(days=number)).isoformat()
        assert sum(values[number] for values in lines.values()) == by_day.get(name, 0), name
        assert sum(values[number] for values in read.lines("tokens").values()) == tokens().get(name, 0), name


def test_a_gap_is_shown_and_never_a_zero(gaping: Path) -> None:
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
    asked = replace(EVERYTHING, since=date(2025, 12, 1), until=date(2025, 12, 8))
    read = Read(page.overview(whole, asked))
    assert (read.figures["first"], read.figures["last"]) == ("2025-12-01", "2025-12-07")
    assert sum(map(sum, read.lines("spend").values())) == billed(lambda bill: "2025-12-01" <= bill.day <= "2025-12-07")


def test_the_largest_are_kept_apart_and_the_others_added_up(whole: Path) -> None:
    asked = replace(EVERYTHING, top=2)
    lines = Read(page.of_report(whole, "workspaces", asked)[0]).lines("spend")
    ranked = sorted(billed_by(lambda bill: bill.workspace).values(), reverse=True)
    assert [sum(values) for values in lines.values()] == [ranked[0], ranked[1], sum(ranked[2:])]
    assert list(lines)[-1] == f"{len(ranked) - 2} others"


def test_the_page_is_by_what_is_asked_for(whole: Path) -> None:
    asked = replace(EVERYTHING, by=("month", "service_tier"))
    (spend,) = Read(page.of_report(whole, "spend", asked)[0]).figures["charts"]
    assert [facet["by"] for facet in spend["facets"]] == ["service_tier"]


def test_an_empty_archive_has_a_page(db: Path) -> None:
    with background(SMALL) as api:
        sync(api, db, Scope(since=day("2025-11-10"), until=day("2025-11-11")))
    asked = replace(EVERYTHING, since=date(2025, 12, 1), until=date(2025, 12, 8))
    for name in REPORTS.keys() - {"statement", "budget", "forecast"}:  # these are of a month, whatever the days
        read = Read(page.of_report(db, name, asked)[0])
        assert [one["id"] for one in read.figures["charts"]] in ([], ["coverage"])
    assert "nothing of this period is archived" in page.overview(db, asked)


def test_two_workspaces_of_one_name_stay_two(whole: Path, tmp_path: Path) -> None:
    same = changed(whole, tmp_path / "same.db", "UPDATE _name SET name = 'Same' WHERE kind = 'workspace'")
    before, after = (Read(page.overview(one, EVERYTHING)).lines("spend") for one in (whole, same))
    assert sorted(map(sum, after.values())) == sorted(map(sum, before.values()))
    assert [name for name in after if name.startswith("Same (wrkspc_")]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_makes_no_element(whole: Path, tmp_path: Path, name: str) -> None:
    hostile = changed(whole, tmp_path / "hostile.db", "UPDATE _name SET name = ?", name)
    clean, odd = (Read(page.overview(one, EVERYTHING)) for one in (whole, hostile))
    assert [e.name for e in odd.elements] == [e.name for e in clean.elements]
    assert len(odd.scripts) == 4
    assert odd.policy == clean.policy


def test_a_reader_is_one_snapshot(whole: Path, tmp_path: Path) -> None:
    target = changed(whole, tmp_path / "moving.db", "PRAGMA journal_mode = WAL")

    def total(reader: ArchiveReader, *by: str) -> int:
        return sum(line.sums[0] for line in reader.lines(Report.COST, by, reader.days(Report.COST)))

    with open_archive_reader(target) as reader:
        before = total(reader)
        with closing(sqlite3.connect(target)) as connection, connection:
            connection.execute("UPDATE _cost_fact SET amount_microcents = amount_microcents + 1")
        assert total(reader, "model") == before
    with open_archive_reader(target) as reader:
        assert total(reader, "model") > before


def test_the_command_writes_the_page_and_prints_its_path(whole: Path, tmp_path: Path) -> None:
    target = tmp_path / "page.html"
    done = archiver("report", "models", "--db", str(whole), "--html", str(target), "--top", "2")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", f"wrote {target}\n")
    assert target.read_text("utf-8").startswith("<!doctype html>")
    printed = archiver("report", "models", "--db", str(whole), "--html", "-")
    assert printed.stdout.startswith("<!doctype html>")
    assert printed.stderr == ""


def test_a_passed_budget_is_shown_on_its_page_too(whole: Path, tmp_path: Path) -> None:
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


def test_a_page_of_an_earlier_time_shows_what_was_archived_then(db: Path) -> None:
    everything = Scope(since=day("2025-11-05"))
    with background(SMALL) as api:
        sync(api, db, everything)
        ((before,),) = select(db, "SELECT sum(amount_microcents) FROM daily_cost")
        api.amend(day("2025-11-12").date(), 2)
        api.clock.now = NOW + timedelta(hours=1)
        sync(api, db, replace(everything, refresh_days=90))
    ((after,),) = select(db, "SELECT sum(amount_microcents) FROM daily_cost")
    assert after > before
    then = replace(EVERYTHING, as_of=int(NOW.timestamp()) + 60)
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
        whole, tmp_path / "two.db", "UPDATE _cost_key SET currency = 'EUR' WHERE model = 'claude-opus-4-5-20251101'"
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
    made = page.of_report(whole, name, replace(EVERYTHING, top=1))[0]
    read = Read(made)
    assert (read.figures["mixed"], read.figures["unit"]) == (False, "USD")
    assert "Amounts are in USD; " in made
    assert "amount usd" in read.tables["Table"][0]


def test_the_card_of_a_month_names_its_days_that_are_not_archived(gaping: Path) -> None:
    """Of December the 10th to the 19th are archived: nine days before them are not."""
    read = Read(page.overview(gaping, replace(EVERYTHING, today=date(2025, 12, 20))))
    assert read.cards["2025-12 to date"].endswith("; 9 days not archived")
    assert read.cards["Coverage"].startswith("19 days missing; see coverage below")


def test_the_card_of_coverage_counts_suspects(whole: Path, tmp_path: Path) -> None:
    series, start, digest = select(whole, "SELECT series_id, bucket_start, digest FROM _bucket")[0]
    statement = "INSERT INTO _suspect (series_id, bucket_start, digest, seen_at) VALUES (?, ?, ?, ?)"
    held = changed(whole, tmp_path / "held.db", statement, series, start, digest, start)
    assert "to confirm" not in Read(page.overview(whole, EVERYTHING)).cards["Coverage"]
    assert Read(page.overview(held, EVERYTHING)).cards["Coverage"].endswith("1 bucket to confirm: see archiver status")
