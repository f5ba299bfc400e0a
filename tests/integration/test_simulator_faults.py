"""Every fault of the simulator does what its description says, and only when it is set."""

from __future__ import annotations

import asyncio
import gzip
import json
import zlib
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import ClientError, ClientSession, ClientTimeout

from archiver.simulator import FAULTS, INVENTED_KEY, Settings, Simulator

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

NOW = datetime(2026, 1, 15, 12, 30, tzinfo=UTC)
START = datetime(2025, 12, 30, tzinfo=UTC)
PATHS = {"usage": "usage_report/messages", "cost": "cost_report"}
HEADERS = {"anthropic-version": "2023-06-01", "x-api-key": INVENTED_KEY, "accept-encoding": "identity"}
QUERY = [
    ("starting_at", "2025-12-30T00:00:00Z"),
    ("ending_at", "2026-01-04T00:00:00Z"),
    ("group_by[]", "workspace_id"),
]


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    raw: bytes
    truth: list[Any] = field(default_factory=list)

    @property
    def body(self) -> Any:
        return json.loads(self.raw)

    @property
    def rows(self) -> list[Any]:
        return [row for bucket in self.body["data"] for row in bucket["results"]]

    @property
    def true_rows(self) -> list[Any]:
        return [row for bucket in self.truth for row in bucket["results"]]


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    # 2025-12-31 and 2026-01-01 are quiet, so that there are empty buckets too
    quiet = (date(2025, 12, 31), date(2026, 1, 1))
    async with Simulator(Settings(first_day=date(2025, 11, 1), now=NOW, quiet=quiet)) as running:
        yield running


async def ask(simulator: Simulator, report: str = "usage", patience: float = 60) -> Answer:
    """Send a request and return the raw response, without decompressing it or following redirects."""
    url = f"{simulator.url}/v1/organizations/{PATHS[report]}"
    truth = simulator.truth(report=report, start=START, end=START + timedelta(days=5), group_by=["workspace_id"])
    async with (
        ClientSession(auto_decompress=False, timeout=ClientTimeout(patience)) as session,
        session.get(
            url, params=QUERY, headers={**HEADERS, "accept-encoding": "identity"}, allow_redirects=False
        ) as got,
    ):
        headers = {name.lower(): value for name, value in got.headers.items()}
        return Answer(got.status, headers, await got.read(), truth)


