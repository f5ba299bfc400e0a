"""Randomly damaged responses are refused or read as an independent decoder reads them.

That decoder, the oracle, is plain and slow, and shares no code with the one that it checks.
"""

from __future__ import annotations

import copy
import json
import os
import random
import re
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest

from archiver.api.client import AdminClient
from archiver.api.decode.page import read_page
from archiver.api.endpoints import fetch_window
from archiver.api.key import AdminKey
from archiver.api.rate_limit import Rate, RateLimiter
from archiver.api.response import Response
from archiver.api.retry import RetryPolicy
from archiver.errors import ApiError, ContractError
from archiver.model import DAY, BucketWidth, Report, Series, Window
from tests.support import INVENTED_KEY
from tests.unit.api.test_decode import START, cost_row, page, usage_row
from tests.unit.api.virtual import Virtual

if TYPE_CHECKING:
    from collections.abc import Callable

MUTATIONS = int(os.environ.get("ARCHIVER_TEST_MUTATIONS", "4000"))
BATCHES = 8

USAGE = Window(Series(Report.USAGE, BucketWidth.DAY, ("model", "workspace_id")), START, START + 2 * DAY)
COST = Window(Series(Report.COST, BucketWidth.DAY, ("description",)), START, START + 2 * DAY)
DIMENSIONS = {
    "usage": "workspace_id api_key_id model service_tier context_window inference_geo speed account_id "
    "service_account_id",
    "cost": "workspace_id description cost_type model service_tier context_window token_type inference_geo currency",
}
NOT_REQUESTED = {"usage": set(DIMENSIONS["usage"].split()) - {"model", "workspace_id"}, "cost": {"workspace_id"}}
MEASURES = {
    "usage": {"uncached_input_tokens", "cache_creation", "cache_read_input_tokens", "output_tokens", "server_tool_use"},
    "cost": {"amount"},
}
HAS_TO_BE_THERE = {"usage": {"model", "workspace_id"}, "cost": {"description", "currency", "amount"}}
NESTED = {
    "cache_creation": {"ephemeral_1h_input_tokens", "ephemeral_5m_input_tokens"},
    "server_tool_use": {"web_search_requests"},
}
STRANGE = [
    None,
    True,
    False,
    0,
    -1,
    1,
    1.0,
    1.5,
    2**52,
    2**52 + 1,
    2**64,
    10**30,
    "",
    "x",
    "1",
    "-1",
    "NaN",
    "1e5",
    1e-7,
    "2E-3",
    "0.5",
    [],
    {},
    [None],
    {"a": 1},
]
TIMES = [
    "2026-01-01T00:00:00Z",
    "2026-01-02T00:00:00Z",
    "2026-01-03T00:00:00Z",
    "2026-01-01T12:00:00Z",
    "2026-01-01",
    "x",
]


class Number(str):
    """A number with a fraction or an exponent: its digits."""

    __slots__ = ()


class Refused(Exception):  # noqa: N818  # it is no error here
    """The oracle refuses it."""


def need(good: bool) -> None:  # noqa: FBT001  # a plain question
    if not good:
        raise Refused


