"""All widths and groupings of the simulated reports have the same sums, to the last digit."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import combinations, pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archiver.simulator import DIMENSIONS, Settings, Simulator

NOW = datetime(2026, 1, 15, 12, 30, tzinfo=UTC)
SIMULATOR = Simulator(Settings(first_day=date(2025, 11, 1), now=NOW))
START = datetime(2025, 12, 28, tzinfo=UTC)
END = datetime(2026, 1, 16, tzinfo=UTC)
WIDTHS = {"1d": timedelta(days=1), "1h": timedelta(hours=1), "1m": timedelta(minutes=1)}
COST_GROUPINGS = [(), ("workspace_id",), ("description",), ("workspace_id", "description")]


def usage_total(**query: Any) -> Counter[str]:
    total: Counter[str] = Counter()
    for bucket in SIMULATOR.truth(start=START, end=END, **query):
        for row in bucket["results"]:
            total.update({name: value for name, value in row.items() if isinstance(value, int)})
            total.update(row["cache_creation"])
            total.update(row["server_tool_use"])
    return total


def cost_rows(group_by: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    buckets = SIMULATOR.truth(report="cost", start=START, end=END, group_by=group_by)
    return [row for bucket in buckets for row in bucket["results"]]


@settings(deadline=None, max_examples=40)
@given(st.sets(st.sampled_from(DIMENSIONS)))
def test_every_grouping_sums_to_the_total(group_by: set[str]) -> None:
    assert usage_total(group_by=tuple(group_by)) == usage_total()


@pytest.mark.parametrize("width", ["1h", "1m"])
def test_every_width_sums_to_the_total_of_days(width: str) -> None:
    assert usage_total(bucket_width=width, group_by=("model",)) == usage_total()


def test_filters_that_share_out_a_dimension_sum_to_the_total() -> None:
    tiers = ("standard", "batch", "priority", "priority_on_demand", "flex", "flex_discount")
    parts = [usage_total(filters={"service_tier": (tier,)}) for tier in tiers]
    assert sum(parts, Counter()) == usage_total()


def test_two_filters_are_both_applied() -> None:
    filters = {"service_tier": ("batch",), "context_window": ("0-200k",)}
    both = usage_total(filters=filters)
    grouped = SIMULATOR.truth(start=START, end=END, group_by=tuple(filters))
    rows = [row for bucket in grouped for row in bucket["results"]]
    chosen = [row for row in rows if row["service_tier"] == "batch" and row["context_window"] == "0-200k"]
    assert both["output_tokens"] == sum(row["output_tokens"] for row in chosen) > 0


def test_a_grouping_has_one_row_for_each_combination() -> None:
    for bucket in SIMULATOR.truth(start=START, end=END, group_by=DIMENSIONS):
        keys = [tuple(row[name] for name in DIMENSIONS) for row in bucket["results"]]
        assert len(keys) == len(set(keys))


@pytest.mark.parametrize(("one", "other"), list(combinations(COST_GROUPINGS, 2)))
def test_every_grouping_of_cost_sums_to_the_same_money(one: tuple[str, ...], other: tuple[str, ...]) -> None:
    amounts = [sum(Decimal(row["amount"]) for row in cost_rows(group_by)) for group_by in (one, other)]
    assert amounts[0] == amounts[1] != 0


def test_amounts_are_cents_with_six_fractional_digits() -> None:
    amounts = [row["amount"] for row in cost_rows(("description",))]
    assert all(len(amount.partition(".")[2]) == 6 for amount in amounts)
    assert any(amount[-1] != "0" for amount in amounts)


def test_token_cost_is_exactly_use_times_an_invented_price() -> None:
    tokens = sum(
        row["output_tokens"]
        for bucket in SIMULATOR.truth(
            start=START, end=NOW, group_by=("model", "service_tier", "context_window", "inference_geo")
        )
        for row in bucket["results"]
        if (row["model"], row["service_tier"], row["context_window"], row["inference_geo"])
        == ("claude-haiku-4-5-20251001", "batch", "0-200k", "us")
    )
    cost = sum(
        Decimal(row["amount"])
        for row in cost_rows(("description",))
        if (row["model"], row["service_tier"], row["token_type"], row["inference_geo"])
        == ("claude-haiku-4-5-20251001", "batch", "output_tokens", "us")
    )
    assert cost == tokens * Decimal(400 * 5 * 11) / 10 / 2 / 1_000_000 > 0


def test_priority_tier_is_used_and_never_costs() -> None:
    assert usage_total(filters={"service_tier": ("priority",)})["output_tokens"] > 0
    assert "priority" not in {row["service_tier"] for row in cost_rows(("description",))}


def test_every_documented_kind_of_cost_is_there() -> None:
    kinds = {row["cost_type"] for row in cost_rows(("description",))}
    assert kinds == {"tokens", "web_search", "code_execution", "session_usage"}


def test_the_parsed_fields_are_null_unless_grouped_by_description() -> None:
    parsed = ("description", "model", "service_tier", "context_window", "token_type", "cost_type")
    for row in cost_rows(("workspace_id",)):
        assert [row[name] for name in (*parsed, "inference_geo")] == [None] * 7


def test_there_is_one_credit_with_a_negative_amount() -> None:
    credit = datetime(2025, 11, 21, tzinfo=UTC)
    assert SIMULATOR.credit_day == credit.date()
    (bucket,) = SIMULATOR.truth(report="cost", start=credit, end=credit + timedelta(days=1), group_by=("description",))
    assert [row["amount"] for row in bucket["results"] if row["amount"].startswith("-")] == ["-123.456789"]


def test_buckets_follow_each_other_without_a_hole() -> None:
    for name, width in WIDTHS.items():
        buckets = SIMULATOR.truth(start=START, end=START + timedelta(days=2), bucket_width=name)
        assert len(buckets) == timedelta(days=2) // width
        assert all(a["ending_at"] == b["starting_at"] for a, b in pairwise(buckets))


def test_two_currencies_are_rows_of_their_own_and_change_no_amount() -> None:
    simulator = Simulator(Settings(first_day=date(2025, 11, 1), now=NOW, currencies=("USD", "EUR")))
    query: dict[str, Any] = {"report": "cost", "start": START, "end": END}
    rows = [row for bucket in simulator.truth(**query) for row in bucket["results"]]
    assert {row["currency"] for row in rows} == {"USD", "EUR"}
    assert all(len(bucket["results"]) <= 2 for bucket in simulator.truth(**query))
    assert sum(Decimal(row["amount"]) for row in rows) == sum(Decimal(row["amount"]) for row in cost_rows())


def test_a_workspace_is_billed_in_one_currency_and_the_default_one_in_the_first() -> None:
    simulator = Simulator(Settings(first_day=date(2025, 11, 1), now=NOW, currencies=("USD", "EUR")))
    buckets = simulator.truth(report="cost", start=START, end=END, group_by=("workspace_id",))
    pairs = {(row["workspace_id"], row["currency"]) for bucket in buckets for row in bucket["results"]}
    assert len(pairs) == len(dict(pairs))
    assert dict(pairs)[None] == "USD"


def test_the_true_cost_never_has_today() -> None:
    buckets = SIMULATOR.truth(report="cost", start=START, end=END)
    assert buckets[-1]["starting_at"] == "2026-01-14T00:00:00Z"
