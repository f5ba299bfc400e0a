"""`export focus --by key`: billed cost by API key and person."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from archiver.model import NameKind, Report
from archiver.plan.scope import Scope
from archiver.simulator import Settings, background
from tests.focus import READ_AT, exported, make_by_key, make_small
from tests.handmade import Handmade, cost_row, days, usage_row
from tests.support import archiver, select, sync

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def small(db: Path) -> Path:
    """Return January of two rows of tokens, a credit, searches and code execution, and usage by region."""
    return make_small(db)


def test_billed_cost_by_key_and_person(db: Path, tmp_path: Path) -> None:
    make_by_key(db)
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
    make_by_key(db)
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
