"""Budgets by workspace, key, model and team, of months, quarters and years, on round numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from archiver.model import NameKind
from archiver.offline.tables.sparkline import bar
from tests.handmade import Handmade, cost_row, days, run, usage_row
from tests.pseudo_terminal import on_a_terminal

if TYPE_CHECKING:
    from pathlib import Path

READ_AT = "2026-02-11T03:00:00"
KINDS = {"model": "m", "context_window": "0-200k", "service_tier": "standard"}


@pytest.fixture
def to_february(db: Path) -> Path:
    """Return 2026-01-01 to 02-10: workspace a costs 6 USD a day with model m, and b 4 USD with model n.

    Of the 6 USD, key k1 has a third and k2 two thirds.
    """
    tokens = {"cost_type": "tokens", "token_type": "output_tokens"}
    rows = [
        cost_row("600", workspace_id="a", description="m", **tokens, **KINDS),
        cost_row("400", workspace_id="b", description="n", **tokens, **(KINDS | {"model": "n"})),
    ]
    used = [usage_row(0, 0, 0, 0, n, workspace_id="a", api_key_id=key, **KINDS) for key, n in (("k1", 10), ("k2", 20))]
    handmade = Handmade(db)
    dates = days("2026-01-01", "2026-02-10")
    handmade.cost(dict.fromkeys(dates, rows), read_at=READ_AT)
    handmade.usage(dict.fromkeys(dates, used), read_at=READ_AT)
    handmade.names(NameKind.API_KEY, {"k1": "Invented key 1", "k2": "Invented key 2"}, read_at="2026-01-01T00:00:00")
    return db


def budget(db: Path, text: str, *arguments: str, code: int = 0) -> list[tuple[Any, ...]]:
    config = db.parent / "config.toml"
    config.write_text(text, encoding="utf-8")
    done = run("report", "budget", *arguments, "--json", "--config", str(config), "--db", str(db))
    assert done.code == code, done.stderr
    names = ("budget", "period", "spent_usd", "projected_usd", "passes_on", "state")
    return [tuple(row[name] for name in names) for row in done.rows()]


def test_a_month_a_quarter_and_a_year(to_february: Path) -> None:
    text = "[budgets]\ntotal = 255\n[budgets.quarter]\ntotal = 900\n[budgets.year]\ntotal = 410\n"
    # 10 USD a day. February has 28 days, the quarter 90, the year 365; 10 and 41 days are known.
    found = budget(to_february, text)
    assert found == [
        ("total", "2026-02", "100.00", "280.00", "2026-02-26", "will be passed"),
        ("total", "2026-Q1", "410.00", "900.00", None, "kept"),
        ("total", "2026", "410.00", "3650.00", "2026-02-11", "will be passed"),
    ]
    assert budget(to_february, text, "--warn", code=3) == found


def test_keys_models_and_workspaces(to_february: Path) -> None:
    text = (
        "[budgets.workspaces]\na = 59.99\n[budgets.keys]\n'Invented key 1' = 20\nk2 = 100\n[budgets.models]\nn = 113\n"
    )
    assert budget(to_february, text, code=3) == [
        ("a", "2026-02", "60.00", "168.00", "2026-02-10", "passed"),
        ("Invented key 1", "2026-02", "20.00", "56.00", "2026-02-11", "will be passed"),
        ("k2", "2026-02", "40.00", "112.00", "2026-02-26", "will be passed"),
        ("n", "2026-02", "40.00", "112.00", None, "kept"),
    ]


def test_teams_have_budgets(to_february: Path) -> None:
    (to_february.parent / "teams.toml").write_text('[[rule]]\nteam = "A"\nworkspace = "a"\n', encoding="utf-8")
    text = "teams = '{}'\n[budgets.teams]\nA = 160\n'(no team)' = 1000\n".format(to_february.parent / "teams.toml")
    assert budget(to_february, text) == [
        ("A", "2026-02", "60.00", "168.00", "2026-02-27", "will be passed"),
        ("(no team)", "2026-02", "40.00", "112.00", None, "kept"),
    ]


def test_a_limit_that_was_passed_has_the_day(to_february: Path) -> None:
    assert budget(to_february, "[budgets]\ntotal = 99.99\n", code=3)[0][4] == "2026-02-10"
    assert budget(to_february, "[budgets]\ntotal = 10\n", code=3)[0][4] == "2026-02-02"
    assert budget(to_february, "[budgets.year]\ntotal = 300\n", code=3)[0][4] == "2026-01-31"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[budgets.keys]\nk9 = 1\n", "no api key has or had that name"),
        ("[budgets.models]\nopus = 1\n", "no model has or had that name"),
        ("[budgets.teams]\nA = 1\n", "there are no teams"),
        ("[budgets.quarter]\ntotal = -1\n", "a budget in"),
        ("[budgets.quarter.year]\ntotal = 1\n", "is not as expected"),
        ("[budgets]\nkeys = 5\n", "is not as expected"),
        ("[budgets.month]\ntotal = 5\n", "is not as expected"),
        ("[budgets]\ntotal = true\n", "is True"),
        ("teams = 5\n", "`teams` in"),
    ],
)
def test_a_faulty_budget_is_a_clear_error(to_february: Path, text: str, said: str) -> None:
    config = to_february.parent / "config.toml"
    config.write_text(text, encoding="utf-8")
    done = run("report", "budget", "--config", str(config), "--db", str(to_february))
    assert (done.code, said in done.stderr) == (2, True), done.stderr


def test_a_quarter_with_days_that_are_not_archived_is_unknown(to_february: Path) -> None:
    config = to_february.parent / "config.toml"
    config.write_text("[budgets.year]\ntotal = 4000\n", encoding="utf-8")
    handmade = Handmade(to_february)
    rows = {"2026-02-20": [cost_row("100", workspace_id="a", description="m", model="m")]}
    handmade.cost(rows, read_at="2026-02-21T03:00:00")
    done = run("report", "budget", "--json", "--config", str(config), "--db", str(to_february))
    assert (done.code, done.rows()[0]["state"], done.rows()[0]["passes_on"]) == (3, "unknown", None)


@pytest.mark.parametrize(
    ("parts", "drawn"),
    [
        (None, ""),
        ((0.0, None), "·" * 12),
        ((0.5, 0.75), "█" * 6 + "▒" * 3 + "·" * 3),
        ((0.5, 1.2), "█" * 6 + "▒" * 5 + "▶"),
        ((3.0, 4.0), "█" * 11 + "▶"),
        ((1.0, 1.0), "█" * 12),
        ((-0.5, 0.25), "▒▒▒" + "·" * 9),
    ],
)
def test_bars(parts: tuple[float, float | None] | None, drawn: str) -> None:
    assert bar(parts) == drawn
    plain = bar(parts, ascii_only=True)
    assert plain.isascii()
    assert plain.translate(str.maketrans("#+.>", "█▒·▶")) == drawn


@pytest.mark.parametrize("columns", [60, 80, 120, 200])
def test_budgets_and_statements_fit_a_terminal(to_february: Path, columns: int) -> None:
    config, teams = to_february.parent / "config.toml", to_february.parent / "teams.toml"
    teams.write_text('[[rule]]\nteam = "A long invented name of a team"\nworkspace = "a"\n', encoding="utf-8")
    text = f"teams = '{teams}'\n[budgets]\ntotal = 255\n[budgets.teams]\n'A long invented name of a team' = 160\n"
    config.write_text(text, encoding="utf-8")
    at = ("--config", str(config), "--db", str(to_february))
    seen = on_a_terminal("report", "budget", *at, columns=columns, variables={"NO_COLOR": "1"})
    assert [line for line in seen.lines if len(line) > columns] == []
    assert ("2026-02-26" in seen.written, "280.00" in seen.written, seen.code) == (True, True, 0)
    booked = on_a_terminal("report", "statement", *at, columns=columns, variables={"NO_COLOR": "1"})
    assert all(len(line) <= columns for line in booked.lines)
    assert (booked.written.count("100.00"), booked.code) == (2, 3)
    coloured = on_a_terminal("report", "budget", *at, columns=columns).written
    assert "\x1b[33mwill be passed\x1b[0m" in coloured
    checked = on_a_terminal("teams", "check", *at, columns=columns)
    assert (checked.code, "b" in checked.written) == (3, True)
