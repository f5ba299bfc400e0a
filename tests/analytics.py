"""The analytics reports: an archive's rows and those of the simulator, in one form."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from archiver.model import BucketWidth, Report
from archiver.plan.scope import Scope
from archiver.simulator import Settings
from tests.support import select

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from archiver.simulator import Simulator

FIRST_DAY = date(2026, 2, 1)
NOW = datetime(2026, 3, 20, 12, 30, tzinfo=UTC)
SMALL = Settings(first_day=FIRST_DAY, now=NOW, size=0.15)
BOTH = (Report.ANALYTICS_USAGE, Report.ANALYTICS_COST)
COST_GROUPING = ("actor", "api_key_id", "cost_type", "model", "token_type", "workspace_id")
USAGE_GROUPING = ("actor", "api_key_id", "model", "service_tier", "workspace_id")
COUNTS = (
    "uncached_input_tokens",
    "cache_creation_1h_input_tokens",
    "cache_creation_5m_input_tokens",
    "cache_read_input_tokens",
    "output_tokens",
    "web_search_requests",
)
_IDS = {"user_actor": "user_id", "service_account_actor": "service_account_id", "api_actor": "api_key_id"}


def scope(*reports: Report, **more: Any) -> Scope:
    """Return the scope of a sync of analytics reports, both unless named."""
    return Scope(reports or BOTH, **more)


def archived(db: Path, report: Report, group_by: Sequence[str], width: str = "1d") -> list[str]:
    """Return the rows of a series as text, in a fixed order."""
    view = report.value.replace("-", "_")
    columns = ["bucket_start", "bucket_end", *_columns(group_by), *_measures(report)]
    rows = select(
        db,
        f"SELECT {', '.join(columns)} FROM {view} WHERE group_by = ? AND bucket_width = ?",  # noqa: S608
        ",".join(sorted(group_by)),
        width,
    )
    return sorted(json.dumps(dict(zip(columns, row, strict=True)), sort_keys=True) for row in rows)


def truth(  # noqa: PLR0913, PLR0917  # the parts of a series
    api: Simulator,
    report: Report,
    group_by: Sequence[str],
    start: datetime,
    width: str = "1d",
    end: datetime = NOW + timedelta(days=1),  # a fixed time
) -> list[str]:
    """Return the same of the simulator; rows of actors that it cannot show are added up."""
    added: dict[str, list[Any]] = {}
    for row in api.analytics_truth(report.value, start, end, bucket_width=width, group_by=group_by):
        group, metrics = row["group"], row.get("usage") or row["cost"]
        values = {"bucket_start": row["starting_at"], "bucket_end": row["ending_at"]}
        for name in group_by:
            if name == "actor":
                values |= {"actor_type": group[name] and group[name]["type"], "actor_id": _actor_id(group[name])}
            else:
                values[name] = group[name]
        key = json.dumps(values, sort_keys=True)
        numbers = _numbers(report, metrics)
        before = added.get(key)
        added[key] = numbers if before is None else [_plus(a, b) for a, b in zip(before, numbers, strict=True)]
    names = _measures(report)
    return sorted(
        json.dumps(json.loads(key) | dict(zip(names, map(_written, numbers), strict=True)), sort_keys=True)
        for key, numbers in added.items()
    )


def money(rows: Sequence[dict[str, Any]], name: str = "amount") -> Decimal:
    """Add up amounts of cents exactly."""
    return sum((Decimal(row[name]) for row in rows), Decimal(0))


def only_days(since: str, **more: Any) -> Scope:
    """Return the scope of both reports from a day on."""
    return scope(since=datetime.fromisoformat(since).replace(tzinfo=UTC), bucket_widths=(BucketWidth.DAY,), **more)


def _columns(group_by: Sequence[str]) -> list[str]:
    return [column for name in group_by for column in (("actor_type", "actor_id") if name == "actor" else (name,))]


def _measures(report: Report) -> tuple[str, ...]:
    return ("amount", "list_amount", "requests") if report is Report.ANALYTICS_COST else (*COUNTS, "requests")


def _actor_id(actor: dict[str, Any] | None) -> str | None:
    if actor is None:
        return None
    if actor["type"] in _IDS:
        return str(actor[_IDS[actor["type"]]])
    shown = {name: value for name, value in actor.items() if name not in {"type", "name", "email_address"}}
    return json.dumps(shown, sort_keys=True, separators=(",", ":"))


def _numbers(report: Report, metrics: dict[str, Any]) -> list[Any]:
    if report is Report.ANALYTICS_COST:
        return [Decimal(metrics["amount"]), Decimal(metrics["list_amount"]), metrics["requests"]]
    return [
        metrics["uncached_input_tokens"],
        metrics["cache_creation"]["ephemeral_1h_input_tokens"],
        metrics["cache_creation"]["ephemeral_5m_input_tokens"],
        metrics["cache_read_input_tokens"],
        metrics["output_tokens"],
        metrics["server_tool_use"]["web_search_requests"],
        metrics["requests"],
    ]


def _plus(one: Any, other: Any) -> Any:
    return None if one is None or other is None else one + other


def _written(number: Any) -> Any:
    return f"{number:f}" if isinstance(number, Decimal) else number
