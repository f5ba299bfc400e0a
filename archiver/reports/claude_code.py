"""The Claude Code report: sessions, lines, tools and models by person.

The facts are from the vendor's documentation of `/v1/organizations/usage_report/claude_code`. How long the API keeps a
day is not documented.

A record of the API becomes several rows: one with its sessions, lines and commits, one for each tool, and one for each
model. The first has neither tool nor model. Numbers that belong to another kind of row are zero, and an amount is None.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from operator import add
from typing import TYPE_CHECKING, Any

import msgspec

from archiver.model import HOUR, BucketWidth, NamedObject, NameKind, Report
from archiver.reports.cost import add_amount_texts, split_amount
from archiver.reports.people import pseudonym
from archiver.reports.spec import Count, Repeats, ReportSpec, RowPaging

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

# Claude Code was first released in February 2025.
_EARLIEST = int(datetime(2025, 1, 1, tzinfo=UTC).timestamp())

COLUMNS = (
    "actor_type",
    "actor_id",
    "organization_id",
    "customer_type",
    "subscription_type",
    "terminal_type",
    "is_remote",
    "tool",
    "model",
    "currency",
)
COUNTS = (
    "sessions",
    "lines_added",
    "lines_removed",
    "commits",
    "pull_requests",
    "accepted",
    "rejected",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_creation_tokens",
)
AMOUNTS = ("amount", "amount_microcents", "amount_remainder")


class LinesOfCode(msgspec.Struct):
    """Lines that were accepted."""

    added: Count
    removed: Count


class CoreMetrics(msgspec.Struct):
    """The numbers of a record that are of no tool and no model."""

    num_sessions: Count
    lines_of_code: LinesOfCode
    commits_by_claude_code: Count
    pull_requests_by_claude_code: Count


class ToolActions(msgspec.Struct):
    """How often the proposals of a tool were accepted and rejected."""

    accepted: Count
    rejected: Count


class Tokens(msgspec.Struct):
    """Tokens of a model."""

    input: Count
    output: Count
    cache_read: Count
    cache_creation: Count


class EstimatedCost(msgspec.Struct):
    """An estimate of the vendor, in cents."""

    amount: str
    currency: str


class ModelUse(msgspec.Struct):
    """The use of a model, without its cost."""

    model: str
    tokens: Tokens


class Record(msgspec.Struct):
    """A record without its actor, tools and models."""

    core_metrics: CoreMetrics
    organization_id: str | None = None
    customer_type: str | None = None
    subscription_type: str | None = None
    terminal_type: str | None = None
    is_remote: bool | None = None


def read_actor(actor: Mapping[str, Any]) -> tuple[str, str, NamedObject | None]:
    """Return the type and the id of an actor, and the person who it is.

    A person is known by an e-mail address alone, and has an id that is made of it.

    Raises:
        ValueError: The actor has no type, or not what its type needs.
    """
    kind = actor.get("type")
    if not isinstance(kind, str) or not kind:
        raise ValueError("Expected an actor with a type")
    if kind == "user_actor":
        address = actor.get("email_address")
        if not isinstance(address, str) or not address:
            raise ValueError("Expected an actor with email_address")
        identity = pseudonym(address)
        details = json.dumps({"deleted": False, "email": address}, ensure_ascii=False, separators=(",", ":"))
        return kind, identity, NamedObject(NameKind.PERSON, identity, None, details)
    if kind == "api_actor":
        name = actor.get("api_key_name")
        if not isinstance(name, str) or not name:
            raise ValueError("Expected an actor with api_key_name")
        return kind, name, None
    rest = {name: value for name, value in actor.items() if name not in {"type", "email_address", "name"}}
    return kind, json.dumps(rest, ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=str), None


def add_records(one: Sequence[Any], other: Sequence[Any]) -> tuple[Any, ...]:
    """Add the measures of two rows of the same values, amounts exactly.

    Raises:
        ValueError: The sum does not fit 64 bits in microcents.
    """
    counts = tuple(map(add, one[: len(COUNTS)], other[: len(COUNTS)]))
    amounts = [values[len(COUNTS)] for values in (one, other) if values[len(COUNTS)] is not None]
    if not amounts:
        return (*counts, None, None, None)
    text = add_amount_texts(*amounts)
    return (*counts, text, *split_amount(text))


def is_known_by_name(_: Collection[str], dimensions: Sequence[str | None]) -> bool:
    """Return whether the actor of a row may be another one with the same name.

    An API key is sent with its name alone, which another key may have too.
    """
    return dimensions[0] != "user_actor"


CLAUDE_CODE = ReportSpec(
    report=Report.CLAUDE_CODE,
    path="/v1/organizations/usage_report/claude_code",
    limits={BucketWidth.DAY: 1},
    group_by=(),
    default_dimensions=(),
    columns=COLUMNS,
    measures=(*COUNTS, *AMOUNTS),
    wire_measures={},
    read_dimensions=lambda row: row,
    read_measures=(),
    texts=("amount",),
    nullable=AMOUNTS,
    youngest_seconds=HOUR,
    rows=RowPaging(
        earliest=_EARLIEST,
        delay=HOUR,
        by_day=True,
        # Of a later page, a record could also be one that the API sends again.
        repeats=Repeats(add_records, is_known_by_name, across_pages=False),
    ),
)
