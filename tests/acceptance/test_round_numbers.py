"""Every report on one hand-made archive of round numbers, held to values written by hand.

December 2025 is archived whole: workspace Alpha costs 60 USD a day, the default workspace 40. There is a credit of
500 USD, a cost of 7 EUR, and an amount of 18 fractional digits. Of January 2026 days 6 to 25 were never archived.
November 2025 is archived and has no cost. Alpha is renamed on the 3rd of January.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from archiver.model import NameKind
from tests.handmade import CostRow, Handmade, cost_row, days, run, usage_row
from tests.support import select

if TYPE_CHECKING:
    from pathlib import Path

ALPHA, DEFAULT = "wrkspc_alpha", None
TINY = "0.000000000000000001"  # cents: 18 fractional digits
DECEMBER = "2600.01176583800000000001"  # 31 * 100 - 500 + 0.011765838 + 1e-20


def input_tokens(workspace: str | None, model: str, geo: str = "global") -> dict[str, Any]:
    return {
        "workspace_id": workspace,
        "description": f"{model} Usage - Input Tokens ({geo})",
        "cost_type": "tokens",
        "model": model,
        "service_tier": "standard",
        "context_window": "0-200k",
        "token_type": "uncached_input_tokens",
        "inference_geo": geo,
    }


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("round") / "archive.db"
    made = Handmade(path)
    every_day = [
        cost_row("6000", **input_tokens(ALPHA, "model-a")),
        cost_row("4000.0", **input_tokens(DEFAULT, "model-b")),
    ]
    december = {day: list(every_day) for day in days("2025-12-01", "2025-12-31")}
    december["2025-12-10"].append(cost_row("700", currency="EUR", **input_tokens(ALPHA, "model-c")))
    december["2025-12-15"].append(cost_row("-50000", workspace_id=DEFAULT, description="Credit"))
    december["2025-12-20"] += [
        cost_row("1.1765838", **input_tokens(ALPHA, "model-a", "us")),
        cost_row(TINY, **input_tokens(ALPHA, "model-a", "eu")),
    ]
    november: dict[str, list[CostRow]] = {day: [] for day in days("2025-11-01", "2025-11-30")}
    january = dict.fromkeys([*days("2026-01-01", "2026-01-05"), *days("2026-01-26", "2026-01-31")], every_day)
    made.cost(november | december | january, read_at="2026-02-02T03:00:00")
    made.names(NameKind.WORKSPACE, {ALPHA: "Alpha"}, read_at="2025-12-01")
    made.names(NameKind.WORKSPACE, {ALPHA: "Renamed"}, read_at="2026-01-03")
    made.names(NameKind.API_KEY, {"apikey_1": "First", "apikey_2": "Second"}, read_at="2025-12-01")
    kind = {"workspace_id": ALPHA, "model": "model-a", "service_tier": "standard", "context_window": "0-200k"}
    other = kind | {"workspace_id": DEFAULT, "model": "model-b"}
    used = {
        day: [
            usage_row(300, 0, 0, 100, 10, api_key_id="apikey_1", **kind),
            usage_row(100, 0, 0, 0, 0, api_key_id="apikey_2", **kind),
            usage_row(50, 25, 25, 100, 5, 2, api_key_id=None, **other),
        ]
        for day in days("2025-12-01", "2025-12-31")
    }
    made.usage(used, read_at="2026-02-02T03:00:00")
    made.usage({"2026-02-02": [usage_row(7, api_key_id="apikey_1", **kind)]}, read_at="2026-02-02T03:00:00")
    return path


def report(db: Path, *arguments: str, code: int = 0) -> Any:
    done = run("report", *arguments, "--json", "--db", str(db))
    assert done.code == code, done.stderr
    return done.rows()


def amounts(rows: Any, name: str, column: str = "amount_usd") -> dict[Any, Any]:
    return {row[name]: row[column] for row in rows if row[column] is not None}


def test_spend_is_exact_to_eighteen_digits_and_each_currency_has_its_column(db: Path) -> None:
    rows = report(db, "spend", "--month", "2025-12")
    assert [(row["workspace"], row["currency"], row["amount_usd"], row["amount_eur"]) for row in rows] == [
        ("(default workspace)", "USD", "740.00", None),
        ("Alpha", "EUR", None, "7.00"),
        ("Alpha", "USD", "1860.01176583800000000001", None),
    ]
    assert [row["workspace_id"] for row in rows] == [None, ALPHA, ALPHA]


@pytest.mark.parametrize(
    ("by", "column", "expected"),
    [
        ("model", "model", {None: "-500.00", "model-a": "1860.01176583800000000001", "model-b": "1240.00"}),
        ("inference_geo", "inference_geo", {None: "-500.00", "global": "3100.00", "us": "0.011765838"}),
        ("cost_type", "cost_type", {None: "-500.00", "tokens": "3100.01176583800000000001"}),
        ("month", "month", {"2025-12": DECEMBER}),
    ],
)
def test_spend_by_a_dimension(db: Path, by: str, column: str, expected: dict[str | None, str]) -> None:
    found = amounts(report(db, "spend", "--month", "2025-12", "--by", by), column)
    assert {key: found[key] for key in expected} == expected


def test_cents_are_a_hundred_times_dollars_under_a_name_of_their_own(db: Path) -> None:
    rows = report(db, "workspaces", "--month", "2025-12", "--unit", "cents")
    assert "amount_usd" not in rows[0]
    assert [(row["workspace"], row["currency"], row["amount_cents"]) for row in rows] == [
        ("Alpha", "EUR", "700.00"),
        ("Alpha", "USD", "186001.176583800000000001"),
        ("(default workspace)", "USD", "74000.00"),
    ]


def test_the_total_is_of_each_currency(db: Path) -> None:
    done = run("report", "workspaces", "--month", "2025-12", "--db", str(db))
    assert done.stdout.splitlines()[-1].split()[:3] == ["total", "2,600.01", "7.00"]


def test_top_keeps_the_largest_and_adds_up_the_others(db: Path) -> None:
    rows = report(db, "models", "--month", "2025-12", "--top", "1")
    assert [(row["model"], row["amount_usd"] or row["amount_eur"]) for row in rows] == [
        ("model-c", "7.00"),
        ("model-a", "1860.01176583800000000001"),
        ("(others)", "740.00"),
    ]
    assert [round(row["share"], 4) for row in rows] == [1.0, 0.7154, 0.2846]


def test_a_month_that_is_archived_and_has_no_cost_is_zero(db: Path) -> None:
    assert amounts(report(db, "spend", "--by", "month", "--until", "2026-01-01"), "month") == {
        "2025-11": "0.00",
        "2025-12": DECEMBER,
    }
    assert run("report", "spend", "--month", "2025-11", "--db", str(db)).stdout.splitlines()[-1].split() == [
        "total",
        "0.00",
    ]


def test_a_day_that_is_not_archived_is_named_once(db: Path) -> None:
    done = run("report", "spend", "--since", "2026-03-01", "--until", "2026-03-02", "--db", str(db))
    assert done.code == 3
    assert "note: no cost of 2026-03-01 is archived; archived are 2025-11-01 to 2026-01-31" in done.stderr


@pytest.mark.parametrize(
    "name", ["spend", "workspaces", "models", "keys", "overview", "compare", "forecast", "reconcile"]
)
def test_a_month_that_is_not_archived_has_no_rows_and_no_total(db: Path, name: str) -> None:
    done = run("report", name, "--month", "2026-03", "--db", str(db))
    assert (done.code, done.stdout) == (3, "")
    assert (
        "note: no cost from 2026-03-01 to 2026-03-31 is archived; archived are 2025-11-01 to 2026-01-31" in done.stderr
    )
    assert report(db, name, "--month", "2026-03", code=3) == []


def test_missing_days_are_counted_next_to_the_numbers(db: Path) -> None:
    done = run("report", "spend", "--month", "2026-01", "--db", str(db))
    assert done.code == 0
    assert done.stdout.splitlines()[-1].split()[:2] == ["total", "1,100.00"]
    assert "20 of 31 days from 2026-01-01 to 2026-01-31 are not archived" in done.stderr
    assert "not archived" not in run("report", "spend", "--month", "2025-12", "--db", str(db)).stderr.split("days:")[0]


def test_a_forecast_projects_the_days_of_a_hole(db: Path) -> None:
    rows = report(db, "forecast", "--month", "2026-01")
    assert [(row["workspace"], row["to_date_usd"], row["projected_usd"]) for row in rows] == [
        ("Renamed", "660.00", "1860.00"),
        ("(default workspace)", "440.00", "1240.00"),
    ]
    total = run("report", "forecast", "--month", "2026-01", "--db", str(db)).stdout.splitlines()[-1].split()
    assert total == ["total", "1,100.00", "3,100.00"]


def test_a_forecast_of_a_whole_month_is_the_month(db: Path) -> None:
    rows = report(db, "forecast", "--month", "2025-12", "--by", "cost_type")
    assert {row["cost_type"]: row["projected_usd"] for row in rows if row["to_date_usd"]} == {
        None: "-500.00",
        "tokens": "3100.01",
    }


def test_a_comparison_is_of_the_same_days(db: Path) -> None:
    rows = {row["workspace_id"]: row for row in report(db, "compare", "--month", "2026-01") if row["currency"] == "USD"}
    names = ("month_before_usd", "same_days_before_usd", "same_days_usd", "this_month_usd", "change_usd")
    assert [rows[ALPHA][name] for name in names] == [
        "1860.01176583800000000001",
        "660.00",
        "660.00",
        "660.00",
        "0.00",
    ]
    assert [rows[None][name] for name in names] == ["740.00", "440.00", "440.00", "440.00", "0.00"]
    assert rows[ALPHA]["workspace"] == "Renamed"


@pytest.mark.parametrize(
    ("month", "total", "state"),
    [
        ("2026-01", 2000, "unknown"),
        ("2026-01", 1099, "passed"),
        ("2026-01", 1_000_000, "unknown"),
        ("2025-12", 2600, "passed"),
        ("2025-12", 2601, "kept"),
        ("2025-11", 1, "kept"),
        ("2026-03", 1, "unknown"),
    ],
)
def test_a_budget_is_kept_only_when_that_is_known(db: Path, tmp_path: Path, month: str, total: int, state: str) -> None:
    config = tmp_path / "config.toml"
    config.write_text(f"[budgets]\ntotal = {total}\n")
    (row,) = report(db, "budget", "--month", month, "--config", str(config), code=0 if state == "kept" else 3)
    assert (row["state"], row["limit_usd"]) == (state, f"{total}.00")
    if month == "2025-12":
        assert (row["spent_usd"], row["used"]) == (DECEMBER, round(2600.011765838 / total, 4))
        assert Decimal(row["left_usd"]) == total - Decimal(DECEMBER)


def test_a_budget_of_a_workspace_follows_its_names(db: Path, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text("[budgets.workspaces]\nAlpha = 2000\nRenamed = 1860\n'(default workspace)' = 700\n")
    rows = report(db, "budget", "--month", "2025-12", "--config", str(config), code=3)
    assert [(row["budget"], row["spent_usd"], row["state"]) for row in rows] == [
        ("Alpha", "1860.01176583800000000001", "kept"),
        ("Renamed", "1860.01176583800000000001", "passed"),
        ("(default workspace)", "740.00", "passed"),
    ]


def test_keys_get_the_money_of_their_tokens(db: Path) -> None:
    """Alpha's 60 USD a day are shared 3 to 1; on the 20th three regions share the tokens, so that is an estimate."""
    rows = report(db, "keys", "--since", "2025-12-01", "--until", "2025-12-10")
    assert [(row["api_key"], row["amount_usd"], row["method"]) for row in rows] == [
        ("First", "405.00", "exact"),
        ("(no API key)", "360.00", "exact"),
        ("Second", "135.00", "exact"),
    ]
    rows = report(db, "keys", "--since", "2025-12-15", "--until", "2025-12-21")
    assert [(row["api_key"], row["amount_usd"], row["method"]) for row in rows] == [
        ("First", "270.01", "estimated"),
        ("(no API key)", "240.00", "exact"),
        ("Second", "90.00", "estimated"),
        ("(not allocated)", "-500.00", "exact"),
    ]


