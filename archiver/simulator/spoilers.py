"""Faults in the content of an otherwise good answer: of its payload, or of the bytes it is sent as.

A spoiler's docstring is its description. Payload spoilers change the payload in place; those that need a row,
or an empty bucket, leave an answer without one as it is.
"""

from __future__ import annotations

import gzip
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Any

from archiver.simulator.clock import stamp
from archiver.simulator.refusals import envelope

if TYPE_CHECKING:
    from collections.abc import Callable

    from archiver.simulator.query import Query

Payload = dict[str, Any]
Sent = tuple[bytes, dict[str, str]]  # the body and the headers that differ


def missing_bucket(payload: Payload, _: Query) -> None:
    """A bucket in the middle of the answer is not there."""
    middle = len(payload["data"]) // 2
    del payload["data"][middle : middle + 1]


def no_empty_buckets(payload: Payload, _: Query) -> None:
    """Buckets without use are not listed, as older documentation allowed."""
    payload["data"] = [bucket for bucket in payload["data"] if bucket["results"]]


def unordered_buckets(payload: Payload, _: Query) -> None:
    """Buckets come newest first."""
    payload["data"].reverse()


def duplicate_bucket(payload: Payload, _: Query) -> None:
    """The first bucket comes twice."""
    payload["data"][:0] = payload["data"][:1]


def bucket_outside(payload: Payload, query: Query) -> None:
    """The first bucket lies before the range that was asked for."""
    start, width = query.ask.start, query.ask.width
    early = {"starting_at": stamp(start - width), "ending_at": stamp(start), "results": []}
    payload["data"].insert(0, early)


def misaligned_bucket(payload: Payload, _: Query) -> None:
    """The last bucket begins and ends 17 seconds late."""
    for bucket in payload["data"][-1:]:
        bucket["starting_at"] = bucket["starting_at"].replace("00Z", "17Z")
        bucket["ending_at"] = bucket["ending_at"].replace("00Z", "17Z")


def null_results(payload: Payload, _: Query) -> None:
    """The results of a bucket are null instead of a list."""
    for bucket in payload["data"][:1]:
        bucket["results"] = None


def duplicate_row(payload: Payload, _: Query) -> None:
    """A row comes twice in one bucket."""
    for rows in _some_rows(payload):
        rows.append(dict(rows[0]))


def shuffled_rows(payload: Payload, _: Query) -> None:
    """Rows come in another order (harmless: nothing is promised)."""
    for bucket in payload["data"]:
        bucket["results"].reverse()


def nan_amount(payload: Payload, _: Query) -> None:
    """An amount is NaN (cost)."""
    _set_amount(payload, lambda _: "NaN")


def exponent_amount(payload: Payload, _: Query) -> None:
    """An amount is written with an exponent (cost)."""
    _set_amount(payload, lambda amount: f"{amount.replace('.', '')}E-6")


def long_amount(payload: Payload, _: Query) -> None:
    """An amount has more than six fractional digits (cost; harmless, but inexact in microcents)."""
    _set_amount(payload, lambda amount: f"{amount}25")


def number_amount(payload: Payload, _: Query) -> None:
    """An amount is a JSON number instead of a string (cost)."""
    _set_amount(payload, float)


def unknown_currency(payload: Payload, _: Query) -> None:
    """An amount is in XTS, the currency of tests (cost)."""
    for rows in _some_rows(payload):
        if "currency" in rows[0]:
            rows[0]["currency"] = "XTS"


def float_tokens(payload: Payload, _: Query) -> None:
    """A token count has a fraction (usage)."""
    _set_output(payload, lambda count: count + 0.5)


def negative_tokens(payload: Payload, _: Query) -> None:
    """A token count is negative (usage)."""
    _set_output(payload, lambda count: -1 - count)


def text_tokens(payload: Payload, _: Query) -> None:
    """A token count is a string (usage)."""
    _set_output(payload, str)


def huge_tokens(payload: Payload, _: Query) -> None:
    """A token count does not fit 64 bits (usage)."""
    _set_output(payload, lambda count: count + 2**70)


def missing_field(payload: Payload, _: Query) -> None:
    """A row has no count of output tokens, or no amount."""
    for rows in _some_rows(payload):
        rows[0].pop("output_tokens", None)
        rows[0].pop("amount", None)


def flat_cache_field(payload: Payload, _: Query) -> None:
    """Cache writes are one flat field instead of a nested object (usage)."""
    for rows in _some_rows(payload):
        for row in rows:
            if nested := row.pop("cache_creation", None):
                row["cache_creation_input_tokens"] = sum(nested.values())


