"""The data of the charts of report pages, on round numbers."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.handmade import Handmade, cost_row, days, run, usage_row

if TYPE_CHECKING:
    from pathlib import Path

READ_AT = "2026-03-21T03:00:00"
KINDS = {"context_window": "0-200k", "service_tier": "standard"}
OUTPUT = {"cost_type": "tokens", "token_type": "output_tokens", "model": "m", "description": "m", **KINDS}


@pytest.fixture
def to_march(db: Path) -> Path:
    """Return 2026-02-01 to 03-20: workspace a costs 10 USD a day and 30 on the first Monday of March, b 4 USD."""
    cost = {}
    for day in days("2026-02-01", "2026-03-20"):
        cents = "3000" if day == "2026-03-02" else "1000"
        cost[day] = [cost_row(cents, workspace_id="a", **OUTPUT), cost_row("400", workspace_id="b", **OUTPUT)]
    handmade = Handmade(db)
    handmade.cost(cost, read_at=READ_AT)
    used = [usage_row(0, 0, 0, 0, 1000, model="m", workspace_id="a", api_key_id="k", **KINDS)]
    handmade.usage(dict.fromkeys(cost, used), read_at=READ_AT)
    return db


def page_of(db: Path, tmp_path: Path, *arguments: str) -> str:
    file = tmp_path / "page.html"
    done = run("report", *arguments, "--html", str(file), "--db", str(db))
    assert done.code in {0, 3}, done.stderr
    return file.read_text("utf-8")


def charts_of(page: str) -> list[dict[str, Any]]:
    found = re.search(r'<script type="application/json" id="figures">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    charts: list[dict[str, Any]] = json.loads(found[1])["charts"]
    return charts


def chart_of(db: Path, tmp_path: Path, *arguments: str) -> dict[str, Any]:
    (chart,) = charts_of(page_of(db, tmp_path, *arguments))
    return chart


def test_a_comparison_is_two_bars_each(to_march: Path, tmp_path: Path) -> None:
    chart = chart_of(to_march, tmp_path, "compare", "--month", "2026-03")
    # The first twenty days of both months: 200 and 220 USD of a, and 80 of b.
    assert [(one["name"], one["amount"]) for one in chart["names"]] == [("a", "+20.00 USD"), ("b", "0.00 USD")]
    assert [(one["place"], one["side"], one["value"]) for one in chart["rows"]] == [
        (0, 0, 200.0), (0, 1, 220.0), (1, 0, 80.0), (1, 1, 80.0)
    ]  # fmt: skip
    assert chart["rows"][0]["texts"] == [["before", "200.00 USD"], ["now", "220.00 USD"], ["change", "20.00 USD"]]


def test_a_budget_is_a_part_of_its_limit(to_march: Path, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text("[budgets]\ntotal = 400\n[budgets.workspaces]\nb = 100\n", encoding="utf-8")
    page = page_of(to_march, tmp_path, "budget", "--month", "2026-03", "--config", str(config))
    (chart,) = charts_of(page)
    # 300 USD in twenty days. Eleven more days cost 14, and Mondays, 23 and 30 March, 5 more: (30 + 10 + 10 + 10) / 4.
    assert [(one["name"], one["amount"]) for one in chart["names"]] == [
        ("total, 2026-03", "300.00 of 400.00"),
        ("b, 2026-03", "80.00 of 100.00"),
    ]
    assert [(one["place"], one["value"]) for one in chart["rows"]] == [
        (0, (300 + 11 * 14 + 2 * 5) / 400), (0, 300 / 400), (1, (80 + 11 * 4) / 100), (1, 80 / 100)
    ]  # fmt: skip
    assert [one["value"] for one in chart["ticks"]] == [1.0, 1.0]
    assert ["projected", "464.00 USD"] in chart["rows"][0]["texts"]
    assert "\N{FULL BLOCK}" not in page  # a chart draws what a terminal has characters for


def test_a_forecast_is_a_curve_and_a_range(to_march: Path, tmp_path: Path) -> None:
    chart = chart_of(to_march, tmp_path, "forecast", "--month", "2026-03")
    known = [one["value"] for one in chart["rows"] if one["part"] == "known"]
    assert known == [14.0] + [34 + 14.0 * n for n in range(1, 20)]
    first, *projected = (one for one in chart["rows"] if one["part"] == "projected")
    assert (first["value"], first["title"], len(projected)) == (300.0, "2026-03-20", 11)
    last = projected[-1]
    # Every day costs 14, and the cheapest Mondays too; the most expensive Monday costs 34, and there are two.
    assert (last["value"], last["low"], last["high"]) == (464.0, 454.0, 494.0)
    assert last["texts"] == [
        ["projected, USD", "464.00"],
        ["if days were the cheapest", "454.00"],
        ["if the most expensive", "494.00"],
    ]


def test_a_forecast_in_two_currencies_has_no_curve(db: Path, tmp_path: Path) -> None:
    rows = [cost_row("100", workspace_id="a", currency=currency, **OUTPUT) for currency in ("USD", "EUR")]
    Handmade(db).cost(dict.fromkeys(days("2026-03-01", "2026-03-20"), rows), read_at=READ_AT)
    assert charts_of(page_of(db, tmp_path, "forecast", "--month", "2026-03")) == []


def test_what_is_reconciled_is_added_up_by_state(to_march: Path, tmp_path: Path) -> None:
    handmade = Handmade(to_march)
    priority = [usage_row(7, model="m", workspace_id="a", api_key_id="k", **KINDS | {"service_tier": "priority"})]
    handmade.usage({"2026-03-21": priority}, read_at="2026-03-25T03:00:00")
    handmade.cost({"2026-03-21": []}, read_at="2026-03-25T03:00:00")
    chart = chart_of(to_march, tmp_path, "reconcile", "--since", "2026-03-20")
    assert [(one["name"], one["amount"]) for one in chart["names"]] == [
        ("billed and used", "14.00 USD, 1 line"),
        ("used without billing", "no cost, 1 line"),
    ]


def test_an_unusual_day_is_marked_on_the_curve(db: Path, tmp_path: Path) -> None:
    cost = {day: [cost_row("5000", workspace_id="a", **OUTPUT)] for day in days("2026-01-01", "2026-03-20")}
    cost["2026-03-10"] = [cost_row("20000", workspace_id="a", **OUTPUT)]
    Handmade(db).cost(cost, read_at=READ_AT)
    chart = chart_of(db, tmp_path, "spend")
    ((day, text),) = chart["marks"]
    assert (day, text) == (
        "2026-03-10",
        "the organisation cost 200.00 USD on 2026-03-10, 4.0 times the usual 50.00 (median of 8 Tuesdays)",
    )


def test_spend_by_team_has_a_chart_of_teams(to_march: Path, tmp_path: Path) -> None:
    teams = tmp_path / "teams.toml"
    teams.write_text('[[rule]]\nteam = "Research"\nworkspace = "a"\n', encoding="utf-8")
    chart = chart_of(to_march, tmp_path, "spend", "--by", "team", "--teams", str(teams))
    (facet,) = chart["facets"]
    sums = {one["name"]: sum(int(value or 0) for value in one["values"]) for one in facet["lines"]}
    # 48 days of 10 USD and 20 more, and 48 of 4; page.js divides by ten to the number of digits.
    assert {name: value / sums["(no team)"] for name, value in sums.items()} == {
        "Research": pytest.approx(500 / 192),
        "(no team)": 1,
    }


def test_the_month_to_date_has_its_change_on_the_same_days(to_march: Path, tmp_path: Path) -> None:
    page = page_of(to_march, tmp_path, "overview")
    # 300 USD in twenty days of March, 280 in those of February.
    assert "+7.1% on the same days of 2026-02; projected 464.00" in page
