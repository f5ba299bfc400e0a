"""`archiver export focus`: every cost row once, exact, with quantities that are known or not there."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections import defaultdict
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from archiver.offline.export.focus.columns import ALLOWED, COLUMNS, MANDATORY, MAY_BE_NULL
from archiver.offline.export.focus.quantities import NEEDED
from archiver.plan.scope import Scope
from archiver.simulator import Settings, background
from tests.focus import KINDS, READ_AT, exported, make_by_key, make_small
from tests.handmade import Handmade, cost_row, usage_row
from tests.support import NOW, archiver, run_sync, select, sync


@pytest.fixture
def small(db: Path) -> Path:
    """Return January of two rows of tokens, a credit, searches and code execution, and usage by region."""
    return make_small(db)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Archive two months of an invented organisation, with usage by region."""
    db = tmp_path_factory.mktemp("focus") / "archive.db"
    with background(Settings(first_day=date(2025, 11, 25), now=NOW, size=0.1)) as api:
        sync(api, db, Scope())
        done = run_sync(api, db, "--focus")
        assert done.returncode == 0, done.stderr
    return db


def test_every_cost_row_is_there_once_and_exact(whole: Path, tmp_path: Path) -> None:
    rows, _ = exported(whole, tmp_path / "cost.csv", "--month", "2025-12", "--quantities", "shared")
    columns = "date, coalesce(workspace_id, 'default'), description, amount"
    expected = select(whole, f"SELECT {columns} FROM daily_cost WHERE date LIKE '2025-12-%'")  # noqa: S608  # columns
    names = ("ChargePeriodStart", "SubAccountId", "ChargeDescription", "BilledCost")
    found = [tuple(row[name] for name in names) for row in rows]
    assert sorted((when[:10], where, what, Decimal(cost) * 100) for when, where, what, cost in found) == sorted(
        (str(when), str(where), str(what), Decimal(str(amount))) for when, where, what, amount in expected
    )
    report = json.loads(
        archiver("report", "spend", "--by", "month", "--month", "2025-12", "--json", "--db", str(whole)).stdout
    )
    assert sum(Decimal(row["BilledCost"]) for row in rows) == Decimal(report[0]["amount_usd"])
    assert {*rows[0]} == {*COLUMNS}
    for row in rows:
        assert row["BilledCost"] == row["EffectiveCost"] == row["ListCost"] == row["ContractedCost"]
        assert all(row[name] for name in MANDATORY if name not in MAY_BE_NULL), row
        assert all(row[name] in allowed for name, allowed in ALLOWED.items()), row
        assert re.fullmatch(r"-?[0-9]+\.[0-9]+", row["BilledCost"])


def test_quantities_are_the_tokens_of_the_usage_report(whole: Path, tmp_path: Path) -> None:
    rows, _ = exported(whole, tmp_path / "cost.csv", "--month", "2025-12", "--quantities", "shared")
    tokens: dict[str, int] = defaultdict(int)
    for row in rows:
        if row["ConsumedUnit"] == "Tokens":
            tokens[row["x_TokenType"]] += int(Decimal(row["ConsumedQuantity"]))
            assert Decimal(row["PricingQuantity"]) * 10**6 == Decimal(row["ConsumedQuantity"])
            product = Decimal(row["PricingQuantity"]) * Decimal(row["ListUnitPrice"])
            assert abs(product - Decimal(row["BilledCost"])) < Decimal("1e-12")
    names = {
        "uncached_input_tokens": "uncached_input_tokens",
        "cache_creation.ephemeral_1h_input_tokens": "cache_creation_1h_input_tokens",
        "cache_creation.ephemeral_5m_input_tokens": "cache_creation_5m_input_tokens",
        "cache_read_input_tokens": "cache_read_input_tokens",
        "output_tokens": "output_tokens",
    }
    sums = ", ".join(f"sum({name})" for name in names.values())
    billed = "date LIKE '2025-12-%' AND service_tier <> 'priority'"
    (expected,) = select(whole, f"SELECT {sums} FROM daily_tokens WHERE {billed}")  # noqa: S608  # names of columns
    for token_type, number in zip(names, expected, strict=True):
        # Tokens that the late or odd bills of the invented organisation leave out are few.
        assert tokens[token_type] == pytest.approx(number, rel=0.01)
        assert tokens[token_type] <= number


