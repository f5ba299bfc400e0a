"""The lists of workspaces, API keys, users and service accounts, each with its own paging."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from archiver.api.client import AdminClient
from archiver.api.key import AdminKey
from archiver.api.lists import fetch_names
from archiver.api.rate_limit import Rate, RateLimiter
from archiver.api.response import Response
from archiver.api.retry import RetryPolicy
from archiver.errors import ContractError, KeyRefusedError, RequestRefusedError
from archiver.model import NameKind
from tests.support import INVENTED_KEY
from tests.unit.api.invented import USERS
from tests.unit.api.virtual import Virtual

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aioresponses import aioresponses

    Server = Callable[[str], tuple[int, Any]]


def client_of(answer: Server) -> tuple[AdminClient, list[str]]:
    """Build a client of an invented server: query → status and decoded body."""
    asked: list[str] = []

    async def exchange(_: Any, url: str, query: Sequence[tuple[str, str]], __: Any) -> Response:
        asked.append(f"{url.rpartition('/')[2]}?{urlencode(query)}")
        status, body = answer(asked[-1])
        return Response(status, {}, json.dumps(body).encode())

    clock = Virtual().clock()
    limiter = RateLimiter(Rate(None), 1, clock)
    key = AdminKey(INVENTED_KEY, "a test")
    return AdminClient(None, "http://x", key, limiter, clock, RetryPolicy(limiter, clock), exchange), asked


def workspace(name: str, created_at: str | None = "2025-01-01T00:00:00Z") -> dict[str, Any]:
    return {"id": f"wrkspc_{name}", "name": name, "created_at": created_at, "type": "workspace"}


async def test_names_are_read_page_after_page(client: AdminClient, web: aioresponses) -> None:
    one = {"id": "user_1", "name": "A", "email": "a@example.com"}
    web.get(USERS, payload={"data": [one], "has_more": True, "first_id": "user_1", "last_id": "user_1"})
    web.get(USERS, payload={"data": [one | {"id": "user_2"}], "has_more": False, "last_id": "user_2"})
    names = await fetch_names(client, NameKind.USER)
    assert [n.id for n in names] == ["user_1", "user_2"]
    assert names[0].details == '{"email":"a@example.com"}'


async def test_a_list_that_never_ends_is_refused(client: AdminClient, web: aioresponses) -> None:
    web.get(USERS, payload={"data": [], "has_more": True, "last_id": "user_1"}, repeat=True)
    with pytest.raises(ContractError, match="do not end"):
        await fetch_names(client, NameKind.USER)


async def test_service_accounts_are_paged_by_next_page() -> None:
    def answer(url: str) -> tuple[int, Any]:
        name = "second" if "page=token" in url else "first"
        page = {"data": [{"id": f"svac_{name}", "name": name}]}
        return 200, page | ({"next_page": None} if name == "second" else {"next_page": "token"})

    one, asked = client_of(answer)
    assert [named.id for named in await fetch_names(one, NameKind.SERVICE_ACCOUNT)] == ["svac_first", "svac_second"]
    assert not any("after_id" in url for url in asked)


async def test_service_accounts_whose_pages_do_not_end_are_refused() -> None:
    one, _ = client_of(lambda _: (200, {"data": [], "next_page": "again"}))
    with pytest.raises(ContractError, match="do not end"):
        await fetch_names(one, NameKind.SERVICE_ACCOUNT)


async def test_service_accounts_without_a_limit_parameter_are_read() -> None:
    one, asked = client_of(lambda url: (400, {}) if "limit" in url else (200, {"data": []}))
    assert await fetch_names(one, NameKind.SERVICE_ACCOUNT) == []
    assert len(asked) == 2


async def test_a_403_for_service_accounts_is_an_empty_list() -> None:
    one, asked = client_of(lambda _: (403, {"error": {"type": "permission_error", "message": "Admin keys cannot"}}))
    assert await fetch_names(one, NameKind.SERVICE_ACCOUNT) == []
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("kind", "status"),
    [(NameKind.USER, 403), (NameKind.WORKSPACE, 403), (NameKind.API_KEY, 403), (NameKind.SERVICE_ACCOUNT, 401)],
)
async def test_other_refusals_of_lists_are_errors(kind: NameKind, status: int) -> None:
    one, _ = client_of(lambda _: (status, {}))
    with pytest.raises(KeyRefusedError):
        await fetch_names(one, kind)


async def test_the_default_workspace_is_requested() -> None:
    default = workspace("Default", "2024-10-30T23:58:27.427722Z")
    one, asked = client_of(lambda _: (200, {"data": [workspace("a"), default], "has_more": False}))
    names = await fetch_names(one, NameKind.WORKSPACE)
    assert [named.name for named in names] == ["a", "Default"]
    assert asked == ["workspaces?include_archived=true&limit=1000&include_default=true"]


async def test_an_api_without_include_default_is_requested_without_it() -> None:
    def answer(url: str) -> tuple[int, Any]:
        listed = {"data": [workspace("Default")], "has_more": False}
        return (400, {"error": {"message": "include_default: unknown"}}) if "include_default" in url else (200, listed)

    one, asked = client_of(answer)
    names = await fetch_names(one, NameKind.WORKSPACE)
    assert [named.name for named in names] == ["Default"]
    assert asked[1:] == ["workspaces?include_archived=true&limit=1000"]


async def test_any_other_refusal_of_workspaces_is_an_error() -> None:
    one, asked = client_of(lambda _: (404, {}))
    with pytest.raises(RequestRefusedError):
        await fetch_names(one, NameKind.WORKSPACE)
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("scope", "expected"),
    [({"type": "workspace", "workspace_id": "wrkspc_1"}, "wrkspc_1"), ({"type": "organization"}, None), (None, None)],
)
async def test_the_workspace_of_a_newer_key_is_read_from_its_scope(scope: Any, expected: str | None) -> None:
    key = {"id": "apikey_1", "name": "k", "scope": scope}
    one, _ = client_of(lambda _: (200, {"data": [key], "has_more": False}))
    (named,) = await fetch_names(one, NameKind.API_KEY)
    assert json.loads(named.details) == {"scope": scope, "workspace_id": expected}


async def test_the_workspace_of_an_older_key_is_kept() -> None:
    key = {"id": "apikey_1", "name": "k", "workspace_id": "wrkspc_2", "scope": {"workspace_id": "other"}}
    one, _ = client_of(lambda _: (200, {"data": [key], "has_more": False}))
    (named,) = await fetch_names(one, NameKind.API_KEY)
    assert json.loads(named.details)["workspace_id"] == "wrkspc_2"


async def test_a_403_after_a_refused_parameter_is_an_empty_list_too() -> None:
    one, asked = client_of(lambda url: (400, {}) if "limit" in url else (403, {}))
    assert await fetch_names(one, NameKind.SERVICE_ACCOUNT) == []
    assert len(asked) == 2
