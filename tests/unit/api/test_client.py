"""The client against answers that aioresponses invents; the clock is a fake that sleeping moves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aiohttp
import pytest

from archiver.api.client import AdminClient
from archiver.api.key import AdminKey
from archiver.api.lists import fetch_organization
from archiver.api.rate_limit import Rate, RateLimiter
from archiver.api.retry import MOST_ATTEMPTS, RetryPolicy
from archiver.api.transport import open_session
from archiver.errors import (
    ApiError,
    ContractError,
    KeyRefusedError,
    RequestRefusedError,
    TemporaryError,
)
from archiver.plan.calendar import parse_time
from tests.support import INVENTED_KEY
from tests.unit.api.invented import DATE, HOST, ME, sent

if TYPE_CHECKING:
    from aioresponses import aioresponses

    from tests.unit.api.virtual import Virtual

GOOD = {"id": "org-1", "name": "Invented", "type": "organization"}


async def test_the_key_and_the_version_go_with_every_request(client: AdminClient, web: aioresponses) -> None:
    web.get(ME, payload=GOOD)
    await fetch_organization(client)
    headers = sent(web)[0].kwargs["headers"]
    assert headers["x-api-key"] == INVENTED_KEY
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
    error = {
        "type": "error",
        "error": {"type": "authentication_error", "message": f"bad key {INVENTED_KEY}"},
        "request_id": "r",
    }
    web.get(ME, status=status, payload=error, headers={"request-id": "req_9"})
    with pytest.raises(KeyRefusedError) as refused:
        await fetch_organization(client)
    assert refused.value.request_id == "req_9"
    assert INVENTED_KEY not in str(refused.value)
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


async def test_the_time_in_the_queue_of_a_slow_rate_is_no_time_of_the_request(
    web: aioresponses, virtual: Virtual
) -> None:
    clock = virtual.clock()
    limiter = RateLimiter(Rate.parse("5/h"), 2, clock, burst=1)
    async with open_session(HOST) as session:
        policy = RetryPolicy(limiter, clock, chance=lambda: 0.5)
        client = AdminClient(session, HOST, AdminKey(INVENTED_KEY, "a test"), limiter, clock, policy)
        for status in (200, 503, 503, 200):
            web.get(ME, status=status, payload=GOOD)
        await fetch_organization(client)
        await fetch_organization(client)
    assert client.retries == 2
    assert virtual.time > 1000 + 3 * 700
