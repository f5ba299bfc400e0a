"""Read a page of the Claude Code report, which is a list of records.

A record is what one person did on one day from one terminal. It becomes several rows, because its lists have
dimensions of their own: one row of sessions, lines, commits and pull requests, one of each tool, and one of each model.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from archiver.answer import Row, RowPage
from archiver.api.decode.interval import read_time
from archiver.api.decode.jsontext import to_json
from archiver.api.decode.structs import convert, number_text, read_envelope, split_struct
from archiver.api.decode.warn import unknown_in_rows
from archiver.errors import ContractError
from archiver.reports.claude_code import COLUMNS, COUNTS, EstimatedCost, ModelUse, Record, ToolActions, read_actor
from archiver.reports.cost import amount_text, split_amount

if TYPE_CHECKING:
    from collections.abc import Mapping

    from archiver.model import NamedObject, Window

_ENVELOPE = ("data", "has_more", "next_page")
_OWN = {"date", "actor", "tool_actions", "model_breakdown"}
_NO_AMOUNT = (None, None, None)


@dataclass(slots=True)
class _Draft:
    """What a page has shown so far."""

    window: Window
    rows: list[Row] = field(default_factory=list)
    warnings: dict[str, None] = field(default_factory=dict)
    people: dict[str, NamedObject] = field(default_factory=dict)

    def add(
        self, columns: Mapping[str, Any], counts: Mapping[str, int], amount: tuple[Any, ...], extra: dict[str, Any]
    ) -> None:
        """Add a row, with the fields of it that are unknown."""
        if extra:
            self.warnings[unknown_in_rows(list(extra))] = None
        values = (*(counts.get(name, 0) for name in COUNTS), *amount)
        key = tuple(columns.get(name) for name in COLUMNS)
        self.rows.append(Row(self.window.start, key, values, to_json(extra) if extra else None))


def read_claude_code_page(raw: Any, window: Window) -> RowPage:
    """Read a page of the answer to `window`, which is one day, from its JSON.

    Unknown fields of records are kept as `extra`.

    Raises:
        ContractError: The page breaks the contract.
    """
    draft = _Draft(window)
    data, following, _ = read_envelope(raw, _ENVELOPE, draft.warnings)
    for number, one in enumerate(data):
        _read_record(one, f"data[{number}]", draft)
    return RowPage(draft.rows, following, None, tuple(draft.warnings), tuple(draft.people.values()))


def _read_record(raw: Any, place: str, draft: _Draft) -> None:
    if not isinstance(raw, dict):
        raise ContractError("Expected an object", place=place)
    date = raw.get("date")
    time = read_time(date) if isinstance(date, str) else None
    if time is None or time.timestamp() != draft.window.start:
        raise ContractError("Expected the day that was requested", place=f"{place}.date")
    columns = _read_actor(raw.get("actor"), f"{place}.actor", draft)
    record, extra = _read_object({n: v for n, v in raw.items() if n not in _OWN}, Record, place)
    columns |= {
        "organization_id": record.organization_id,
        "customer_type": record.customer_type,
        "subscription_type": record.subscription_type,
        "terminal_type": record.terminal_type,
        "is_remote": None if record.is_remote is None else str(record.is_remote).lower(),
    }
    core = record.core_metrics
    counts = {
        "sessions": core.num_sessions,
        "lines_added": core.lines_of_code.added,
        "lines_removed": core.lines_of_code.removed,
        "commits": core.commits_by_claude_code,
        "pull_requests": core.pull_requests_by_claude_code,
    }
    draft.add(columns, counts, _NO_AMOUNT, extra)
    _read_tools(raw.get("tool_actions"), f"{place}.tool_actions", columns, draft)
    _read_models(raw.get("model_breakdown"), f"{place}.model_breakdown", columns, draft)


def _read_actor(value: Any, place: str, draft: _Draft) -> dict[str, str | None]:
    if not isinstance(value, dict):
        raise ContractError("Expected an object", place=place)
    try:
        kind, identity, person = read_actor(value)
    except ValueError as error:
        raise ContractError(str(error), place=place) from None
    if person is not None:
        draft.people[person.id] = person
    return {"actor_type": kind, "actor_id": identity}


def _read_tools(value: Any, place: str, columns: Mapping[str, Any], draft: _Draft) -> None:
    if not isinstance(value, dict):
        raise ContractError("Expected an object", place=place)
    for tool, actions in value.items():
        found, extra = _read_object(actions, ToolActions, f"{place}.{tool}")
        counts = {"accepted": found.accepted, "rejected": found.rejected}
        draft.add({**columns, "tool": tool}, counts, _NO_AMOUNT, extra)


def _read_models(value: Any, place: str, columns: Mapping[str, Any], draft: _Draft) -> None:
    if not isinstance(value, list):
        raise ContractError("Expected a list", place=place)
    for number, one in enumerate(value):
        inner = f"{place}[{number}]"
        if not isinstance(one, dict):
            raise ContractError("Expected an object", place=inner)
        found, extra = _read_object({n: v for n, v in one.items() if n != "estimated_cost"}, ModelUse, inner)
        amount, currency, more = _read_cost(one.get("estimated_cost"), f"{inner}.estimated_cost")
        extra |= {"estimated_cost": more} if more else {}
        counts = {f"{name}_tokens": getattr(found.tokens, name) for name in ("input", "output", "cache_read")}
        counts["cache_creation_tokens"] = found.tokens.cache_creation
        draft.add({**columns, "model": found.model, "currency": currency}, counts, amount, extra)


def _read_cost(value: Any, place: str) -> tuple[tuple[Any, ...], str | None, dict[str, Any]]:
    """Return the amount, the currency and the unknown fields of a cost.

    Use that is not billed by tokens can have none.
    """
    if value is None:
        return _NO_AMOUNT, None, {}
    if not isinstance(value, dict):
        raise ContractError("Expected an object", place=place)
    # The amount is a number in JSON, and kept as the text that was sent.
    cost, extra = _read_object(value | {"amount": number_text(value.get("amount"))}, EstimatedCost, place)
    try:
        text = amount_text(cost.amount)
        return (text, *split_amount(text)), cost.currency, extra
    except ValueError as error:
        raise ContractError(str(error), place=f"{place}.amount") from None


def _read_object(raw: Any, kind: Any, place: str) -> tuple[Any, dict[str, Any]]:
    """Return an object as a struct, and its unknown fields.

    Raises:
        ContractError: A field is missing, or of a wrong type.
    """
    if not isinstance(raw, dict):
        raise ContractError("Expected an object", place=place)
    known, extra = split_struct(raw, kind)
    return convert(known, kind, place), extra
