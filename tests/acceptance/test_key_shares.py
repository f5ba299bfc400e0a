"""Shares of cost by API key, on round numbers: a charge and a credit that cancel out are still an estimate."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest

from archiver.offline.reports.daily_money import read_daily_money
from archiver.offline.reports.request import ReportRequest
from archiver.store.read.reader import open_archive_reader
from tests.handmade import Handmade, cost_row, run, usage_row

if TYPE_CHECKING:
    from pathlib import Path

DAY = "2026-01-05"
KINDS = {"workspace_id": "w", "model": "m", "service_tier": "standard", "context_window": "0-200k"}
DOLLAR = 100 * 10**18


@pytest.fixture
def cancelled(db: Path) -> Path:
    """Archive a day on which output costs 10 dollars and input has a credit of 10, each in two prices, of two keys."""
    rows = [
        cost_row(cents, cost_type="tokens", token_type=kind, description=text, **KINDS)
        for kind, cents in (("output_tokens", "500"), ("uncached_input_tokens", "-500"))
        for text in (f"{kind} in one region", f"{kind} in another")
    ]
    used = [usage_row(10, 0, 0, 0, 10, api_key_id=key, **KINDS) for key in ("k1", "k2")]
    handmade = Handmade(db)
    handmade.cost({DAY: rows}, read_at="2026-04-30T03:00:00")
    handmade.usage({DAY: used}, read_at="2026-04-30T03:00:00")
    return db


def test_a_charge_and_a_credit_that_cancel_out_are_no_exact_zero(cancelled: Path) -> None:
    rows = run("report", "keys", "--json", "--db", str(cancelled)).rows()
    found = {row["api_key_id"]: (row["amount_usd"], row["method"]) for row in rows}
    assert found == {"k1": ("0.00", "estimated"), "k2": ("0.00", "estimated")}
    # Without keys in the grouping the shares add up to the bill again.
    whole = run("report", "keys", "--by", "workspace", "--json", "--db", str(cancelled)).rows()
    assert [(row["amount_usd"], row["method"]) for row in whole] == [("0.00", "exact")]


def test_credits_of_keys_are_kept_apart_from_their_charges(cancelled: Path) -> None:
    with open_archive_reader(cancelled) as reader:
        read = read_daily_money(reader, ReportRequest(), ("api_key",), lambda _: True)
    day = date.fromisoformat(DAY)
    found = {one.values["api_key_id"]: (one.amounts[day], one.credits[day], one.is_estimate) for one in read.groups}
    assert found == dict.fromkeys(("k1", "k2"), (0, -5 * DOLLAR, True))
    assert {one.without_credits(day) for one in read.groups} == {5 * DOLLAR}


def test_a_share_of_one_price_is_exact(db: Path) -> None:
    handmade = Handmade(db)
    bill = cost_row("1000", cost_type="tokens", token_type="output_tokens", description="one", **KINDS)
    handmade.cost({DAY: [bill]}, read_at="2026-04-30T03:00:00")
    used = [usage_row(0, 0, 0, 0, count, api_key_id=key, **KINDS) for key, count in (("k1", 30), ("k2", 70))]
    handmade.usage({DAY: used}, read_at="2026-04-30T03:00:00")
    rows = run("report", "keys", "--json", "--db", str(db)).rows()
    found = {row["api_key_id"]: (row["amount_usd"], row["method"]) for row in rows}
    assert found == {"k1": ("3.00", "exact"), "k2": ("7.00", "exact")}
