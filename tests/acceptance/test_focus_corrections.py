"""`export focus --corrections-since`: a delivery and its corrections are what is archived."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from tests.focus import KINDS, exported, make_by_key, make_small, sums_of
from tests.handmade import Handmade, cost_row
from tests.support import archiver

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def small(db: Path) -> Path:
    """Return January of two rows of tokens, a credit, searches and code execution, and usage by region."""
    return make_small(db)


def test_corrections_and_a_delivery_add_up_to_what_is_archived(small: Path, tmp_path: Path) -> None:
    """Ten dollars more in a row, a row that is gone, one that is new, a day that is new, and a credit that grew."""
    handmade, delivered_at = Handmade(small), "2026-05-02"
    delivered, _ = exported(small, tmp_path / "cost.csv", "--month", "2026-01", "--as-of", delivered_at)
    tokens = {"cost_type": "tokens", "model": "m", "inference_geo": "us", "workspace_id": "w", **KINDS}
    changed = [
        cost_row("1300.5", token_type="uncached_input_tokens", description="in", **tokens),
        cost_row("-75", description="credit"),
        cost_row("2", workspace_id="w", cost_type="web_search", description="web"),
        cost_row("7", workspace_id="w", cost_type="code_execution", description="code"),
        cost_row("0.25", token_type="output_tokens", description="out", **tokens),
    ]
    handmade.cost({"2026-01-07": changed}, read_at="2026-06-01T00:00:00")
    handmade.cost({"2025-12-31": [cost_row("40", description="late")]}, read_at="2026-06-01T00:00:00")
    arguments = ("--month", "2026-05", "--corrections-since", delivered_at)
    rows, said = exported(small, tmp_path / "fix.csv", *arguments)
    names = ("ChargePeriodStart", "ChargeDescription", "BilledCost", "ChargeCategory")
    assert sorted(tuple(row[name] for name in names) for row in rows) == [
        ("2025-12-31T00:00:00Z", "late", "0.4", "Usage"),
        ("2026-01-07T00:00:00Z", "credit", "-0.25", "Credit"),
        ("2026-01-07T00:00:00Z", "in", "10.0", "Usage"),
        ("2026-01-07T00:00:00Z", "out", "0.0025", "Usage"),
        ("2026-01-07T00:00:00Z", "read", "-0.00000001", "Usage"),
    ]
    for row in rows:
        assert (row["ChargeClass"], row["BillingPeriodStart"]) == ("Correction", "2026-05-01T00:00:00Z")
        assert {row[name] for name in ("ConsumedQuantity", "PricingQuantity", "ListUnitPrice")} == {""}
    assert "5 corrections of 2026-05" in said
    assert archiver("export", "focus", str(tmp_path / "fix.csv"), "--check").returncode == 0
    now, _ = exported(small, tmp_path / "now.csv", "--month", "2026-01", "--quantities", "shared")
    of_january = [row for row in rows if row["ChargePeriodStart"].startswith("2026-01")]
    assert sum(Decimal(one["BilledCost"]) for one in (*delivered, *of_january)) == sum(
        Decimal(one["BilledCost"]) for one in now
    )
    metadata = json.loads((tmp_path / "fix.metadata.json").read_text("utf-8"))
    assert (metadata["x_CorrectionsSince"], metadata["x_BilledCost"]) == (
        "2026-05-02T00:00:00Z",
        {"USD": "10.15249999"},
    )
    # What is booked in the month itself is not a correction, and nothing else changed since.
    rows, said = exported(small, tmp_path / "fix.csv", "--month", "2026-05", "--corrections-since", "2026-06-02")
    assert (rows, "nothing before 2026-05 changed since 2026-06-02T00:00:00Z" in said) == ([], True)
    rows, _ = exported(small, tmp_path / "fix.csv", "--month", "2026-01", "--corrections-since", "2026-06-02", code=0)
    assert rows == []
    _, said = exported(small, tmp_path / "fix.csv", "--month", "2026-05", "--corrections-since", "2025-01-01", code=2)
    assert "no cost of a day before 2026-05-01 was archived as of 2025-01-01T00:00:00Z" in said


def test_a_day_that_is_lost_is_no_correction(small: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(small)) as connection, connection:
        connection.execute("DELETE FROM _chosen_day WHERE report = 'cost' AND day_start = unixepoch('2026-01-09')")
    arguments = ("--month", "2026-05", "--corrections-since", "2026-05-02")
    rows, said = exported(small, tmp_path / "fix.csv", *arguments, code=3)
    assert rows == []
    assert "1 day that is no longer archived is not in these numbers" in said


def test_corrections_by_key(db: Path, tmp_path: Path) -> None:
    make_by_key(db)
    tokens = {"cost_type": "tokens", "model": "m", "workspace_id": "w", "token_type": "uncached_input_tokens"}
    Handmade(db).analytics_cost({"2026-01-31": [cost_row("100", **tokens)]}, read_at="2026-06-01T00:00:00")
    arguments = ("--by", "key", "--month", "2026-02", "--corrections-since", "2026-05-02")
    rows, _ = exported(db, tmp_path / "fix.csv", *arguments)
    found = sorted((row["x_ApiKeyId"], row["BilledCost"], row["ListCost"], row["ChargeCategory"]) for row in rows)
    assert found == [
        ("k", "-0.04", "-0.04", "Usage"),
        ("k", "-2.005", "-2.005", "Usage"),
        ("k", "0.3", "0.3", "Credit"),
    ]


def test_corrections_hold_for_each_workspace_and_category(db: Path, tmp_path: Path) -> None:
    """A day is grouped by workspace only later, and a credit becomes a cost."""
    handmade = Handmade(db)
    handmade.cost(
        {"2026-01-01": [cost_row("100", description="x")], "2026-01-02": [cost_row("-150", description="y")]},
        read_at="2026-01-20T00:00:00",
        group_by=("description",),
    )
    delivered, _ = exported(db, tmp_path / "cost.csv", "--month", "2026-01", "--as-of", "2026-02-01", code=3)
    split = [cost_row("40", description="x"), cost_row("60", description="x", workspace_id="w")]
    handmade.cost(
        {"2026-01-01": split, "2026-01-02": [cost_row("300", description="y")]}, read_at="2026-02-20T00:00:00"
    )
    arguments = ("--month", "2026-02", "--corrections-since", "2026-02-01")
    corrections, _ = exported(db, tmp_path / "fix.csv", *arguments)
    now, _ = exported(db, tmp_path / "now.csv", "--month", "2026-01", code=3)
    for names in (("SubAccountId",), ("ChargeCategory",)):
        assert sums_of([*delivered, *corrections], *names) == sums_of(now, *names)
    assert sums_of(now, "SubAccountId") == {("default",): Decimal("3.4"), ("w",): Decimal("0.6")}


def test_corrections_that_are_not_since_an_earlier_time_are_refused(small: Path, tmp_path: Path) -> None:
    for more in (("2099-01-01",), ("2026-06-01", "--as-of", "2026-05-15")):
        arguments = ("--month", "2026-05", "--corrections-since", *more)
        _, said = exported(small, tmp_path / "fix.csv", *arguments, code=2)
        assert f"--corrections-since {more[0]}T00:00:00Z is not before" in said