STATUSES = {
    "400": "invalid_request_error",
    "401": "authentication_error",
    "402": "billing_error",
    "403": "permission_error",
    "404": "not_found_error",
    "408": "api_error",
    "409": "conflict_error",
    "429": "rate_limit_error",
    "500": "api_error",
    "503": "api_error",
    "504": "timeout_error",
    "529": "overloaded_error",
}
CODES = {
    "enforced_spend_limit_reached": (429, "rate_limit_error"),
    "contract_spend_limit_reached": (429, "rate_limit_error"),
    "linked_organization_spend_limit_reached": (402, "billing_error"),
    "organization_on_hold": (400, "invalid_request_error"),
    "organization_type_not_supported": (400, "invalid_request_error"),
    "api_key_scope_missing": (403, "permission_error"),
    "ramp_limit_exceeded": (429, "rate_limit_error"),
    "authorization_check_unavailable": (503, "api_error"),
}
ADVICE: dict[str, Callable[[dict[str, str]], bool]] = {
    "429_retry_after": lambda headers: headers["retry-after"] == "1",
    "429_retry_after_zero": lambda headers: headers["retry-after"] == "0",
    "429_retry_after_non_ascii": lambda headers: headers["retry-after"] == "\N{SUPERSCRIPT TWO}",
    "429_no_retry": lambda headers: headers["x-should-retry"] == "false",
    "429_retry_after_ms": lambda headers: headers["retry-after-ms"] == "150",
    "429_retry_after_date": lambda headers: parsedate_to_datetime(headers["retry-after"]) > NOW,
    "429_retry_after_long": lambda headers: headers["retry-after"] == "3600",
    "429_reset_past": lambda headers: headers["anthropic-ratelimit-requests-reset"] < "2026-01-15T12:30:00Z",
    "429_reset_future": lambda headers: headers["anthropic-ratelimit-requests-reset"] > "2026-01-15T12:30:00Z",
}
BROKEN = ("disconnect", "truncated_body", "timeout")
OF_LISTS = ("colon_in_names",)
CONTENT: dict[str, tuple[str, Callable[[Answer], bool]]] = {
    "529_no_retry": ("usage", lambda a: a.status == 529 and a.headers["x-should-retry"] == "false"),
    "key_in_error": ("usage", lambda a: a.status == 400 and INVENTED_KEY in a.body["error"]["message"]),
    "500_no_retry": ("usage", lambda a: a.status == 500 and a.headers["x-should-retry"] == "false"),
    "html_502": ("usage", lambda a: a.status == 502 and a.raw.startswith(b"<html>")),
    "plain_413": ("usage", lambda a: a.status == 413 and a.raw == b"Payload Too Large"),
    "redirect": ("usage", lambda a: a.status == 307 and a.headers["location"].startswith("http://localhost:")),
    "missing_bucket": ("usage", lambda a: a.body["data"] == a.truth[:2] + a.truth[3:]),
    "no_empty_buckets": ("usage", lambda a: a.body["data"] == [b for b in a.truth if b["results"]] != a.truth),
    "unordered_buckets": ("usage", lambda a: a.body["data"] == a.truth[::-1]),
    "duplicate_bucket": ("usage", lambda a: a.body["data"] == [a.truth[0], *a.truth]),
    "bucket_outside": ("usage", lambda a: a.body["data"][0]["starting_at"] == "2025-12-29T00:00:00Z"),
    "misaligned_bucket": ("usage", lambda a: a.body["data"][-1]["ending_at"] == "2026-01-04T00:00:17Z"),
    "null_results": ("usage", lambda a: a.body["data"][0]["results"] is None),
    "duplicate_row": ("usage", lambda a: a.rows.count(a.true_rows[0]) == 2),
    "shuffled_rows": ("usage", lambda a: a.rows != a.true_rows and not any(r not in a.true_rows for r in a.rows)),
    "nan_amount": ("cost", lambda a: a.rows[0]["amount"] == "NaN"),
    "exponent_amount": (
        "cost",
        lambda a: all("E" in r["amount"] for r in a.rows) and amounts(a.rows) == amounts(a.true_rows),
    ),
    "huge_exponent_amount": ("cost", lambda a: b'"amount":1e9999999999999999999,' in a.raw),
    "long_amount": ("cost", lambda a: a.rows[0]["amount"] == a.true_rows[0]["amount"] + "25"),
    "number_amount": ("cost", lambda a: all(isinstance(r["amount"], float) for r in a.rows)),
    "unknown_currency": ("cost", lambda a: a.rows[0]["currency"] == "XTS"),
    "float_tokens": ("usage", lambda a: a.rows[0]["output_tokens"] == a.true_rows[0]["output_tokens"] + 0.5),
    "negative_tokens": ("usage", lambda a: a.rows[0]["output_tokens"] < 0),
    "text_tokens": ("usage", lambda a: isinstance(a.rows[0]["output_tokens"], str)),
    "huge_tokens": ("usage", lambda a: a.rows[0]["output_tokens"] > 2**64),
    "missing_field": ("usage", lambda a: "output_tokens" not in a.rows[0]),
    "flat_cache_field": ("usage", lambda a: all(r["cache_creation_input_tokens"] >= 0 for r in a.rows)),
    "unknown_field": ("usage", lambda a: all(r["invented_field"] == {"invented": 1} for r in a.rows)),
    "colon_in_field": ("usage", lambda a: all(":" in r["invented:field"] for r in a.rows)),
    "ungrouped_value": ("usage", lambda a: all(r["service_tier"] == "standard" for r in a.rows)),
    "split_rows": (
        "usage",
        lambda a: (
            [r["invented_region"] for r in a.rows[:2]] == ["eu", "us"]
            and tokens(a.rows) == tokens(a.true_rows)
            and a.rows[0]["workspace_id"] == a.rows[1]["workspace_id"]
        ),
    ),
    "offset_times": ("usage", lambda a: a.body["data"][0]["starting_at"] == "2025-12-30T00:00:00+00:00"),
    "unknown_dimension_value": ("usage", lambda a: any(r["workspace_id"] == "invented_value" for r in a.rows)),
    "has_more_without_token": ("usage", lambda a: a.body["has_more"] is True and a.body["next_page"] is None),
    "repeated_token": ("usage", lambda a: a.body["has_more"] is True and a.body["data"] == a.truth),
    "error_in_200": ("usage", lambda a: a.status == 200 and a.body["type"] == "error"),
    "error_in_200_with_float": ("usage", lambda a: a.body["type"] == "error" and a.body["error"]["retry_in"] == 0.5),
    "key_in_body": ("usage", lambda a: a.body["data"] == a.truth and INVENTED_KEY.encode() in a.raw),
    "non_ascii_header": ("usage", lambda a: not a.headers["request-id"].isascii() and a.body["data"] == a.truth),
    "not_json": ("usage", lambda a: a.headers["content-type"] == "application/json" and b"{" not in a.raw),
    "empty_body": ("usage", lambda a: a.status == 200 and a.raw == b""),
    "wrong_content_type": ("usage", lambda a: a.headers["content-type"].startswith("text/plain") and bool(a.body)),
    "duplicate_json_key": ("usage", lambda a: a.raw.count(b'"data"') == 2 and a.body["data"] == []),
    "bad_utf8": ("usage", lambda a: b"\xff" in a.raw),
    "bad_gzip": ("usage", lambda a: a.headers["content-encoding"] == "gzip" and not _unpacks(a.raw)),
    "truncated_gzip": ("usage", lambda a: a.headers["content-encoding"] == "gzip" and not _unpacks(a.raw)),
    "gzip_bomb": ("usage", lambda a: len(a.raw) < 80_000 and unpacked_size(a.raw) > 64 << 20),
    "gzip_bomb_large": ("usage", lambda a: len(a.raw) < 500_000 and unpacked_size(a.raw) > 400 << 20),
}


