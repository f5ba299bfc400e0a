"""The vendor's own SDK reads the simulator, and its sums are those of the archive.

So the simulator has the shapes that the SDK's types describe: they are checked, and not only read.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from anthropic import Anthropic
from anthropic.types.beta.organization.analytics import BetaAnalyticsCostItem, BetaAnalyticsUsageItem
from anthropic.types.beta.organization.beta_spend_limit import BetaSpendLimit
from pydantic import TypeAdapter

from archiver.simulator import background
from tests.analytics import COUNTS, NOW, SMALL, only_days
from tests.support import day, select, sync

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from archiver.simulator import Simulator

LIMITS = tuple(
    {
        "id": f"spl_{number}",
        "type": "spend_limit",
        "amount": amount,
        "currency": "USD",
        "period": "monthly",
        "scope": scope,
        "is_enabled": True,
        "created_at": "2026-01-01T00:00:00Z",
        "updated_at": "2026-01-01T00:00:00Z",
    }
    for number, (amount, scope) in enumerate(
        [
            ("500000", {"type": "organization"}),
            (None, {"type": "usage_tier"}),
            ("20000", {"type": "workspace", "workspace_id": "wrkspc_1"}),
        ]
    )
)
START, END = day("2026-03-01"), NOW + timedelta(hours=1)


@pytest.fixture(scope="module")
def api() -> Iterator[Simulator]:
    with background(replace(SMALL, key_scope=True, spend_limits=LIMITS)) as running:
        yield running


@pytest.fixture(scope="module")
def sdk(api: Simulator) -> Iterator[Anthropic]:
    with Anthropic(api_key=api.key, base_url=api.url, max_retries=0) as client:
        yield client


@pytest.fixture(scope="module")
def db(api: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp("sdk") / "archive.db"
    sync(api, path, only_days("2026-03-01"))
    return path


def checked(kind: Any, items: list[Any]) -> list[Any]:
    """Validate items strictly against the SDK's types: reading alone accepts any shape."""
    adapter = TypeAdapter(kind)
    for item in items:
        adapter.validate_python(item.model_dump(by_alias=True))
        assert not item.model_extra
    return items


def test_the_names_are_those_of_the_archive(sdk: Anthropic, db: Path) -> None:
    workspaces = list(sdk.beta.organization.workspaces.list(include_archived=True))
    keys = list(sdk.beta.organization.api_keys.list())
    users = list(sdk.beta.organization.users.list())
    for table, listed in (("api_key", keys), ("user", users)):
        assert {(one.id, one.name) for one in listed} == set(select(db, f"SELECT id, name FROM {table}"))  # noqa: S608
    known: dict[str, str] = dict(select(db, "SELECT id, name FROM workspace"))
    assert {(one.id, one.name) for one in workspaces} <= set(known.items())


def test_the_spend_limits_are_those_of_the_archive(sdk: Anthropic, db: Path) -> None:
    listed = checked(BetaSpendLimit, list(sdk.beta.organization.spend_limits.list(limit=2)))
    found = {(one.id, one.scope.type, one.amount, one.period) for one in listed}
    assert found == set(select(db, "SELECT id, scope, amount, period FROM spend_limit"))
    assert len(found) == 3


def test_cost_by_key_and_person_is_that_of_the_archive(sdk: Anthropic, db: Path) -> None:
    items = checked(
        BetaAnalyticsCostItem,
        list(
            sdk.beta.organization.analytics.cost.list(
                starting_at=START,
                ending_at=END,
                time_bucket_width="1d",
                group_by=["api_key_id", "actor"],
                order="asc",
                order_by="time",
                limit=50,
            )
        ),
    )
    assert len({item.starting_at for item in items}) > 10
    for name, column in (("amount", "amount_microcents"), ("list_amount", None)):
        total = sum((Decimal(getattr(item.cost, name)) for item in items), Decimal(0))
        if column:
            assert total * 10**6 == select(db, f"SELECT sum({column}) FROM daily_cost_by_key")[0][0]  # noqa: S608
        else:
            listed = select(db, "SELECT list_amount FROM analytics_cost")
            assert total == sum((Decimal(one) for (one,) in listed), Decimal(0))
    by_key: dict[str | None, Decimal] = {}
    for item in items:
        by_key[item.group.api_key_id] = by_key.get(item.group.api_key_id, Decimal(0)) + Decimal(item.cost.amount)
    sums = select(db, "SELECT api_key_id, sum(amount_microcents) FROM daily_cost_by_key GROUP BY 1")
    assert {key: amount * 10**6 for key, amount in by_key.items()} == {key: Decimal(one) for key, one in sums}


def test_usage_is_that_of_the_archive(sdk: Anthropic, db: Path) -> None:
    items = checked(
        BetaAnalyticsUsageItem,
        list(
            sdk.beta.organization.analytics.usage.list(
                starting_at=START, ending_at=END, time_bucket_width="1d", group_by=["model", "actor", "product"]
            )
        ),
    )
    (sums,) = select(db, f"SELECT {', '.join(f'sum({name})' for name in COUNTS)}, sum(requests) FROM analytics_usage")  # noqa: S608
    mine = (
        sum(item.usage.uncached_input_tokens for item in items),
        sum(item.usage.cache_creation.ephemeral_1h_input_tokens for item in items),
        sum(item.usage.cache_creation.ephemeral_5m_input_tokens for item in items),
        sum(item.usage.cache_read_input_tokens for item in items),
        sum(item.usage.output_tokens for item in items),
        sum(item.usage.server_tool_use.web_search_requests for item in items),
        sum(item.usage.requests or 0 for item in items),
    )
    assert mine == sums
    actors = {item.group.actor.type for item in items if item.group.actor is not None}
    assert actors == {"user_actor", "service_account_actor", "api_actor", "federated_actor"}
    assert any(item.group.actor is None for item in items)