def oracle(body: bytes, window: Window) -> list[tuple[int, set[tuple[Any, ...]]]]:
    """Return the rows of each bucket of a body; raises Refused."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        need(len({name for name, _ in pairs}) == len(pairs))
        return dict(pairs)

    def constant(_name: str) -> Any:
        raise Refused

    try:
        raw = json.loads(body.decode(), object_pairs_hook=once, parse_constant=constant, parse_float=Number)
    except (ValueError, RecursionError):
        raise Refused from None
    need(isinstance(raw, dict) and "error" not in raw and raw.get("type") != "error")
    need(isinstance(raw.get("data"), list) and isinstance(raw.get("has_more"), bool))
    need(raw.get("next_page") is None or type(raw["next_page"]) is str)
    need(not raw["has_more"] or bool(raw.get("next_page")))
    at = window.start
    buckets = []
    for bucket in raw["data"]:
        need(isinstance(bucket, dict) and isinstance(bucket.get("results"), list))
        start, end = when(bucket.get("starting_at")), when(bucket.get("ending_at"))
        need(start % DAY == 0 and end == start + DAY and start >= at and end <= window.end)
        at = end
        rows = [judge_row(row, window.series.report) for row in bucket["results"]]
        # Rows of equal dimensions must differ in their other fields.
        need(len({(row[0], row[2]) for row in rows}) == len(rows))
        buckets.append((start, {(row[0], row[1]) for row in rows}))
    return buckets


def when(text: Any) -> int:
    need(
        type(text) is str and re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.0+)?(Z|[+-]\d\d:\d\d)", text) is not None
    )
    try:
        return int(datetime.fromisoformat(text).timestamp())
    except ValueError:
        raise Refused from None


def judge_row(row: Any, report: str) -> tuple[Any, ...]:
    need(isinstance(row, dict) and set(row) >= HAS_TO_BE_THERE[report])
    names = DIMENSIONS[report].split()
    dimensions = tuple(None if name in NOT_REQUESTED[report] else row.get(name) for name in names)
    for name, value in zip(DIMENSIONS[report].split(), dimensions, strict=True):
        need(value is None or (type(value) is str and name not in NOT_REQUESTED[report]))
        if value is not None:
            need(not any("\ud800" <= c <= "\udfff" for c in value))
    if report == "cost":
        amount = row["amount"]
        amount = amount if isinstance(amount, str | Number) else str(amount) if type(amount) is int else ""
        need(type(row["currency"]) is str)
        need(re.fullmatch(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,2})?", amount) is not None)
        need(abs(float(amount)) < 9e12)
        return dimensions, str(amount), extra_of(row, report)
    cache, tools = row.get("cache_creation"), row.get("server_tool_use", {"web_search_requests": 0})
    need(isinstance(cache, dict) and isinstance(tools, dict))
    counts = (
        row.get("uncached_input_tokens"),
        cache.get("ephemeral_1h_input_tokens"),
        cache.get("ephemeral_5m_input_tokens"),
        row.get("cache_read_input_tokens"),
        row.get("output_tokens"),
        tools.get("web_search_requests"),
    )
    need(all(type(count) is int and 0 <= count <= 2**52 for count in counts))
    return dimensions, counts, extra_of(row, report)


def extra_of(row: dict[str, Any], report: str) -> str:
    """Return the unknown fields of a row as JSON."""
    known = {*DIMENSIONS[report].split(), *MEASURES[report]} - NOT_REQUESTED[report]
    extra = {n: v for n, v in row.items() if n not in known and not (v is None and n in NOT_REQUESTED[report])}
    for outer, inner in NESTED.items():
        if report == "usage" and outer in row:
            rest = {name: value for name, value in row[outer].items() if name not in inner}
            extra |= {outer: rest} if rest else {}
    return json.dumps(extra, sort_keys=True, default=str)


def places(value: Any) -> list[tuple[Any, Any]]:
    """List every container and key of a decoded answer."""
    found: list[tuple[Any, Any]] = []
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else []
    for key in keys:
        found.append((value, key))
        found += places(value[key])
    return found


def mutate(raw: Any, chance: random.Random) -> bytes:
    """Damage a body in one to three places, and sometimes in its bytes too."""
    raw = copy.deepcopy(raw)
    for _ in range(chance.randint(1, 3)):
        spots = places(raw)
        if spots:
            damage(*chance.choice(spots), chance)
    body = json.dumps(
        raw, indent=chance.choice([None, None, None, 1]), separators=chance.choice([None, (",", ":")])
    ).encode()
    if chance.random() < 0.15:
        at = chance.randrange(len(body))
        body = chance.choice(
            [body[:at], body[:at] + bytes([chance.randrange(256)]) + body[at + 1 :], body[:at] + body[at // 2 :]]
        )
    if chance.random() < 0.05:
        body = body.replace(b'"output_tokens"', b'"output_tokens": 1, "output_tokens"', 1)
    return body


def damage(holder: Any, key: Any, chance: random.Random) -> None:
    kinds: list[Callable[[], None]] = [
        lambda: holder.__delitem__(key),
        lambda: holder.__setitem__(key, chance.choice(STRANGE)),
        lambda: holder.__setitem__(key, chance.choice(TIMES)),
        lambda: holder.append(copy.deepcopy(holder[key])) if isinstance(holder, list) else holder.update({"new": 1.25}),
        lambda: holder.reverse() if isinstance(holder, list) else holder.update({"model": "other"}),
    ]
    chance.choice(kinds)()


@pytest.mark.parametrize("batch", range(BATCHES))
def test_a_damaged_answer_is_refused_or_read_for_what_it_is(batch: int) -> None:
    chance = random.Random(batch)  # noqa: S311  # repeatable chance
    usage = page(usage_row(workspace_id="w"), usage_row(model="n"), usage_row(model=None))
    cost = page(cost_row(), cost_row(description="e", amount="-0.000001"))
    good = 0
    for _ in range(MUTATIONS // BATCHES):
        raw, window = chance.choice([(usage, USAGE), (cost, COST)])
        body = mutate(raw, chance)
        try:
            expected = oracle(body, window)
        except Refused:
            with pytest.raises(ContractError):
                read_page(body, window, after=window.start)
            continue
        good += 1
        buckets = read_page(body, window, after=window.start).buckets
        assert buckets is not None
        read = [
            (b.start, {(key[:9], v[0] if window is COST else v[:-1]) for key, v in b.rows.items()}) for b in buckets
        ]
        assert read == expected, body
    assert good > MUTATIONS // BATCHES // 50


NAMES = [
    "retry-after",
    "retry-after-ms",
    "date",
    "request-id",
    "content-type",
    "content-encoding",
    "x-should-retry",
    "anthropic-ratelimit-requests-reset",
    "anthropic-organization-id",
]
VALUES = [
    "",
    "0",
    "1e999",
    "-1",
    "nan",
    "\u0663",
    "gzip",
    "br",
    "application/json",
    "true",
    "Thu, 15 Jan 2026 12:30:00",
    "Thu, 15 Jan 0000 99:99:99 +9999",
    "0001-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59-23:59",
    "\udcff\udcfe",
    "\x1b[31m",
    "\u00e4",
    "x" * 5000,
]
ERRORS: list[Any] = [
    {"error": 1.5},
    {"error": {"message": 1.5, "details": {"error_code": 1.5}}},
    {"error": {"message": ["x"], "details": []}, "request_id": 5},
    {"error": None, "type": "error"},
    {"type": "error", "error": {"type": "x", "message": "no", "details": {"error_code": "y" * 500}}},
    {"type": "error", "error": {"message": "more than 99999999999999999999 group_by"}},
]


def odd_text(chance: random.Random) -> str:
    return chance.choice(
        [chance.choice(VALUES), "".join(chr(chance.choice([9, 31, 48, 0xDC80, 0x2603])) for _ in "abc")]
    )


@pytest.mark.parametrize("batch", range(BATCHES))
async def test_odd_headers_and_error_bodies_end_clearly(batch: int) -> None:
    chance = random.Random(1000 + batch)  # noqa: S311  # repeatable chance
    for _ in range(MUTATIONS // BATCHES // 4):
        headers = {name: odd_text(chance) for name in chance.sample(NAMES, chance.randint(0, 4))}
        body = json.dumps(chance.choice([*ERRORS, chance.choice(STRANGE)])).encode()
        if chance.random() < 0.3:
            body = mutate(chance.choice(ERRORS), chance)
        status = chance.choice([200, 200, 204, 301, 400, 401, 402, 403, 404, 429, 500, 503, 529, 999])
        one = client_of(Response(status, headers, body))
        with pytest.raises(ApiError) as refused:
            await fetch_window(one, USAGE)
        text = f"{refused.value} {refused.value.request_id} {one.organization_id}"
        text.encode()
        assert text.isprintable(), text


def client_of(response: Response) -> AdminClient:
    async def exchange(*_: Any) -> Response:
        return Response(response.status, response.headers, response.wire)

    clock = Virtual().clock()
    limiter = RateLimiter(Rate(None), 1, clock)
    key = AdminKey(INVENTED_KEY, "a test")
    return AdminClient(None, "http://x", key, limiter, clock, RetryPolicy(limiter, clock), exchange)
