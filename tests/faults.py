"""Faults by name: how a good response is changed, and the exit code that must follow."""

from __future__ import annotations

import gzip
import json
import zlib
from typing import TYPE_CHECKING, Any

from archiver.model import DEFAULT_REPORTS, Report

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.raw_server import Good

HTML = b"<html><body>502 from a proxy</body></html>"

TEMPORARY, CONTRACT, AUTH, HOLE, HARMLESS = 5, 6, 4, 3, 0


def status(code: int, body: bytes = b"", **headers: str | None) -> Callable[[Good], bytes]:
    envelope = json.dumps({"type": "error", "error": {"type": "x", "message": "invented"}}).encode()
    return lambda good: good.bytes(body or envelope, code, **headers)


def raw(data: bytes) -> Callable[[Good], bytes]:
    return lambda _good: data


def body(change: Callable[[bytes], bytes], **headers: str | None) -> Callable[[Good], bytes]:
    return lambda good: good.bytes(change(good.body), **headers)


def page(change: Callable[[dict[str, Any]], Any]) -> Callable[[Good], bytes]:
    """Change the decoded body in place, or replace it by what `change` returns, if not None."""

    def spoil(good: Good) -> bytes:
        decoded = json.loads(good.body)
        changed = change(decoded)
        return good.bytes(json.dumps(decoded if changed is None else changed).encode())

    return spoil


def rows_of(decoded: dict[str, Any]) -> list[Any]:
    """Return the rows of the first bucket that has any; of an analytics report, all rows."""
    data: list[Any] = decoded["data"]
    return next((one["results"] for one in data if one.get("results")), data)


def row(change: Callable[[dict[str, Any]], Any]) -> Callable[[Good], bytes]:
    """Change the first row in place."""

    def spoil(decoded: dict[str, Any]) -> None:
        change(rows_of(decoded)[0])

    return page(spoil)


def dimensions(change: Callable[[dict[str, Any]], Any]) -> Callable[[Good], bytes]:
    """Change the dimensions of the first row in place."""
    return row(lambda one: change(one.get("group", one)))


def measures(change: Callable[[dict[str, Any]], Any]) -> Callable[[Good], bytes]:
    """Change the measures of the first row in place."""
    return row(lambda one: change(one.get("usage") or one.get("cost") or one))


def bucket(change: Callable[[dict[str, Any]], Any]) -> Callable[[Good], bytes]:
    return page(lambda decoded: change(decoded["data"][1]))


def put(name: str, value: Any) -> Callable[[dict[str, Any]], None]:
    return lambda target: target.__setitem__(name, value)


def without(name: str) -> Callable[[dict[str, Any]], None]:
    return lambda target: target.__delitem__(name)


def measure(count: Any, amount: Any = None) -> Callable[[Good], bytes]:
    """Replace the first measure of a row: by `count` in usage, and by `amount` in cost, if it is given."""
    amount = count if amount is None else amount
    return measures(lambda one: one.update({"amount": amount} if "amount" in one else {"output_tokens": count}))


def text(old: bytes, new: bytes) -> Callable[[Good], bytes]:
    return body(lambda plain: plain.replace(old, new, 1))


def twice_compressed(plain: bytes) -> bytes:
    return gzip.compress(gzip.compress(plain))


def flipped(data: bytes) -> bytes:
    return data[:40] + bytes([data[40] ^ 1]) + data[41:]


BOMB = gzip.compress(bytes(80 * 1024 * 1024), 1)


def bomb(_plain: bytes) -> bytes:
    return BOMB


def chunked(good: Good, data: bytes) -> bytes:
    return good.bytes(b"", transfer_encoding="chunked", content_length=None) + data


