"""Archives and deliveries for the tests of `export focus`."""

from __future__ import annotations

import csv
from collections import defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING

from archiver.model import NameKind
from archiver.offline.export.focus.quantities import NEEDED
from tests.handmade import Handmade, cost_row, days, usage_row
from tests.support import archiver

if TYPE_CHECKING:
    from pathlib import Path

READ_AT = "2026-04-30T03:00:00"
KINDS = {"context_window": "0-200k", "service_tier": "standard"}
Rows = list[dict[str, str]]


def exported(db: Path, target: Path, *arguments: str, code: int = 0) -> tuple[Rows, str]:
    done = archiver("export", "focus", str(target), "--db", str(db), *arguments)
    assert done.returncode == code, done.stderr
    if not target.exists() or target.suffix != ".csv":
        return [], done.stderr
    with target.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file)), done.stderr


def make_small(db: Path) -> Path:
    """Archive January of two rows of tokens, a credit, searches and code execution, and usage by region."""
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


def make_by_key(db: Path) -> Path:
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


def sums_of(rows: Rows, *names: str) -> dict[tuple[str, ...], Decimal]:
    found: dict[tuple[str, ...], Decimal] = defaultdict(Decimal)
    for row in rows:
        found[tuple(row[name] for name in names)] += Decimal(row["BilledCost"])
    return {key: amount for key, amount in found.items() if amount}
