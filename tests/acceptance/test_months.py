"""A month against the one before, to its end and against its budgets, where names change and days are missing."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from archiver.model import Report
from archiver.plan.scope import Scope
from archiver.simulator import Settings, Simulator, background
from tests.handmade import Handmade, cost_row, days, run
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
    """Return an archive where the largest named workspace is `Later` since January, with its id and old name."""
    db = tmp_path / "renamed.db"
    shutil.copy(world[1], db)
    one = next(row for row in report(db, "workspaces", "--month", "2025-12") if row["workspace_id"])
    with closing(sqlite3.connect(db)) as connection, connection:
        connection.execute(
            "INSERT INTO _name (kind, id, learnt_at, name, details) VALUES ('workspace', ?, ?, 'Later', '{}')",
            (one["workspace_id"], int(day("2026-01-03").timestamp())),
        )
        connection.execute(
            "UPDATE _name SET learnt_at = ? WHERE name <> 'Later'", (int(day("2025-12-01").timestamp()),)
        )
    return db, one["workspace_id"], one["workspace"]


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
        spent = [row["spent_usd"] for row in json.loads(done.stdout)]
        reported = {row["workspace_id"]: row["amount_usd"] for row in report(db, "workspaces", "--month", month)}
        assert spent == [reported[one]] * 3


def test_a_budget_of_an_unknown_workspace_is_refused(world: tuple[Simulator, Path], tmp_path: Path) -> None:
    done = budget(world[1], tmp_path, "[budgets.workspaces]\nReserch = 1\n")
    assert done.returncode == 2
    assert "'Reserch'" in done.stderr
    assert "hint: " in done.stderr


@pytest.mark.parametrize("name", ["compare", "forecast"])
def test_a_renamed_workspace_is_one_line_under_its_last_name(renamed: tuple[Path, str, str], name: str) -> None:
    db, one, _ = renamed
    rows = report(db, name, "--month", "2026-01")
    assert [row["workspace"] for row in rows if row["workspace_id"] == one] == ["Later"]


@pytest.mark.parametrize("name", ["compare", "forecast"])
@pytest.mark.parametrize("by", ["day", "month"])
def test_a_month_has_no_lines_by_time(world: tuple[Simulator, Path], name: str, by: str) -> None:
    done = archiver("report", name, "--by", by, "--db", str(world[1]))
    assert done.returncode == 2
    assert f"cannot group {name} by '{by}'" in done.stderr


def test_days_that_are_not_archived_are_no_zero(world: tuple[Simulator, Path], tmp_path: Path) -> None:
    db = archived(world[0], tmp_path / "archive.db", ("2026-01-01", "2026-01-10"))
    for row in report(db, "compare", "--month", "2026-01"):
        assert [row[f"{name}_usd"] for name in ("month_before", "same_days_before", "change")] == [None] * 3
        assert row["this_month_usd"] is not None
    done = archiver("report", "compare", "--month", "2026-01", "--db", str(db))
    assert "nothing of 2025-12 is archived: there is no comparison" in done.stderr
    assert " 0.00" not in done.stdout.splitlines()[-1]
    archived(world[0], db, ("2025-12-05", "2025-12-20"))
    done = archiver("report", "compare", "--month", "2026-01", "--db", str(db))
    assert "change compares 5 days that are archived in both 2025-12 and 2026-01" in done.stderr
    assert "16 of 31 days from 2025-12-01 to 2025-12-31 are not archived" in done.stderr


@pytest.mark.parametrize("name", ["compare", "forecast", "budget"])
def test_the_month_as_of_a_time_is_that_of_the_last_day_archived_then(db: Path, tmp_path: Path, name: str) -> None:
    made = Handmade(db)
    made.cost({one: [cost_row("100")] for one in days("2025-12-20", "2025-12-24")}, read_at="2025-12-26T03:00:00")
    made.cost({one: [cost_row("100")] for one in days("2026-01-01", "2026-01-04")}, read_at="2026-01-06T03:00:00")
    (tmp_path / "config.toml").write_text("[budgets]\ntotal = 1000000\n")
    asked = ("report", name, "--config", str(tmp_path / "config.toml"), "--db", str(db))
    assert "from 2025-12-01 to 2025-12-31" in run(*asked, "--as-of", "2025-12-27").stderr
    assert "from 2026-01-01 to 2026-01-31" in run(*asked, "--as-of", "2026-01-07").stderr
    done = run(*asked, "--as-of", "2025-11-27")
    assert "no cost was archived as of 2025-11-27T00:00:00Z" in done.stderr
    assert done.code == 3


@pytest.mark.parametrize("text", ["0001-01", "0001-02", "1999-12"])
def test_a_month_long_before_everything_is_refused(world: tuple[Simulator, Path], text: str) -> None:
    done = archiver("report", "compare", "--month", text, "--db", str(world[1]))
    assert done.returncode == 2, done.stderr
    assert archiver("report", "compare", "--month", "2000-01", "--db", str(world[1])).returncode == 3