def test_quantities_are_exact_where_usage_is_archived_by_region(whole: Path, tmp_path: Path) -> None:
    rows, _ = exported(whole, tmp_path / "exact.csv", "--month", "2025-12")
    methods = {(row["ConsumedUnit"], row["x_QuantityMethod"]) for row in rows if row["ChargeCategory"] == "Usage"}
    assert methods <= {("Tokens", "exact"), ("Requests", "exact"), ("Charges", "none")}
    assert {row["x_QuantityMethod"] for row in rows if row["x_CostType"] == "tokens"} == {"exact"}


def test_each_kind_of_row(small: Path, tmp_path: Path) -> None:
    rows, said = exported(small, tmp_path / "cost.csv", "--month", "2026-01")
    assert len(rows) == 5 * 31
    first = {row["ChargeDescription"]: row for row in rows if row["ChargePeriodStart"] == "2026-01-01T00:00:00Z"}
    names = ("BilledCost", "ConsumedQuantity", "ConsumedUnit", "PricingQuantity", "PricingUnit", "ListUnitPrice",
             "x_QuantityMethod", "SubAccountId")  # fmt: skip
    assert {what: tuple(row[name] for name in names) for what, row in first.items()} == {
        "in": ("3.005", "1500000.0", "Tokens", "1.5", "1000000 Tokens", "2.003333333333333333", "exact", "w"),
        "read": (
            "0.00000001",
            "3.0",
            "Tokens",
            "0.000003",
            "1000000 Tokens",
            "0.003333333333333333",
            "exact",
            "default",
        ),
        "credit": ("-0.5", "", "", "", "", "", "none", "default"),
        "web": ("0.02", "20.0", "Requests", "0.02", "1000 Requests", "1.0", "exact", "w"),
        "code": ("0.07", "1.0", "Charges", "1.0", "Charges", "0.07", "none", "w"),
    }
    assert (first["credit"]["ChargeCategory"], first["credit"]["ChargeFrequency"]) == ("Credit", "One-Time")
    assert (first["in"]["BillingPeriodStart"], first["in"]["BillingPeriodEnd"]) == (
        "2026-01-01T00:00:00Z",
        "2026-02-01T00:00:00Z",
    )
    assert first["in"]["ChargePeriodEnd"] == "2026-01-02T00:00:00Z"
    assert (first["in"]["SkuMeter"], first["read"]["SkuMeter"]) == ("Input Tokens", "Cache Read Input Tokens")
    assert first["in"]["SkuPriceId"] == "m/uncached_input_tokens/standard/0-200k/us"
    assert json.loads(first["read"]["SkuPriceDetails"])["x_CacheAction"] == "Read"
    assert first["in"]["SubAccountName"] == '=cmd|"x",\nInvented'  # data for programs is exact
    assert first["in"]["x_State"] == "settled"
    assert "3,069 tokens of priority tier have no cost, and no row" in said
    entry = json.loads((tmp_path / "cost.metadata.json").read_text("utf-8"))
    # A day is 3.005 and 0.00000001, less 0.5, and 0.02 and 0.07: 2.59500001. January has 31.
    assert entry["x_BilledCost"] == {"USD": "80.44500031"}
    assert (entry["FocusVersion"], entry["x_Rows"], entry["x_DaysNotArchived"]) == ("1.2", 155, 0)
    assert [one["ColumnName"] for one in entry["ColumnDefinition"]] == [*COLUMNS]


