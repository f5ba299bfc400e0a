"""Reports by dimension, by key and of a month equal the simulator's rows to the last digit."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archiver.model import Report
from archiver.offline.allocation import allocate
from archiver.offline.periods import month
from archiver.plan.scope import Scope
from archiver.reports import COST
from archiver.simulator import Settings, Simulator, background
from tests.support import NOW, archiver, day, sync, truth

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COLUMN = {name: 2 + i for i, name in enumerate(COST.columns)}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Simulator, Path]]:
    db = tmp_path_factory.mktemp("world") / "archive.db"
    with background(Settings(first_day=date(2025, 11, 20), now=NOW, size=0.15)) as api:
        sync(api, db, Scope())
        yield api, db


def report(db: Path, *arguments: str) -> Any:
    done = archiver("report", *arguments, "--json", "--db", str(db))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def microcents(amount: str) -> int:
    return int(Decimal(amount) * 10**6)


def of_dollars(amount: str) -> int:
    return int(Decimal(amount) * 10**8)


def billed(api: Simulator, *by: str, since: str = "2025-11-20", until: str | None = None) -> dict[tuple[Any, ...], int]:
    """Return the simulator's microcents by columns of cost."""
    sums: dict[tuple[Any, ...], int] = defaultdict(int)
    end = None if until is None else day(until)
    for row in truth(api, "cost", "1d", ("workspace_id", "description"), day(since), end):
        sums[tuple(row[COLUMN[name]] for name in by)] += microcents(row[-1])
    return sums


@pytest.mark.parametrize("name", ["model", "service_tier", "token_type", "cost_type", "context_window", "description"])
def test_spend_by_any_dimension_is_the_truth(world: tuple[Simulator, Path], name: str) -> None:
    api, db = world
    reported = {(row[name],): row["amount_microcents"] for row in report(db, "spend", "--by", name)}
    assert reported == billed(api, name)


def test_the_largest_come_first_and_the_others_are_added_up(world: tuple[Simulator, Path]) -> None:
    api, db = world
    rows = report(db, "workspaces", "--top", "2")
    sums = sorted(billed(api, "workspace_id").values(), reverse=True)
    assert [row["amount_microcents"] for row in rows] == [*sums[:2], sum(sums[2:])]
    assert rows[-1]["workspace_id"] == "(others)"
    assert sum(row["share"] for row in rows) == pytest.approx(1)


def test_a_month_is_its_days(world: tuple[Simulator, Path]) -> None:
    api, db = world
    rows = report(db, "models", "--month", "2025-12")
    expected = billed(api, "model", since="2025-12-01", until="2026-01-01")
    assert {(row["model"],): row["amount_microcents"] for row in rows} == expected


def test_billed_money_is_allocated_to_keys(world: tuple[Simulator, Path]) -> None:
    """Exactly, or to the cent where one kind of tokens has several prices."""
    api, db = world
    rows = report(db, "keys")
    exact = fairly_shared(api)
    assert {row["api_key_id"] or row["api_key"] for row in rows} == {key or "(no API key)" for key in exact}
    lines = len(truth(api, "cost", "1d", ("workspace_id", "description"), day("2025-11-20")))
    for row in rows:
        share = exact[row["api_key"] if row["api_key"] == "(not allocated)" else row["api_key_id"]]
        if row["method"] == "exact":
            assert abs(row["amount_microcents"] - share) < lines
        else:
            assert abs(Decimal(row["amount_usd"]) * 10**8 - Decimal(float(share))) <= 500_000 + lines
            assert Decimal(row["amount_usd"]).as_tuple().exponent == -2
    assert {row["method"] for row in rows} == {"exact", "estimated"}
    total = archiver("report", "keys", "--db", str(db)).stdout.splitlines()[-1].split()[1]
    assert total == f"{Decimal(sum(billed(api).values())) / 10**8:,.2f}"