def amounts(rows: list[Any]) -> Decimal:
    return sum((Decimal(row["amount"]) for row in rows), Decimal(0))


def tokens(rows: list[Any]) -> int:
    return sum(row["output_tokens"] + sum(row["cache_creation"].values()) for row in rows)


def unpacked_size(raw: bytes) -> int:
    """Return the size of inflated gzip.

    It is inflated piece by piece, because 400 MiB at once would count as memory of all later tests."""
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16)
    return sum(len(unpacker.decompress(raw[at : at + 4096])) for at in range(0, len(raw), 4096))


def _unpacks(raw: bytes) -> bool:
    try:
        gzip.decompress(raw)
    except (OSError, EOFError, zlib.error):
        return False
    return True


def test_every_fault_has_a_test() -> None:
    assert {*STATUSES, *CODES, *ADVICE, *BROKEN, *CONTENT, *OF_LISTS} == set(FAULTS)


@pytest.mark.parametrize("name", STATUSES)
async def test_a_refusal_has_its_status_and_type_and_no_advice(simulator: Simulator, name: str) -> None:
    simulator.faults.set(name)
    answer = await ask(simulator)
    assert (answer.status, answer.body["error"]["type"]) == (int(name), STATUSES[name])
    assert not {header for header in answer.headers if "retry" in header or "ratelimit" in header}


@pytest.mark.parametrize("code", CODES)
async def test_an_error_code_is_in_the_details_of_its_error_without_advice(simulator: Simulator, code: str) -> None:
    simulator.faults.set(code)
    answer = await ask(simulator)
    assert (answer.status, answer.body["error"]["type"]) == CODES[code]
    assert answer.body["error"]["details"] == {"error_code": code}
    assert not {header for header in answer.headers if "retry" in header or "ratelimit" in header}


@pytest.mark.parametrize("name", ADVICE)
async def test_a_429_has_the_headers_of_its_name(simulator: Simulator, name: str) -> None:
    simulator.faults.set(name)
    answer = await ask(simulator)
    assert answer.status == 429
    assert ADVICE[name](answer.headers)


@pytest.mark.parametrize("name", CONTENT)
async def test_a_fault_does_what_its_description_says(simulator: Simulator, name: str) -> None:
    report, is_so = CONTENT[name]
    simulator.faults.set(name)
    assert is_so(await ask(simulator, report))