def test_rows_that_share_tokens_are_refused_or_divided_by_cost(small: Path, tmp_path: Path) -> None:
    tokens = {"cost_type": "tokens", "model": "m", "inference_geo": "us", **KINDS, "token_type": "output_tokens"}
    rows = [
        cost_row(f"{usd}00", workspace_id="w", description=what, **tokens) for what, usd in (("plain", 1), ("fast", 6))
    ]
    handmade = Handmade(small)
    handmade.cost({"2026-02-01": rows}, read_at=READ_AT)
    used = usage_row(0, 0, 0, 0, 701, workspace_id="w", model="m", inference_geo="us", **KINDS)
    handmade.usage({"2026-02-01": [used]}, read_at=READ_AT, group_by=NEEDED)
    refused, said = exported(small, tmp_path / "cost.csv", "--month", "2026-02", code=3)
    assert refused == []
    assert "the quantity of 2 rows is not known, as cost rows of several prices (such as by speed) share tokens" in said
    assert not list(tmp_path.glob("cost*"))
    found, _ = exported(small, tmp_path / "cost.csv", "--month", "2026-02", "--quantities", "shared", code=3)
    shared = {row["ChargeDescription"]: (row["ConsumedQuantity"], row["x_QuantityMethod"]) for row in found}
    # 701 tokens by 1 to 6: 100.14 and 600.86, and the token that is left goes to the larger remainder.
    assert shared == {"plain": ("100.0", "shared"), "fast": ("601.0", "shared")}


def test_without_usage_by_region_tokens_are_divided_among_regions(small: Path, tmp_path: Path) -> None:
    tokens = {"cost_type": "tokens", "model": "m", **KINDS, "token_type": "output_tokens", "workspace_id": "w"}
    rows = [
        cost_row("100", description="us", inference_geo="us", **tokens),
        cost_row("300", description="any", **tokens),
    ]
    handmade = Handmade(small)
    handmade.cost({"2026-02-01": rows}, read_at=READ_AT)
    used = usage_row(0, 0, 0, 0, 400, workspace_id="w", api_key_id="k", model="m", **KINDS)
    handmade.usage({"2026-02-01": [used]}, read_at=READ_AT)
    exported(small, tmp_path / "cost.csv", "--month", "2026-02", code=3)
    found, _ = exported(small, tmp_path / "cost.csv", "--month", "2026-02", "--quantities", "shared", code=3)
    assert {row["ChargeDescription"]: row["ConsumedQuantity"] for row in found} == {"us": "100.0", "any": "300.0"}


def test_teams_are_named(small: Path, tmp_path: Path) -> None:
    teams = tmp_path / "teams.toml"
    teams.write_text('[[rule]]\nteam = "A"\ncost-centre = "1"\nworkspace = "w"\n', encoding="utf-8")
    rows, _ = exported(small, tmp_path / "cost.csv", "--month", "2026-01", "--teams", str(teams))
    assert {(row["SubAccountId"], row["x_Team"], row["x_CostCentre"]) for row in rows} == {
        ("w", "A", "1"),
        ("default", "(no team)", ""),
    }
    rows, _ = exported(small, tmp_path / "tags.csv", "--month", "2026-01", "--teams", str(teams), "--tags")
    assert {(row["SubAccountId"], row["Tags"]) for row in rows} == {
        ("w", '{"team": "A", "cost-centre": "1"}'),
        ("default", '{"team": "(no team)"}'),
    }
    _, said = exported(small, tmp_path / "tags.csv", "--month", "2026-01", "--tags", code=2)
    assert "give --teams FILE too" in said
    teams.write_text('[[rule]]\nteam = "A"\napi-key = "k"\n', encoding="utf-8")
    _, said = exported(small, tmp_path / "other.csv", "--month", "2026-01", "--teams", str(teams), code=2)
    assert "cost rows have no key" in said