def test_tokens_and_the_cache(db: Path) -> None:
    rows = report(db, "tokens", "--by", "api_key", "--month", "2025-12")
    assert [(row["api_key"], row["uncached_input_tokens"], row["output_tokens"]) for row in rows] == [
        ("(no API key)", 1550, 155),
        ("First", 9300, 310),
        ("Second", 3100, 0),
    ]
    rates = {row["model"]: row["cache_hit_rate"] for row in report(db, "cache", "--by", "model", "--month", "2025-12")}
    assert rates == {"model-a": 0.2, "model-b": 0.5}


def test_the_overview_has_a_line_a_month_and_currency(db: Path) -> None:
    rows = report(db, "overview")
    names = ("month", "currency", "amount_usd", "amount_eur", "tokens", "billed_days")
    assert [tuple(row[name] for name in names) for row in rows] == [
        ("2025-11", "USD", "0.00", None, None, 30),
        ("2025-12", "EUR", None, "7.00", 22165, 31),
        ("2025-12", "USD", DECEMBER, None, 22165, 31),
        ("2026-01", "USD", "1100.00", None, None, 11),
        ("2026-02", None, None, None, 7, 0),
    ]
    total = run("report", "overview", "--db", str(db)).stdout.splitlines()[-1].split()
    assert total == ["total", "3,700.01", "7.00", "22,172", "28.6%", "72"]


