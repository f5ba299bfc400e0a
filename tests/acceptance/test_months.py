"""A month against the one before, to its end and against its budgets, where names change and days are missing."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from archiver.model import Report
from archiver.plan.scope import Scope
from archiver.simulator import Settings, Simulator, background
from tests.support import NOW, archiver, day, sync

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Simulator, Path]]:
    db = tmp_path_factory.mktemp("months") / "archive.db"
    with background(Settings(first_day=date(2025, 12, 1), now=NOW, size=0.1)) as api:
        sync(api, db, Scope((Report.COST,)))
        yield api, db


@pytest.fixture
def renamed(world: tuple[Simulator, Path], tmp_path: Path) -> tuple[Path, str, str]:
    """Give an archive whose largest named workspace is called `Later` since January, its id, and its first name."""
    db = tmp_path / "renamed.db"
    shutil.copy(world[1], db)
    one = next(row for row in report(db, "workspaces", "--month", "2025-12") if row["workspace_name"])
    with closing(sqlite3.connect(db)) as connection, connection:
        connection.execute(
            "INSERT INTO name (kind, id, learnt_at, name, details) VALUES ('workspace', ?, ?, 'Later', '{}')",
            (one["workspace_id"], int(day("2026-01-03").timestamp())),
        )
        connection.execute("UPDATE name SET learnt_at = ? WHERE name <> 'Later'", (int(day("2025-12-01").timestamp()),))
    return db, one["workspace_id"], one["workspace_name"]


def report(db: Path, *arguments: str) -> Any:
    done = archiver("report", *arguments, "--json", "--db", str(db))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def budget(db: Path, tmp_path: Path, budgets: str, *arguments: str) -> Any:
    config = tmp_path / "config.toml"
    config.write_text(f"[budgets]\n{budgets}")
    return archiver("report", "budget", *arguments, "--json", "--config", str(config), "--db", str(db))


def archived(api: Simulator, db: Path, *ranges: tuple[str, str]) -> Path:
    for since, until in ranges:
        sync(api, db, Scope((Report.COST,), since=day(since), until=day(until)))
    return db


def test_a_budget_follows_a_workspace_through_its_names(renamed: tuple[Path, str, str], tmp_path: Path) -> None:
    db, one, first = renamed
    limits = "".join(f"'{name}' = 1\n" for name in (one, first, "Later"))
    for month in ("2025-12", "2026-01"):
        done = budget(db, tmp_path, f"[budgets.workspaces]\n{limits}", "--month", month)
        assert done.returncode == 3, done.stderr
        spent = [row["spent"] for row in json.loads(done.stdout)]
        told = {row["workspace_id"]: row["amount"] for row in report(db, "workspaces", "--month", month)}
        assert spent == [told[one]] * 3


def test_a_budget_of_nobody_is_refused(world: tuple[Simulator, Path], tmp_path: Path) -> None:
    done = budget(world[1], tmp_path, "[budgets.workspaces]\nReserch = 1\n")
    assert done.returncode == 2
    assert "'Reserch'" in done.stderr
    assert "hint: " in done.stderr


@pytest.mark.parametrize("name", ["compare", "forecast"])
def test_a_renamed_workspace_is_one_line_under_its_last_name(renamed: tuple[Path, str, str], name: str) -> None:
    db, one, _ = renamed
    rows = report(db, name, "--month", "2026-01")
    assert [row["workspace_name"] for row in rows if row["workspace_id"] == one] == ["Later"]


@pytest.mark.parametrize("name", ["compare", "forecast"])
@pytest.mark.parametrize("by", ["day", "month"])
def test_a_month_has_no_lines_by_time(world: tuple[Simulator, Path], name: str, by: str) -> None:
    done = archiver("report", name, "--by", by, "--db", str(world[1]))
    assert done.returncode == 2
    assert f"cannot be by '{by}'" in done.stderr


def test_days_that_are_not_archived_are_no_zero(world: tuple[Simulator, Path], tmp_path: Path) -> None:
    db = archived(world[0], tmp_path / "archive.db", ("2026-01-01", "2026-01-10"))
    for row in report(db, "compare", "--month", "2026-01"):
        assert (row["month_before"], row["same_days_before"], row["change"]) == (None, None, None)
        assert row["this_month"] is not None
    done = archiver("report", "compare", "--month", "2026-01", "--db", str(db))
    assert "9 of the first 9 days of 2026-01 are billed, against 0 of the first 9 of 2025-12" in done.stderr
    assert " 0.00" not in done.stdout.splitlines()[-1]
    archived(world[0], db, ("2025-12-05", "2025-12-20"))
    done = archiver("report", "compare", "--month", "2026-01", "--db", str(db))
    assert "against 5 of the first 9 of 2025-12" in done.stderr
    assert "(15 of 31 of the whole month)" in done.stderr
    assert {(row["this_month"], row["change"]) for row in report(db, "compare", "--month", "2026-02")} == {(None, None)}
    for how in ("--html", "--xlsx"):
        done = archiver("report", "compare", "--month", "2026-02", how, str(tmp_path / "file"), "--db", str(db))
        assert done.returncode == 0, done.stderr


def test_a_month_before_of_which_only_later_days_are_archived_has_no_same_days(
    world: tuple[Simulator, Path], tmp_path: Path
) -> None:
    db = archived(world[0], tmp_path / "archive.db", ("2026-01-01", "2026-01-04"), ("2025-12-20", "2026-01-01"))
    rows = report(db, "compare", "--month", "2026-01")
    assert {(row["same_days_before"], row["change"]) for row in rows} == {(None, None)}
    assert all(row["month_before"] is not None for row in rows)


def test_a_projection_takes_the_mean_of_the_days_that_are_archived(
    world: tuple[Simulator, Path], tmp_path: Path
) -> None:
    db = archived(world[0], tmp_path / "archive.db", ("2026-01-01", "2026-01-03"), ("2026-01-06", "2026-01-09"))
    done = archiver("report", "forecast", "--month", "2026-01", "--json", "--db", str(db))
    soon = report(db, "workspaces", "--since", "2026-01-02", "--until", "2026-01-09")
    recent = {row["workspace_id"]: row["amount_microcents"] for row in soon}
    for row in json.loads(done.stdout):
        to_date, projected = (int(Decimal(row[name]) * 10**8) for name in ("to_date", "projected"))
        assert projected == to_date + recent.get(row["workspace_id"], 0) * 23 // 4
    assert "5 of the first 8 days of 2026-01 are billed" in done.stderr
    assert "each of the 23 that are left is taken to cost what the 4 billed days of the last 7 did" in done.stderr
    total = sum(int(Decimal(row["projected"]) * 10**8) for row in json.loads(done.stdout))
    told = json.loads(budget(db, tmp_path, "total = 1000000\n", "--month", "2026-01").stdout)
    assert int(Decimal(told[0]["projected"]) * 10**8) == total


@pytest.mark.parametrize("name", ["compare", "forecast", "budget"])
def test_the_month_as_of_a_time_is_that_of_the_last_day_billed_then(
    world: tuple[Simulator, Path], tmp_path: Path, name: str
) -> None:
    db = archived(world[0], tmp_path / "archive.db", ("2025-12-20", "2025-12-25"), ("2026-01-01", "2026-01-05"))
    with closing(sqlite3.connect(db)) as connection, connection:
        connection.execute(
            "UPDATE bucket SET learnt_at = iif(bucket_start < ?, ?, ?)",
            [int(day(one).timestamp()) for one in ("2026-01-01", "2025-12-26", "2026-01-06")],
        )
    (tmp_path / "config.toml").write_text("[budgets]\ntotal = 1000000\n")
    asked = ("report", name, "--config", str(tmp_path / "config.toml"), "--db", str(db))
    assert "days of 2025-12 are billed" in archiver(*asked, "--as-of", "2025-12-27").stderr
    assert "days of 2026-01 are billed" in archiver(*asked, "--as-of", "2026-01-07").stderr
    assert "nothing of 2025-11 is archived" in archiver(*asked, "--as-of", "2025-11-27").stderr


@pytest.mark.parametrize("text", ["0001-01", "0001-02", "1999-12"])
def test_a_month_long_before_everything_is_refused(world: tuple[Simulator, Path], text: str) -> None:
    done = archiver("report", "compare", "--month", text, "--db", str(world[1]))
    assert done.returncode == 2, done.stderr
    assert archiver("report", "compare", "--month", "2000-01", "--db", str(world[1])).returncode == 0


def test_a_month_of_which_nothing_is_archived_keeps_no_budget(world: tuple[Simulator, Path], tmp_path: Path) -> None:
    api, whole = world
    used = tmp_path / "used.db"
    sync(api, used, Scope((Report.USAGE,), since=day("2026-01-01"), until=day("2026-01-05")))
    for db, *arguments in (
        (whole, "--month", "2020-01"),
        (whole, "--as-of", "2025-11-01"),
        (used, "--month", "2026-01"),
    ):
        done = budget(db, tmp_path, "total = 1\n[budgets.workspaces]\n'(default workspace)' = 1\n", *arguments)
        assert done.returncode == 0, done.stderr
        for row in json.loads(done.stdout):
            assert row["limit"] == "1.00000000"
            assert [row[name] for name in ("spent", "used", "left", "projected")] == [None] * 4
            assert row["state"] == "not archived"
        assert "note: nothing of " in done.stderr
        people = archiver("report", "forecast", *arguments, "--db", str(db))
        assert "0.00" not in people.stdout
        assert "note: nothing of " in people.stderr


@pytest.mark.parametrize("name", ["compare", "forecast", "budget", "reconcile", "spend"])
@pytest.mark.parametrize(("unit", "said"), [("usd", "amounts in USD, "), ("cents", "amounts in cents of USD, ")])
def test_people_are_told_what_amounts_are(
    world: tuple[Simulator, Path], tmp_path: Path, name: str, unit: str, said: str
) -> None:
    (tmp_path / "config.toml").write_text("[budgets]\ntotal = 1000000\n")
    asked = ("report", name, "--unit", unit, "--config", str(tmp_path / "config.toml"), "--db", str(world[1]))
    done = archiver(*asked, "--markdown")
    assert f"{said}from the cost report, not the invoice; priority tier is not included" in done.stderr
    assert ("(cents)" in done.stdout.splitlines()[0]) is (unit == "cents")
    assert "(cents)" not in archiver(*asked, "--csv").stdout
    assert said in archiver(*asked, "--html", "-").stdout
