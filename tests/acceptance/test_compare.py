"""`report compare` over any two periods, on round numbers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.handmade import Handmade, cost_row, days, run, usage_row
from tests.support import archiver

if TYPE_CHECKING:
    from pathlib import Path

READ_AT = "2026-06-30T03:00:00"


def compared(db: Path, *arguments: str) -> list[dict[str, Any]]:
    done = run("report", "compare", *arguments, "--json", "--db", str(db))
    assert done.code == 0, done.stderr
    rows: list[dict[str, Any]] = done.rows()
    return rows


@pytest.fixture
def half_a_year(db: Path) -> Path:
    """Return an archive where model a costs 1 USD a day, and b costs the number of the month in USD a day."""
    rows = {
        day: [cost_row("100", model="a", description="a"), cost_row(f"{int(day[5:7])}00", model="b", description="b")]
        for day in days("2026-01-01", "2026-06-29")
    }
    Handmade(db).cost(rows, read_at=READ_AT)
    return db


def test_quarters_are_compared_over_the_same_days(half_a_year: Path) -> None:
    a, b = sorted(compared(half_a_year, "--period", "2026-Q2", "--by", "model"), key=lambda row: str(row["model"]))
    # January to March has 31, 28 and 31 days; 90 days of both quarters are archived.
    assert (a["before_usd"], a["now_usd"], a["change_usd"], a["change_ratio"]) == ("90.00", "90.00", "0.00", 0)
    # 1 * 31 + 2 * 28 + 3 * 31 = 180; 4 * 30 + 5 * 31 + 6 * 29 = 449
    assert (b["before_usd"], b["now_usd"], b["same_days_usd"]) == ("180.00", "449.00", "449.00")
    assert (b["change_usd"], b["change_ratio"]) == ("269.00", 269 / 180)


def test_two_free_periods_and_weeks(half_a_year: Path) -> None:
    (row,) = compared(half_a_year, "--period", "2026-W20", "--with", "2026-W05", "--by", "workspace")
    # A week of May at 1 + 5 USD a day; the week from 2026-01-26 has six days of January and one of February.
    assert (row["before_usd"], row["now_usd"], row["change_usd"]) == ("15.00", "42.00", "27.00")
    (row,) = compared(half_a_year, "--period", "2026-05", "--with", "2026-02")
    assert (row["before_usd"], row["same_days_usd"], row["now_usd"]) == ("84.00", "168.00", "186.00")
    done = run("report", "compare", "--period", "2026-05", "--with", "2026-02", "--db", str(half_a_year))
    assert "change compares 28 days that are archived in both 2026-02 and 2026-05" in done.stderr


def test_the_largest_change_is_first(half_a_year: Path) -> None:
    by_now = compared(half_a_year, "--period", "2026-02", "--with", "2026-01", "--by", "model")
    assert [row["model"] for row in by_now] == ["b", "a"]
    back = ("--period", "2026-01", "--with", "2026-06", "--by", "model")
    assert [row["model"] for row in compared(half_a_year, *back, "--sort", "before")] == ["b", "a"]
    assert [row["model"] for row in compared(half_a_year, *back, "--sort", "change", "--top", "1")] == ["b", "(others)"]


def test_a_period_without_anything_before_has_no_ratio(half_a_year: Path) -> None:
    done = run("report", "compare", "--period", "2026-Q1", "--db", str(half_a_year), "--json")
    (row,) = done.rows()
    assert (row["before_usd"], row["change_usd"], row["change_ratio"], row["now_usd"]) == (None, None, None, "270.00")
    assert "nothing of 2025-Q4 is archived: there is no comparison" in done.stderr


def test_keys_and_people_are_compared_where_they_are_archived(db: Path) -> None:
    made = Handmade(db)
    march, april = days("2026-03-01", "2026-03-31"), days("2026-04-01", "2026-04-30")
    cost = cost_row("400", model="m", description="d", cost_type="tokens", token_type="uncached_input_tokens")
    made.cost({one: [cost] for one in (*march, *april)}, read_at=READ_AT)
    # In March the tokens of two keys share 4 USD a day as 1 to 3; in April the analytics report has the cost of each.
    used = [usage_row(1, api_key_id="k1", model="m"), usage_row(3, api_key_id="k2", model="m")]
    made.usage(dict.fromkeys(march, used), read_at=READ_AT)
    billed = [
        cost_row("150", api_key_id="k1", actor_id="u1", model="m"),
        cost_row("250", api_key_id="k2", actor_id="u2", model="m"),
    ]
    made.analytics_cost(dict.fromkeys(april, billed), read_at=READ_AT)
    by_key = {row["api_key_id"]: row for row in compared(db, "--period", "2026-04", "--by", "api_key")}
    assert (by_key["k1"]["month_before_usd"], by_key["k2"]["month_before_usd"]) == ("31.00", "93.00")
    people = {row["actor_id"]: row["this_month_usd"] for row in compared(db, "--period", "2026-04", "--by", "person")}
    assert people == {"u1": "45.00", "u2": "75.00"}
    assert by_key["k1"]["this_month_usd"] == "45.00"
    assert by_key["k2"]["this_month_usd"] == "75.00"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--period", "2026-04", "--month", "2026-04"), "--month and --period are both given"),
        (("--with", "2026-04"), "--with is given without --period"),
        (("--period", "soon"), "'soon' is not a period"),
        (("--by", "description", "--by", "person"), "cannot group by 'description' and 'person' at once"),
    ],
)
def test_what_has_no_meaning_is_refused(half_a_year: Path, arguments: tuple[str, ...], message: str) -> None:
    done = archiver("report", "compare", *arguments, "--db", str(half_a_year))
    assert done.returncode == 2
    assert message in done.stderr


def test_every_date_can_be_said(half_a_year: Path) -> None:
    yesterday = (datetime.now(UTC) - timedelta(days=1)).date()
    done = archiver("report", "spend", "--since", "yesterday", "--until", "today", "--db", str(half_a_year))
    assert done.returncode == 3
    assert f"no cost of {yesterday} is archived" in done.stderr
    rows = run("report", "models", "--period", "2026-Q1", "--json", "--db", str(half_a_year)).rows()
    assert {row["model"]: row["amount_usd"] for row in rows} == {"a": "90.00", "b": "180.00"}
    rows = run(
        "report", "models", "--since", "2026-02", "--until", "2026-03", "--json", "--db", str(half_a_year)
    ).rows()
    assert {row["model"]: row["amount_usd"] for row in rows} == {"a": "28.00", "b": "56.00"}
    done = archiver("report", "spend", "--since", "2026-13", "--db", str(half_a_year))
    assert done.returncode == 2
    assert "write it as 2026-10-05" in done.stderr


def test_an_estimate_is_to_the_cent(db: Path) -> None:
    made = Handmade(db)
    kind: Any = {"model": "m", "cost_type": "tokens", "token_type": "uncached_input_tokens"}
    # Tokens of two keys share two prices as 1 to 3, which the usage does not tell apart: 200.5 cents / 4 = 50.125.
    rows = [
        cost_row(amount, description=geo, inference_geo=geo, **kind)
        for geo, amount in (("us", "100.5"), ("global", "100"))
    ]
    made.cost({"2026-03-01": rows}, read_at=READ_AT)
    used = [usage_row(1, api_key_id="k1", model="m"), usage_row(3, api_key_id="k2", model="m")]
    made.usage({"2026-03-01": used}, read_at=READ_AT, group_by=("api_key_id", "model"))
    by_key = {row["api_key_id"]: row["this_month_usd"] for row in compared(db, "--month", "2026-03", "--by", "api_key")}
    assert by_key == {"k1": "0.50", "k2": "1.50"}


def test_a_change_from_credits_has_no_ratio(db: Path) -> None:
    made = Handmade(db)
    rows = {"2026-02-01": [cost_row("-100", description="credit")], "2026-03-01": [cost_row("50", description="d")]}
    for day, of_day in rows.items():
        made.cost({day: of_day}, read_at=READ_AT)
    (row,) = compared(db, "--month", "2026-03")
    assert (row["same_days_before_usd"], row["change_usd"], row["change_ratio"]) == ("-1.00", "1.50", None)