def page_two(good: Good, token: str | None, *, same: bool = False) -> bytes:
    """Return half a page or an empty one, with the token of another page, without end."""
    decoded = json.loads(good.body)
    decoded |= {
        "data": decoded["data"][: len(decoded["data"]) // 2] if same else [],
        "has_more": True,
        "next_page": token,
    }
    return good.bytes(json.dumps(decoded).encode())


def swap(decoded: dict[str, Any]) -> None:
    decoded["data"].reverse()


def double_bucket(decoded: dict[str, Any]) -> None:
    decoded["data"].insert(1, decoded["data"][0])


def double_row(decoded: dict[str, Any]) -> None:
    rows = rows_of(decoded)
    rows.insert(1, dict(rows[0]))


def deep(_plain: bytes) -> bytes:
    return b'{"data":' + b"[" * 200_000 + b"]" * 200_000 + b',"has_more":false,"next_page":null}'


def pretty(decoded: dict[str, Any]) -> dict[str, Any]:
    return {"next_page": None, "has_more": False, "data": decoded["data"]}


FAULTS: dict[str, tuple[Callable[[Good], bytes | None], int]] = {
    # transport
    "never answers": (lambda _good: None, TEMPORARY),
    "closes without a byte": (raw(b""), TEMPORARY),
    "closes within the status line": (raw(b"HTTP/1.1 20"), TEMPORARY),
    "closes within the headers": (raw(b"HTTP/1.1 200 OK\r\ncontent-ty"), TEMPORARY),
    "closes before the body": (lambda good: good.bytes()[: -len(good.body)], TEMPORARY),
    "closes within the body": (lambda good: good.bytes()[:-20], TEMPORARY),
    "closes one byte early": (lambda good: good.bytes()[:-1], TEMPORARY),
    "no HTTP": (raw(b"SSH-2.0-OpenSSH_9.2\r\n"), TEMPORARY),
    "random bytes": (raw(bytes(range(256)) * 4), TEMPORARY),
    "an HTTP of the future": (raw(b"HTTP/9.9 200 OK\r\n\r\n{}"), TEMPORARY),
    "a status that is no number": (raw(b"HTTP/1.1 abc OK\r\n\r\n"), TEMPORARY),
    "a header without a colon": (raw(b"HTTP/1.1 200 OK\r\nnonsense\r\n\r\n"), TEMPORARY),
    "a header of a megabyte": (lambda good: good.bytes(x="y" * 1_000_000), TEMPORARY),
    "a negative length": (lambda good: good.bytes(content_length="-5"), TEMPORARY),
    "a length that is no number": (lambda good: good.bytes(content_length="many"), TEMPORARY),
    "a length that is too large": (lambda good: good.bytes(content_length=str(len(good.body) + 9)), TEMPORARY),
    "a length that is too small": (lambda good: good.bytes(content_length=str(len(good.body) - 9)), TEMPORARY),
    "a length of zero": (lambda good: good.bytes(content_length="0"), TEMPORARY),
    "chunks that end early": (lambda good: chunked(good, b"ff\r\nabc"), TEMPORARY),
    "a chunk size that is no number": (lambda good: chunked(good, b"zz\r\nabc\r\n0\r\n\r\n"), TEMPORARY),
    "chunks without an end": (lambda good: chunked(good, b"3\r\nabc\r\n"), TEMPORARY),
    "gzip that is cut short": (body(lambda b: gzip.compress(b)[:-20], content_encoding="gzip"), CONTRACT),
    "gzip with a wrong checksum": (
        body(lambda b: gzip.compress(b)[:-8] + b"\0" * 8, content_encoding="gzip"),
        CONTRACT,
    ),
    "gzip with a flipped bit": (
        body(lambda b: flipped(gzip.compress(b)), content_encoding="gzip"),
        CONTRACT,
    ),
    "gzip with more behind it": (body(lambda b: gzip.compress(b) + b"more", content_encoding="gzip"), CONTRACT),
    "gzip that is none": (body(lambda b: b, content_encoding="gzip"), CONTRACT),
    "gzip in gzip": (body(twice_compressed, content_encoding="gzip"), CONTRACT),
    "a gzip bomb": (body(bomb, content_encoding="gzip"), CONTRACT),
    "an unknown encoding": (body(lambda b: b, content_encoding="br"), CONTRACT),
    "two encodings": (body(gzip.compress, content_encoding="gzip, gzip"), CONTRACT),
    "deflate, which was not asked for": (body(zlib.compress, content_encoding="deflate"), HARMLESS),
    # status
    "400": (status(400), CONTRACT),
    "400 without a body": (lambda good: good.bytes(b"", 400), CONTRACT),
    "400 in HTML": (status(400, HTML, content_type="text/html"), CONTRACT),
    "401": (status(401), AUTH),
    "401 in HTML": (status(401, HTML, content_type="text/html"), AUTH),
    "402": (status(402), TEMPORARY),
    "403": (status(403), AUTH),
    "404": (status(404), CONTRACT),
    "405": (status(405), CONTRACT),
    "406": (status(406), CONTRACT),
    "408": (status(408), TEMPORARY),
    "409": (status(409), TEMPORARY),
    "410": (status(410), CONTRACT),
    "413": (status(413, b"too large"), CONTRACT),
    "414": (status(414), CONTRACT),
    "418": (status(418), CONTRACT),
    "422": (status(422), CONTRACT),
    "429": (status(429), TEMPORARY),
    "429 and retry-after": (status(429, retry_after="3"), TEMPORARY),
    "429 and retry-after zero": (status(429, retry_after="0"), TEMPORARY),
    "429 and retry-after soon": (status(429, retry_after="soon"), TEMPORARY),
    "429 and retry-after nan": (status(429, retry_after="nan"), TEMPORARY),
    "429 and retry-after inf": (status(429, retry_after="inf"), TEMPORARY),
    "429 and retry-after negative": (status(429, retry_after="-60"), TEMPORARY),
    "429 and retry-after in a year": (status(429, retry_after="31536000"), TEMPORARY),
    "429 and retry-after of half an hour": (status(429, retry_after="1800"), TEMPORARY),
    "429 and retry-after as a date": (status(429, retry_after="Thu, 15 Jan 2026 12:30:09 GMT"), TEMPORARY),
    "429 and retry-after-ms": (status(429, retry_after_ms="1500"), TEMPORARY),
    "429 and a reset that has passed": (
        status(429, anthropic_ratelimit_requests_reset="2026-01-15T12:00:00Z"),
        TEMPORARY,
    ),
    "429 and a reset ahead": (status(429, anthropic_ratelimit_requests_reset="2026-01-15T12:30:20Z"), TEMPORARY),
    "429 for a spent limit": (
        status(429, b'{"type":"error","error":{"type":"x","message":"You have reached your usage limit"}}'),
        TEMPORARY,
    ),
    "429 in HTML": (status(429, HTML, content_type="text/html"), TEMPORARY),
    "500": (status(500), TEMPORARY),
    "500 not to be retried": (status(500, x_should_retry="false"), TEMPORARY),
    "400 to be retried": (status(400, x_should_retry="true"), TEMPORARY),
    "501": (status(501), TEMPORARY),
    "502 in HTML": (status(502, HTML, content_type="text/html"), TEMPORARY),
    "503": (status(503), TEMPORARY),
    "503 and retry-after": (status(503, retry_after="2"), TEMPORARY),
    "504": (status(504), TEMPORARY),
    "507": (status(507), TEMPORARY),
    "529": (status(529), TEMPORARY),
    "599": (status(599), TEMPORARY),
    "204": (lambda good: good.bytes(b"", 204, content_length=None), CONTRACT),
    "206": (status(206), CONTRACT),
    "304": (lambda good: good.bytes(b"", 304, content_length=None), CONTRACT),
    "301 elsewhere": (status(301, location="https://elsewhere.example.com/"), CONTRACT),
    "302 to itself": (status(302, location="/v1/organizations/cost_report"), CONTRACT),
    "307 elsewhere": (status(307, location="http://127.0.0.1:9/"), CONTRACT),
    "308 without a place": (status(308), CONTRACT),
    # paging
    "has_more without a token": (page(put("has_more", True)), CONTRACT),  # noqa: FBT003  # what the API would say
    "has_more and an empty token": (page(lambda p: p.update(has_more=True, next_page="")), CONTRACT),
    "has_more as text": (page(put("has_more", "true")), CONTRACT),
    "has_more as a number": (page(put("has_more", 1)), CONTRACT),
    "has_more as null": (page(put("has_more", None)), CONTRACT),
    "no has_more": (page(without("has_more")), CONTRACT),
    "a token that is a number": (page(lambda p: p.update(has_more=True, next_page=5)), CONTRACT),
    "the same token again and again": (lambda good: page_two(good, "again"), CONTRACT),
    "a new token for ever": (lambda good: page_two(good, f"token_{good.number}"), CONTRACT),
    "a second page like the first": (lambda good: page_two(good, f"token_{good.number}", same=True), CONTRACT),
    # content
    "an empty body": (body(lambda _b: b""), CONTRACT),
    "half the body": (body(lambda b: b[: len(b) // 2]), CONTRACT),
    "HTML": (body(lambda _b: HTML), CONTRACT),
    "HTML with its content type": (body(lambda _b: HTML, content_type="text/html"), CONTRACT),
    "JSON that calls itself text": (body(lambda b: b, content_type="text/plain"), CONTRACT),
    "JSON of no type": (body(lambda b: b, content_type=None), HARMLESS),
    "JSON with a charset": (body(lambda b: b, content_type="application/json; charset=utf-8"), HARMLESS),
    "not UTF-8": (body(lambda b: b.replace(b'"data"', b'"d\xe4ta"')), CONTRACT),
    "UTF-16": (body(lambda b: b.decode().encode("utf-16")), CONTRACT),
    "a byte order mark": (body(lambda b: b"\xef\xbb\xbf" + b), CONTRACT),
    "more behind the JSON": (body(lambda b: b + b"{}"), CONTRACT),
    "two answers in one": (body(lambda b: b + b"\n" + b), CONTRACT),
    "null": (body(lambda _b: b"null"), CONTRACT),
    "a number": (body(lambda _b: b"42"), CONTRACT),
    "a list": (page(lambda p: [p]), CONTRACT),
    "an empty object": (body(lambda _b: b"{}"), CONTRACT),
    "an error with 200": (page(lambda _p: {"type": "error", "error": {"type": "x", "message": "no"}}), CONTRACT),
    "an error next to the data": (page(put("error", {"message": "partly"})), CONTRACT),
    "a depth bomb": (body(deep), CONTRACT),
    "no data": (page(without("data")), CONTRACT),
    "data is null": (page(put("data", None)), CONTRACT),
    "data is an object": (page(put("data", {})), CONTRACT),
    "data holds null": (page(lambda p: p["data"].append(None)), CONTRACT),
    "data is empty": (page(put("data", [])), HOLE),
    "a bucket is left out": (page(lambda p: p["data"].__delitem__(2)), HOLE),
    "the first bucket is left out": (page(lambda p: p["data"].__delitem__(0)), HOLE),
    "results are null": (bucket(put("results", None)), CONTRACT),
    "results are left out": (bucket(without("results")), CONTRACT),
    "a row is null": (page(lambda p: rows_of(p).append(None)), CONTRACT),
    "a row is a list": (page(lambda p: rows_of(p).append([])), CONTRACT),
    "a row is there twice": (page(double_row), CONTRACT),
    "a measure is a float": (measure(1.0, "1.0.0"), CONTRACT),
    "a measure is NaN": (measure("NaN"), CONTRACT),
    "a bare NaN": (text(b'"data":[{', b'"data":[NaN,{'), CONTRACT),
    "a measure is null": (measure(None), CONTRACT),
    "a measure is true": (measure(True), CONTRACT),  # noqa: FBT003  # what the API would say
    "a measure is a list": (measure([]), CONTRACT),
    "a measure is an exponent": (measure("1e3", "1e9999999999999999999"), CONTRACT),
    "a measure has a comma": (measure("1,000"), CONTRACT),
    "a measure is a number of 300 digits": (measure(10**300), CONTRACT),
    "a measure is left out": (measures(lambda m: m.pop("amount", None) is None and m.pop("output_tokens")), CONTRACT),
    "a dimension is a number": (dimensions(put("workspace_id", 5)), CONTRACT),
    "a dimension is an object": (dimensions(put("workspace_id", {})), CONTRACT),
    "an asked dimension is left out": (dimensions(without("workspace_id")), CONTRACT),
    "half a character": (
        lambda good: good.bytes(good.body.replace(b'"workspace_id":', b'"x": "\\ud800", "workspace_id":', 1)),
        CONTRACT,
    ),
    "a key is there twice": (
        lambda good: good.bytes(good.body.replace(b'"workspace_id":', b'"workspace_id": "w", "workspace_id":', 1)),
        CONTRACT,
    ),
    "an unknown field": (row(put("colour", "red")), HARMLESS),
    "fields in another order": (page(pretty), HARMLESS),
    "an unknown field of the answer": (page(put("version", 2)), HARMLESS),
    # time
    "a bucket without a start": (bucket(without("starting_at")), CONTRACT),
    "a bucket with null as its start": (bucket(put("starting_at", None)), CONTRACT),
    "a bucket with a number as its start": (bucket(put("starting_at", 1767225600)), CONTRACT),
    "a bucket that starts at noon": (bucket(put("starting_at", "2026-01-07T12:00:00Z")), CONTRACT),
    "a bucket without an offset": (bucket(put("starting_at", "2026-01-07T00:00:00")), CONTRACT),
    "a bucket of two days": (bucket(put("ending_at", "2026-01-09T00:00:00Z")), CONTRACT),
    "a bucket of no time": (bucket(lambda b: b.update(ending_at=b["starting_at"])), CONTRACT),
    "a bucket of last year": (
        bucket(lambda b: b.update(starting_at="2025-01-07T00:00:00Z", ending_at="2025-01-08T00:00:00Z")),
        CONTRACT,
    ),
    "a bucket of the year 9999": (
        bucket(lambda b: b.update(starting_at="9999-12-31T00:00:00Z", ending_at="9999-12-31T24:00:00Z")),
        CONTRACT,
    ),
    "a bucket is there twice": (page(double_bucket), CONTRACT),
    "the newest bucket first": (page(swap), CONTRACT),
    "no Date": (lambda good: good.bytes(date=None), HARMLESS),
    "a Date that is none": (lambda good: good.bytes(date="noon"), HARMLESS),
}  # fmt: skip

# What a report of rows cannot show: it has no buckets of its own, and one without rows is not listed. A 403 and a 404
# say that the organisation has no such report, which is tested by itself.
_OF_BUCKETS = {
    "data is empty",
    "a bucket is left out",
    "the first bucket is left out",
    "results are null",
    "results are left out",
    "403",
    "404",
}
# The rows of Claude Code have other fields, with faults of their own in its tests.
_OF_ROWS = (
    "a measure",
    "a dimension",
    "a bucket",
    "an asked dimension",
    "half a character",
    "a key is there twice",
    "the newest bucket first",
)


def applies(name: str, report: Report) -> bool:
    """Return whether a fault can occur in a response of a report."""
    if report in DEFAULT_REPORTS:
        return True
    return name not in _OF_BUCKETS and not (report is Report.CLAUDE_CODE and name.startswith(_OF_ROWS))
