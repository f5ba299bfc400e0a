"""Reports on small archives written by hand: one claim of each report at a time."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from archiver.model import NameKind
from archiver.offline.tables.money import Estimate
from archiver.offline.tables.table import keep_top, sum_by_currency
from tests.handmade import FINEST_USAGE, Handmade, UsageRow, cost_row, days, run, seconds, usage_row

if TYPE_CHECKING:
    from pathlib import Path

KIND = {"workspace_id": "w", "model": "m", "service_tier": "standard", "context_window": "0-200k"}
BY_REGION = ("api_key_id", "inference_geo", "model", "service_tier", "workspace_id")
READ_AT = "2026-02-10T03:00:00"


def report(db: Path, *arguments: str, code: int = 0) -> list[dict[str, Any]]:
    done = run("report", *arguments, "--json", "--db", str(db))
    assert done.code == code, done.stderr
    rows: list[dict[str, Any]] = done.rows()
    return rows


def values(rows: list[dict[str, Any]], *names: str) -> list[tuple[Any, ...]]:
    return [tuple(row[name] for name in names) for row in rows]


def tokens_cost(amount: str, token_type: str, geo: str = "global") -> Any:
    description = f"{token_type} {geo}"
    return cost_row(
        amount, **KIND, description=description, cost_type="tokens", token_type=token_type, inference_geo=geo
    )


def test_each_cost_is_shared_by_its_own_tokens(db: Path) -> None:
    """Shares 3:1, 1:3, 4:1, 1:4, 1:1 and 9:1; the searches of another workspace have no part in them."""
    made = Handmade(db)
    billed = [
        tokens_cost("400", "uncached_input_tokens"),
        tokens_cost("4000", "cache_creation.ephemeral_1h_input_tokens"),
        tokens_cost("50000", "cache_creation.ephemeral_5m_input_tokens"),
        tokens_cost("500000", "cache_read_input_tokens"),
        tokens_cost("2000000", "output_tokens"),
        cost_row("10000000", workspace_id="w", description="Web Search", cost_type="web_search"),
    ]
    used = [
        usage_row(3, 1, 4, 1, 1, 9, api_key_id="k1", **KIND),
        usage_row(1, 3, 1, 4, 1, 1, api_key_id="k2", **KIND),
        usage_row(5, 5, 5, 5, 5, 5, api_key_id="k3", **KIND | {"workspace_id": "v"}),
    ]
    made.cost({"2026-01-01": billed}, read_at=READ_AT)
    made.usage({"2026-01-01": used}, read_at=READ_AT)
    assert values(report(db, "keys"), "api_key", "amount_usd", "method") == [
        ("k1", "101413.00", "exact"),
        ("k2", "24131.00", "exact"),
    ]


@pytest.mark.parametrize(
    ("group_by", "read_at", "shares"),
    [
        (BY_REGION, READ_AT, {"k1": "30.00", "k2": "10.00"}),
        (BY_REGION, "2026-01-01T12:00:00", {"k1": "20.00", "k2": "20.00"}),
        (("api_key_id", "inference_geo"), READ_AT, {"k1": "20.00", "k2": "20.00"}),
    ],
)
def test_the_usage_that_shares_a_cost_is_whole_and_has_the_most_price_columns(
    db: Path, group_by: tuple[str, ...], read_at: str, shares: dict[str, str]
) -> None:
    def row(tokens: int, key: str) -> UsageRow:
        dimensions = KIND | {"api_key_id": key, "inference_geo": "global"}
        return usage_row(tokens, **{name: dimensions[name] for name in group_by})

    made = Handmade(db)
    made.usage({"2026-01-01": [row(3, "k1"), row(1, "k2")]}, read_at=read_at, group_by=group_by)
    canonical = [usage_row(1, api_key_id=key, **KIND) for key in ("k1", "k2")]
    made.usage({"2026-01-01": canonical}, read_at=READ_AT, group_by=FINEST_USAGE)
    made.cost({"2026-01-01": [tokens_cost("4000", "uncached_input_tokens")]}, read_at=READ_AT)
    assert {row["api_key"]: row["amount_usd"] for row in report(db, "keys")} == shares


def test_a_comparison_leaves_out_the_day_in_progress(db: Path) -> None:
    """Day n costs n dollars in December and ten times that in January, of which the 5th is in progress."""
    made = Handmade(db)
    whole = {f"2025-12-0{n}": [cost_row(f"{n}00", description="d")] for n in range(1, 6)}
    whole |= {f"2026-01-0{n}": [cost_row(f"{n}000", description="d")] for n in range(1, 5)}
    made.cost(whole, read_at="2026-01-05T03:00:00")
    made.cost({"2026-01-05": [cost_row("5000", description="d")]}, read_at="2026-01-05T12:00:00")
    names = ("month_before_usd", "same_days_before_usd", "same_days_usd", "this_month_usd", "change_usd")
    assert values(report(db, "compare", "--month", "2026-01"), *names) == [
        ("15.00", "10.00", "100.00", "150.00", "90.00")
    ]
    assert values(report(db, "compare", "--month", "2025-12"), *names) == [(None, None, None, "15.00", None)]


@pytest.fixture
def ten_days(db: Path) -> Handmade:
    """Return ten days of 100 USD each, and 7 EUR: January is projected to 3,100 USD."""
    made = Handmade(db)
    rows = [cost_row("6000", workspace_id="a", description="d"), cost_row("4000", workspace_id="b", description="d")]
    of_day = {day: list(rows) for day in days("2026-01-01", "2026-01-10")}
    of_day["2026-01-02"].append(cost_row("700", currency="EUR", workspace_id="a", description="d"))
    made.cost(of_day, read_at="2026-01-11T03:00:00")
    return made


def budget(made: Handmade, text: str, *arguments: str, code: int = 0) -> list[tuple[Any, ...]]:
    config = made.path.with_suffix(".toml")
    config.write_text(text)
    rows = report(made.path, "budget", "--month", "2026-01", "--config", str(config), *arguments, code=code)
    return values(rows, "budget", "spent_usd", "left_usd", "projected_usd", "state")


@pytest.mark.parametrize(
    ("limit", "left", "state", "codes"),
    [
        ("3100", "2100.00", "kept", (0, 0)),
        ("3099.99", "2099.99", "will be passed", (0, 3)),
        ("1000", "0.00", "will be passed", (0, 3)),
        ("999.99", "-0.01", "passed", (3, 3)),
    ],
)
def test_a_limit_is_passed_by_a_cent(
    ten_days: Handmade, limit: str, left: str, state: str, codes: tuple[int, int]
) -> None:
    expected = [("total", "1000.00", left, "3100.00", state)]
    assert budget(ten_days, f"[budgets]\ntotal = {limit}\n", code=codes[0]) == expected
    assert budget(ten_days, f"[budgets]\ntotal = {limit}\n", "--warn", code=codes[1]) == expected


def test_other_currencies_are_named_and_not_counted(ten_days: Handmade) -> None:
    config = ten_days.path.with_suffix(".toml")
    config.write_text("[budgets]\ntotal = 3100\n")
    done = run("report", "budget", "--month", "2026-01", "--config", str(config), "--db", str(ten_days.path))
    assert "costs in EUR are not in these numbers: budgets are in USD" in done.stderr


def test_a_budget_of_a_workspace_is_unknown_on_days_without_workspaces(ten_days: Handmade) -> None:
    rows = {"2026-01-11": [cost_row("10000", description="d")]}
    ten_days.cost(rows, read_at="2026-01-12T03:00:00", group_by=("description",))
    text = "[budgets]\ntotal = 3100\n[budgets.workspaces]\na = 1000000\n"
    (total, of_workspace) = budget(ten_days, text, code=3)
    assert total[:2] + total[4:] == ("total", "1100.00", "kept")
    assert of_workspace[:2] + of_workspace[4:] == ("a", "600.00", "unknown")


def test_a_budget_is_of_who_has_the_name_now(ten_days: Handmade) -> None:
    ten_days.names(NameKind.WORKSPACE, {"a": "Blue", "b": "Green"}, read_at="2026-01-01")
    ten_days.names(NameKind.WORKSPACE, {"a": "Red", "b": "Blue"}, read_at="2026-01-05")
    text = "[budgets.workspaces]\nBlue = 10000\nGreen = 10000\n"
    assert [row[:2] for row in budget(ten_days, text)] == [("Blue", "400.00"), ("Green", "400.00")]


def test_names_are_those_of_the_end_of_a_day(ten_days: Handmade) -> None:
    ten_days.names(NameKind.WORKSPACE, {"b": "First"}, read_at="2026-01-01")
    ten_days.names(NameKind.WORKSPACE, {"b": "Second"}, read_at="2026-01-03T23:59:59")
    ten_days.names(NameKind.WORKSPACE, {"b": "Third"}, read_at="2026-01-05T00:00:00")
    rows = report(
        ten_days.path, "spend", "--by", "day", "--by", "workspace", "--since", "2026-01-02", "--until", "2026-01-06"
    )
    assert [row["workspace"] for row in rows if row["workspace_id"] == "b"] == ["First", "Second", "Second", "Third"]
    by_name = report(ten_days.path, "spend", "--by", "workspace", "--until", "2026-01-05")
    assert values(by_name, "workspace", "currency", "amount_usd")[-1] == ("Second", "USD", "160.00")


def test_the_line_of_the_others_has_labels_by_month_too(ten_days: Handmade) -> None:
    rows = run("report", "spend", "--top", "1", "--json", "--db", str(ten_days.path)).rows()
    assert values(rows, "month", "workspace_id", "workspace")[-1] == ("(others)", None, "(others)")


def test_the_line_of_the_others_has_a_label(ten_days: Handmade) -> None:
    rows = report(ten_days.path, "workspaces", "--top", "1", "--since", "2026-01-03")
    assert values(rows, "workspace_id", "workspace", "amount_usd") == [
        ("a", "a", "480.00"),
        ("(others)", "(others)", "320.00"),
    ]


def test_reconcile_says_what_is_billed_and_what_is_used(db: Path) -> None:
    made = Handmade(db)
    made.cost(
        {"2026-01-01": [tokens_cost("1000", "uncached_input_tokens"), tokens_cost("500", "output_tokens")]},
        read_at=READ_AT,
    )
    made.usage({"2026-01-01": [usage_row(1_000_000, 7, api_key_id="k", **KIND)]}, read_at=READ_AT)
    rows = report(db, "reconcile", "--by", "token_type")
    assert values(rows, "token_type", "tokens", "amount_usd", "state") == [
        ("cache_creation.ephemeral_1h_input_tokens", 7, None, "used without billing"),
        ("output_tokens", 0, "5.00", "billed without usage"),
        ("uncached_input_tokens", 1_000_000, "10.00", "billed and used"),
    ]


def test_reconcile_is_of_the_days_of_both_reports_and_of_tokens(db: Path) -> None:
    made = Handmade(db)
    search = cost_row("90000", workspace_id="w", description="Web Search", cost_type="web_search")
    bill = [tokens_cost("1000", "uncached_input_tokens"), tokens_cost("3000", "output_tokens"), search]
    made.cost(dict.fromkeys(days("2026-01-01", "2026-01-02"), bill), read_at=READ_AT)
    used = [usage_row(1_000_000, 0, 0, 0, 2_000_000, 50, api_key_id="k", **KIND)]
    made.usage(dict.fromkeys(days("2026-01-02", "2026-01-03"), used), read_at=READ_AT)
    by = ("reconcile", "--by", "month", "--by", "token_type")
    names = ("token_type", "tokens", "amount_usd", "implied_price_usd", "state")
    assert values(report(db, *by), *names) == [
        ("output_tokens", 2_000_000, "30.00", "15.00", "billed and used"),
        ("uncached_input_tokens", 1_000_000, "10.00", "10.00", "billed and used"),
    ]
    assert values(report(db, *by, "--top", "1"), "tokens", "amount_usd") == [(2_000_000, "30.00"), (1_000_000, "10.00")]
    assert "2 days left out" in run("report", *by, "--db", str(db)).stderr


def test_changes_rank_losses_by_size_and_show_tokens_alone_and_days_that_are_gone(db: Path) -> None:
    made = Handmade(db)
    first = days("2026-01-01", "2026-01-03")

    def write(small: str, large: str, tokens: int, read_at: str) -> None:
        rows = [cost_row(small, workspace_id="v", description="d"), cost_row(large, workspace_id="w", description="d")]
        others = [cost_row(amount, workspace_id=one, description="d") for one, amount in (("u", "10"), ("free", "0"))]
        changed = {first[0]: rows} | dict.fromkeys(first[1:], others)
        made.cost(changed, read_at=read_at)
        made.usage({first[0]: [usage_row(tokens, workspace_id="x", model="m")]}, read_at=read_at)

    write("1000", "9000", 100, "2026-01-05T03:00:00")
    write("1200", "8500", 150, "2026-01-06T03:00:00")
    with closing(sqlite3.connect(db)) as connection, connection:
        connection.execute("DELETE FROM _chosen_day WHERE day_start = ?", (seconds("2026-01-03"),))
    asked = ("changes", "--since", "2026-01-05T12:00:00Z")
    names = ("workspace", "days", "was_usd", "now_usd", "change_usd", "was_tokens", "now_tokens", "change_tokens")
    assert values(report(db, *asked), *names) == [
        ("v", "changed", "10.00", "12.00", "2.00", None, None, None),
        ("w", "changed", "90.00", "85.00", "-5.00", None, None, None),
        ("x", "changed", None, None, None, 100, 150, 50),
        ("free", "gone", "0.00", None, "0.00", None, None, None),
        ("u", "gone", "0.10", None, "-0.10", None, None, None),
    ]
    assert values(report(db, *asked, "--top", "1"), "change_usd", "change_tokens") == [("-5.00", None), ("1.90", 50)]


def test_tokens_and_the_cache_rank_by_what_they_are_about(db: Path) -> None:
    made = Handmade(db)
    rows = [
        usage_row(60, 0, 0, 40, model="a"),
        usage_row(10, 10, 10, 30, 200, 999, model="b"),
        usage_row(50, 0, 0, 50, model="c"),
    ]
    made.usage({"2026-01-01": rows, "2026-01-03": []}, read_at=READ_AT, group_by=("model",))
    top = report(db, "tokens", "--by", "model", "--top", "1")
    assert values(top, "model", "uncached_input_tokens", "output_tokens") == [("b", 10, 200), ("(others)", 110, 0)]
    names = ("model", "cache_creation_input_tokens", "cache_read_input_tokens", "cache_hit_rate")
    assert values(report(db, "cache", "--by", "model", "--top", "1"), *names) == [
        ("c", 0, 50, 0.5),
        ("(others)", 20, 70, 0.4375),
    ]
    total = run("report", "cache", "--by", "model", "--db", str(db)).stdout.splitlines()[-1].split()
    assert total == ["total", "120", "20", "120", "46.2%"]
    by_day = report(db, "tokens", "--by", "day")
    assert values(by_day, "date", "uncached_input_tokens") == [("2026-01-01", 120), ("2026-01-03", 0)]


def test_the_others_and_totals_of_estimates_are_estimates_and_of_unknowns_unknown() -> None:
    rows: list[dict[str, Any]] = [
        {"name": name, "currency": "USD", "amount": amount, "before": None}
        for name, amount in (("a", 9), ("b", Estimate(5)), ("c", 1))
    ]
    others = keep_top(rows, 1, lambda row: row["amount"], ["amount", "before"]).rows[1]
    assert (others["amount"], others["before"]) == (6, None)
    assert isinstance(others["amount"], Estimate)
    assert isinstance(sum_by_currency(rows, "amount")["USD"], Estimate)


def test_usage_that_was_read_in_progress_shares_nothing(db: Path) -> None:
    made = Handmade(db)
    made.usage({"2026-01-01": [usage_row(1, api_key_id="k1", **KIND)]}, read_at="2026-01-01T12:00:00")
    made.usage({"2026-01-01": [usage_row(4, **KIND)]}, read_at=READ_AT, group_by=tuple(sorted(KIND)))
    made.cost({"2026-01-01": [tokens_cost("4000", "uncached_input_tokens")]}, read_at=READ_AT)
    assert values(report(db, "keys"), "api_key", "amount_usd") == [("(not grouped)", "40.00")]
    assert "usage of 1 of 1 days is not archived by API key" in run("report", "keys", "--db", str(db)).stderr


def test_one_key_pays_several_prices_exactly_and_shares_are_whole_microcents(db: Path) -> None:
    made = Handmade(db)
    regions = [tokens_cost("100.5", "uncached_input_tokens", geo) for geo in ("us", "eu")]
    made.cost({"2026-01-01": regions, "2026-01-02": [tokens_cost("1", "output_tokens")]}, read_at=READ_AT)
    shared = [usage_row(0, 0, 0, 0, 1, api_key_id=key, **KIND) for key in ("k1", "k2", "k3")]
    made.usage({"2026-01-01": [usage_row(1, api_key_id="k1", **KIND)], "2026-01-02": shared}, read_at=READ_AT)
    rows = values(report(db, "keys"), "api_key", "amount_usd", "method")
    assert rows[0] == ("k1", "2.01333334", "exact")
    assert sorted(rows[1:]) == [("k2", "0.00333333", "exact"), ("k3", "0.00333333", "exact")]


def test_the_month_of_a_report_is_that_of_the_last_day_by_then(db: Path) -> None:
    made = Handmade(db)
    made.cost({"2026-01-05": [cost_row("100", description="d")]}, read_at="2026-01-06T03:00:00")
    made.cost({"2026-02-05": [cost_row("900", description="d")]}, read_at="2026-02-06T03:00:00")
    then = report(db, "forecast", "--by", "description", "--as-of", "2026-01-06T12:00:00Z")
    assert values(then, "to_date_usd", "projected_usd") == [("1.00", "31.00")]
    assert values(report(db, "forecast", "--by", "description"), "to_date_usd") == [("9.00",)]


def test_people_see_a_label_in_place_of_an_api_null(db: Path) -> None:
    Handmade(db).cost({"2026-01-01": [cost_row("100", description="x")]}, read_at=READ_AT)
    shown = run("report", "spend", "--by", "model", "--by", "workspace", "--db", str(db)).stdout.splitlines()
    assert shown[-3].split()[:-1] == ["(default", "workspace)", "(none)", "USD", "1.00"]  # then a sparkline
    assert shown[-1].split()[:-1] == ["total", "1.00"]