def test_what_is_missing_is_said(small: Path, tmp_path: Path) -> None:
    none, said = exported(small, tmp_path / "cost.csv", "--month", "2026-03", code=3)
    assert (none, "no cost of 2026-03 is archived" in said) == ([], True)
    rows = [
        cost_row("100", workspace_id="w", model="m", description="m", cost_type="tokens", token_type="output_tokens")
    ]
    Handmade(small).cost({"2026-02-01": rows}, read_at=READ_AT)
    none, said = exported(small, tmp_path / "cost.csv", "--month", "2026-02", code=3)
    assert "1 day of usage not archived by region; run archiver sync --focus" in said
    Handmade(small).usage({"2026-02-01": [usage_row(1, model="x")]}, read_at=READ_AT, group_by=NEEDED)
    found, said = exported(small, tmp_path / "cost.csv", "--month", "2026-02", code=3)
    assert (len(found), found[0]["x_QuantityMethod"], found[0]["ConsumedUnit"]) == (1, "none", "Charges")
    assert "27 of 28 days" in said
    assert "1 row without tokens of their own" in said
    Handmade(small).cost({"2026-02-02": [cost_row("1", currency="EUR", description="e")]}, read_at=READ_AT)
    _, said = exported(small, tmp_path / "cost.csv", "--month", "2026-02", code=2)
    assert "2026-02 has bills in EUR and USD" in said
    _, said = exported(small, tmp_path / "cost.xml", "--month", "2026-01", code=2)
    assert "ends neither with .csv nor .parquet" in said


def test_quantities_of_an_earlier_time_are_from_usage_that_was_read_by_then(small: Path, tmp_path: Path) -> None:
    """All usage of the archive is read with its cost; of a copy without it, cost is read two months earlier."""
    handmade = Handmade(small)
    tokens = {"cost_type": "tokens", "model": "m", "inference_geo": "us", "workspace_id": "w", **KINDS}
    cost = cost_row("5", token_type="output_tokens", description="out", **tokens)
    handmade.cost({"2025-12-05": [cost]}, read_at="2026-01-10T00:00:00")
    used = usage_row(0, 0, 0, 0, 9, workspace_id="w", model="m", inference_geo="us", **KINDS)
    handmade.usage({"2025-12-05": [used]}, read_at="2026-03-10T00:00:00", group_by=NEEDED)
    arguments = ("--month", "2025-12", "--as-of")
    rows, _ = exported(small, tmp_path / "now.csv", *arguments, "2026-03-11", code=3)
    assert [row["ConsumedQuantity"] for row in rows] == ["9.0"]
    rows, said = exported(small, tmp_path / "then.csv", *arguments, "2026-02-01", code=3)
    assert (rows, "1 day of usage not archived by region" in said) == ([], True)


@pytest.mark.skipif("FOCUS_VALIDATOR" not in os.environ, reason="FOCUS_VALIDATOR names no focus-validator")
def test_the_official_validator_finds_only_its_false_alarm(whole: Path, small: Path, tmp_path: Path) -> None:
    validator = Path(os.environ["FOCUS_VALIDATOR"])
    criteria = (
        "ACCOUNT_NAMING_SUPPORTED,PUBLIC_PRICE_LIST_SUPPORTED,UNIT_PRICING_SUPPORTED,USAGE_MEASUREMENT_SUPPORTED,"
        "SUB_ACCOUNT_SUPPORTED,NEGOTIATED_PRICING_SUPPORTED,MULTIPLE_PRICING_CATEGORIES_SUPPORTED"
    )
    keys = make_by_key(tmp_path / "keys.db")
    credited = {
        "2026-01-07": [cost_row("-75", description="credit"), cost_row("9", cost_type="other", description="o")]
    }
    Handmade(small).cost(credited, read_at="2026-06-01T00:00:00")
    for name, db, arguments in (
        ("whole", whole, ("--month", "2025-12")),
        ("small", small, ("--month", "2026-01")),
        ("keys", keys, ("--month", "2026-01", "--by", "key")),
        ("fix", small, ("--month", "2026-05", "--corrections-since", "2026-05-02")),
    ):
        target = tmp_path / f"{name}.csv"
        exported(db, target, *arguments, "--quantities", "shared")
        (rules,) = validator.parent.parent.glob("lib/python*/site-packages")
        done = subprocess.run(
            [validator, "--data-file", target, "--block-download", "--validate-version", "1.2.0.1",
             "--applicability-criteria", criteria], cwd=rules, capture_output=True, text=True, check=False, timeout=600,
        )  # fmt: skip
        failed: Any = re.findall(r"❌ (\S+):", done.stdout)
        # A file without an invoice fails one leaf of an OR; its exit code is 0 in any case.
        assert {*failed} == {"InvoiceId-C-005-C"}, done.stdout[-2000:]
        assert done.stdout.count("✅") > 200
