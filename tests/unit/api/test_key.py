"""The admin key: how it is sent, which keys are refused, and responses that repeat it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from archiver.api.client import AdminClient
from archiver.api.endpoints import fetch_window
from archiver.api.key import AdminKey
from archiver.api.lists import fetch_names, fetch_organization
from archiver.api.rate_limit import Rate, RateLimiter
from archiver.api.response import Response
from archiver.api.retry import RetryPolicy
from archiver.errors import ApiError, ConfigurationError, ContractError, KeyEchoError, KeyRefusedError
from archiver.model import NameKind
from tests.support import INVENTED_KEY
from tests.unit.api.invented import WINDOW
from tests.unit.api.test_decode import page, usage_row
from tests.unit.api.virtual import Virtual

if TYPE_CHECKING:
    from collections.abc import Mapping

TOKEN = "sk-ant-oat01-invented-access-token"
ESCAPED = "".join(f"\\u{ord(c):04X}" for c in INVENTED_KEY)


def client(status: int, body: bytes, headers: Mapping[str, str] | None = None) -> AdminClient:
    """Build a client of a server that sends one response for ever."""

    async def exchange(*_: Any) -> Response:
        return Response(status, {"content-type": "application/json", **(headers or {})}, body)

    clock = Virtual().clock()
    limiter = RateLimiter(Rate(None), 1, clock)
    policy = RetryPolicy(limiter, clock, chance=lambda: 0.5)
    return AdminClient(None, "http://x", AdminKey(INVENTED_KEY, "a test"), limiter, clock, policy, exchange)


@pytest.mark.parametrize("text", ["", "   ", "a b", "a\nb", "a\tb", "schlüssel", "x" * 5000, "a\0b"])
def test_an_odd_key_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        AdminKey(text, "the file")
    assert text.strip() == "" or text not in f"{refused.value} {refused.value.hint}"


def test_a_key_is_shown_nowhere() -> None:
    key = AdminKey(f" {INVENTED_KEY}\n", "the file")
    assert INVENTED_KEY not in f"{key} {key!r} {[key]}"
    assert key.header() == {"x-api-key": INVENTED_KEY}
    with pytest.raises(TypeError):
        __import__("pickle").dumps(key)


def test_an_oauth_token_is_sent_as_bearer() -> None:
    assert AdminKey(TOKEN, "a test").header() == {"authorization": f"Bearer {TOKEN}"}


@pytest.mark.parametrize("key", [INVENTED_KEY, "x" * 20, "sk-ant-api03-of-another-kind"])
def test_any_other_key_is_sent_as_x_api_key(key: str) -> None:
    assert AdminKey(key, "a test").header() == {"x-api-key": key}


def test_a_short_key_is_refused_without_being_shown() -> None:
    with pytest.raises(ConfigurationError, match="shorter than 20 characters") as refused:
        AdminKey("sk-ant-" + "q" * 12, "the file")
    assert "qq" not in f"{refused.value} {refused.value.hint}"


def text_of(error: ApiError) -> str:
    return f"{error} {error.args} {error.message} {error.hint} {error.request_id}"


@pytest.mark.parametrize(("written", "repeated"), [("/", "\\/"), ('"', '\\"'), ("\\", "\\\\")])
def test_a_key_that_json_repeats_with_short_escapes_is_found(written: str, repeated: str) -> None:
    key = f"invented-key-with{written}one-character"
    response = Response(200, {}, f'{{"echo": "{key.replace(written, repeated)}"}}'.encode()).guarded(key)
    with pytest.raises(KeyEchoError):
        response.body  # noqa: B018  # reading it raises


@pytest.mark.parametrize("form", [INVENTED_KEY, ESCAPED], ids=["plain", "escaped"])
async def test_a_page_that_repeats_the_key_is_refused(form: str) -> None:
    body = json.dumps(page(usage_row(model="THE KEY"))).replace("THE KEY", form).encode()
    with pytest.raises(ContractError, match="contains the admin key") as refused:
        await fetch_window(client(200, body), WINDOW)
    assert INVENTED_KEY not in text_of(refused.value)


async def test_a_list_that_repeats_the_key_is_refused() -> None:
    body = json.dumps({"data": [{"id": "user_1", "name": INVENTED_KEY}], "has_more": False}).encode()
    with pytest.raises(ContractError, match="contains the admin key"):
        await fetch_names(client(200, body), NameKind.USER)


@pytest.mark.parametrize("name", ["request-id", "x-remark", "anthropic-organization-id"])
async def test_a_header_that_repeats_the_key_is_refused(name: str) -> None:
    one = client(200, json.dumps(page(usage_row())).encode(), {name: f"of {INVENTED_KEY}"})
    with pytest.raises(ContractError, match="contains the admin key") as refused:
        await fetch_window(one, WINDOW)
    assert INVENTED_KEY not in text_of(refused.value)
    assert one.organization_id is None


@pytest.mark.parametrize("form", [INVENTED_KEY, ESCAPED, "x" * 180 + INVENTED_KEY], ids=["plain", "escaped", "late"])
@pytest.mark.parametrize("body", ['{"error": {"type": "x", "message": "%s"}}', "no JSON: %s"])
async def test_a_refusal_that_repeats_the_key_is_classified_by_its_status(form: str, body: str) -> None:
    with pytest.raises(KeyRefusedError) as refused:
        await fetch_organization(client(401, (body % form).encode(), {"request-id": "x" * 70 + INVENTED_KEY}))
    text = text_of(refused.value)
    assert not any(part in text for part in (INVENTED_KEY[-8:], INVENTED_KEY[:18], ESCAPED[:48]))


async def test_an_answer_without_the_key_is_never_edited() -> None:
    answer = await fetch_window(client(200, json.dumps(page(usage_row(model="[key]"))).encode()), WINDOW)
    assert answer.buckets is not None
    assert next(iter(answer.buckets[0].rows))[2] == "[key]"


async def test_a_refused_key_has_a_hint_that_names_scopes() -> None:
    with pytest.raises(KeyRefusedError) as refused:
        await fetch_organization(client(401, b"{}"))
    assert "org:admin" in (refused.value.hint or "")


async def test_a_key_without_a_scope_has_a_hint_that_names_it() -> None:
    message = "The key has the scopes read:usage. This endpoint needs read:cost or org:admin."
    problem = {"type": "permission_error", "message": message, "details": {"error_code": "api_key_scope_missing"}}
    with pytest.raises(KeyRefusedError) as refused:
        await fetch_organization(client(403, json.dumps({"type": "error", "error": problem}).encode()))
    assert "read:usage, read:cost, org:admin" in (refused.value.hint or "")
    assert "scope" in (refused.value.hint or "")