async def test_split_rows_of_cost_add_up_to_the_same_money(simulator: Simulator) -> None:
    simulator.faults.set("split_rows")
    answer = await ask(simulator, "cost")
    assert len(answer.rows) == len(answer.true_rows) + 3  # one more for each of three days with rows
    assert amounts(answer.rows) == amounts(answer.true_rows)


async def test_a_fault_of_lists_changes_names_once_and_not_the_organisation(simulator: Simulator) -> None:
    before = [dict(key) for key in simulator.organization.api_keys]
    simulator.faults.once("colon_in_names")
    for prefix in ("Invented: ", ""):
        async with (
            ClientSession() as session,
            session.get(f"{simulator.url}/v1/organizations/api_keys", headers=HEADERS) as response,
        ):
            names = [key["name"] for key in (await response.json())["data"]]
        assert names == [prefix + key["name"] for key in before][:20]


@pytest.mark.parametrize("name", ["disconnect", "truncated_body"])
async def test_a_connection_breaks_before_or_within_an_answer(simulator: Simulator, name: str) -> None:
    simulator.faults.set(name)
    with pytest.raises(ClientError):
        await ask(simulator)


async def test_a_timeout_never_gets_a_response(simulator: Simulator) -> None:
    simulator.faults.set("timeout")
    with pytest.raises(asyncio.TimeoutError):
        await ask(simulator, patience=0.05)
    assert simulator.requests[0].status == 0


async def test_a_simulator_stops_although_a_request_hangs() -> None:
    async with ClientSession() as session:
        async with Simulator(Settings(now=NOW, faults={"timeout": 1.0})) as simulator:
            url = f"{simulator.url}/v1/organizations/me"
            hanging = asyncio.ensure_future(session.get(url, headers=HEADERS))
            while not simulator.requests:  # noqa: ASYNC110 - the request is on its way
                await asyncio.sleep(0)
        with pytest.raises(ClientError):
            await hanging


async def test_the_next_page_of_a_repeated_token_is_the_same_page(simulator: Simulator) -> None:
    simulator.faults.set("repeated_token")
    first = await ask(simulator)
    QUERY.append(("page", first.body["next_page"]))
    try:
        assert (await ask(simulator)).body == first.body
    finally:
        QUERY.pop()


async def test_faults_for_once_come_in_their_order_and_then_no_more(simulator: Simulator) -> None:
    simulator.faults.once("500")
    simulator.faults.once("529", times=2)
    assert [(await ask(simulator)).status for _ in range(4)] == [500, 529, 529, 200]


async def test_a_fault_can_be_limited_to_some_requests(simulator: Simulator) -> None:
    simulator.faults.set("500", match="cost_report?starting_at=2025-12-30")
    assert [(await ask(simulator, report)).status for report in PATHS] == [200, 500]


async def test_a_fault_of_cost_waits_for_the_cost_report(simulator: Simulator) -> None:
    simulator.faults.once("nan_amount")
    answer = await ask(simulator, "usage")
    assert answer.body["data"] == answer.truth
    assert (await ask(simulator, "cost")).rows[0]["amount"] == "NaN"


async def test_cleared_faults_leave_the_truth_as_it_was(simulator: Simulator) -> None:
    simulator.faults.set("negative_tokens")
    await ask(simulator)
    simulator.faults.clear()
    answer = await ask(simulator)
    assert answer.body["data"] == answer.truth


async def test_chance_is_repeatable_by_seed() -> None:
    async def statuses() -> list[int]:
        async with Simulator(Settings(now=NOW, faults={"500": 0.5})) as simulator:
            return [(await ask(simulator)).status for _ in range(12)]

    first = await statuses()
    assert set(first) == {200, 500}
    assert await statuses() == first


async def test_the_fault_of_a_request_is_recorded(simulator: Simulator) -> None:
    simulator.faults.once("missing_bucket")
    await ask(simulator)
    await ask(simulator)
    assert [request.fault for request in simulator.requests] == ["missing_bucket", None]


@pytest.mark.parametrize("faults", [{"nonsense": 1.0}, {"500": 1.5}, {"500": -1.0}])
def test_an_unknown_fault_or_chance_is_refused(faults: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"fault|chance"):
        Simulator(Settings(faults=faults))