def fairly_shared(api: Simulator) -> dict[Any, Fraction]:
    """Return the microcents of each key, computed as fractions from the simulator's rows."""
    by = ("workspace_id", "api_key_id", "model", "service_tier", "context_window")
    kinds = (
        "uncached_input_tokens",
        "cache_creation.ephemeral_1h_input_tokens",
        "cache_creation.ephemeral_5m_input_tokens",
        "cache_read_input_tokens",
        "output_tokens",
    )
    weights: dict[Any, dict[Any, int]] = defaultdict(lambda: defaultdict(int))
    for start, _, workspace, key, model, tier, window, *rest in truth(api, "usage", "1d", by, day("2025-11-20")):
        for kind, count in zip(kinds, rest[-6:-1], strict=True):
            weights[start, workspace, model, tier, window, kind][key] += count
        weights[start, workspace][key] += rest[-1]
    shares: dict[Any, Fraction] = defaultdict(Fraction)
    bills: dict[Any, int] = defaultdict(int)
    for row in truth(api, "cost", "1d", ("workspace_id", "description"), day("2025-11-20")):
        workspace, _, cost_type, model, tier, window, kind = row[2:9]
        place = {"tokens": (row[0], workspace, model, tier, window, kind), "web_search": (row[0], workspace)}
        bills[place.get(cost_type)] += microcents(row[-1])
    for at, amount in bills.items():
        found = weights.get(at, {})
        whole = sum(found.values())
        for key, weight in found.items() if whole else [("(not allocated)", 1)]:
            shares[key] += Fraction(amount * weight, whole or 1)
    return {key: share for key, share in shares.items() if share}


@given(st.integers(-(10**15), 10**15), st.dictionaries(st.integers(0, 9), st.integers(0, 10**12), max_size=6))
def test_shares_add_up_and_are_never_a_unit_off(amount: int, weights: dict[int, int]) -> None:
    shares = allocate(amount, weights)
    whole = sum(weights.values())
    if not whole:
        assert shares == {}
        return
    assert sum(shares.values()) == amount
    assert all(abs(shares[key] - Fraction(amount * weight, whole)) < 1 for key, weight in weights.items())


def test_a_month_is_compared_with_the_same_days_and_all_of_the_one_before(world: tuple[Simulator, Path]) -> None:
    api, db = world
    rows = report(db, "compare", "--month", "2026-01")
    now = billed(api, "workspace_id", since="2026-01-01")
    whole = billed(api, "workspace_id", since="2025-12-01", until="2026-01-01")
    same = billed(api, "workspace_id", since="2025-12-01", until="2025-12-15")
    for row in rows:
        workspace = (row["workspace_id"],)
        reported = [
            of_dollars(row[f"{name}_usd"]) for name in ("month_before", "same_days_before", "this_month", "change")
        ]
        assert reported == [
            whole[workspace],
            same[workspace],
            now[workspace],
            now[workspace] - same[workspace],
        ]
    assert {(row["workspace_id"],) for row in rows} == {*now, *whole}


def test_a_forecast_takes_the_same_weekdays_of_the_last_four_weeks(world: tuple[Simulator, Path]) -> None:
    api, db = world
    daily: dict[tuple[Any, str], int] = defaultdict(int)
    for row in truth(api, "cost", "1d", ("workspace_id", "description"), day("2025-12-18")):
        if not row[-1].startswith("-"):  # credits are one-off
            daily[row[2], row[0][:10]] += microcents(row[-1])
    now = billed(api, "workspace_id", since="2026-01-01")
    recent = [date(2025, 12, 18) + timedelta(days=i) for i in range(28)]  # the last whole day is 2026-01-14
    for row in report(db, "forecast", "--month", "2026-01"):
        workspace = row["workspace_id"]
        expected = Fraction(now[(workspace,)])
        for number in range(15, 32):
            same = [one for one in recent if one.weekday() == date(2026, 1, number).weekday()]
            assert len(same) == 4
            expected += Fraction(sum(daily[workspace, f"{one}"] for one in same), 4)
        assert of_dollars(row["to_date_usd"]) == now[(workspace,)]
        assert abs(of_dollars(row["projected_usd"]) - expected) <= 500_000  # half a cent


@pytest.mark.parametrize(("factor", "code", "state"), [(2, 0, "kept"), (Fraction(1, 2), 3, "passed")])
def test_a_budget_that_is_passed_is_exit_code_3(
    world: tuple[Simulator, Path], tmp_path: Path, factor: Fraction, code: int, state: str
) -> None:
    api, db = world
    spent = sum(billed(api, since="2025-12-01", until="2026-01-01").values()) / 10**8
    config = tmp_path / "config.toml"
    config.write_text(
        f"[budgets]\ntotal = {float(spent * factor):.2f}\n[budgets.workspaces]\n'(default workspace)' = 1000000\n"
    )
    asked = ("report", "budget", "--month", "2025-12", "--json", "--db", str(db), "--config", str(config))
    done = archiver(*asked)
    assert done.returncode == code, done.stderr
    total, default = json.loads(done.stdout)
    assert (total["state"], default["state"]) == (state, "kept")
    assert float(total["spent_usd"]) == pytest.approx(spent)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["budget"], "no budget"),
        (["spend", "--month", "2026-13"], "not a month"),
        (["spend", "--month", "2026-01", "--since", "2026-01-01"], "both given"),
        (["forecast", "--since", "2026-01-01"], "'--since'"),
        (["tokens", "--by", "description"], "cannot group tokens by"),
    ],
)
def test_wrong_options_are_an_error_with_a_message(
    world: tuple[Simulator, Path], arguments: list[str], message: str
) -> None:
    done = archiver("report", *arguments, "--db", str(world[1]))
    assert done.returncode == 2
    assert message in done.stderr


