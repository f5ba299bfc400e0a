"""The lists that give names to ids, paged by id as documented."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archiver.simulator.refusals import RefusalError, invalid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from archiver.simulator.organization import Organization, Record
    from archiver.simulator.query import Pairs

LISTS = ("workspaces", "users", "api_keys", "service_accounts")
_PARAMETERS = ("limit", "after_id", "before_id", "include_archived")
_FIELDS = {"api_keys": ("status", "workspace_id"), "users": ("email",)}


def listing(organization: Organization, name: str, pairs: Pairs) -> dict[str, Any]:
    """One page of a list: `data`, `has_more`, `first_id`, `last_id` (set on the last page too)."""
    asked = _parameters(name, pairs)
    records = _shown(getattr(organization, name), asked)
    here, more = _cut(records, asked, _limit(asked))
    return {
        "data": here,
        "has_more": more,
        "first_id": here[0]["id"] if here else None,
        "last_id": here[-1]["id"] if here else None,
    }


def single(organization: Organization, name: str, wanted: str) -> Record:
    """One record by its id."""
    for record in getattr(organization, name):
        if record["id"] == wanted:
            return dict(record)
    raise RefusalError(404, f"{name}: {wanted} not found")


def _parameters(name: str, pairs: Pairs) -> dict[str, str]:
    known = (*_PARAMETERS, *_FIELDS.get(name, ()))
    for parameter, _ in pairs:
        if parameter not in known:
            raise invalid(f"{parameter}: Extra inputs are not permitted")
    return dict(pairs)


def _shown(records: Sequence[Record], asked: dict[str, str]) -> list[Record]:
    archived = asked.get("include_archived", "false")
    if archived not in ("true", "false"):
        raise invalid("include_archived: Input should be a valid boolean, unable to interpret input")
    fields = [(field, value) for field, value in asked.items() if field not in _PARAMETERS]
    return [
        record
        for record in records
        if (archived == "true" or record.get("archived_at") is None)
        and all(record[field] == value for field, value in fields)
    ]


def _limit(asked: dict[str, str]) -> int:
    text = asked.get("limit", "20")
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= 1000):
        raise invalid("limit: Input should be an integer from 1 to 1000")
    return int(text)


def _cut(records: list[Record], asked: dict[str, str], limit: int) -> tuple[list[Record], bool]:
    if "after_id" in asked and "before_id" in asked:
        raise invalid("Only one of after_id and before_id can be given")
    if "before_id" in asked:
        before = records[: _place(records, "before_id", asked["before_id"])]
        return before[-limit:], len(before) > limit
    start = _place(records, "after_id", asked["after_id"]) + 1 if "after_id" in asked else 0
    return records[start : start + limit], len(records) > start + limit


def _place(records: list[Record], parameter: str, wanted: str) -> int:
    for place, record in enumerate(records):
        if record["id"] == wanted:
            return place
    raise invalid(f"{parameter}: no such id")
