"""Read a page of the Claude Code report, which is a list of records.

A record holds what one actor (a person or an API key) did on one day in one type of terminal. One record becomes
several rows: one for sessions, lines, commits and pull requests, one for each tool, and one for each model. Tools and
models need rows of their own, because `tool` and `model` are dimensions.
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
# The fields of a record that have their own readers here. `Record` describes all other fields.
_FIELDS_WITH_READERS = {"date", "actor", "tool_actions", "model_breakdown"}
# The values of `amount`, `amount_microcents` and `amount_remainder` in a row without cost.
_NO_AMOUNT = (None, None, None)


@dataclass(slots=True)
class _Draft:
    """The decoded content of a page, filled record by record.

    Attributes:
        window: The window that was requested, which is one day.
        rows: The rows in the order of the page.
        warnings: The sentences about unknown fields. The keys of a dict keep their order and do not repeat.
        people: Id → person. One person can have several records.
    """

    window: Window
    rows: list[Row] = field(default_factory=list)
    warnings: dict[str, None] = field(default_factory=dict)
    people: dict[str, NamedObject] = field(default_factory=dict)

    def add(
        self, columns: Mapping[str, Any], counts: Mapping[str, int], amount: tuple[Any, ...], extra: dict[str, Any]
    ) -> None:
        """Add a row; `extra` has its unknown fields.

        Missing columns become None, and missing counts become 0.
        """
        if extra:
            self.warnings[unknown_in_rows(list(extra))] = None
        values = (*(counts.get(name, 0) for name in COUNTS), *amount)
        key = tuple(columns.get(name) for name in COLUMNS)
        self.rows.append(Row(self.window.start, key, values, to_json(extra) if extra else None))


def read_claude_code_page(raw: Any, window: Window) -> RowPage:
    """Read a page of the answer to `window` from its decoded JSON.

    The window is one day. Unknown fields of records are kept as `extra`.

    Raises:
        ContractError: The page breaks the contract.
    """
    draft = _Draft(window)
    data, following, _ = read_envelope(raw, _ENVELOPE, draft.warnings)
    for index, record in enumerate(data):
        _read_record(record, f"data[{index}]", draft)
    # None is `complete_until`: this report has no `data_refreshed_at`.
    return RowPage(draft.rows, following, None, tuple(draft.warnings), tuple(draft.people.values()))


def _read_record(raw: Any, place: str, draft: _Draft) -> None:
    """Add the rows of one record; `place` is its path in the page, for errors."""
    if not isinstance(raw, dict):
        raise ContractError("Expected an object", place=place)
    date = raw.get("date")
    time = read_time(date) if isinstance(date, str) else None
    if time is None or time.timestamp() != draft.window.start:
        raise ContractError("Expected the day that was requested", place=f"{place}.date")
    columns = _read_actor(raw.get("actor"), f"{place}.actor", draft)
    described = {name: value for name, value in raw.items() if name not in _FIELDS_WITH_READERS}
    record, extra = _read_object(described, Record, place)
    columns |= {
        "organization_id": record.organization_id,
        "customer_type": record.customer_type,
        "subscription_type": record.subscription_type,
        "terminal_type": record.terminal_type,
        # Values of dimensions are text, so a boolean becomes "true" or "false".
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
        actor_type, actor_id, person = read_actor(value)
    except ValueError as error:
        raise ContractError(str(error), place=place) from None
    if person is not None:
        draft.people[person.id] = person
    return {"actor_type": actor_type, "actor_id": actor_id}


def _read_tools(value: Any, place: str, columns: Mapping[str, Any], draft: _Draft) -> None:
    if not isinstance(value, dict):
        raise ContractError("Expected an object", place=place)
    for tool, actions in value.items():
        proposals, extra = _read_object(actions, ToolActions, f"{place}.{tool}")
        counts = {"accepted": proposals.accepted, "rejected": proposals.rejected}
        draft.add({**columns, "tool": tool}, counts, _NO_AMOUNT, extra)


def _read_models(value: Any, place: str, columns: Mapping[str, Any], draft: _Draft) -> None:
    if not isinstance(value, list):
        raise ContractError("Expected a list", place=place)
    for index, item in enumerate(value):
        item_place = f"{place}[{index}]"
        if not isinstance(item, dict):
            raise ContractError("Expected an object", place=item_place)
        without_cost = {name: field_value for name, field_value in item.items() if name != "estimated_cost"}
        use, extra = _read_object(without_cost, ModelUse, item_place)
        amount, currency, extra_of_cost = _read_cost(item.get("estimated_cost"), f"{item_place}.estimated_cost")
        extra |= {"estimated_cost": extra_of_cost} if extra_of_cost else {}
        token_kinds = ("input", "output", "cache_read", "cache_creation")
        counts = {f"{kind}_tokens": getattr(use.tokens, kind) for kind in token_kinds}
        draft.add({**columns, "model": use.model, "currency": currency}, counts, amount, extra)


def _read_cost(value: Any, place: str) -> tuple[tuple[Any, ...], str | None, dict[str, Any]]:
    """Return the amount, the currency and the unknown fields of a cost.

    The amount is a text with its microcents and remainder. Use that is not billed by tokens can have no cost: then
    amount and currency are None.

    Raises:
        ContractError: The cost is not an object, a field is missing or of a wrong type, or the amount is not a decimal
            number or is too large.
    """
    if value is None:
        return _NO_AMOUNT, None, {}
    if not isinstance(value, dict):
        raise ContractError("Expected an object", place=place)
    # The amount is a number in JSON. Its text is kept as it was sent, because a float would round it.
    cost, extra = _read_object(value | {"amount": number_text(value.get("amount"))}, EstimatedCost, place)
    try:
        text = amount_text(cost.amount)
        return (text, *split_amount(text)), cost.currency, extra
    except ValueError as error:
        raise ContractError(str(error), place=f"{place}.amount") from None


def _read_object(raw: Any, struct: Any, place: str) -> tuple[Any, dict[str, Any]]:
    """Return an object as a struct, and its unknown fields.

    Raises:
        ContractError: It is not an object, or a field is missing or of a wrong type.
    """
    if not isinstance(raw, dict):
        raise ContractError("Expected an object", place=place)
    documented, extra = split_struct(raw, struct)
    return convert(documented, struct, place), extra