@pytest.mark.parametrize("limit", ["'much'", "-1", "nan", "true"])
def test_a_budget_that_is_no_amount_is_refused(world: tuple[Simulator, Path], tmp_path: Path, limit: str) -> None:
    config = tmp_path / "config.toml"
    config.write_text(f"[budgets]\ntotal = {limit}\n")
    assert archiver("report", "budget", "--db", str(world[1]), "--config", str(config)).returncode == 2


def test_text_has_names_totals_and_labels_for_nulls(world: tuple[Simulator, Path]) -> None:
    done = archiver("report", "keys", "--by", "workspace", "--by", "api_key", "--db", str(world[1]))
    assert "(default workspace)" in done.stdout
    assert "(no API key)" in done.stdout
    assert "workspace_id" not in done.stdout
    assert done.stdout.splitlines()[-1].startswith("total")
    assert "allocated" in done.stderr


def test_markdown_is_a_table_that_markup_does_not_break(world: tuple[Simulator, Path]) -> None:
    done = archiver("report", "spend", "--by", "description", "--markdown", "--db", str(world[1]))
    lines = done.stdout.splitlines()
    assert lines[0] == "| description | currency | amount\\_usd | days |"
    assert lines[1] == "|---|---|---:|---|"
    assert {line.count("|") - line.count("\\|") for line in lines} == {5}


def test_months_follow_each_other() -> None:
    assert month("2026-01").before() == month("2025-12")
    assert month("2024-02").days == 29


def test_use_and_billing_are_put_side_by_side(world: tuple[Simulator, Path]) -> None:
    api, db = world
    rows = report(db, "reconcile", "--month", "2025-12")
    dimensions = ("model", "service_tier", "context_window", "token_type")
    costs = billed(api, "cost_type", *dimensions, since="2025-12-01", until="2026-01-01")
    expected = {group[1:]: amount for group, amount in costs.items() if group[0] == "tokens"}
    reported = {
        tuple(row[name] for name in dimensions): of_dollars(row["amount_usd"]) for row in rows if row["amount_usd"]
    }
    assert reported == expected
    tokens: dict[tuple[Any, ...], int] = defaultdict(int)
    by = ("model", "service_tier", "context_window")
    for row in truth(api, "usage", "1d", by, day("2025-12-01"), day("2026-01-01")):
        tokens[(*row[4:7], "output_tokens")] += row[-2]
    for row in rows:
        group = tuple(row[name] for name in dimensions)
        if group[3] == "output_tokens":
            assert row["tokens"] == tokens[group]
        if row["service_tier"] == "priority":
            assert row["state"] == "used without billing"
        if row["amount_usd"] and row["tokens"]:
            implied = Decimal(row["implied_price_usd"]) * row["tokens"] / 10**6
            assert implied == pytest.approx(Decimal(row["amount_usd"]), rel=Decimal("1e-12"))
    assert {row["state"] for row in rows} >= {"billed and used", "used without billing"}


def test_use_is_not_called_unbilled_on_days_whose_billing_is_not_archived_or_not_itemised(
    world: tuple[Simulator, Path], tmp_path: Path
) -> None:
    api, whole = world
    db = tmp_path / "archive.db"
    sync(api, db, Scope((Report.USAGE,), since=day("2025-12-01"), until=day("2025-12-11")))
    sync(api, db, Scope((Report.COST,), group_by=("none",), since=day("2025-12-03"), until=day("2025-12-05")))
    sync(api, db, Scope((Report.COST,), since=day("2025-12-05"), until=day("2025-12-11")))
    assert report(db, "reconcile") == report(whole, "reconcile", "--since", "2025-12-05", "--until", "2025-12-11")
    assert "4 days left out: " in archiver("report", "reconcile", "--db", str(db)).stderr