def unknown_field(payload: Payload, _: Query) -> None:
    """Every row has a field that nobody documented (harmless: must be kept)."""
    for rows in _some_rows(payload):
        for row in rows:
            row["invented_field"] = {"invented": 1}


def unknown_dimension_value(payload: Payload, _: Query) -> None:
    """A dimension has a value that nobody documented (harmless: must be kept)."""
    names = ("service_tier", "context_window", "inference_geo", "model", "workspace_id")
    places = ((row, name) for rows in _some_rows(payload) for row in rows for name in names if row.get(name))
    for row, name in islice(places, 1):
        row[name] = "invented_value"


def has_more_without_token(payload: Payload, _: Query) -> None:
    """There is more, but no token to ask for it with."""
    payload.update(has_more=True, next_page=None)


def repeated_token(payload: Payload, query: Query) -> None:
    """The next page is this page again, without end."""
    payload.update(has_more=True, next_page=query.token(query.first))


def error_in_200(payload: Payload, _: Query) -> None:
    """The status is 200, the body is an error."""
    payload.clear()
    payload.update(envelope(500, "Internal server error (simulated)", "req_invented"))


def not_json(_: bytes) -> Sent:
    """The body is plain text that says it is JSON."""
    return b"upstream connect error or disconnect/reset before headers", {}


def empty_body(_: bytes) -> Sent:
    """The body is empty."""
    return b"", {}


def wrong_content_type(body: bytes) -> Sent:
    """The body is right, the content type is text/plain (harmless)."""
    return body, {"content-type": "text/plain; charset=utf-8"}


def duplicate_json_key(body: bytes) -> Sent:
    """`data` comes twice in the envelope, empty the second time."""
    return body[:-1] + b',"data":[]}', {}


def bad_utf8(body: bytes) -> Sent:
    """A string in the body is not UTF-8."""
    return body[:-1] + b',"invented":"\xff\xfe"}', {}


def bad_gzip(body: bytes) -> Sent:
    """The body says it is gzip and is not."""
    return b"\x1f\x8bnot really" + body[:40], {"content-encoding": "gzip"}


def truncated_gzip(body: bytes) -> Sent:
    """The compressed body ends in the middle, with a content length that fits."""
    packed = gzip.compress(body, 9, mtime=0)
    return packed[: len(packed) // 2], {"content-encoding": "gzip"}


def gzip_bomb(_: bytes) -> Sent:
    """64 KB of gzip that become 64 MiB of blanks."""
    return _bomb(), {"content-encoding": "gzip"}


@cache
def _bomb() -> bytes:
    return gzip.compress(b'{"data":[' + b" " * (64 << 20) + b'],"has_more":false,"next_page":null}', 9, mtime=0)


def _some_rows(payload: Payload) -> list[list[dict[str, Any]]]:
    """The rows of every bucket that has any."""
    return [bucket["results"] for bucket in payload["data"] if bucket["results"]]


def _set_amount(payload: Payload, change: Callable[[str], object]) -> None:
    for rows in _some_rows(payload)[:1]:
        if "amount" in rows[0]:
            rows[0]["amount"] = change(rows[0]["amount"])


def _set_output(payload: Payload, change: Callable[[int], object]) -> None:
    for rows in _some_rows(payload)[:1]:
        if "output_tokens" in rows[0]:
            rows[0]["output_tokens"] = change(rows[0]["output_tokens"])


PAYLOAD_SPOILERS: dict[str, Callable[[Payload, Query], None]] = {
    spoiler.__name__: spoiler
    for spoiler in (
        missing_bucket,
        no_empty_buckets,
        unordered_buckets,
        duplicate_bucket,
        bucket_outside,
        misaligned_bucket,
        null_results,
        duplicate_row,
        shuffled_rows,
        nan_amount,
        exponent_amount,
        long_amount,
        number_amount,
        unknown_currency,
        float_tokens,
        negative_tokens,
        text_tokens,
        huge_tokens,
        missing_field,
        flat_cache_field,
        unknown_field,
        unknown_dimension_value,
        has_more_without_token,
        repeated_token,
        error_in_200,
    )
}
BODY_SPOILERS: dict[str, Callable[[bytes], Sent]] = {
    spoiler.__name__: spoiler
    for spoiler in (
        not_json,
        empty_body,
        wrong_content_type,
        duplicate_json_key,
        bad_utf8,
        bad_gzip,
        truncated_gzip,
        gzip_bomb,
    )
}
