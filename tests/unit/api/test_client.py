"""The client against answers that aioresponses invents; the clock is a fake that sleeping moves."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from aioresponses import aioresponses

from archiver.api.client import AdminClient
from archiver.api.endpoints import fetch_window, window_beta, window_query
from archiver.api.key import AdminKey
from archiver.api.lists import fetch_names, fetch_organization
from archiver.api.rate_limit import Rate, RateLimiter
from archiver.api.retry import MOST_ATTEMPTS, RetryPolicy
from archiver.api.transport import open_session
from archiver.api.url import check_api_url
from archiver.errors import (
    ApiError,
    ConfigurationError,
    ContractError,
    KeyRefusedError,
    NotReadyError,
    RequestRefusedError,
    TemporaryError,
)
from archiver.model import DAY, BucketWidth, NameKind, Report, Series, Window
from archiver.plan.calendar import parse_time
from tests.unit.api.test_decode import page, usage_row
from tests.unit.api.virtual import Virtual

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

KEY = "sk-ant-admin01-invented-for-this-test"
HOST = "https://api.example.com"
ME = f"{HOST}/v1/organizations/me"
USAGE = re.compile(rf"^{HOST}/v1/organizations/usage_report/messages\?.*$")
START = int(parse_time("2026-01-01").timestamp())
WINDOW = Window(Series(Report.USAGE, BucketWidth.DAY, ("model",)), START, START + 2 * DAY)
GOOD = {"id": "org-1", "name": "Invented", "type": "organization"}
DATE = {"Date": "Thu, 15 Jan 2026 12:30:00 GMT", "request-id": "req_1"}


@pytest.fixture
def virtual() -> Virtual:
    return Virtual()


@pytest.fixture
def web() -> Iterator[aioresponses]:
    with aioresponses() as mocked:
        yield mocked


@pytest.fixture
async def client(virtual: Virtual, web: aioresponses) -> AsyncIterator[AdminClient]:
    assert web is not None
    clock = virtual.clock()
    async with open_session(HOST) as session:
        limiter = RateLimiter(Rate(None), 2, clock)
        retry_policy = RetryPolicy(limiter, clock, chance=lambda: 0.5)
        yield AdminClient(session, HOST, AdminKey(KEY, "a test"), limiter, clock, retry_policy)


def sent(web: aioresponses) -> list[Any]:
    return [call for calls in web.requests.values() for call in calls]


async def test_the_key_and_the_version_go_with_every_request(client: AdminClient, web: aioresponses) -> None:
    web.get(ME, payload=GOOD)
    await fetch_organization(client)
    headers = sent(web)[0].kwargs["headers"]
    assert headers["x-api-key"] == KEY
    assert headers["anthropic-version"] == "2023-06-01"
    assert headers["user-agent"].startswith("claude-usage-archiver/")


@pytest.mark.parametrize("status", [408, 409, 500, 502, 503, 504])
async def test_a_temporary_error_is_retried(client: AdminClient, web: aioresponses, status: int) -> None:
    web.get(ME, status=status, body="<html>")
    web.get(ME, payload=GOOD)
    assert (await fetch_organization(client)).id == "org-1"
    assert (client.requests, client.retries) == (2, 1)


async def test_retry_after_is_waited(client: AdminClient, web: aioresponses, virtual: Virtual) -> None:
    web.get(ME, status=429, headers={"retry-after": "7"}, body="{}")
    web.get(ME, payload=GOOD)
    began = virtual.time
    await fetch_organization(client)
    assert 7 <= virtual.time - began < 8


async def test_a_429_without_advice_waits_at_least_15_seconds(
    client: AdminClient, web: aioresponses, virtual: Virtual
) -> None:
    web.get(ME, status=429, body="{}")
    web.get(ME, payload=GOOD)
    began = virtual.time
    await fetch_organization(client)
    assert 15 <= virtual.time - began < 20


async def test_a_connection_error_is_retried(client: AdminClient, web: aioresponses) -> None:
    web.get(ME, exception=aiohttp.ServerDisconnectedError())
    web.get(ME, exception=TimeoutError())
    web.get(ME, payload=GOOD)
    await fetch_organization(client)
    assert client.retries == 2


async def test_an_outage_ends(client: AdminClient, web: aioresponses) -> None:
    web.get(ME, status=503, repeat=True)
    with pytest.raises(TemporaryError, match="503"):
        await fetch_organization(client)
    assert client.requests == MOST_ATTEMPTS


async def test_endless_429_end_within_ten_minutes(client: AdminClient, web: aioresponses, virtual: Virtual) -> None:
    web.get(ME, status=429, repeat=True)
    began = virtual.time
    with pytest.raises(TemporaryError):
        await fetch_organization(client)
    assert virtual.time - began <= 600


@pytest.mark.parametrize("status", [401, 403])
async def test_a_refused_key_is_not_tried_twice(client: AdminClient, web: aioresponses, status: int) -> None:
    error = {"type": "error", "error": {"type": "authentication_error", "message": f"bad key {KEY}"}, "request_id": "r"}
    web.get(ME, status=status, payload=error, headers={"request-id": "req_9"})
    with pytest.raises(KeyRefusedError) as refused:
        await fetch_organization(client)
    assert refused.value.request_id == "req_9"
    assert KEY not in str(refused.value)
    assert client.requests == 1


@pytest.mark.parametrize("status", [400, 402, 404, 405, 413, 302])
async def test_a_final_error_is_not_retried(client: AdminClient, web: aioresponses, status: int) -> None:
    web.get(ME, status=status, body="no", headers={"location": "https://elsewhere.example.com"})
    with pytest.raises(ApiError):
        await fetch_organization(client)
    assert len(sent(web)) == 1


async def test_a_spent_limit_ends_the_run(client: AdminClient, web: aioresponses) -> None:
    message = "You have reached your specified API usage limits."
    web.get(ME, status=429, payload={"type": "error", "error": {"type": "rate_limit_error", "message": message}})
    with pytest.raises(TemporaryError) as spent:
        await fetch_organization(client)
    assert spent.value.ends_run
    assert client.requests == 1


@pytest.mark.parametrize("status", [429, 529])
async def test_a_rate_limit_that_is_not_to_be_retried_holds_all_requests(
    client: AdminClient, web: aioresponses, virtual: Virtual, status: int
) -> None:
    web.get(ME, status=status, headers={"x-should-retry": "false"}, body="{}")
    web.get(ME, payload=GOOD)
    with pytest.raises(TemporaryError):
        await fetch_organization(client)
    began = virtual.time
    await fetch_organization(client)
    assert virtual.time - began > (15 if status == 429 else 0)


async def test_rate_limits_that_are_not_to_be_retried_end_the_run(
    client: AdminClient, web: aioresponses, virtual: Virtual
) -> None:
    web.get(ME, payload=GOOD)
    web.get(ME, status=429, headers={"x-should-retry": "false"}, body="{}", repeat=True)
    await fetch_organization(client)
    began = virtual.time
    for _ in range(50):
        with pytest.raises(TemporaryError) as refused:
            await fetch_organization(client)
        if refused.value.ends_run:
            break
    assert virtual.time - began < 600
    assert client.requests < 10


@pytest.mark.parametrize("status", [404, 400])
async def test_refusals_without_any_success_end_the_run(client: AdminClient, web: aioresponses, status: int) -> None:
    web.get(ME, status=status, body="{}", repeat=True)
    ends = []
    for _ in range(5):
        with pytest.raises(RequestRefusedError) as refused:
            await fetch_organization(client)
        ends.append(refused.value.ends_run)
    assert ends == [False, False, False, False, True]


async def test_refusals_after_a_success_do_not_end_the_run(client: AdminClient, web: aioresponses) -> None:
    web.get(ME, payload=GOOD)
    web.get(ME, status=404, body="{}", repeat=True)
    await fetch_organization(client)
    for _ in range(8):
        with pytest.raises(RequestRefusedError) as refused:
            await fetch_organization(client)
        assert not refused.value.ends_run


async def test_the_retries_of_a_run_have_a_budget(client: AdminClient, web: aioresponses) -> None:
    web.get(ME, status=503, repeat=True)
    for _ in range(2):
        with pytest.raises(TemporaryError) as outage:
            await fetch_organization(client)
    assert outage.value.ends_run
    assert client.retries == 10


async def test_html_with_200_is_retried_and_then_refused(client: AdminClient, web: aioresponses) -> None:
    web.get(ME, body="<html>proxy</html>", content_type="text/html", repeat=True)
    with pytest.raises(ContractError, match="text/html"):
        await fetch_organization(client)
    assert client.requests == 3


async def test_the_newest_date_is_the_servers_clock(client: AdminClient, web: aioresponses) -> None:
    web.get(ME, payload=GOOD, headers=DATE)
    web.get(ME, payload=GOOD, headers={"Date": "Thu, 15 Jan 2026 12:00:00 GMT"})
    await fetch_organization(client)
    await fetch_organization(client)
    assert client.server_time == int(parse_time("2026-01-15T12:30:00Z").timestamp())


async def test_a_window_is_one_request(client: AdminClient, web: aioresponses) -> None:
    web.get(USAGE, payload=page(usage_row()), headers=DATE)
    answer = await fetch_window(client, WINDOW)
    assert client.requests == 1
    assert answer.buckets is not None
    assert [len(bucket.rows) for bucket in answer.buckets] == [1, 0]
    assert answer.request_id == "req_1"


async def test_an_answer_that_did_not_change_is_known_by_its_digest(client: AdminClient, web: aioresponses) -> None:
    web.get(USAGE, payload=page(usage_row()), repeat=True)
    first = await fetch_window(client, WINDOW)
    again = await fetch_window(client, Window(WINDOW.series, WINDOW.start, WINDOW.end, first.digest))
    assert first.digest is not None
    assert again.buckets is None


async def test_a_surprising_second_page_is_followed(client: AdminClient, web: aioresponses) -> None:
    raw = page(usage_row())
    web.get(USAGE, payload=raw | {"data": raw["data"][:1], "has_more": True, "next_page": "page_2"})
    web.get(USAGE, payload=raw | {"data": raw["data"][1:]})
    answer = await fetch_window(client, WINDOW)
    assert answer.buckets is not None
    assert len(answer.buckets) == 2
    assert answer.digest is None


@pytest.mark.parametrize("tokens", [["a", "a"], ["a", "b", "a"]])
async def test_page_tokens_in_a_circle_are_refused(client: AdminClient, web: aioresponses, tokens: list[str]) -> None:
    for token in tokens:
        web.get(USAGE, payload={"data": [], "has_more": True, "next_page": token})
    with pytest.raises(ContractError, match="circle"):
        await fetch_window(client, WINDOW)


async def test_a_page_that_repeats_a_bucket_is_refused(client: AdminClient, web: aioresponses) -> None:
    raw = page(usage_row())
    web.get(USAGE, payload=raw | {"data": raw["data"][:1], "has_more": True, "next_page": "page_2"})
    web.get(USAGE, payload=raw)
    with pytest.raises(ContractError, match="precedes"):
        await fetch_window(client, WINDOW)


async def test_a_400_for_a_window_without_a_complete_bucket_is_not_ready(
    client: AdminClient, web: aioresponses
) -> None:
    web.get(USAGE, status=400, body="{}", headers={"Date": "Thu, 01 Jan 2026 12:30:00 GMT"}, repeat=True)
    with pytest.raises(NotReadyError):
        await fetch_window(client, WINDOW)


async def test_any_other_400_is_a_refusal(client: AdminClient, web: aioresponses) -> None:
    web.get(USAGE, status=400, body="{}", headers=DATE, repeat=True)
    with pytest.raises(RequestRefusedError) as refused:
        await fetch_window(client, WINDOW)
    assert not isinstance(refused.value, NotReadyError)


def test_a_window_has_every_parameter() -> None:
    series = Series(Report.USAGE, BucketWidth.HOUR, ("speed", "model"), (("model", ("a", "b")),))
    assert window_query(Window(series, START, START + 7 * DAY)) == [
        ("starting_at", "2026-01-01T00:00:00Z"),
        ("ending_at", "2026-01-08T00:00:00Z"),
        ("bucket_width", "1h"),
        ("limit", "168"),
        ("group_by[]", "model"),
        ("group_by[]", "speed"),
        ("models[]", "a"),
        ("models[]", "b"),
    ]
    assert window_beta(Window(series, START, START + DAY)) == "fast-mode-2026-02-01"
    assert window_beta(WINDOW) is None


async def test_names_are_read_page_after_page(client: AdminClient, web: aioresponses) -> None:
    users = re.compile(rf"^{HOST}/v1/organizations/users\?.*$")
    one = {"id": "user_1", "name": "A", "email": "a@example.com"}
    web.get(users, payload={"data": [one], "has_more": True, "first_id": "user_1", "last_id": "user_1"})
    web.get(users, payload={"data": [one | {"id": "user_2"}], "has_more": False, "last_id": "user_2"})
    names = await fetch_names(client, NameKind.USER)
    assert [n.id for n in names] == ["user_1", "user_2"]
    assert names[0].details == '{"email":"a@example.com"}'


async def test_a_list_that_never_ends_is_refused(client: AdminClient, web: aioresponses) -> None:
    users = re.compile(rf"^{HOST}/v1/organizations/users\?.*$")
    web.get(users, payload={"data": [], "has_more": True, "last_id": "user_1"}, repeat=True)
    with pytest.raises(ContractError, match="do not end"):
        await fetch_names(client, NameKind.USER)


@pytest.mark.parametrize("text", ["", "   ", "a b", "a\nb", "a\tb", "schlüssel", "x" * 5000, "a\0b"])
def test_an_odd_key_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        AdminKey(text, "the file")
    assert text.strip() == "" or text not in f"{refused.value} {refused.value.hint}"


def test_a_key_is_shown_nowhere() -> None:
    key = AdminKey(f" {KEY}\n", "the file")
    assert KEY not in f"{key} {key!r} {[key]}"
    assert key.header() == {"x-api-key": KEY}
    with pytest.raises(TypeError):
        __import__("pickle").dumps(key)


@pytest.mark.parametrize(
    "url", ["https://api.example.com", "http://127.0.0.1:8080/", "http://localhost:1", "http://[::1]:1"]
)
def test_a_url_for_the_key_is_https_or_this_machine(url: str) -> None:
    assert check_api_url(url) == url.rstrip("/")


@pytest.mark.parametrize(
    "url",
    [
        "http://api.example.com",
        "http://127.0.0.1.example.com",
        "ftp://x",
        "x",
        "",
        "https://",
        "https://user:pw@x",
        "https://x?y=1",
        "http://10.0.0.1",
        "https://x:port",
    ],
)
def test_a_url_that_would_reveal_the_key_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError):
        check_api_url(url)


async def test_the_time_in_the_queue_of_a_slow_rate_is_no_time_of_the_request(
    web: aioresponses, virtual: Virtual
) -> None:
    clock = virtual.clock()
    limiter = RateLimiter(Rate.parse("5/h"), 2, clock, burst=1)
    async with open_session(HOST) as session:
        policy = RetryPolicy(limiter, clock, chance=lambda: 0.5)
        client = AdminClient(session, HOST, AdminKey(KEY, "a test"), limiter, clock, policy)
        for status in (200, 503, 503, 200):
            web.get(ME, status=status, payload=GOOD)
        await fetch_organization(client)
        await fetch_organization(client)
    assert client.retries == 2
    assert virtual.time > 1000 + 3 * 700


TOO_LATE = {"type": "error", "error": {"type": "invalid_request_error", "message": "THE MESSAGE"}}
COST = re.compile(rf"^{HOST}/v1/organizations/cost_report\?.*$")
COST_WINDOW = Window(Series(Report.COST, BucketWidth.DAY), START, START + 3 * DAY)


@pytest.mark.parametrize(
    "message",
    [
        "ending date must be after starting date",
        "ending_at must be after starting_at",
        "ending_at must not be in the future",
        "The ending date must be before today",
    ],
)
async def test_a_refused_end_is_requested_once_more_a_day_earlier(
    client: AdminClient, web: aioresponses, message: str
) -> None:
    refused = json.loads(json.dumps(TOO_LATE).replace("THE MESSAGE", message))
    web.get(COST, status=400, payload=refused, headers=DATE)
    web.get(COST, payload=page(), headers=DATE)
    answer = await fetch_window(client, COST_WINDOW)
    assert [call.kwargs for call in sent(web)]
    assert [dict(url.query)["ending_at"] for _, url in web.requests] == ["2026-01-04T00:00:00Z", "2026-01-03T00:00:00Z"]
    assert answer.window == COST_WINDOW
    assert answer.buckets is not None
    assert answer.buckets.starts == [START, START + DAY]
    assert answer.digest is None


async def test_an_end_that_is_refused_twice_is_a_refusal(client: AdminClient, web: aioresponses) -> None:
    web.get(COST, status=400, payload=TOO_LATE, headers=DATE, repeat=True)
    with pytest.raises(RequestRefusedError):
        await fetch_window(client, COST_WINDOW)
    assert client.requests == 1
    late = json.loads(json.dumps(TOO_LATE).replace("THE MESSAGE", "ending_at must be after starting_at"))
    web.clear()
    web.get(COST, status=400, payload=late, headers=DATE, repeat=True)
    with pytest.raises(RequestRefusedError):
        await fetch_window(client, COST_WINDOW)
    assert client.requests == 3
