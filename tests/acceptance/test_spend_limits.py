"""The spend limits of the API: read by `sync`, shown by `report budget` with the budgets of the configuration."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from archiver.model import NameKind, SpendLimit
from archiver.plan.scope import Scope
from archiver.simulator import background
from tests.handmade import Handmade, cost_row, days, run
from tests.support import SMALL, archiver, day, run_sync, select, sync

if TYPE_CHECKING:
    from pathlib import Path

READ_AT = "2026-01-11T03:00:00"
ORGANIZATION = SpendLimit("spl_1", "organization", None, "310000", "USD", "monthly", True)  # noqa: FBT003  # enabled
WORKSPACE = SpendLimit("spl_2", "workspace", "a", "59999", "USD", "monthly", True)  # noqa: FBT003  # enabled


def invented(limit: str, scope: dict[str, Any], **more: Any) -> dict[str, Any]:
    times = {"created_at": "2025-10-01T00:00:00Z", "updated_at": "2025-10-01T00:00:00Z"}
    given: dict[str, Any] = {"id": limit, "type": "spend_limit", "amount": "50000", "currency": "USD", "scope": scope}
    return given | {"period": "monthly", "is_enabled": True} | times | more


def budget(db: Path, *arguments: str, code: int) -> list[tuple[Any, ...]]:
    done = run("report", "budget", "--month", "2026-01", "--json", "--db", str(db), *arguments)
    assert done.code == code, done.stderr
    names = ("budget", "limit_usd", "spent_usd", "projected_usd", "state")
    return [tuple(row[name] for name in names) for row in done.rows()]


@pytest.fixture
def ten_days(db: Path) -> Handmade:
    """Return ten days of 60 USD of one workspace and 40 USD of the default one: January is projected to 3,100 USD."""
    made = Handmade(db)
    rows = [cost_row("6000", workspace_id="a", description="d"), cost_row("4000", description="d")]
    made.cost(dict.fromkeys(days("2026-01-01", "2026-01-10"), rows), read_at=READ_AT)
    return made


def test_limits_of_the_api_are_compared_like_budgets(ten_days: Handmade) -> None:
    ten_days.names(NameKind.WORKSPACE, {"a": "Alpha"}, read_at="2026-01-01")
    ten_days.spend_limits(ORGANIZATION, WORKSPACE, read_at=READ_AT)
    assert budget(ten_days.path, code=3) == [
        ("API limit: organization", "3100.00", "1000.00", "3100.00", "kept"),
        ("API limit: Alpha", "599.99", "600.00", "1860.00", "passed"),
    ]
    config = ten_days.path.with_suffix(".toml")
    config.write_text("[budgets]\ntotal = 3000\n")
    rows = budget(ten_days.path, "--config", str(config), code=3)
    assert [row[0] for row in rows] == ["total", "API limit: organization", "API limit: Alpha"]


def test_a_limit_of_the_default_workspace_is_of_its_cost(ten_days: Handmade) -> None:
    created = '{"created_at": "2025-01-01T00:00:00Z"}'
    ten_days.names(NameKind.WORKSPACE, {"wrkspc_0": "Default"}, read_at="2026-01-01", details=created)
    ten_days.spend_limits(replace(WORKSPACE, scope_id="wrkspc_0", amount="40000"), read_at=READ_AT)
    assert budget(ten_days.path, code=0) == [
        ("API limit: (default workspace)", "400.00", "400.00", "1240.00", "will be passed")
    ]


def test_other_limits_are_counted_and_not_compared(ten_days: Handmade) -> None:
    others = (
        replace(ORGANIZATION, period="daily"),
        replace(ORGANIZATION, is_enabled=False),
        replace(ORGANIZATION, amount=None),
        replace(ORGANIZATION, currency="EUR"),
        replace(ORGANIZATION, scope="user", scope_id="user_1"),
    )
    ten_days.spend_limits(ORGANIZATION, *others, read_at=READ_AT)
    assert [row[0] for row in budget(ten_days.path, code=0)] == ["API limit: organization"]
    stderr = run("report", "budget", "--month", "2026-01", "--db", str(ten_days.path)).stderr
    assert "5 other limits of the API" in stderr


def test_without_any_limit_it_says_what_to_configure(ten_days: Handmade) -> None:
    ten_days.spend_limits(ORGANIZATION, read_at=READ_AT)
    ten_days.spend_limits(read_at="2026-01-12T03:00:00")  # it was taken away
    done = archiver("report", "budget", "--db", str(ten_days.path))
    assert (done.returncode, "no budget is configured" in done.stderr) == (2, True)
    assert budget(ten_days.path, "--as-of", "2026-01-11T04:00:00", code=0)[0][1] == "3100.00"


def test_sync_reads_the_limits_with_all_their_pages(db: Path) -> None:
    limits = [invented("spl_0", {"type": "organization"})]
    limits += [invented(f"spl_{n}", {"type": "user", "user_id": f"user_{n}"}) for n in range(1, 1200)]
    with background(replace(SMALL, spend_limits=tuple(limits))) as api:
        scope = Scope(group_by=("none",), since=day("2026-01-13"))
        summary = sync(api, db, scope)
        sync(api, db, scope)
    assert (summary.exit_code, [text for text in summary.warnings if "limit" in text]) == (0, [])
    assert select(db, "SELECT count(*), count(DISTINCT scope_id) FROM spend_limit") == [(1200, 1199)]
    assert select(db, "SELECT count(*) FROM _spend_limits") == [(1,)]
    assert select(db, "SELECT scope, amount, currency, period, is_enabled FROM spend_limit WHERE id = 'spl_0'") == [
        ("organization", "50000", "USD", "monthly", 1)
    ]


def test_a_key_without_access_gets_no_warning(db: Path) -> None:
    with background(SMALL) as api:
        done = run_sync(api, db, "--since", "2026-01-13", "--json")
    warnings = json.loads(done.stdout)["warnings"]
    assert (done.returncode, [text for text in warnings if "limit" in text]) == (0, [])
    assert select(db, "SELECT count(*) FROM spend_limit") == [(0,)]


@pytest.mark.parametrize(
    "limit",
    [
        invented("spl_1", {"type": "organization"}, amount="1.5"),
        invented("spl_1", {"type": "organization"}, amount=500),
        invented("spl_1", {"type": "organization"}, currency=None),
        invented("spl_1", {"type": None}),
        {"id": "spl_1"},
    ],
)
def test_a_list_that_is_not_as_documented_costs_no_row(db: Path, limit: dict[str, Any]) -> None:
    with background(replace(SMALL, spend_limits=(limit,))) as api:
        summary = sync(api, db, Scope(group_by=("none",), since=day("2026-01-13")))
    assert summary.exit_code == 0
    assert [text for text in summary.warnings if text.startswith("cannot read the spend limits: ")]
    assert select(db, "SELECT count(*) FROM spend_limit") == [(0,)]
