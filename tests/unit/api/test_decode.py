"""Decoding of report pages: what is accepted, what is kept as extra, and what is refused."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from archiver.api.decode.fast import read_fast
from archiver.api.decode.page import read_page
from archiver.api.decode.strict import read_strict
from archiver.errors import ContractError, DamagedAnswerError
from archiver.model import DAY, BucketWidth, Report, Series, Window
from archiver.plan.calendar import parse_time

START = int(parse_time("2026-01-01").timestamp())
BY_MODEL = Window(Series(Report.USAGE, BucketWidth.DAY, ("model",)), START, START + 2 * DAY)
COST = Window(Series(Report.COST, BucketWidth.DAY, ("description", "workspace_id")), START, START + 2 * DAY)


def usage_row(**more: Any) -> dict[str, Any]:
    return {
        "uncached_input_tokens": 1,
        "cache_creation": {"ephemeral_1h_input_tokens": 2, "ephemeral_5m_input_tokens": 3},
        "cache_read_input_tokens": 4,
        "output_tokens": 5,
        "server_tool_use": {"web_search_requests": 6},
        "account_id": None,
        "api_key_id": None,
        "context_window": None,
        "inference_geo": None,
        "model": "m",
        "service_account_id": None,
        "service_tier": None,
        "workspace_id": None,
        **more,
    }


def cost_row(**more: Any) -> dict[str, Any]:
    return {
        "amount": "123.789120",
        "currency": "USD",
        "workspace_id": None,
        "description": "d",
        "cost_type": "tokens",
        "model": "m",
        "service_tier": "standard",
        "context_window": "0-200k",
        "token_type": "output_tokens",
        "inference_geo": "global",
        **more,
    }


def page(*rows: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "data": [
            {"starting_at": "2026-01-01T00:00:00Z", "ending_at": "2026-01-02T00:00:00Z", "results": list(rows)},
            {"starting_at": "2026-01-02T00:00:00Z", "ending_at": "2026-01-03T00:00:00Z", "results": []},
        ],
        "has_more": False,
        "next_page": None,
        **more,
    }


def read(raw: Any, window: Window = BY_MODEL) -> Any:
    body = raw if isinstance(raw, bytes) else json.dumps(raw).encode()
    return read_page(body, window, after=window.start)


def test_a_usage_row_is_read_field_by_field() -> None:
    rows = read(page(usage_row())).buckets[0].rows
    assert rows == {(None, None, "m", None, None, None, None, None, None): (1, 2, 3, 4, 5, 6, None)}


def test_a_cost_row_keeps_the_text_of_its_amount() -> None:
    rows = read(page(cost_row()), COST).buckets[0].rows
    dimensions = (None, "d", "tokens", "m", "standard", "0-200k", "output_tokens", "global", "USD")
    assert rows == {dimensions: ("123.789120", 123_789_120, 0, None)}


def test_an_empty_bucket_is_a_bucket() -> None:
    assert [bucket.rows for bucket in read(page()).buckets] == [{}, {}]


def test_times_with_another_offset_are_the_same_moment() -> None:
    raw = page()
    raw["data"][0] |= {"starting_at": "2026-01-01T02:00:00+02:00", "ending_at": "2026-01-01T23:00:00-01:00"}
    assert read(raw).buckets[0].start == START


def test_unknown_fields_of_a_row_are_kept_and_warned_about() -> None:
    raw = page(usage_row(colour="red", server_tool_use={"web_search_requests": 6, "web_fetch_requests": 7}))
    answer = read(raw)
    (values,) = answer.buckets[0].rows.values()
    assert values[-1] == '{"colour":"red","server_tool_use":{"web_fetch_requests":7}}'
    assert answer.warnings == ("unknown fields of a row are kept in extra: colour, server_tool_use",)


def test_unknown_fields_around_rows_are_warned_about() -> None:
    assert read(page(version=2)).warnings == ("the unknown field 'version' of the answer is not kept",)


def test_unknown_values_of_a_dimension_are_kept() -> None:
    (dimensions,) = read(page(usage_row(model="claude-of-tomorrow"))).buckets[0].rows
    assert dimensions[2] == "claude-of-tomorrow"


def test_a_dimension_that_was_not_asked_for_may_be_absent() -> None:
    row = usage_row()
    del row["workspace_id"]
    (dimensions,) = read(page(row)).buckets[0].rows
    assert dimensions[0] is None


def without(row: dict[str, Any], *path: str) -> dict[str, Any]:
    row = copy.deepcopy(row)
    inner = row
    for name in path[:-1]:
        inner = inner[name]
    del inner[path[-1]]
    return row


TWICE = json.dumps(page(usage_row())).replace('"output_tokens": 5', '"output_tokens": 5, "output_tokens": 6')

REFUSED: dict[str, tuple[Any, str | None]] = {
    "float": (page(usage_row(output_tokens=1.0)), "data[0].results[0].output_tokens"),
    "text count": (page(usage_row(output_tokens="1")), "data[0].results[0].output_tokens"),
    "bool count": (page(usage_row(output_tokens=True)), "data[0].results[0].output_tokens"),
    "null count": (page(usage_row(output_tokens=None)), "data[0].results[0].output_tokens"),
    "negative": (page(usage_row(output_tokens=-1)), "data[0].results[0].output_tokens"),
    "too large": (page(usage_row(output_tokens=2**52 + 1)), "data[0].results[0].output_tokens"),
    "no count": (page(without(usage_row(), "output_tokens")), "data[0].results[0]"),
    "no cache": (page(without(usage_row(), "cache_creation")), "data[0].results[0]"),
    "flat cache": (
        page(without(usage_row(cache_creation_input_tokens=5), "cache_creation", "ephemeral_1h_input_tokens")),
        "data[0].results[0].cache_creation",
    ),
    "no asked dimension": (page(without(usage_row(), "model")), "data[0].results[0]"),
    "number as dimension": (page(usage_row(model=5)), "data[0].results[0].model"),
    "row is no object": (page(["row"]), "data[0].results[0]"),  # type: ignore[arg-type]
    "rows are no list": (page() | {"data": [{**page()["data"][0], "results": {}}]}, "data[0].results"),
    "data is no list": (page(data={}), "data"),
    "no has_more": (without(page(), "has_more"), None),
    "has_more is text": (page(has_more="no"), "has_more"),
    "has_more without a token": (page(has_more=True), "next_page"),
    "list": ([], "the answer"),
    "error with 200": ({"type": "error", "error": {"type": "api_error", "message": "oh"}}, None),
    "same dimensions twice": (page(usage_row(), usage_row(output_tokens=9)), "data[0].results[1]"),
    "the same extra twice": (page(usage_row(region="eu"), usage_row(region="eu")), "data[0].results[1]"),
    "repeated key": (TWICE.encode(), None),
    "deep": (b'{"data":' + b"[" * 100_000 + b"]" * 100_000 + b"}", None),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_breaks_the_contract_is_refused_with_its_place(name: str) -> None:
    raw, place = REFUSED[name]
    with pytest.raises(ContractError) as refused:
        read(raw)
    assert not isinstance(refused.value, DamagedAnswerError)
    if place is not None:
        assert refused.value.place == place


@pytest.mark.parametrize(
    "amount",
    [
        "NaN",
        "Infinity",
        "1e",
        "e3",
        "1e101",
        "1e9999999999999999999",
        "1e3.5",
        "",
        " 1",
        "1,5",
        "$1",
        "--1",
        "1.",
        ".5",
        "9" * 200,
        "99999999999999999999",
        "\u0661",
    ],
)
def test_an_amount_that_is_no_plain_decimal_is_refused(amount: str) -> None:
    with pytest.raises(ContractError, match="amount"):
        read(page(cost_row(amount=amount)), COST)


@pytest.mark.parametrize("amount", [None, True, ["1"], {}])
def test_an_amount_that_is_no_number_is_refused(amount: Any) -> None:
    with pytest.raises(ContractError, match="amount"):
        read(page(cost_row(amount=amount)), COST)


@pytest.mark.parametrize(
    ("starting_at", "ending_at"),
    [
        ("2026-01-01T00:00:00", "2026-01-02T00:00:00Z"),
        ("2026-01-01T00:30:00Z", "2026-01-02T00:30:00Z"),
        ("2026-01-01T00:00:00Z", "2026-01-03T00:00:00Z"),
        ("2026-01-01T00:00:00.5Z", "2026-01-02T00:00:00Z"),
        ("2025-12-31T00:00:00Z", "2026-01-01T00:00:00Z"),
        ("2026-01-03T00:00:00Z", "2026-01-04T00:00:00Z"),
        ("2026-01-02T00:00:00Z", "2026-01-03T00:00:00Z"),
        ("noon", "2026-01-02T00:00:00Z"),
        ("0000-01-01T00:00:00Z", "2026-01-02T00:00:00Z"),
        ("2026-01-01", "2026-01-02"),
    ],
)
def test_a_bucket_that_does_not_fit_the_window_is_refused(starting_at: str, ending_at: str) -> None:
    raw = page()
    raw["data"][0] |= {"starting_at": starting_at, "ending_at": ending_at}
    with pytest.raises(ContractError, match="data"):
        read(raw)


@pytest.mark.parametrize(
    "body", [b"", b"<html></html>", b'{"data":', b"\xff\xfe", b'{"a": NaN}', b'{"data": []} x', b"'a'"]
)
def test_what_is_no_json_is_damage(body: bytes) -> None:
    with pytest.raises(DamagedAnswerError):
        read(body)


def test_an_excerpt_of_a_strange_answer_is_short_and_harmless() -> None:
    with pytest.raises(DamagedAnswerError) as refused:
        read(b"\x1b[31m" + b"<html>" * 1000)
    assert "\x1b" not in str(refused.value)
    assert len(str(refused.value)) < 300


def test_an_escaped_colon_in_a_time_does_not_hide_a_repeated_key() -> None:
    body = json.dumps(page(usage_row()), separators=(",", ":"))
    at = body.index('"starting_at":"') + len('"starting_at":"')
    hidden = body[:at] + body[at:].replace(":", "\\u003a", 1)
    hidden = hidden.replace('"output_tokens":5', '"output_tokens" :99,"output_tokens":5')
    with pytest.raises(ContractError, match="repeated"):
        read_page(hidden.encode(), BY_MODEL, after=BY_MODEL.start)


EXPONENTS = {
    "1.2e-3": 1_200,
    "1E2": 100_000_000,
    "-1.5e+1": -15_000_000,
    "1e-7": 0,
    "5e-7": 0,
    "15e-7": 2,
    "25e-7": 2,
    "0e99": 0,
    "12345.678e-2": 123_456_780,
}


@pytest.mark.parametrize("amount", EXPONENTS)
@pytest.mark.parametrize("quote", ['"', ""], ids=["text", "number"])
def test_an_amount_with_an_exponent_keeps_its_digits(amount: str, quote: str) -> None:
    body = json.dumps(page(cost_row(amount="THE AMOUNT"))).replace('"THE AMOUNT"', f"{quote}{amount}{quote}").encode()
    (values,) = read(body, COST).buckets[0].rows.values()
    assert (*values[:2], values[-1]) == (amount, EXPONENTS[amount], None)


@pytest.mark.parametrize("amount", ["1", "0", "-7", "1.50", "123.789120", "0.000001"])
def test_an_amount_that_is_a_number_keeps_its_digits(amount: str) -> None:
    body = json.dumps(page(cost_row(amount="THE AMOUNT"))).replace('"THE AMOUNT"', amount).encode()
    (values,) = read(body, COST).buckets[0].rows.values()
    assert values[0] == amount


@pytest.mark.parametrize("amount", ["1e9999999999999999999", "NaN", "1e101"])
def test_an_absurd_number_is_a_contract_error(amount: str) -> None:
    for field in ('"123.789120"', '"m"'):
        with pytest.raises(ContractError):
            read(json.dumps(page(cost_row())).replace(field, amount).encode(), COST)


def test_a_dimension_that_was_not_requested_goes_to_extra() -> None:
    answer = read(page(usage_row(workspace_id="w", speed="fast")))
    ((dimensions, values),) = answer.buckets[0].rows.items()
    assert dimensions[0] is None
    assert values[-1] == '{"speed":"fast","workspace_id":"w"}'


@pytest.mark.parametrize("name", ["region", "workspace_id"])
def test_rows_that_differ_in_an_unknown_field_alone_are_kept_apart(name: str) -> None:
    rows = [usage_row(**{name: value}, output_tokens=n) for n, value in enumerate(("eu", "us"))]
    bucket = read(page(*rows, usage_row(model="n", **{name: "eu"}))).buckets[0]
    assert [(len(key), values[4]) for key, values in bucket.rows.items()] == [(10, 0), (10, 1), (9, 5)]
    assert [key[9] for key in bucket.rows if len(key) > 9] == [f'{{"{name}":"eu"}}', f'{{"{name}":"us"}}']


def test_a_row_without_tools_has_no_web_searches() -> None:
    (values,) = read(page(without(usage_row(), "server_tool_use"))).buckets[0].rows.values()
    assert values[5] == 0


DRIFT: dict[str, Any] = {
    "a new field": page(usage_row(colour="red"), usage_row(model="n", colour="blue")),
    "a new field of some rows": page(usage_row(colour="red"), usage_row(model="n")),
    "a new field of another type": page(usage_row(colour=None), usage_row(model="n", colour=[1, {"b": 1.50, "a": ""}])),
    "a new tool": page(usage_row(server_tool_use={"web_search_requests": 6, "web_fetch_requests": 7})),
    "two new fields": page(usage_row(b="%s", a="100 %", server_tool_use={"web_search_requests": 6, "z": True})),
    "no tools in one row": page(without(usage_row(colour=1), "server_tool_use"), usage_row(model="n")),
    "a dimension that was not requested": page(usage_row(workspace_id="w"), usage_row(model="n")),
    "a dimension that is absent": page(without(usage_row(), "api_key_id"), usage_row(model="n", colour=1)),
    "a colon in a model": page(usage_row(model="arn:aws:x"), usage_row(model="n")),
    "colons in new values": page(usage_row(colour="a:b", at={"c:d": "e:f"}), usage_row(model="n")),
    "a colon in a new name": page(usage_row(**{"x:y": 1})),
    "a new field of the answer": page(usage_row(), data_refreshed_at="2026-01-03T00:00:00Z"),
    "a new field of a bucket": page() | {"data": [page(usage_row())["data"][0] | {"note": {"a": "b:c"}}]},
    "another spelling of UTC": json.loads(json.dumps(page(usage_row())).replace("00Z", "00+00:00")),
    "rows kept apart": page(usage_row(region="a:b"), usage_row(region="c"), usage_row()),
    "next page with a colon": page(usage_row(), has_more=True, next_page="a:b"),
}


@pytest.mark.parametrize("name", DRIFT)
def test_format_changes_stay_on_the_fast_path_and_read_the_same(name: str) -> None:
    body = json.dumps(DRIFT[name]).encode()
    fast = read_fast(body, BY_MODEL, BY_MODEL.start)
    strict = read_strict(body, BY_MODEL, BY_MODEL.start)
    assert fast is not None
    assert fast.buckets is not None
    assert strict.buckets is not None
    assert list(fast.buckets) == list(strict.buckets)
    assert fast.next_page == strict.next_page


@pytest.mark.parametrize("name", DRIFT)
def test_a_repeated_key_is_found_next_to_any_format_change(name: str) -> None:
    body = json.dumps(DRIFT[name]).encode()
    key = b'"output_tokens"' if b"output_tokens" in body else b'"results"'
    for again in (key + b": 9, ", key + b" :9,", b'"output_token\\u0073": 9, '):
        if key == b'"results"' and again.startswith(b'"output'):
            continue
        with pytest.raises(ContractError):
            read_page(body.replace(key, again + key, 1), BY_MODEL, after=BY_MODEL.start)


@pytest.mark.parametrize("name", ["a new field of another type", "a new field of the answer", "colons in new values"])
def test_a_repeated_key_within_a_new_value_is_found(name: str) -> None:
    body = json.dumps(DRIFT[name] | {"new": {"k": 1}}).encode()
    with pytest.raises(ContractError, match="repeated"):
        read_page(body.replace(b'"k": 1', b'"k": 1, "k": 2'), BY_MODEL, after=BY_MODEL.start)
    nested = json.dumps(page(usage_row(new={"k": 1}))).replace('"k": 1', '"k": 1, "k": 2').encode()
    with pytest.raises(ContractError, match="repeated"):
        read_page(nested, BY_MODEL, after=BY_MODEL.start)
