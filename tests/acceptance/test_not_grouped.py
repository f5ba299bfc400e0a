"""Nulls, and dimensions that a day was not grouped by, are distinguished and never in one row."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections import defaultdict
from contextlib import closing
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from archiver.model import Report
from archiver.offline.tables.sparkline import BARS
from archiver.plan.scope import Scope
from archiver.reports.dimensions import Label
from tests.support import NOW, archiver, day, select, sync, truth

if TYPE_CHECKING:
    from pathlib import Path

    from archiver.simulator import Simulator

TOTALS, KNOWN = "2026-01-01", "2026-01-08"  # totals alone up to the second day, everything from then on
NO_WORKSPACE, NO_KEY, UNKNOWN = "(default workspace)", "(no API key)", "(not grouped)"


@pytest.fixture(scope="module")
def mixed(shared_api: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Path:
    db = tmp_path_factory.mktemp("mixed") / "archive.db"
    sync(shared_api, db, Scope(group_by=("none",), since=day(TOTALS), until=day(KNOWN)))
    sync(shared_api, db, Scope(group_by=("finest",), since=day(KNOWN)))
    return db


def report(db: Path, *arguments: str) -> Any:
    done = archiver("report", *arguments, "--json", "--db", str(db))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def _who(row: dict[str, Any], name: str) -> Any:
    """Return the id of a row, or the label of this program that stands in its place."""
    return row[f"{name}_id"] if row[name] not in {UNKNOWN, "(not allocated)"} else row[name]


def billed(api: Simulator, since: str, until: str | None = None) -> dict[Any, int]:
    sums: dict[Any, int] = defaultdict(int)
    for row in truth(api, "cost", "1d", ("workspace_id",), day(since), day(until) if until else None):
        sums[row[2]] += int(row[-1].replace(".", ""))
    return sums


@pytest.mark.parametrize("name", ["workspaces", "spend"])
def test_money_of_days_that_were_not_grouped_has_a_line_of_its_own(
    shared_api: Simulator, mixed: Path, name: str
) -> None:
    reported = {_who(row, "workspace"): row["amount_microcents"] for row in report(mixed, name)}
    expected = billed(shared_api, KNOWN)
    assert None in expected
    assert reported == {**expected, UNKNOWN: sum(billed(shared_api, TOTALS, KNOWN).values())}


@pytest.mark.parametrize("how", [(), ("--markdown",)])
def test_text_has_labels_for_nulls_and_for_what_was_not_grouped(mixed: Path, how: tuple[str, ...]) -> None:
    printed = archiver("report", "tokens", "--by", "workspace", "--by", "api_key", *how, "--db", str(mixed)).stdout
    labels = [label if not how else label.replace("_", "\\_") for label in (NO_WORKSPACE, NO_KEY, UNKNOWN)]
    assert all(label in printed for label in labels)
    (line,) = [line for line in printed.splitlines() if UNKNOWN in line]
    assert line.count(UNKNOWN) == 2
    assert NO_WORKSPACE not in line


def test_tokens_of_days_that_were_not_grouped_are_not_those_of_the_console(shared_api: Simulator, mixed: Path) -> None:
    reported = {_who(row, "api_key"): row["output_tokens"] for row in report(mixed, "tokens", "--by", "api_key")}
    expected: dict[Any, int] = defaultdict(int)
    for row in truth(shared_api, "usage", "1d", ("api_key_id",), day(KNOWN)):
        expected[row[3]] += row[-2]
    for row in truth(shared_api, "usage", "1d", (), day(TOTALS), day(KNOWN)):
        expected[UNKNOWN] += row[-2]
    assert reported == expected


def test_money_of_days_that_were_not_grouped_is_not_shared_out(shared_api: Simulator, mixed: Path) -> None:
    whole, alone = (
        {_who(row, "api_key"): row["amount_microcents"] for row in report(mixed, "keys", *since)}
        for since in ((), ("--since", KNOWN))
    )
    left = "(not allocated)"
    more = sum(billed(shared_api, TOTALS, KNOWN).values())
    assert whole == {**alone, left: alone[left] + more}


def test_the_use_of_a_day_that_was_not_grouped_by_key_is_of_no_key(shared_api: Simulator, db: Path) -> None:
    sync(shared_api, db, Scope((Report.COST,), since=day(KNOWN)))
    by = ("workspace_id", "model", "service_tier", "context_window")
    sync(shared_api, db, Scope((Report.USAGE,), group_by=(by,), since=day(KNOWN)))
    reported = {_who(row, "api_key"): row["amount_microcents"] for row in report(db, "keys")}
    assert reported.keys() == {UNKNOWN, "(not allocated)"}
    assert sum(reported.values()) == sum(billed(shared_api, KNOWN).values())


def test_a_name_that_equals_a_label_is_followed_by_its_id(shared_api: Simulator, db: Path) -> None:
    sync(shared_api, db, Scope((Report.COST,), since=day(KNOWN)))
    with closing(sqlite3.connect(db)) as connection, connection:
        connection.execute("UPDATE _name SET name = ? WHERE kind = 'workspace'", (NO_WORKSPACE,))
    printed = archiver("report", "workspaces", "--db", str(db)).stdout
    lines = [line for line in printed.splitlines() if line.startswith(NO_WORKSPACE)]
    assert sum(line.startswith(f"{NO_WORKSPACE} (wrkspc_") for line in lines) == len(lines) - 1


def test_a_text_of_the_api_is_never_taken_for_a_label() -> None:
    values: set[object] = {Label.NOT_GROUPED, UNKNOWN}
    assert len(values) == 2
    assert str(Label.NOT_GROUPED) == UNKNOWN


def test_monthly_views_separate_days_of_different_groupings(shared_api: Simulator, mixed: Path) -> None:
    rows = select(
        mixed,
        "SELECT group_by, sum(amount_microcents) FROM monthly_cost WHERE workspace_id IS NULL AND month = '2026-01' "
        "GROUP BY group_by",
    )
    default = billed(shared_api, KNOWN)[None]
    assert rows == [("", sum(billed(shared_api, TOTALS, KNOWN).values())), ("description,workspace_id", default)]
    assert NOW.month == 1


def test_status_shows_what_was_not_grouped(mixed: Path) -> None:
    assert f"cost 1d {UNKNOWN}" in archiver("status", "--db", str(mixed)).stdout


@pytest.mark.parametrize("name", ["workspaces", "models", "keys", "spend", "tokens"])
def test_sparklines_are_in_text_and_not_in_formats_for_programs(mixed: Path, name: str) -> None:
    asked = ("report", name, "--since", "2025-12-25", "--until", "2026-01-16", "--db", str(mixed))
    done = archiver(*asked)
    assert "·: not archived" in done.stderr
    assert any(mark in done.stdout for mark in BARS)
    for how in ("--csv", "--tsv", "--json", "--nl"):
        printed = archiver(*asked, how).stdout
        assert not any(mark in printed for mark in [*BARS, "·"])
        assert "days" not in printed.splitlines()[0]
    plain = archiver(*asked, PYTHONIOENCODING="ascii")
    assert plain.stdout.isascii()
    assert "\\u" not in plain.stdout
    assert "blank: not archived" in plain.stderr


def test_a_day_that_is_not_archived_or_has_another_grouping_has_no_bar(mixed: Path) -> None:
    printed = archiver(
        "report", "workspaces", "--since", "2025-12-30", "--until", "2026-01-10", "--db", str(mixed)
    ).stdout
    drawn = {line.split("  ")[0]: line.split()[-1] for line in printed.splitlines()[2:]}
    assert drawn[UNKNOWN].startswith("··")
    assert drawn[UNKNOWN].endswith("··")
    assert "·" not in drawn[UNKNOWN][2:9]
    assert drawn[NO_WORKSPACE].startswith("·" * 9)
    assert drawn["total"].count("·") == 2


def test_a_saved_query_separates_nulls_from_what_was_not_grouped(mixed: Path, tmp_path: Path) -> None:
    db = tmp_path / "wasteful.db"
    shutil.copy(mixed, db)
    with closing(sqlite3.connect(db)) as connection, connection:
        connection.execute("UPDATE _usage_fact SET cache_read_input_tokens = 0")
    done = archiver("query", "cache_waste", "--json", "--db", str(db))
    assert done.returncode == 0, done.stderr
    labelled = {
        (row["workspace_name"], row["model"] is None) for row in json.loads(done.stdout) if not row["workspace_id"]
    }
    assert labelled == {(NO_WORKSPACE, False), (UNKNOWN, True)}


def test_a_budget_shows_the_cost_that_is_not_grouped(shared_api: Simulator, mixed: Path, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(f"[budgets]\ntotal = 1000000\n[budgets.workspaces]\n'{NO_WORKSPACE}' = 1000000\n")
    done = archiver("report", "budget", "--json", "--config", str(config), "--db", str(mixed))
    total, default = (int(Decimal(row["spent_usd"]) * 10**8) for row in json.loads(done.stdout))
    assert [row["state"] for row in json.loads(done.stdout)] == ["kept", "unknown"]
    assert done.returncode == 3
    unknown = sum(billed(shared_api, TOTALS, KNOWN).values())
    assert (total, default) == (unknown + sum(billed(shared_api, KNOWN).values()), billed(shared_api, KNOWN)[None])
    assert f"{Decimal(unknown) / 10**8:,.2f} USD of days that are not grouped by workspace" in done.stderr
