"""How a window is requested, and how its pages become one answer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from archiver.api.endpoints import fetch_window, window_beta, window_query
from archiver.errors import ContractError, NotReadyError, RequestRefusedError
from archiver.model import DAY, BucketWidth, Report, Series, Window
from tests.unit.api.invented import COST, COST_WINDOW, DATE, START, USAGE, WINDOW
from tests.unit.api.test_decode import page, usage_row

if TYPE_CHECKING:
    from aioresponses import aioresponses

    from archiver.api.client import AdminClient

TOO_LATE = {"type": "error", "error": {"type": "invalid_request_error", "message": "THE MESSAGE"}}


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
