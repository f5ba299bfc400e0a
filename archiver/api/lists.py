"""Fetch the organisation, and the lists that map ids to names."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import msgspec

from archiver.errors import ContractError, DamagedAnswerError, KeyRefusedError, RequestRefusedError
from archiver.model import NamedObject, NameKind, Organization

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from archiver.api.client import AdminClient
    from archiver.api.response import Response

# More pages than any list has. The limit ends the reading of a list with cursors that form a circle.
_MOST_LIST_PAGES = 10_000


@dataclass(frozen=True, slots=True)
class _NameList:
    """The endpoint of a list of names and its parameters.

    Attributes:
        path: The path below the host.
        query: The parameters of every request.
        optional: Parameters that are left out when the API refuses them with 400, as some versions do.
        cursor: The name of the parameter that requests the next page. The value of `after_id` is the last id of a page,
            the value of `page` is its `next_page`.
    """

    path: str
    query: tuple[tuple[str, str], ...] = (("limit", "1000"),)
    optional: tuple[tuple[str, str], ...] = ()
    cursor: str = "after_id"


_LISTS = {
    # `include_default`, which adds the default workspace, exists since 2026-10-07.
    NameKind.WORKSPACE: _NameList(
        "/v1/organizations/workspaces",
        (("include_archived", "true"), ("limit", "1000")),
        optional=(("include_default", "true"),),
    ),
    NameKind.API_KEY: _NameList("/v1/organizations/api_keys"),
    NameKind.USER: _NameList("/v1/organizations/users"),
    # The largest limit of this list is not documented.
    NameKind.SERVICE_ACCOUNT: _NameList(
        "/v1/organizations/service_accounts", (), optional=(("limit", "1000"),), cursor="page"
    ),
}


async def fetch_organization(client: AdminClient) -> Organization:
    """Fetch the organisation of the key.

    Raises:
        ApiError: There is no answer, or it is not as documented.
    """

    def read(response: Response) -> Organization:
        raw = read_object(response.body)
        identity, name = raw.get("id"), raw.get("name")
        if not isinstance(identity, str) or not identity or not isinstance(name, str | None):
            raise ContractError("the organisation has no id", place="id")
        return Organization(identity, name)

    return await client.get("/v1/organizations/me", (), read)


async def fetch_names(client: AdminClient, kind: NameKind) -> list[NamedObject]:
    """Fetch one list of names to its end.

    The list of service accounts needs an OAuth token. For an Admin API key, which the API refuses, it is empty here.

    Raises:
        ApiError: There is no answer, it is not as documented, or the list does not end.
    """
    try:
        return await _fetch_names(client, kind)
    except KeyRefusedError as error:
        if kind is NameKind.SERVICE_ACCOUNT and not error.ends_run:
            return []
        raise


async def _fetch_names(client: AdminClient, kind: NameKind) -> list[NamedObject]:
    endpoint = _LISTS[kind]
    try:
        return await _fetch_list(client, kind, (*endpoint.query, *endpoint.optional))
    except RequestRefusedError as error:
        if error.status != HTTPStatus.BAD_REQUEST or not endpoint.optional:
            raise
        # An older API refuses the optional parameters. Its list of workspaces then lacks the default workspace.
        return await _fetch_list(client, kind, endpoint.query)


async def _fetch_list(client: AdminClient, kind: NameKind, query: Sequence[tuple[str, str]]) -> list[NamedObject]:
    path, cursor = _LISTS[kind].path, _LISTS[kind].cursor
    objects: list[NamedObject] = []
    position: str | None = None
    for _ in range(_MOST_LIST_PAGES):
        page_parameter = ((cursor, position),) if position is not None else ()
        page, next_position = await client.get(
            path, (*query, *page_parameter), lambda response: _read_list(response.body, kind, cursor)
        )
        objects += page
        if next_position is None:
            return objects
        if next_position == position:  # the API returns the same page again
            break
        position = next_position
    raise ContractError("the pages of the list do not end", place=cursor)


def _read_list(body: bytes | bytearray, kind: NameKind, cursor: str) -> tuple[list[NamedObject], str | None]:
    """Return the objects of one page, and the cursor of the next page or None."""
    raw = read_object(body)
    data = raw.get("data")
    if not isinstance(data, list):
        raise ContractError("Expected a list", place="data")
    next_position = read_next_page(raw) if cursor == "page" else _read_last_id(raw)
    return [_read_named(item, kind, f"data[{i}]") for i, item in enumerate(data)], next_position


def _read_last_id(raw: Mapping[str, Any]) -> str | None:
    more, last = raw.get("has_more"), raw.get("last_id")
    if not isinstance(more, bool):
        raise ContractError("Expected true or false", place="has_more")
    if not more:  # `last_id` is set on the last page too
        return None
    if not isinstance(last, str) or not last:
        raise ContractError("has_more is true and there is no last_id", place="last_id")
    return last


def read_next_page(raw: Mapping[str, Any]) -> str | None:
    """Return the token of the next page; None on the last page.

    Raises:
        ContractError: The token is not a text, or is missing although `has_more` is true.
    """
    token = raw.get("next_page")
    if not isinstance(token, str | None) or (raw.get("has_more") is True and not token):
        raise ContractError("Expected the token of a page or null", place="next_page")
    return token or None


def _read_named(raw: Any, kind: NameKind, place: str) -> NamedObject:
    if not isinstance(raw, dict) or not isinstance(raw.get("id"), str) or not isinstance(raw.get("name"), str | None):
        raise ContractError("Expected an object with id and name", place=place)
    details = {name: value for name, value in raw.items() if name not in {"id", "name", "type"}}
    # Since anthropic-version 2026-10-21 an API key has its workspace in `scope`. Other code reads `workspace_id`.
    if kind is NameKind.API_KEY and "workspace_id" not in details:
        scope = details.get("scope")
        details["workspace_id"] = scope.get("workspace_id") if isinstance(scope, dict) else None
    return NamedObject(kind, raw["id"], raw.get("name"), msgspec.json.encode(details, order="deterministic").decode())


def read_object(body: bytes | bytearray) -> dict[str, Any]:
    """Decode an answer that is a JSON object.

    Raises:
        DamagedAnswerError: The body is not JSON.
        ContractError: The body is JSON, but not an object, or nested too deeply.
    """
    try:
        raw = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise DamagedAnswerError("the answer is not JSON") from None
    except RecursionError:
        raise ContractError("the answer is nested too deeply") from None
    if not isinstance(raw, dict):
        raise ContractError("Expected an object", place="the answer")
    return raw
