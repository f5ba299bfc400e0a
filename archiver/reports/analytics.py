"""The two reports of the Usage and Cost Analytics API.

They contain what the older reports lack: cost by API key and by person. Fields, values and limits here are from the
types and docstrings of the vendor's Python SDK, version 2.14.0 (`resources/beta/organization/analytics`).
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

_BETA = "analytics-usage-cost-2026-08-24"  # the `anthropic-beta` header of every request
_RETENTION_DAYS = 365  # after that, the API returns a day no more
_EARLIEST = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp())  # the API has no data before this time

# The first dimensions are the default ones of the reports below, the coarsest first.
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
"""Dimensions that only cost has. They do not count toward the limit of dimensions, nor toward the rows of a page."""

# The actor, an object in the API, is stored in two columns: its type and its id.
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

# The products that the SDK documents. A row with another product is archived too, with a warning.
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
"""The products that the cost report contains too. None stands for charges without a product."""

# Dimension → the name of its query parameter.
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

# The type of an actor → the field with its id. The types of other actors have no such field.
_ID_OF_ACTOR = {"user_actor": "user_id", "service_account_actor": "service_account_id", "api_actor": "api_key_id"}
# The fields of an actor that show who a person is.
_PERSONAL = ("email_address", "name")


class UsageMetrics(msgspec.Struct, forbid_unknown_fields=True):
    """The numbers of a usage row, as the API sends them."""

    cache_creation: CacheCreation
    cache_read_input_tokens: Count
    output_tokens: Count
    server_tool_use: ServerToolUse
    total_tokens: Count
    uncached_input_tokens: Count
    requests: Count | None = None


class CostMetrics(msgspec.Struct, forbid_unknown_fields=True):
    """The numbers of a cost row, as the API sends them.

    `amount` is in cents after discounts, `list_amount` in cents before discounts.
    """

    amount: str
    currency: str
    list_amount: str
    requests: Count | None = None


def read_actor(actor: Mapping[str, Any]) -> tuple[str, str]:
    """Return the type and the id of an actor.

    Identities of a cloud platform, and actors of a type that is new in the API, have no id in the API. Their id is the
    JSON of their fields (for a cloud identity: provider and subject), without names, and with a pseudonym in place of
    each e-mail address.

    Raises:
        ValueError: The actor has no type, or its type has an id and the actor does not.
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
    """Return an actor without its name, and with pseudonyms for addresses.

    This is for a row of a series that is not grouped by actor. Return None for a value that is not an object.
    """
    return without_addresses({**_nameless(actor), "type": actor.get("type")}) if isinstance(actor, dict) else None


def _nameless(actor: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of an actor except its type, name and e-mail address."""
    return {name: value for name, value in actor.items() if name not in {"type", *_PERSONAL}}


def actor_label(identity: str) -> str:
    """Return the readable part of the id of an actor.

    For an identity of a cloud platform that is the subject; without a subject, and for all other actors, it is the id.
    """
    if not identity.startswith("{"):  # not the JSON that `read_actor` makes
        return identity
    subject = json.loads(identity).get("subject")
    return subject if isinstance(subject, str) and subject else identity


def read_person(actor: Mapping[str, Any]) -> NamedObject | None:
    """Return the name and the e-mail address of a person.

    A person is a user, or an actor without an id in the API that has an e-mail address, for example a cloud identity
    with an address as its subject. Return None for all other actors.

    Raises:
        ValueError: As in `read_actor`.
    """
    kind, identity = read_actor(actor)
    if kind not in _ID_OF_ACTOR:
        # Other fields may contain addresses too, but the subject comes first.
        address = first_address(actor.get("subject")) or first_address(_nameless(actor))
        return None if address is None else _person(identity, None, {"deleted": False, "email": address})
    if kind != "user_actor":
        return None
    name, email = (value if isinstance(value := actor.get(field), str) else None for field in ("name", "email_address"))
    return _person(identity, name, {"deleted": actor.get("deleted") is True, "email": email})


def _person(identity: str, name: str | None, details: Mapping[str, Any]) -> NamedObject:
    """Return a person as an entry of the list of names."""
    return NamedObject(NameKind.PERSON, identity, name, json.dumps(details, ensure_ascii=False, separators=(",", ":")))


def is_unknown_actor(group_by: Collection[str], dimensions: Sequence[str | None]) -> bool:
    """Return whether the API does not show the actor of a row.

    Each such actor has its own row, with null as the actor (documented). Several rows of a bucket may therefore have
    the same dimensions.
    """
    return "actor" in group_by and dimensions[COLUMNS.index("actor_id")] is None


def add_counts(first: Sequence[Any], second: Sequence[Any]) -> tuple[Any, ...]:
    """Add the measures of two usage rows.

    `requests` is None if it is None in one of the rows.
    """
    return tuple(None if a is None or b is None else a + b for a, b in zip(first, second, strict=True))


def add_amounts(first: Sequence[Any], second: Sequence[Any]) -> tuple[Any, ...]:
    """Add the measures of two cost rows, amounts exactly.

    `requests` is None if it is None in one of the rows.

    Raises:
        ValueError: The sum does not fit 64 bits in microcents, or its text is longer than 100 characters.
    """
    # The measures are the amount, its microcents and remainder, the list amount and the requests. Microcents and
    # remainder are computed again from the sum, because they are rounded.
    amount, list_amount = add_amount_texts(first[0], second[0]), add_amount_texts(first[3], second[3])
    requests = None if first[4] is None or second[4] is None else first[4] + second[4]
    return amount, *split_amount(amount), list_amount, requests


def _microcents(metrics: Any) -> int:
    return split_amount(amount_text(metrics.amount))[0]


def _remainder(metrics: Any) -> int:
    return split_amount(amount_text(metrics.amount))[1]


def _list_amount(metrics: Any) -> str:
    split_amount(amount_text(metrics.list_amount))  # only for its ValueError, if the text is not an amount
    return amount_text(metrics.list_amount)


# The largest numbers of buckets in a request: 31 days, also in hours, and one day in minutes.
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
