"""Tables on a real pseudo-terminal: they fit its width, and lose no number."""

from __future__ import annotations

import json
import re
import shutil
from typing import TYPE_CHECKING

import pytest

from archiver.offline.reports.registry import REPORTS
from archiver.offline.tables.write import display_width
from tests.handmade import Handmade, cost_row, days, run, usage_row
from tests.pseudo_terminal import on_a_terminal
from tests.support import archiver

if TYPE_CHECKING:
    from pathlib import Path

A, B = "wrkspc_01InventedWorkspaceAAAA", "wrkspc_01InventedWorkspaceAAAB"
MODELS = ("claude-invented-long-name-4-5-20251101", "claude-invented-long-name-4-5-20251102", "wide 模型 名前")
ARGUMENTS = {"changes": ("--since", "2026-02-10")}
NEEDS_MORE = {"budget", "statement"}  # a configuration, and a file of teams
KEYS = ("apikey_01InventedKeyAAAAAAAA", "apikey_01InventedKeyAAAAAAAB")
NUMBER = re.compile(r"-?[0-9][0-9,]*\.[0-9]{2}")


@pytest.fixture(scope="module")
def invented(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return forty days of two workspaces without names and three models: the last day is provisional."""
    db = tmp_path_factory.mktemp("terminal") / "archive.db"
    dates = days("2026-01-01", "2026-02-09")
    base = {
        "cost_type": "tokens",
        "token_type": "output_tokens",
        "context_window": "0-200k",
        "service_tier": "standard",
    }
    rows = {
        day: [
            cost_row(f"{n + 1}0000{m}", workspace_id=where, model=model, description=f"{model} output", **base)
            for m, model in enumerate(MODELS)
            for where in (A, B)
        ]
        for n, day in enumerate(dates)
    }
    handmade = Handmade(db)
    for day in dates:
        later = "2026-04-09T03:00:00" if day < "2026-02-09" else "2026-02-10T03:00:00"
        handmade.cost({day: rows[day]}, read_at=later)
    used = {
        day: [
            usage_row(1000, 0, 0, 500, 70, workspace_id=where, api_key_id=key, model=model)
            for where, key in zip((A, B), KEYS, strict=True)
            for model in MODELS
        ]
        for day in dates
    }
    handmade.usage(used, read_at="2026-04-09T03:00:00")
    return db


@pytest.mark.parametrize("columns", [40, 80, 120, 200])
@pytest.mark.parametrize("name", [name for name in REPORTS if name not in NEEDS_MORE])
def test_no_line_of_a_report_is_wider_than_the_terminal(invented: Path, name: str, columns: int) -> None:
    screen = on_a_terminal("report", name, *ARGUMENTS.get(name, ()), "--db", str(invented), columns=columns)
    assert screen.code in {0, 3}, screen.written
    assert "Traceback" not in screen.written
    too_wide = [line for line in screen.lines if display_width(line) > columns]
    assert not too_wide


@pytest.mark.parametrize("columns", [40, 80, 120, 200])
def test_numbers_are_whole_at_any_width(invented: Path, columns: int) -> None:
    arguments = ("report", "spend", "--by", "workspace", "--by", "model", "--db", str(invented))
    screen = on_a_terminal(*arguments, columns=columns)
    exact = [row["amount_usd"] for row in json.loads(run(*arguments, "--json").stdout)]
    shown = [float(one.replace(",", "")) for one in NUMBER.findall("\n".join(screen.lines))]
    assert shown == [*(round(float(one), 2) for one in exact), round(sum(map(float, exact)), 2)]
    # Two ids and two models that differ in their last character alone are two texts.
    found = {text for line in screen.lines for text in re.findall(r"wrkspc\S+", line)}
    assert len(found) == 2


def test_the_title_says_report_days_and_currency(invented: Path) -> None:
    screen = on_a_terminal("report", "models", "--db", str(invented), columns=120)
    assert screen.lines[0] == "models, 2026-01-01 to 2026-02-09, 40 days, 1 provisional, amounts in USD"
    assert screen.lines[1] == ""
    assert "currency" not in screen.lines[2]
    assert "\x1b[33mprovisional\x1b[0m" in screen.written
    until = on_a_terminal("report", "models", "--until", "2026-02-12", "--db", str(invented), columns=120)
    assert until.lines[0] == "models, 2026-01-01 to 2026-02-11, 42 days, 1 provisional, 2 not archived, amounts in USD"


def test_a_total_stands_under_a_rule(invented: Path) -> None:
    at = ("report", "models", "--db", str(invented))
    for lines in (on_a_terminal(*at, columns=120).lines, run(*at).stdout.splitlines()):
        total = next(i for i, line in enumerate(lines) if line.startswith("total"))
        assert set(lines[total - 1]) == {"-", " "}


def test_sparklines_are_halved_before_names_are_cut(invented: Path) -> None:
    def marks(columns: int) -> tuple[int, str]:
        screen = on_a_terminal("report", "models", "--db", str(invented), columns=columns)
        line = next(line for line in screen.lines if line.startswith("total"))
        return len(re.findall("[▁▂▃▄▅▆▇█·]", line)), " ".join(screen.lines)

    assert marks(100)[0] == 20
    assert "2 days a mark" in marks(100)[1]
    assert marks(75)[0] == 10
    assert "4 days a mark" in marks(75)[1]
    assert marks(62)[0] == 0
    assert "a mark" not in marks(62)[1]


def test_no_colour_where_it_is_not_wanted(invented: Path) -> None:
    at = ("report", "models", "--db", str(invented))
    assert "\x1b" in on_a_terminal(*at, columns=80).written
    for variables in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        assert "\x1b" not in on_a_terminal(*at, columns=80, variables=variables).written
    assert "\x1b" not in run(*at).stdout


def test_a_null_is_no_empty_text_and_no_rows_are_said(invented: Path) -> None:
    def on_terminal(*arguments: str) -> list[str]:
        return on_a_terminal(*arguments, columns=80).lines

    def in_a_file(*arguments: str) -> list[str]:
        return archiver(*arguments).stdout.splitlines()

    for ask in (on_terminal, in_a_file):
        lines = ask("query", "SELECT NULL AS a, '' AS b, 1 AS c UNION ALL SELECT 'x', 'y', 2", "--db", str(invented))
        assert [line.split() for line in lines] == [["a", "b", "c"], ["----", "-", "-"], ["NULL", "1"], ["x", "y", "2"]]
        nothing = ask("query", "SELECT 1 AS a WHERE 0", "--db", str(invented))
        assert [line.strip() for line in nothing] == ["a", "-", "(no rows)"]


def test_a_wide_result_is_one_block_a_row(invented: Path) -> None:
    names = [f"number_{i}" for i in range(12)]
    sql = "SELECT " + ", ".join(f"{i}123456789 AS {name}" for i, name in enumerate(names, 1))
    screen = on_a_terminal("query", sql, "--db", str(invented), columns=80)
    assert [line.split() for line in screen.lines] == [[name, f"{i}123456789"] for i, name in enumerate(names, 1)]


def test_a_million_rows_reach_the_terminal_in_tables_of_their_own(invented: Path) -> None:
    sql = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2500) SELECT i FROM n"
    screen = on_a_terminal("query", sql, "--db", str(invented), columns=80, lines=5000)
    numbers = [int(line) for line in screen.lines if line.strip().isdigit()]
    assert numbers == list(range(1, 2501))


def test_hostile_text_reaches_no_terminal(db: Path) -> None:
    Handmade(db).cost(
        {"2026-01-01": [cost_row("100", model="\x1b[2J\x07evil\r\nname", description="d")]},
        read_at="2026-03-01T00:00:00",
    )
    screen = on_a_terminal("report", "models", "--db", str(db), columns=80, variables={"NO_COLOR": "1"})
    assert "\x1b" not in screen.written
    assert r"\x1b[2J\x07evil\r\nname" in screen.written
    asked = on_a_terminal("query", "SELECT model FROM daily_cost", "--db", str(db), columns=80)
    assert r"\x1b[2J\x07evil" in asked.written
    assert "\x07" not in asked.written


def test_a_pager_gets_what_is_longer_than_the_screen(invented: Path) -> None:
    at = ("report", "spend", "--by", "day", "--db", str(invented))
    variables = {"PAGER": "sed s/^/paged:/"}
    paged = on_a_terminal(*at, columns=80, lines=20, variables=variables)
    assert sum(line.startswith("paged:2026-") for line in paged.lines) == 40
    assert any(line.startswith("note: ") for line in paged.lines)
    short = on_a_terminal(*at, columns=80, lines=100, variables=variables)
    assert not any(line.startswith("paged:") for line in short.lines)
    without = on_a_terminal(*at, "--no-pager", columns=80, lines=20, variables=variables)
    assert [line for line in without.lines if line.startswith("2026-")] == [
        line.removeprefix("paged:") for line in paged.lines if line.startswith("paged:2026-")
    ]
    sql = ("query", "SELECT date FROM daily_cost", "--db", str(invented))
    assert any(
        line.startswith("paged:") for line in on_a_terminal(*sql, columns=80, lines=20, variables=variables).lines
    )


def test_a_pager_that_is_missing_or_ends_early_loses_no_exit_code(invented: Path) -> None:
    at = ("report", "spend", "--by", "day", "--db", str(invented))
    missing = on_a_terminal(*at, columns=80, lines=20, variables={"PAGER": "no-such-invented-pager"})
    assert sum(line.startswith("2026-") for line in missing.lines) == 40
    early = on_a_terminal(*at, columns=80, lines=20, variables={"PAGER": "true"})
    assert (missing.code, early.code) == (0, 0)
    assert "Traceback" not in early.written
    sql = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000) SELECT i FROM n"
    ended = on_a_terminal("query", sql, "--db", str(invented), columns=80, lines=20, variables={"PAGER": "head -3"})
    assert ended.code == 0, ended.written
    assert "Traceback" not in ended.written


@pytest.mark.skipif(shutil.which("less") is None, reason="less is not installed")
def test_less_shows_the_first_screen_and_q_leaves_it(invented: Path) -> None:
    at = ("report", "spend", "--by", "day", "--db", str(invented))
    screen = on_a_terminal(*at, columns=80, lines=20, keys=b"q")
    assert screen.code == 0
    assert "2026-01-05" in screen.written
    assert "2026-02-09 " not in screen.written
