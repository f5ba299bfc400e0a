"""The lists of workspaces, users, API keys and service accounts.

Service accounts have paging of their own, and Admin API keys cannot read them (documented).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archiver.simulator.errors import ApiError, invalid_request

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from archiver.simulator.organization import Organization, Record
    from archiver.simulator.query import Pairs

LISTS = ("workspaces", "users", "api_keys", "service_accounts")
OAUTH_ONLY = "service_accounts"
SPEND_LIMITS = "spend_limits"
_LIMITS_BETA = "spend-limit-reads-2026-09-26"
_PARAMETERS = {"limit", "after_id", "before_id", "include_archived", "beta"}
_FIELDS = {"api_keys": ("status", "workspace_id"), "users": ("email",)}
_PAGE_PREFIX = "page_"


def list_page(organization: Organization, name: str, pairs: Pairs, *, include_default: bool) -> dict[str, Any]:
    """Return one page of a list; raises a 400.

    `include_default` is whether the API has the parameter of that name, for the list of workspaces. The real one has
    had it since 2026-10-07.
    """
    if name == OAUTH_ONLY:
        return _page_of_service_accounts(organization, pairs)
    known = {"include_default"} if name == "workspaces" and include_default else set()
    parameters = _parameters(pairs, {*_PARAMETERS, *_FIELDS.get(name, ()), *known})
    records: Sequence[Record] = getattr(organization, name)
    if _flag(parameters, "include_default"):
        records = (organization.default_workspace, *records)
    page, more = _cut(_matching(records, parameters), parameters, _limit(parameters))
    return {
        "data": page,
        "has_more": more,
        # Both are set on the last page too, so only `has_more` shows a client that it is the last.
        "first_id": page[0]["id"] if page else None,
        "last_id": page[-1]["id"] if page else None,
    }


def find_record(organization: Organization, name: str, record_id: str) -> Record:
    """Return one record by its id; raises a 404."""
    records = getattr(organization, name)
    for record in (*records, organization.default_workspace) if name == "workspaces" else records:
        if record["id"] == record_id:
            return dict(record)
    raise ApiError(404, f"{name}: {record_id} not found")


def _page_of_service_accounts(organization: Organization, pairs: Pairs) -> dict[str, Any]:
    parameters = _parameters(pairs, {"limit", "page", "include_archived", "beta"})
    records = _matching(organization.service_accounts, parameters)
    limit, start = _limit(parameters), _page_start(parameters)
    following = start + limit
    # This list has no `has_more` and no ids (documented), and the last page has a null `next_page`.
    return {
        "data": records[start:following],
        "next_page": f"{_PAGE_PREFIX}{following}" if following < len(records) else None,
    }


def spend_limits_page(limits: Sequence[Mapping[str, Any]] | None, pairs: Pairs, beta: str) -> dict[str, Any]:
    """Return one page of the spend limits (documented in the SDK).

    It raises a 400 or, without access to them, a 403.
    """
    if limits is None:
        raise ApiError(403, "Listing spend limits is in an early access preview")
    if _LIMITS_BETA not in beta:
        raise invalid_request(f"anthropic-beta: {_LIMITS_BETA} is required")
    parameters = _parameters(pairs, {"limit", "page", "beta"})
    limit, start = _limit(parameters), _page_start(parameters)
    following = start + limit
    return {
        "data": [dict(one) for one in limits[start:following]],
        "next_page": f"{_PAGE_PREFIX}{following}" if following < len(limits) else None,
    }


def _page_start(parameters: dict[str, str]) -> int:
    text = parameters.get("page", f"{_PAGE_PREFIX}0").removeprefix(_PAGE_PREFIX)
    if not (text.isascii() and text.isdigit()):
        raise invalid_request("page: invalid page token")
    return int(text[:9])  # int() refuses thousands of digits


def _parameters(pairs: Pairs, known: set[str]) -> dict[str, str]:
    for parameter, _ in pairs:
        if parameter not in known:
            raise invalid_request(f"{parameter}: Extra inputs are not permitted")
    return dict(pairs)


def _flag(parameters: dict[str, str], name: str) -> bool:
    value = parameters.get(name, "false")
    if value not in ("true", "false"):
        raise invalid_request(f"{name}: Input should be a valid boolean, unable to interpret input")
    return value == "true"


def _matching(records: Sequence[Record], parameters: dict[str, str]) -> list[Record]:
    archived = _flag(parameters, "include_archived")
    fields = [(name, parameters[name]) for names in _FIELDS.values() for name in names if name in parameters]
    # In the newer shape of API keys `workspace_id` is within `scope`, and the other fields are outside.
    return [
        record
        for record in records
        if (archived or record.get("archived_at") is None)
        and all(record.get("scope", record).get(name, record.get(name)) == value for name, value in fields)
    ]


def _limit(parameters: dict[str, str]) -> int:
    text = parameters.get("limit", "20")
    # isdigit() alone would accept digits beyond ASCII. Nine digits decide, because int() refuses thousands of them.
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= 1000):
        raise invalid_request("limit: Input should be an integer from 1 to 1000")
    return int(text)


def _cut(records: list[Record], parameters: dict[str, str], limit: int) -> tuple[list[Record], bool]:
    """Return the records of a page, and whether more follow."""
    if "after_id" in parameters and "before_id" in parameters:
        raise invalid_request("Only one of after_id and before_id can be given")
    if "before_id" in parameters:
        before = records[: _index(records, "before_id", parameters["before_id"])]
        return before[-limit:], len(before) > limit
    start = _index(records, "after_id", parameters["after_id"]) + 1 if "after_id" in parameters else 0
    return records[start : start + limit], len(records) > start + limit


def _index(records: list[Record], parameter: str, record_id: str) -> int:
    for index, record in enumerate(records):
        if record["id"] == record_id:
            return index
    raise invalid_request(f"{parameter}: no such id")
