"""The Claude Code report: sessions, lines, tools and models by person.

The facts are from the vendor's documentation of `/v1/organizations/usage_report/claude_code`. How long the API keeps a
day is not documented.

A record of the API becomes several rows: one with its sessions, lines and commits, one for each tool, and one for each
model. The first row has neither tool nor model. In each row, counts that belong to another kind of row are zero, and
the amount is None in all rows except those of models.
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

# No use is older: Claude Code was first released in February 2025.
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
    """Numbers of accepted lines."""

    added: Count
    removed: Count


class CoreMetrics(msgspec.Struct):
    """The numbers of a record that belong to neither a tool nor a model."""

    num_sessions: Count
    lines_of_code: LinesOfCode
    commits_by_claude_code: Count
    pull_requests_by_claude_code: Count


class ToolActions(msgspec.Struct):
    """How often the proposals of a tool were accepted and rejected."""

    accepted: Count
    rejected: Count


class Tokens(msgspec.Struct):
    """Numbers of tokens that a model read and wrote."""

    input: Count
    output: Count
    cache_read: Count
    cache_creation: Count


class EstimatedCost(msgspec.Struct):
    """The cost of a model as the vendor estimates it, in cents."""

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
    """Return the type and the id of an actor, and the actor as a person.

    The person is None for an actor that is not a user. The API identifies a user by an e-mail address alone, so the id
    is a pseudonym made from the address. The id of an API key is its name. The id of an actor of any other type is the
    JSON of its fields.

    Raises:
        ValueError: The actor has no type, or lacks the field that its type needs.
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
    # A type that is new in the API. Its id must not contain personal data.
    fields = {name: value for name, value in actor.items() if name not in {"type", "email_address", "name"}}
    return kind, json.dumps(fields, ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=str), None


def add_records(first: Sequence[Any], second: Sequence[Any]) -> tuple[Any, ...]:
    """Add the measures of two rows with equal dimension values, exactly.

    Raises:
        ValueError: The sum does not fit 64 bits in microcents, or its text is longer than 100 characters.
    """
    counts = tuple(map(add, first[: len(COUNTS)], second[: len(COUNTS)]))
    # The text of the amount follows the counts. Both rows have an amount, or neither has: the currency is one of the
    # equal values, and it is None exactly in rows without an amount.
    amounts = [values[len(COUNTS)] for values in (first, second) if values[len(COUNTS)] is not None]
    if not amounts:
        return (*counts, None, None, None)
    text = add_amount_texts(*amounts)
    return (*counts, text, *split_amount(text))


def is_known_by_name(_: Collection[str], dimensions: Sequence[str | None]) -> bool:
    """Return whether different actors can have the dimension values of a row.

    This holds for every actor except a user. For example, the API identifies an API key by its name alone, and another
    key may have the same name.
    """
    return dimensions[0] != "user_actor"  # the first column is `actor_type`


CLAUDE_CODE = ReportSpec(
    report=Report.CLAUDE_CODE,
    path="/v1/organizations/usage_report/claude_code",
    limits={BucketWidth.DAY: 1},
    group_by=(),
    default_dimensions=(),
    columns=COLUMNS,
    measures=(*COUNTS, *AMOUNTS),
    # The decoder of this report makes rows by itself, without the next three.
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
        # An equal row on a later page may be the same record, sent again. It is an error, and is not added.
        repeats=Repeats(add_records, is_known_by_name, across_pages=False),
    ),
)
