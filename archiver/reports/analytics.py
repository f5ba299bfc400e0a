"""The two reports of the Usage and Cost Analytics API.

They answer what the older reports do not: cost by API key and by person. The facts are from the types and docstrings of
the vendor's Python SDK, version 2.14.0 (`resources/beta/organization/analytics`).
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import msgspec

from archiver.model import DAY, BucketWidth, NamedObject, NameKind, Report
from archiver.reports.cost import add_amount_texts, amount_text, split_amount
from archiver.reports.people import first_address, without_addresses
from archiver.reports.spec import Count, Repeats, ReportSpec, RowPaging
from archiver.reports.usage import MEASURES as COUNTS
from archiver.reports.usage import READ_MEASURES as READ_COUNTS
from archiver.reports.usage import CacheCreation, ServerToolUse

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

_BETA = "analytics-usage-cost-2026-08-24"
_RETENTION_DAYS = 365
_EARLIEST = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp())

DIMENSIONS = (
    "workspace_id",
    "api_key_id",
    "actor",
    "model",
    "service_tier",
    "product",
    "actor_type",
    "agent_id",
    "claude_tag_category",
    "claude_tag_user_id",
    "context_window",
    "deployment_id",
    "environment_id",
    "inference_geo",
    "organization_id",
    "rbac_group_id",
    "session_id",
    "slack_channel_id",
    "speed",
    "user_profile_id",
)
COST_COMPONENTS = ("cost_type", "token_type")
"""Dimensions of cost alone. They do not count toward the cap of `group_by`, nor toward the rows of a page."""

# The actor, an object, is stored as two columns: what it is, and its id.
COLUMNS = (
    "workspace_id",
    "api_key_id",
    "actor_type",
    "actor_id",
    "model",
    "product",
    "service_tier",
    "context_window",
    "inference_geo",
    "speed",
    "agent_id",
    "claude_tag_category",
    "claude_tag_user_id",
    "deployment_id",
    "environment_id",
    "organization_id",
    "rbac_group_id",
    "session_id",
    "slack_channel_id",
    "user_profile_id",
)

# The values that the SDK documents. Others are archived too, and named in a warning.
KNOWN_PRODUCTS = frozenset(
    {
        "cc_security_autopatch",
        "chat",
        "chat_cowork_unified",
        "claude_code",
        "claude_console",
        "claude_design",
        "claude_in_chrome",
        "claude_tag",
        "cowork",
        "managed_agents_api",
        "message_batches_api",
        "messages_api",
        "office_agent",
        "other",
    }
)

API_PRODUCTS = frozenset(
    {None, "claude_code", "claude_console", "managed_agents_api", "message_batches_api", "messages_api"}
)
"""The products that the cost report has too. None stands for charges that are of no product."""

_FILTERS = {
    "workspace_id": "workspace_ids[]",
    "api_key_id": "api_key_ids[]",
    "actor_id": "actor_ids[]",
    "model": "models[]",
    "product": "products[]",
    "service_tier": "service_tiers[]",
    "context_window": "context_windows[]",
    "inference_geo": "inference_geos[]",
    "speed": "speeds[]",
}

_ID_OF_ACTOR = {"user_actor": "user_id", "service_account_actor": "service_account_id", "api_actor": "api_key_id"}
_PERSONAL = ("email_address", "name")


class UsageMetrics(msgspec.Struct, forbid_unknown_fields=True):
    """The numbers of a usage row, as they are sent."""

    cache_creation: CacheCreation
    cache_read_input_tokens: Count
    output_tokens: Count
    server_tool_use: ServerToolUse
    total_tokens: Count
    uncached_input_tokens: Count
    requests: Count | None = None


class CostMetrics(msgspec.Struct, forbid_unknown_fields=True):
    """The numbers of a cost row, as they are sent.

    Amounts are in cents, after and before discounts.
    """

    amount: str
    currency: str
    list_amount: str
    requests: Count | None = None


def read_actor(actor: Mapping[str, Any]) -> tuple[str, str]:
    """Return the type and the id of an actor.

    An actor of a cloud platform has no id. Its id here is the JSON of its provider and subject, as is that of an actor
    of a type that is new in the API. A name is never a part of it. In place of an e-mail address it has a pseudonym.

    Raises:
        ValueError: The actor has no type, or no id where its type has one.
    """
    kind = actor.get("type")
    if not isinstance(kind, str) or not kind:
        raise ValueError("Expected an actor with a type")
    if kind not in _ID_OF_ACTOR:
        rest = without_addresses(_nameless(actor))
        return kind, json.dumps(rest, ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=str)
    identity = actor.get(_ID_OF_ACTOR[kind])
    if not isinstance(identity, str) or not identity:
        raise ValueError(f"Expected an actor with {_ID_OF_ACTOR[kind]}")
    return kind, identity


def without_person(actor: Any) -> Any:
    """Return an actor that was not requested, without name and addresses."""
    return without_addresses({**_nameless(actor), "type": actor.get("type")}) if isinstance(actor, dict) else None


def _nameless(actor: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in actor.items() if name not in {"type", *_PERSONAL}}


def actor_label(identity: str) -> str:
    """Return the readable part of the id of an actor.

    It is the subject of an identity of a cloud platform, and any other id itself.
    """
    if not identity.startswith("{"):
        return identity
    subject = json.loads(identity).get("subject")
    return subject if isinstance(subject, str) and subject else identity


def read_person(actor: Mapping[str, Any]) -> NamedObject | None:
    """Return the name and the e-mail address of a user.

    An identity of a cloud platform may have an address as its subject. None is returned for an actor that is no person.

    Raises:
        ValueError: The actor has no id.
    """
    kind, identity = read_actor(actor)
    if kind not in _ID_OF_ACTOR:
        address = first_address(actor.get("subject")) or first_address(_nameless(actor))
        return None if address is None else _person(identity, None, {"deleted": False, "email": address})
    if kind != "user_actor":
        return None
    name, email = (value if isinstance(value := actor.get(one), str) else None for one in ("name", "email_address"))
    return _person(identity, name, {"deleted": actor.get("deleted") is True, "email": email})


def _person(identity: str, name: str | None, details: Mapping[str, Any]) -> NamedObject:
    return NamedObject(NameKind.PERSON, identity, name, json.dumps(details, ensure_ascii=False, separators=(",", ":")))


def is_unknown_actor(group_by: Collection[str], dimensions: Sequence[str | None]) -> bool:
    """Return whether a row is of an identity that the API cannot show.

    Each has a row of its own, with a null in place of the actor (documented).
    """
    return "actor" in group_by and dimensions[COLUMNS.index("actor_id")] is None


def add_counts(one: Sequence[Any], other: Sequence[Any]) -> tuple[Any, ...]:
    """Add the measures of two usage rows.

    `requests` is None if either lacks it.
    """
    return tuple(None if a is None or b is None else a + b for a, b in zip(one, other, strict=True))


def add_amounts(one: Sequence[Any], other: Sequence[Any]) -> tuple[Any, ...]:
    """Add the measures of two cost rows, amounts exactly.

    Raises:
        ValueError: The sum does not fit 64 bits in microcents.
    """
    amount, listed = add_amount_texts(one[0], other[0]), add_amount_texts(one[3], other[3])
    requests = None if one[4] is None or other[4] is None else one[4] + other[4]
    return amount, *split_amount(amount), listed, requests


def _microcents(metrics: Any) -> int:
    return split_amount(amount_text(metrics.amount))[0]


def _remainder(metrics: Any) -> int:
    return split_amount(amount_text(metrics.amount))[1]


def _list_amount(metrics: Any) -> str:
    split_amount(amount_text(metrics.list_amount))  # raises for a text that is no amount
    return amount_text(metrics.list_amount)


# The range of a request is at most 31 days, and 24 hours by the minute.
_LIMITS = {BucketWidth.DAY: 31, BucketWidth.HOUR: 31 * 24, BucketWidth.MINUTE: DAY // 60}

ANALYTICS_USAGE = ReportSpec(
    report=Report.ANALYTICS_USAGE,
    path="/v1/organizations/analytics/usage",
    limits=_LIMITS,
    group_by=DIMENSIONS,
    default_dimensions=DIMENSIONS[:5],
    columns=COLUMNS,
    measures=(*COUNTS, "requests"),
    wire_measures={},
    read_dimensions=lambda row: row,
    read_measures=(*READ_COUNTS, attrgetter("requests")),
    nullable=("requests",),
    filters=_FILTERS,
    beta=_BETA,
    rows=RowPaging(
        metrics="usage",
        metrics_type=UsageMetrics,
        repeats=Repeats(add_counts, is_unknown_actor),
        earliest=_EARLIEST,
        delay=DAY,
        retention_days=_RETENTION_DAYS,
    ),
)

ANALYTICS_COST = ReportSpec(
    report=Report.ANALYTICS_COST,
    path="/v1/organizations/analytics/cost",
    limits=_LIMITS,
    group_by=(*DIMENSIONS, *COST_COMPONENTS),
    default_dimensions=DIMENSIONS[:4],
    always_grouped=COST_COMPONENTS,
    columns=(*COLUMNS, *COST_COMPONENTS, "currency"),
    measures=("amount", "amount_microcents", "amount_remainder", "list_amount", "requests"),
    wire_measures={},
    read_dimensions=lambda row: row,
    read_measures=(
        lambda metrics: amount_text(metrics.amount),
        _microcents,
        _remainder,
        _list_amount,
        attrgetter("requests"),
    ),
    texts=("amount", "list_amount"),
    nullable=("requests",),
    filters=_FILTERS,
    is_money=True,
    beta=_BETA,
    rows=RowPaging(
        metrics="cost",
        metrics_type=CostMetrics,
        repeats=Repeats(add_amounts, is_unknown_actor),
        earliest=_EARLIEST,
        delay=DAY,
        retention_days=_RETENTION_DAYS,
    ),
)