def test_a_day_in_progress_is_named(db: Path) -> None:
    done = run("report", "tokens", "--since", "2026-02-01", "--db", str(db))
    assert "2026-02-02 was read before the day ended" in done.stderr


def test_reconcile_compares_tokens_with_money(db: Path) -> None:
    rows = report(
        db, "reconcile", "--since", "2025-12-01", "--until", "2025-12-10", "--by", "model", "--by", "token_type"
    )
    found = {(row["model"], row["token_type"]): row for row in rows}
    billed = found["model-a", "uncached_input_tokens"]
    assert (billed["tokens"], billed["amount_usd"], billed["implied_price_usd"]) == (3600, "540.00", "150000.00")
    assert billed["state"] == "billed and used"
    assert found["model-a", "cache_read_input_tokens"]["state"] == "used without billing"


def test_before_the_first_sync_nothing_is_known(db: Path) -> None:
    done = run("report", "spend", "--as-of", "2025-06-01", "--db", str(db))
    assert (done.code, done.stdout) == (3, "")
    assert "no cost was archived as of 2025-06-01T00:00:00Z" in done.stderr


@pytest.mark.parametrize("how", ["--csv", "--tsv", "--json", "--nl", "--markdown"])
def test_every_format_has_the_same_numbers(db: Path, how: str) -> None:
    printed = run("report", "spend", "--by", "month", "--month", "2025-12", how, "--db", str(db)).stdout
    assert ("2,600.01" if how == "--markdown" else DECEMBER) in printed


def test_views_have_exact_sums_and_the_nearest_double(db: Path) -> None:
    sql = "SELECT amount, amount_microcents, amount_usd FROM monthly_cost WHERE inference_geo = 'us'"
    assert select(db, sql) == [("1.1765838", 1176584, 0.011765838)]
    assert select(db, "SELECT amount_usd FROM daily_cost WHERE inference_geo = 'us'") == [(0.011765838,)]
    assert select(db, "SELECT DISTINCT workspace FROM daily_cost ORDER BY 1") == [
        ("(default workspace)",),
        ("Alpha",),
        ("Renamed",),
    ]
