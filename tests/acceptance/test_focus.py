"""`archiver export focus`: every cost row once, exact, with quantities that are known or not there."""

from __future__ import annotations

import csv
import json
import os
import re
import sqlite3
import subprocess
import sys
from collections import defaultdict
from contextlib import closing, nullcontext
from datetime import UTC, date, datetime
from decimal import Decimal, localcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest

from archiver.errors import StorageError
from archiver.model import NameKind, Report
from archiver.offline.export.focus.columns import ALLOWED, COLUMNS, MANDATORY, MAY_BE_NULL
from archiver.offline.export.focus.files import write_files
from archiver.offline.export.focus.quantities import NEEDED
from archiver.plan.scope import Scope
from archiver.simulator import Settings, background
from tests.handmade import Handmade, cost_row, days, usage_row
from tests.support import NOW, archiver, environment, run_sync, select, sync

if TYPE_CHECKING:
    from collections.abc import Iterator

READ_AT = "2026-04-30T03:00:00"
KINDS = {"context_window": "0-200k", "service_tier": "standard"}
Rows = list[dict[str, str]]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Archive two months of an invented organisation, with usage by region."""
    db = tmp_path_factory.mktemp("focus") / "archive.db"
    with background(Settings(first_day=date(2025, 11, 25), now=NOW, size=0.1)) as api:
        sync(api, db, Scope())
        done = run_sync(api, db, "--focus")
        assert done.returncode == 0, done.stderr
    return db


def exported(db: Path, target: Path, *arguments: str, code: int = 0) -> tuple[Rows, str]:
    done = archiver("export", "focus", str(target), "--db", str(db), *arguments)
    assert done.returncode == code, done.stderr
    if not target.exists() or target.suffix != ".csv":
        return [], done.stderr
    with target.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file)), done.stderr


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


@pytest.fixture
def small(db: Path) -> Path:
    """Return January of two rows of tokens, a credit, searches and code execution, and usage by region."""
    handmade = Handmade(db)
    tokens = {"cost_type": "tokens", "model": "m", "inference_geo": "us", **KINDS}
    cost = [
        cost_row("300.5", workspace_id="w", token_type="uncached_input_tokens", description="in", **tokens),
        cost_row("0.000001", token_type="cache_read_input_tokens", description="read", **tokens),
        cost_row("-50", description="credit"),
        cost_row("2", workspace_id="w", cost_type="web_search", description="web"),
        cost_row("7", workspace_id="w", cost_type="code_execution", description="code"),
    ]
    used = [
        usage_row(1_500_000, 0, 0, 0, 0, 20, workspace_id="w", model="m", inference_geo="us", **KINDS),
        usage_row(0, 0, 0, 3, model="m", inference_geo="us", **KINDS),
        usage_row(
            99, workspace_id="w", model="m", inference_geo="us", context_window="0-200k", service_tier="priority"
        ),
    ]
    dates = days("2026-01-01", "2026-01-31")
    handmade.names(NameKind.WORKSPACE, {"w": '=cmd|"x",\nInvented'}, read_at="2026-01-01T00:00:00")
    handmade.cost(dict.fromkeys(dates, cost), read_at=READ_AT)
    handmade.usage(dict.fromkeys(dates, used), read_at=READ_AT, group_by=NEEDED)
    return db


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


def test_twice_is_the_same_file_and_parquet_has_the_same_rows(small: Path, tmp_path: Path) -> None:
    rows, _ = exported(small, tmp_path / "a.csv", "--month", "2026-01")
    exported(small, tmp_path / "b.csv", "--month", "2026-01")
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
    exported(small, tmp_path / "c.parquet", "--month", "2026-01")
    table = pq.read_table(tmp_path / "c.parquet")
    assert table.num_rows == len(rows)
    for row, other in zip(rows, table.to_pylist(), strict=True):
        assert Decimal(row["BilledCost"]) == other["BilledCost"]
        assert (row["ConsumedQuantity"] or None) is None or Decimal(row["ConsumedQuantity"]) == other[
            "ConsumedQuantity"
        ]
        assert other["InvoiceId"] is None
        assert f"{other['ChargePeriodStart']:%Y-%m-%dT%H:%M:%SZ}" == row["ChargePeriodStart"]


def test_files_of_so_many_rows(small: Path, tmp_path: Path) -> None:
    whole_rows, _ = exported(small, tmp_path / "all.csv", "--month", "2026-01")
    exported(small, tmp_path / "part.csv", "--month", "2026-01", "--split", "7")
    mine = {"part-of-mine.csv", "part-2026.csv", "part-202601.csv"}
    for name in mine:
        (tmp_path / name).write_text("kept", encoding="utf-8")
    _, said = exported(small, tmp_path / "part.csv", "--month", "2026-01", "--split", "60")
    assert said.count("wrote ") == 3
    found: Rows = []
    for n in (1, 2, 3):
        with (tmp_path / f"part-{n:03d}.csv").open(encoding="utf-8", newline="") as file:
            found += csv.DictReader(file)
    assert found == whole_rows
    # Parts of an earlier delivery would be added to this one.
    names = {"part-001.csv", "part-002.csv", "part-003.csv"}
    assert {one.name for one in tmp_path.glob("part*.csv")} == names | mine
    exported(small, tmp_path / "part.csv", "--month", "2026-01")
    assert {one.name for one in tmp_path.glob("part*.csv")} == {"part.csv"} | mine
    metadata = tmp_path / "part.metadata.json"
    metadata.write_text('{"x_Files": ["../secret.csv", "part-2026.csv.bak", 7, "part-of-mine.csv"]}', encoding="utf-8")
    exported(small, tmp_path / "part.csv", "--month", "2026-01")
    assert {one.name for one in tmp_path.glob("part*.csv")} == {"part.csv"} | mine


def test_no_part_is_replaced_before_all_are_made(tmp_path: Path) -> None:
    columns = {"ChargeDescription": COLUMNS["ChargeDescription"]}
    target, archive = tmp_path / "cost.csv", tmp_path / "archive.db"
    for texts, error in (("abcde", None), ("vwxyz", OSError(28, "No space left on device"))):

        def rows(texts: str = texts, error: OSError | None = error) -> Iterator[dict[str, str]]:
            yield from ({"ChargeDescription": text} for text in texts)
            if error is not None:
                raise error

        with pytest.raises(StorageError) if error else nullcontext():
            write_files(target, rows(), columns, 2, archive)
    assert {path.name: path.read_text("utf-8").split()[1:] for path in tmp_path.glob("*.csv")} == {
        "cost-001.csv": ["a", "b"],
        "cost-002.csv": ["c", "d"],
        "cost-003.csv": ["e"],
    }


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


BROKEN = {
    "BilledCost": ("", "it is empty"),
    "ListCost": ("much", "'much' is no number"),
    "ChargeCategory": ("Token", "'Token' is none of"),
    "ChargePeriodStart": ("2026-01-01", "is no time"),
    "BillingCurrency": ("usd", "'usd' is no currency"),
    "ConsumedQuantity": ("", "it is empty in a row of usage"),
    "ListUnitPrice": ("5.0", "ListUnitPrice times PricingQuantity is not ListCost"),
    "SkuId": ("other", "has the SKUs"),
    "SubAccountType": ("", "or the other way round"),
    "Tags": ("[]", "'[]' is no JSON object"),
    "BillingPeriodEnd": ("2026-01-01T00:00:00Z", "not within the billing period"),
}


@pytest.mark.parametrize("column", BROKEN)
def test_the_check_finds_a_broken_row(small: Path, tmp_path: Path, column: str) -> None:
    rows, _ = exported(small, tmp_path / "cost.csv", "--month", "2026-01")
    sound = archiver("export", "focus", str(tmp_path / "cost.csv"), "--check")
    assert sound.returncode == 0, sound.stdout
    assert "155 rows, BilledCost 80.44500031 USD; 0 faults" in sound.stderr
    value, said = BROKEN[column]
    place = next(i for i, row in enumerate(rows) if row["ChargeDescription"] == "in" and i > 5)
    rows[place][column] = value
    with (tmp_path / "broken.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    done = archiver("export", "focus", str(tmp_path / "broken.csv"), "--check")
    assert done.returncode == 3
    assert said in done.stdout


def test_the_check_finds_columns_that_are_missing_or_not_of_the_specification(small: Path, tmp_path: Path) -> None:
    exported(small, tmp_path / "cost.csv", "--month", "2026-01")
    text = (tmp_path / "cost.csv").read_text("utf-8")
    (tmp_path / "broken.csv").write_text(text.replace("BilledCost,", "Model,", 1), encoding="utf-8")
    done = archiver("export", "focus", str(tmp_path / "broken.csv"), "--check")
    assert "line 1, BilledCost: the column is missing" in done.stdout
    assert "line 1, Model: a column of one's own begins with x_" in done.stdout
    assert archiver("export", "focus", str(tmp_path / "no.csv"), "--check").returncode == 2


def by_key(db: Path) -> Path:
    """Archive January of two keys, of which one has a person, billed by key; tokens as well."""
    handmade = Handmade(db)
    dates = days("2026-01-01", "2026-01-31")
    handmade.names(NameKind.WORKSPACE, {"w": "Work"}, read_at="2026-01-01T00:00:00")
    handmade.names(NameKind.API_KEY, {"k": "Key"}, read_at="2026-01-01T00:00:00")
    handmade.names(NameKind.PERSON, {"u": "Ada"}, read_at="2026-01-01T00:00:00", details='{"email": "a@example.com"}')
    kinds = {"cost_type": "tokens", "model": "m", "workspace_id": "w"}
    person = {"actor_type": "user_actor", "actor_id": "u"}
    cost = [
        cost_row("200.5", api_key_id="k", token_type="output_tokens", **person, **kinds),
        cost_row("100", token_type="uncached_input_tokens", **kinds),
        cost_row("-30", api_key_id="k", workspace_id="w"),
        cost_row("4", api_key_id="k", cost_type="code_execution", workspace_id="w"),
    ]
    handmade.analytics_cost(dict.fromkeys(dates, cost), read_at=READ_AT)
    tokens = [
        usage_row(
            0, 0, 0, 0, 4_000_000, api_key_id="k", model="m", workspace_id="w", service_tier="standard", **person
        ),
        usage_row(0, 0, 0, 0, 77, api_key_id="k", model="m", workspace_id="w", service_tier="priority", **person),
        usage_row(500_000, model="m", workspace_id="w", service_tier="batch"),
    ]
    handmade.analytics_usage(dict.fromkeys(dates, tokens), read_at=READ_AT)
    return db


def test_billed_cost_by_key_and_person(db: Path, tmp_path: Path) -> None:
    by_key(db)
    rows, _ = exported(db, tmp_path / "keys.csv", "--month", "2026-01", "--by", "key")
    assert len(rows) == 4 * 31
    first = [row for row in rows if row["ChargePeriodStart"].startswith("2026-01-05")]
    names = (
        "x_ApiKeyId", "x_ApiKeyName", "ResourceId", "ResourceType", "x_PersonName", "BilledCost", "ConsumedQuantity",
        "ConsumedUnit", "ListUnitPrice", "ChargeCategory", "x_QuantityMethod",
    )  # fmt: skip
    assert {tuple(row[name] for name in names) for row in first} == {
        # 2.005 dollars for 4 million tokens; those of the priority tier have no cost and do not count.
        ("k", "Key", "k", "API Key", "Ada", "2.005", "4000000.0", "Tokens", "0.50125", "Usage", "exact"),
        ("", "", "", "", "", "1.0", "500000.0", "Tokens", "2.0", "Usage", "exact"),
        ("k", "Key", "k", "API Key", "", "-0.3", "", "", "", "Credit", "none"),
        ("k", "Key", "k", "API Key", "", "0.04", "1.0", "Charges", "0.04", "Usage", "none"),
    }
    assert {row["SubAccountName"] for row in rows} == {"Work"}
    assert archiver("export", "focus", str(tmp_path / "keys.csv"), "--check").returncode == 0
    report = archiver("report", "keys", "--month", "2026-01", "--json", "--db", str(db))
    billed: dict[str, Decimal] = defaultdict(Decimal)
    for row in rows:
        billed[row["x_ApiKeyName"] or "(no API key)"] += Decimal(row["BilledCost"])
    assert billed == {one["api_key"]: Decimal(one["amount_usd"]) for one in json.loads(report.stdout)}
    metadata = json.loads((tmp_path / "keys.metadata.json").read_text("utf-8"))
    assert metadata["x_Source"] == "the analytics cost report by API key, not the invoice"
    assert {"ResourceId", "x_PersonId"} <= {one["ColumnName"] for one in metadata["ColumnDefinition"]}
    teams = tmp_path / "teams.toml"
    teams.write_text('[[rule]]\nteam = "A"\nperson = "Ada"\n[[rule]]\nteam = "B"\napi-key = "Key"\n', "utf-8")
    rows, _ = exported(db, tmp_path / "keys.csv", "--month", "2026-01", "--by", "key", "--teams", str(teams))
    assert {(row["x_ApiKeyId"], row["x_PersonId"], row["x_Team"]) for row in rows} == {
        ("k", "u", "A"), ("k", "", "B"), ("", "", "(no team)"),
    }  # fmt: skip


def test_a_rename_makes_no_row_twice(db: Path, tmp_path: Path) -> None:
    """Names are those of the end of the day, and each day has one."""
    by_key(db)
    for kind, identity in ((NameKind.PERSON, "u"), (NameKind.API_KEY, "k"), (NameKind.WORKSPACE, "w")):
        Handmade(db).names(kind, {identity: "New"}, read_at="2026-01-05T12:00:00")
    rows, _ = exported(db, tmp_path / "keys.csv", "--month", "2026-01", "--by", "key")
    assert len(rows) == 4 * 31
    names = ("SubAccountName", "x_ApiKeyName", "x_PersonName")
    found = {(row["ChargePeriodStart"][:10], *(row[name] for name in names)) for row in rows if row["x_PersonId"]}
    assert found == {
        (day, *(("Work", "Key", "Ada") if day < "2026-01-05" else ("New", "New", "New")))
        for day in days("2026-01-01", "2026-01-31")
    }


def test_list_cost_and_discounts_of_the_analytics_report(tmp_path: Path) -> None:
    db = tmp_path / "archive.db"
    with background(Settings(first_day=date(2026, 1, 1), now=datetime(2026, 2, 4, 12, tzinfo=UTC), size=0.1)) as api:
        sync(api, db, Scope((Report.ANALYTICS_COST, Report.ANALYTICS_USAGE)))
    rows, _ = exported(db, tmp_path / "keys.csv", "--month", "2026-01", "--by", "key", "--quantities", "shared")
    sums = ", ".join(f"sum(CAST({name} AS REAL))" for name in ("amount", "list_amount"))
    (billed, listed), count = (
        select(db, f"SELECT {sums} FROM daily_cost_by_key WHERE date LIKE '2026-01-%'")[0],  # noqa: S608
        select(db, "SELECT count(*) FROM daily_cost_by_key WHERE date LIKE '2026-01-%'")[0][0],
    )
    assert len(rows) == count
    assert float(sum(Decimal(row["BilledCost"]) for row in rows)) == pytest.approx(float(str(billed)) / 100)
    assert float(sum(Decimal(row["ListCost"]) for row in rows)) == pytest.approx(float(str(listed)) / 100)
    done = archiver("export", "focus", str(tmp_path / "keys.csv"), "--check")
    assert done.returncode == 0, done.stdout[:500]
    tokens = sum(Decimal(row["ConsumedQuantity"]) for row in rows if row["ConsumedUnit"] == "Tokens")
    (used,) = select(
        db,
        "SELECT sum(uncached_input_tokens + cache_creation_1h_input_tokens + cache_creation_5m_input_tokens + "
        "cache_read_input_tokens + output_tokens) FROM analytics_usage WHERE bucket_start LIKE '2026-01-%' "
        "AND service_tier <> 'priority'",
    )[0]
    assert 0.99 * int(str(used)) < tokens <= int(str(used))


def test_cost_by_key_that_is_not_archived_is_said(small: Path, tmp_path: Path) -> None:
    _, said = exported(small, tmp_path / "keys.csv", "--month", "2026-01", "--by", "key", code=3)
    assert "no billed cost by API key of 2026-01 is archived; run archiver sync --report analytics-cost" in said
    tokens = {"cost_type": "tokens", "token_type": "output_tokens", "model": "m", "workspace_id": "w"}
    Handmade(small).analytics_cost({"2026-01-01": [cost_row("5", api_key_id="k", **tokens)]}, read_at=READ_AT)
    _, said = exported(small, tmp_path / "keys.csv", "--month", "2026-01", "--by", "key", code=3)
    assert "1 day of usage not archived by API key; run archiver sync --report analytics-usage" in said
    # A day that is grouped by product alone is no day by key.
    Handmade(small).analytics_cost({"2026-02-01": [cost_row("5")]}, read_at=READ_AT, group_by=("product",))
    _, said = exported(small, tmp_path / "keys.csv", "--month", "2026-02", "--by", "key", code=3)
    assert "no billed cost by API key of 2026-02 is archived" in said


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
    by_key(db)
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


def sums_of(rows: Rows, *names: str) -> dict[tuple[str, ...], Decimal]:
    found: dict[tuple[str, ...], Decimal] = defaultdict(Decimal)
    for row in rows:
        found[tuple(row[name] for name in names)] += Decimal(row["BilledCost"])
    return {key: amount for key, amount in found.items() if amount}


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


def test_teams_are_those_of_what_the_rows_are_grouped_by(db: Path, tmp_path: Path) -> None:
    teams, handmade = tmp_path / "teams.toml", Handmade(db)
    handmade.cost({"2026-01-01": [cost_row("100", description="x")]}, read_at=READ_AT, group_by=("description",))
    teams.write_text('[[rule]]\nteam = "A"\nworkspace = "(default workspace)"\n', "utf-8")
    rows, _ = exported(db, tmp_path / "cost.csv", "--month", "2026-01", "--teams", str(teams), code=3)
    assert [(row["SubAccountId"], row["x_Team"]) for row in rows] == [("", "")]  # it is not known
    details = '{"created_at": "2020-01-01T00:00:00Z"}'
    handmade.names(NameKind.WORKSPACE, {"wd": "Default"}, read_at="2026-01-01T00:00:00", details=details)
    of_key = cost_row("5", api_key_id="k", workspace_id="wd", cost_type="code_execution")
    handmade.analytics_cost(
        {"2026-02-01": [of_key]}, read_at=READ_AT, group_by=("api_key_id", "cost_type", "token_type", "workspace_id")
    )
    arguments = ("--month", "2026-02", "--by", "key", "--teams", str(teams))
    rows, _ = exported(db, tmp_path / "keys.csv", *arguments, code=3)
    assert [(row["SubAccountId"], row["x_Team"]) for row in rows] == [("wd", "A")]
    teams.write_text('[[rule]]\nteam = "P"\nperson = "(not attributed)"\n', "utf-8")
    rows, _ = exported(db, tmp_path / "keys.csv", *arguments, code=3)
    assert [row["x_Team"] for row in rows] == [""]


def test_tokens_of_another_product_are_not_those_of_the_cost(db: Path, tmp_path: Path) -> None:
    handmade, who = Handmade(db), {"api_key_id": "k", "model": "m", "workspace_id": "w"}
    tokens = {"cost_type": "tokens", "token_type": "output_tokens", **who}
    cost_by = ("api_key_id", "cost_type", "model", "product", "token_type", "workspace_id")
    handmade.analytics_cost(
        {"2026-01-01": [cost_row("100", product="api", **tokens)]}, read_at=READ_AT, group_by=cost_by
    )
    used = [
        usage_row(0, 0, 0, 0, 1_000, product="api", service_tier="standard", **who),
        usage_row(0, 0, 0, 0, 9_000, product="free", service_tier="standard", **who),
        usage_row(0, 0, 0, 0, 77, product="api", service_tier="priority", **who),
    ]
    usage_by = ("api_key_id", "model", "product", "service_tier", "workspace_id")
    handmade.analytics_usage({"2026-01-01": used}, read_at=READ_AT, group_by=usage_by)
    rows, said = exported(db, tmp_path / "keys.csv", "--month", "2026-01", "--by", "key", code=3)
    assert [(row["ConsumedQuantity"], row["x_QuantityMethod"]) for row in rows] == [("1000.0", "exact")]
    assert "77 tokens of priority tier have no cost" in said


def test_amounts_of_any_length_are_exact_in_csv_and_rounded_in_parquet(db: Path, tmp_path: Path) -> None:
    amounts = ["12345678901.000000000000000001", "0.000000000000000001", "1e-19", "1e-900", f"1.{'0' * 55}", "1e-7"]
    rows = [cost_row(amount, description=f"{i}") for i, amount in enumerate(amounts)]
    Handmade(db).cost({"2026-01-01": rows}, read_at=READ_AT)
    found, _ = exported(db, tmp_path / "cost.csv", "--month", "2026-01", code=3)
    with localcontext(prec=1100):
        whole = sum(map(Decimal, amounts)) / 100
        assert sum(Decimal(row["BilledCost"]) for row in found) == whole
        metadata = json.loads((tmp_path / "cost.metadata.json").read_text("utf-8"))
        assert Decimal(metadata["x_BilledCost"]["USD"]) == whole
    assert archiver("export", "focus", str(tmp_path / "cost.csv"), "--check").returncode == 0
    exported(db, tmp_path / "cost.parquet", "--month", "2026-01", code=3)
    costs = pq.read_table(tmp_path / "cost.parquet").column("BilledCost").to_pylist()
    assert sorted(costs)[:3] == [0, 0, Decimal("1e-20")]
    for arguments in ((), ("--series", "1")):
        done = archiver("export", "parquet", str(tmp_path / "set"), *arguments, "--db", str(db))
        assert done.returncode == 0, done.stderr
    series = pq.read_table(tmp_path / "set" / "cost_series_1" / "month=2026-01" / "data.parquet", partitioning=None)
    assert Decimal("12345678901.000000000000000001") in series.column("amount_cents").to_pylist()


def test_names_with_any_character_are_one_cell(db: Path, tmp_path: Path) -> None:
    names = {"w": "A\rB", "v": "(not grouped)", "u": 'C\n"D",\r\nE'}
    Handmade(db).names(NameKind.WORKSPACE, names, read_at="2026-01-01T00:00:00")
    rows = [cost_row("1", description="d", workspace_id=one) for one in names]
    Handmade(db).cost({"2026-01-01": rows}, read_at=READ_AT)
    found, _ = exported(db, tmp_path / "cost.csv", "--month", "2026-01", code=3)
    assert {row["SubAccountId"]: row["SubAccountName"] for row in found} == names
    assert (
        "3 rows, BilledCost 0.03 USD; 0 faults"
        in archiver("export", "focus", str(tmp_path / "cost.csv"), "--check").stderr
    )


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


def test_parts_of_earlier_deliveries_never_stay_next_to_new_ones(small: Path, tmp_path: Path) -> None:
    """Also with a delivery in the other format in between, and after one that was killed before its metadata."""
    target, arguments = tmp_path / "s.csv", ("--month", "2026-01")
    exported(small, target, *arguments, "--split", "50")
    exported(small, tmp_path / "s.parquet", *arguments)
    exported(small, target, *arguments, "--split", "100")
    assert [path.name for path in sorted(tmp_path.glob("s-*"))] == ["s-001.csv", "s-002.csv"]
    assert (tmp_path / "s.parquet").exists()
    kill = "import os; from archiver.offline.export.focus import export; export.write_metadata = lambda *_: os._exit(9)"
    command = f"{kill}; from archiver.cli import main; main()"
    words = ["export", "focus", str(target), *arguments, "--split", "30", "--db", str(small)]
    done = subprocess.run([sys.executable, "-c", command, *words], env=environment(), check=False)
    assert (done.returncode, len(list(tmp_path.glob("s-*")))) == (9, 6)
    exported(small, target, *arguments, "--split", "100")
    assert [path.name for path in sorted(tmp_path.glob("s-*"))] == ["s-001.csv", "s-002.csv"]
    exported(small, tmp_path / "s.parquet", *arguments, "--split", "100")
    assert sorted(path.name for path in tmp_path.glob("*.parquet")) == ["s-001.parquet", "s-002.parquet"]


@pytest.mark.skipif("FOCUS_VALIDATOR" not in os.environ, reason="FOCUS_VALIDATOR names no focus-validator")
def test_the_official_validator_finds_only_its_false_alarm(whole: Path, small: Path, tmp_path: Path) -> None:
    validator = Path(os.environ["FOCUS_VALIDATOR"])
    criteria = (
        "ACCOUNT_NAMING_SUPPORTED,PUBLIC_PRICE_LIST_SUPPORTED,UNIT_PRICING_SUPPORTED,USAGE_MEASUREMENT_SUPPORTED,"
        "SUB_ACCOUNT_SUPPORTED,NEGOTIATED_PRICING_SUPPORTED,MULTIPLE_PRICING_CATEGORIES_SUPPORTED"
    )
    keys = by_key(tmp_path / "keys.db")
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
