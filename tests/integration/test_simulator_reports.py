"""The two simulated reports over HTTP: responses, pages and every 400."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import ClientSession

from archiver.simulator import DIMENSIONS, INVENTED_KEY, Settings, Simulator

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

NOW = datetime(2026, 1, 15, 12, 30, tzinfo=UTC)
TODAY = datetime(2026, 1, 15, tzinfo=UTC)
USAGE = "/v1/organizations/usage_report/messages"
COST = "/v1/organizations/cost_report"
FAST = {"anthropic-beta": "fast-mode-2026-02-01"}
Pairs = list[tuple[str, str]]


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    async with Simulator(Settings(first_day=date(2025, 11, 1), now=NOW)) as running:
        yield running


async def ask(simulator: Simulator, path: str, pairs: Pairs, **headers: str) -> tuple[int, Any]:
    sent = {"anthropic-version": "2023-06-01", "x-api-key": INVENTED_KEY, **headers}
    async with (
        ClientSession() as session,
        session.get(f"{simulator.url}{path}", params=pairs, headers=sent) as response,
    ):
        return response.status, await response.json()


async def buckets(simulator: Simulator, path: str, *pairs: tuple[str, str]) -> list[Any]:
    status, body = await ask(simulator, path, list(pairs))
    assert status == 200, body
    assert body["has_more"] is False
    assert body["next_page"] is None
    data: list[Any] = body["data"]
    return data


def start(text: str) -> tuple[str, str]:
    return "starting_at", text


def end(text: str) -> tuple[str, str]:
    return "ending_at", text


def group(*names: str) -> Pairs:
    return [("group_by[]", name) for name in names]


# Answers


async def test_an_answer_over_http_is_the_truth(simulator: Simulator) -> None:
    dims = ("workspace_id", "model")
    found = await buckets(simulator, USAGE, start("2026-01-01T00:00:00Z"), end("2026-01-06T00:00:00Z"), *group(*dims))
    first = datetime(2026, 1, 1, tzinfo=UTC)
    assert found == simulator.truth(start=first, end=first + timedelta(days=5), group_by=dims)


async def test_filters_over_http_are_the_truth(simulator: Simulator) -> None:
    pairs = [("service_tiers[]", "batch"), ("service_tiers[]", "flex"), ("context_window[]", "0-200k")]
    found = await buckets(simulator, USAGE, start("2026-01-01T00:00:00Z"), end("2026-01-06T00:00:00Z"), *pairs)
    filters = {"service_tier": ("batch", "flex"), "context_window": ("0-200k",)}
    first = datetime(2026, 1, 1, tzinfo=UTC)
    assert found == simulator.truth(start=first, end=first + timedelta(days=5), filters=filters)


async def test_a_usage_row_has_the_documented_fields_and_no_speed(simulator: Simulator) -> None:
    (bucket,) = await buckets(simulator, USAGE, start("2026-01-05T00:00:00Z"), end("2026-01-06T00:00:00Z"))
    (row,) = bucket["results"]
    counts = {"uncached_input_tokens", "cache_creation", "cache_read_input_tokens", "output_tokens"}
    assert set(row) == {*counts, "server_tool_use", *DIMENSIONS} - {"speed"}
    assert set(row["cache_creation"]) == {"ephemeral_1h_input_tokens", "ephemeral_5m_input_tokens"}


async def test_a_cost_row_has_the_documented_fields(simulator: Simulator) -> None:
    (bucket,) = await buckets(simulator, COST, start("2026-01-05T00:00:00Z"), end("2026-01-06T00:00:00Z"))
    (row,) = bucket["results"]
    parsed = {"description", "model", "service_tier", "context_window", "token_type", "cost_type"}
    assert set(row) == {"currency", "amount", "workspace_id", "inference_geo", *parsed}
    assert row["currency"] == "USD"


async def test_speed_is_answered_with_its_beta(simulator: Simulator) -> None:
    pairs = [start("2026-01-05T00:00:00Z"), end("2026-01-06T00:00:00Z"), *group("speed")]
    status, body = await ask(simulator, USAGE, pairs, **FAST)
    assert status == 200
    assert {row["speed"] for row in body["data"][0]["results"]} == {"standard", "fast"}


async def test_the_start_is_snapped_down_to_its_bucket(simulator: Simulator) -> None:
    (bucket,) = await buckets(simulator, USAGE, start("2026-01-05T17:45:01+02:00"), end("2026-01-06T00:00:00Z"))
    assert bucket["starting_at"] == "2026-01-05T00:00:00Z"
    assert bucket["ending_at"] == "2026-01-06T00:00:00Z"


async def test_only_buckets_that_end_by_the_end_are_answered(simulator: Simulator) -> None:
    found = await buckets(simulator, USAGE, start("2026-01-05T00:00:00Z"), end("2026-01-06T23:59:59Z"))
    assert [bucket["starting_at"] for bucket in found] == ["2026-01-05T00:00:00Z"]


async def test_days_without_use_are_listed_empty(simulator: Simulator) -> None:
    found = await buckets(simulator, USAGE, start("2025-10-30T00:00:00Z"), end("2025-11-02T00:00:00Z"))
    assert [bool(bucket["results"]) for bucket in found] == [False, False, True]


async def test_without_an_end_ended_buckets_are_answered(simulator: Simulator) -> None:
    found = await buckets(simulator, USAGE, start("2026-01-13T00:00:00Z"))
    assert [bucket["starting_at"][:10] for bucket in found] == ["2026-01-13", "2026-01-14"]


async def test_the_usage_bucket_in_progress_is_answered_when_the_range_covers_it(simulator: Simulator) -> None:
    found = await buckets(simulator, USAGE, start("2026-01-14T00:00:00Z"), end("2026-01-20T00:00:00Z"))
    assert [bucket["starting_at"][:10] for bucket in found] == ["2026-01-14", "2026-01-15"]
    simulator.clock.now = TODAY + timedelta(days=2)
    (later,) = await buckets(simulator, USAGE, start("2026-01-15T00:00:00Z"), end("2026-01-16T00:00:00Z"))
    assert 0 < found[1]["results"][0]["output_tokens"] < later["results"][0]["output_tokens"]


async def test_cost_never_has_today_whatever_the_end_of_the_range(simulator: Simulator) -> None:
    for last in ("2026-01-15T00:00:00Z", "2026-01-15T12:00:00Z", "2026-01-16T00:00:00Z", "2026-01-20T00:00:00Z"):
        found = await buckets(simulator, COST, start("2026-01-13T00:00:00Z"), end(last))
        assert [bucket["starting_at"][:10] for bucket in found] == ["2026-01-13", "2026-01-14"]


@pytest.mark.parametrize(("hour", "days"), [(5, ["2026-01-13"]), (6, ["2026-01-13", "2026-01-14"])])
async def test_yesterday_is_missing_from_cost_until_its_lag_is_over(hour: int, days: list[str]) -> None:
    lagging = Settings(first_day=date(2025, 11, 1), now=TODAY + timedelta(hours=hour), cost_lag=timedelta(hours=6))
    async with Simulator(lagging) as simulator:
        found = await buckets(simulator, COST, start("2026-01-13T00:00:00Z"), end("2026-01-16T00:00:00Z"))
        yesterday = await buckets(simulator, COST, start("2026-01-14T00:00:00Z"), end("2026-01-15T00:00:00Z"))
    assert [bucket["starting_at"][:10] for bucket in found] == days
    assert [bucket["starting_at"][:10] for bucket in yesterday] == days[1:]


async def test_a_400_for_a_query_asks_not_to_retry(simulator: Simulator) -> None:
    sent = {"anthropic-version": "2023-06-01", "x-api-key": INVENTED_KEY}
    async with ClientSession() as session, session.get(f"{simulator.url}{USAGE}", headers=sent) as response:
        assert response.headers["x-should-retry"] == "false"


async def test_dimensions_that_were_not_grouped_by_can_be_absent() -> None:
    async with Simulator(Settings(first_day=date(2025, 11, 1), now=NOW, omit_ungrouped=True)) as older:
        pairs = (start("2026-01-05T00:00:00Z"), end("2026-01-06T00:00:00Z"), *group("model", "workspace_id"))
        (bucket,) = await buckets(older, USAGE, *pairs)
    assert all(set(row) & set(DIMENSIONS) == {"model", "workspace_id"} for row in bucket["results"])


async def test_the_field_of_server_tools_can_be_absent() -> None:
    async with Simulator(Settings(first_day=date(2025, 11, 1), now=NOW, omit_server_tool_use=True)) as older:
        (bucket,) = await buckets(older, USAGE, start("2026-01-05T00:00:00Z"), end("2026-01-06T00:00:00Z"))
    assert all("server_tool_use" not in row and row["output_tokens"] > 0 for row in bucket["results"])


async def test_a_cached_answer_changes_with_an_amendment(simulator: Simulator) -> None:
    pairs = (start("2025-12-01T00:00:00Z"), end("2025-12-02T00:00:00Z"))
    before = await buckets(simulator, USAGE, *pairs)
    assert await buckets(simulator, USAGE, *pairs) == before
    simulator.amend(date(2025, 12, 1), 2)
    assert await buckets(simulator, USAGE, *pairs) != before


# Pages


@pytest.mark.parametrize(
    ("path", "width", "default", "largest"),
    [(USAGE, "1d", 7, 31), (USAGE, "1h", 24, 168), (USAGE, "1m", 60, 1440), (COST, "1d", 7, 31)],
)
async def test_a_page_has_the_documented_default_and_largest_limit(
    simulator: Simulator, path: str, width: str, default: int, largest: int
) -> None:
    pairs = [start("2025-11-10T00:00:00Z"), ("bucket_width", width)]
    assert len((await ask(simulator, path, pairs))[1]["data"]) == default
    assert len((await ask(simulator, path, [*pairs, ("limit", str(largest))]))[1]["data"]) == largest
    status, body = await ask(simulator, path, [*pairs, ("limit", str(largest + 1))])
    assert (status, body["error"]["type"]) == (400, "invalid_request_error")


@pytest.mark.parametrize("path", [USAGE, COST])
async def test_pages_together_are_the_truth(simulator: Simulator, path: str) -> None:
    pairs = [start("2025-12-01T00:00:00Z"), end("2026-01-01T00:00:00Z"), *group("workspace_id"), ("limit", "9")]
    found: list[Any] = []
    page: Any = {"next_page": None, "has_more": True}
    while page["has_more"]:
        token = [("page", page["next_page"])] if page["next_page"] else []
        page = (await ask(simulator, path, [*pairs, *token]))[1]
        found += page["data"]
    report = "usage" if path == USAGE else "cost"
    first = datetime(2025, 12, 1, tzinfo=UTC)
    truth = simulator.truth(report=report, start=first, end=first + timedelta(days=31), group_by=["workspace_id"])
    assert found == truth


@pytest.mark.parametrize(
    "other",
    [("limit", "3"), ("group_by[]", "model"), ("models[]", "x"), ("bucket_width", "1h"), end("2026-01-02T00:00:00Z")],
)
async def test_a_token_replayed_with_another_parameter_is_a_400(simulator: Simulator, other: tuple[str, str]) -> None:
    pairs = [start("2025-12-01T00:00:00Z")]
    token = (await ask(simulator, USAGE, pairs))[1]["next_page"]
    assert (await ask(simulator, USAGE, [*pairs, ("page", token)]))[0] == 200
    assert (await ask(simulator, USAGE, [*pairs, other, ("page", token)]))[0] == 400


async def test_a_token_of_one_report_is_a_400_for_the_other(simulator: Simulator) -> None:
    pairs = [start("2025-12-01T00:00:00Z")]
    token = (await ask(simulator, USAGE, pairs))[1]["next_page"]
    assert (await ask(simulator, COST, [*pairs, ("page", token)]))[0] == 400


@pytest.mark.parametrize("token", ["", "page_", "nonsense", "page_é"])
async def test_a_token_that_was_never_issued_is_a_400(simulator: Simulator, token: str) -> None:
    built = "page_" + urlsafe_b64encode(b"2025-12-08T00:00:00Z").decode()
    for wrong in (token, built):
        pairs = [start("2025-12-01T00:00:00Z"), ("page", wrong)]
        assert (await ask(simulator, USAGE, pairs))[0] == 400


# Every reason for a 400

FIRST = start("2026-01-01T00:00:00Z")
LAST = end("2026-01-02T00:00:00Z")
FIRST_AGAIN = end("2026-01-01T00:00:00Z")
REFUSED: list[tuple[str, Pairs, str]] = [
    (USAGE, [LAST], "starting_at: Field required"),
    (USAGE, [start("2026-01-01")], "starting_at: Input should be a valid datetime"),
    (USAGE, [start("2026-02-30T00:00:00Z")], "starting_at: Input should be a valid datetime"),
    (USAGE, [start("2026-01-01T00:00:00")], "starting_at: Input should be a valid datetime"),
    (USAGE, [FIRST, end("soon")], "ending_at: Input should be a valid datetime"),
    (USAGE, [FIRST, end("2026-01-01T00:00:00Z")], "ending_at must be after starting_at"),
    (USAGE, [FIRST, end("2025-12-01T00:00:00Z")], "ending_at must be after starting_at"),
    (USAGE, [FIRST, end("2026-01-01T23:59:59Z")], "does not contain a complete bucket"),
    (USAGE, [start("2026-01-15T00:00:00Z")], "does not contain a complete bucket"),
    (USAGE, [FIRST, LAST, ("bucket_width", "1w")], "bucket_width: Input should be '1m', '1h' or '1d'"),
    (USAGE, [FIRST, LAST, ("limit", "0")], "limit: Input should be greater than or equal to 1"),
    (USAGE, [FIRST, LAST, ("limit", "32")], "limit: Input should be less than or equal to 31"),
    (USAGE, [FIRST, LAST, ("limit", "ten")], "limit: Input should be a valid integer"),
    (USAGE, [FIRST, FIRST, LAST], "starting_at: Input should be given once"),
    (USAGE, [FIRST, LAST, ("colour", "red")], "colour: Extra inputs are not permitted"),
    (USAGE, [FIRST, LAST, ("group_by", "model")], "group_by: Extra inputs are not permitted"),
    (USAGE, [FIRST, LAST, *group("colour")], 'Invalid `group_by[]`: "colour". Valid options are "account_id", '),
    (USAGE, [FIRST, LAST, *group(*DIMENSIONS[:6])], "Cannot specify more than 5 group_by[] dimensions."),
    (USAGE, [FIRST, LAST, *group("speed")], 'Invalid `group_by[]`: "speed". Valid options are "account_id", '),
    (USAGE, [FIRST, LAST, ("speeds[]", "fast")], "anthropic-beta: fast-mode-2026-02-01"),
    (USAGE, [FIRST, LAST, ("service_tiers[]", "gold")], "service_tiers[]: Input should be 'standard'"),
    (USAGE, [FIRST, LAST, ("context_window[]", "1k")], "context_window[]: Input should be"),
    (COST, [LAST], "starting_at: Field required"),
    (COST, [FIRST, LAST, ("bucket_width", "1h")], "bucket_width: Input should be '1d'"),
    (COST, [FIRST, LAST, ("models[]", "x")], "models[]: Extra inputs are not permitted"),
    (COST, [FIRST, LAST, *group("model")], 'Valid options are "workspace_id", "description".'),
    (COST, [FIRST, FIRST_AGAIN], "ending_at must be after starting_at"),
    (COST, [FIRST, end("2026-01-01T12:00:00Z")], "ending date must be after starting date"),
    (COST, [start("2026-01-15T00:00:00Z"), end("2026-01-16T00:00:00Z")], "ending date must be after starting date"),
    (COST, [start("2026-01-15T00:00:00Z")], "ending date must be after starting date"),
    (COST, [start("2026-03-01T00:00:00Z"), end("2026-03-03T00:00:00Z")], "ending date must be after starting date"),
]


@pytest.mark.parametrize(("path", "pairs", "message"), REFUSED)
async def test_a_wrong_query_is_a_400_with_its_reason(
    simulator: Simulator, path: str, pairs: Pairs, message: str
) -> None:
    status, body = await ask(simulator, path, pairs)
    assert (status, body["error"]["type"]) == (400, "invalid_request_error")
    assert message in body["error"]["message"]


async def test_the_grouping_cap_can_be_another() -> None:
    pairs = [FIRST, LAST, *group("account_id", "api_key_id", "model")]
    async with Simulator(Settings(now=NOW, group_by_cap=2)) as strict:
        status, body = await ask(strict, USAGE, pairs)
    assert (status, body["error"]["message"]) == (400, "Cannot specify more than 2 group_by[] dimensions.")
