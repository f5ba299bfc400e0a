"""Faults in the content of an otherwise good page of a report or a list.

Each function changes the decoded page in place. The first line of its docstring is the fault's description in
`archiver simulate --list-faults`. Faults in rows leave a page without rows as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec

from archiver.simulator.clock import DAY, stamp
from archiver.simulator.errors import ApiError, error_body

if TYPE_CHECKING:
    from collections.abc import Iterator

    from archiver.simulator.analytics_query import AnalyticsQuery
    from archiver.simulator.query import Query

Payload = dict[str, Any]
PayloadFault = Callable[[Payload, "Query | AnalyticsQuery"], None]

PAYLOAD_FAULTS: dict[str, PayloadFault] = {}


def _fault(function: PayloadFault) -> PayloadFault:
    PAYLOAD_FAULTS[function.__name__] = function
    return function


# Buckets


@_fault
def missing_bucket(payload: Payload, _: Query | AnalyticsQuery) -> None:
    """A bucket in the middle of the answer is missing."""
    # A bucket missing at an end would be a shorter range, and no hole.
    middle = len(payload["data"]) // 2
    del payload["data"][middle : middle + 1]


@_fault
def no_empty_buckets(payload: Payload, _: Query | AnalyticsQuery) -> None:
    """Buckets without use are left out, as older documentation allowed."""
    payload["data"] = [bucket for bucket in payload["data"] if bucket["results"]]


@_fault
def unordered_buckets(payload: Payload, _: Query | AnalyticsQuery) -> None:
    """Buckets come newest first."""
    payload["data"].reverse()


@_fault
def duplicate_bucket(payload: Payload, _: Query | AnalyticsQuery) -> None:
    """The first bucket comes twice."""
    payload["data"][:0] = payload["data"][:1]


@_fault
def bucket_outside(payload: Payload, query: Query | AnalyticsQuery) -> None:
    """The first bucket lies before the requested range."""
    start, width = query.selection.start, query.selection.width or DAY
    early = {"starting_at": stamp(start - width), "ending_at": stamp(start), "results": []}
    payload["data"].insert(0, early)


@_fault
def misaligned_bucket(payload: Payload, _: Query | AnalyticsQuery) -> None:
    """The last bucket begins and ends 17 seconds late."""
    for bucket in payload["data"][-1:]:
        bucket["starting_at"] = bucket["starting_at"].replace("00Z", "17Z")
        bucket["ending_at"] = bucket["ending_at"].replace("00Z", "17Z")


@_fault
def offset_times(payload: Payload, _: Query | AnalyticsQuery) -> None:
    """Times end in +00:00 instead of Z (harmless)."""
    for bucket in payload["data"]:
        for name in ("starting_at", "ending_at"):
            bucket[name] = bucket[name].replace("Z", "+00:00")


@_fault
def null_results(payload: Payload, _: Query | AnalyticsQuery) -> None:
    """The results of a bucket are null instead of a list."""
    for bucket in payload["data"][:1]:
        bucket["results"] = None


# Rows


@_fault
def duplicate_row(payload: Payload, _: Query | AnalyticsQuery) -> None:
    """A row of every bucket comes twice."""
    for rows in _filled(payload):
        rows.append(dict(rows[0]))


@_fault
def shuffled_rows(payload: Payload, _: Query | AnalyticsQuery) -> None:
    """Rows come in another order (harmless: no order is documented)."""
    for bucket in payload["data"]:
        bucket["results"].reverse()


@_fault
def split_rows(payload: Payload, _: Query | AnalyticsQuery) -> None:
    """A row of every bucket is split by an unknown field (harmless)."""
    for rows in _filled(payload):
        first, second = _split(rows[0])
        rows[:1] = [first | {"invented_region": "eu"}, second | {"invented_region": "us"}]


@_fault
def missing_field(payload: Payload, _: Query | AnalyticsQuery) -> None:
    """A row of every bucket has no count of output tokens, or no amount."""
    for rows in _filled(payload):
        rows[0].pop("output_tokens", None)
        rows[0].pop("amount", None)


@_fault
def flat_cache_field(payload: Payload, _: Query | AnalyticsQuery) -> None:
    """Cache writes are one flat field instead of a nested object (usage)."""
    for row in _rows(payload):
        if nested := row.pop("cache_creation", None):
            row["cache_creation_input_tokens"] = sum(nested.values())


@_fault
def unknown_field(payload: Payload, _: Query | AnalyticsQuery) -> None:
    """Every row has a new, undocumented field (harmless: must be kept)."""
    for row in _rows(payload):
        row["invented_field"] = {"invented": 1}


@_fault
def colon_in_field(payload: Payload, _: Query | AnalyticsQuery) -> None:
    """Every row has a new field with a colon in its name (harmless)."""
    for row in _rows(payload):
        row["invented:field"] = 'a:b, "c": 1'


@_fault
def unknown_dimension_value(payload: Payload, _: Query | AnalyticsQuery) -> None:
    """A dimension has an undocumented value (harmless: must be kept)."""
    names = ("service_tier", "context_window", "inference_geo", "model", "workspace_id")
    filled = ((row, name) for row in _rows(payload) for name in names if row.get(name))
    for row, name in islice(filled, 1):
        row[name] = "invented_value"


@_fault
def ungrouped_value(payload: Payload, query: Query | AnalyticsQuery) -> None:
    """Every row has a value in an ungrouped dimension (harmless)."""
    values = {"service_tier": "standard", "context_window": "0-200k", "inference_geo": "global", "model": "invented"}
    # Grouping by `description` fills all of these fields, as they are parsed from it: then there is nothing to add.
    grouped = values.keys() if "description" in query.selection.group_by else query.selection.group_by
    for row in _rows(payload):
        row.update(islice(((name, value) for name, value in values.items() if name not in grouped), 1))


# Amounts and counts


@_fault
def nan_amount(payload: Payload, _: Query | AnalyticsQuery) -> None:
    """An amount is NaN (cost)."""
    _change(payload, "amount", lambda _: "NaN", rows=1)


@_fault
def exponent_amount(payload: Payload, _: Query | AnalyticsQuery) -> None:
    """Every amount has an exponent (cost; harmless)."""
    # Amounts have six fractional digits: without the point they are 10**6 times as large.
    _change(payload, "amount", lambda amount: f"{amount.replace('.', '')}E-6")


@_fault
def huge_exponent_amount(payload: Payload, _: Query | AnalyticsQuery) -> None:
    """An amount is a JSON number with an exponent of nineteen digits (cost)."""
    # Raw, because no Python number would be encoded like that. It is a trap for a client that computes the power.
    _change(payload, "amount", lambda _: msgspec.Raw(b"1e9999999999999999999"), rows=1)


@_fault
def long_amount(payload: Payload, _: Query | AnalyticsQuery) -> None:
    """An amount has more than six fractional digits (cost; harmless)."""
    _change(payload, "amount", lambda amount: f"{amount}25", rows=1)


@_fault
def number_amount(payload: Payload, _: Query | AnalyticsQuery) -> None:
    """Every amount is a JSON number instead of a string (cost; harmless)."""
    _change(payload, "amount", float)


@_fault
def unknown_currency(payload: Payload, _: Query | AnalyticsQuery) -> None:
    """An amount of every bucket is in XTS, the currency of tests (cost)."""
    for rows in _filled(payload):
        if "currency" in rows[0]:
            rows[0]["currency"] = "XTS"


@_fault
def float_tokens(payload: Payload, _: Query | AnalyticsQuery) -> None:
    """A token count has a fraction (usage)."""
    _change(payload, "output_tokens", lambda count: count + 0.5, rows=1)


@_fault
def negative_tokens(payload: Payload, _: Query | AnalyticsQuery) -> None:
    """A token count is negative (usage)."""
    # A count may be 0, so changing the sign is not enough.
    _change(payload, "output_tokens", lambda count: -1 - count, rows=1)


@_fault
def text_tokens(payload: Payload, _: Query | AnalyticsQuery) -> None:
    """A token count is a string (usage)."""
    _change(payload, "output_tokens", str, rows=1)


@_fault
def huge_tokens(payload: Payload, _: Query | AnalyticsQuery) -> None:
    """A token count does not fit 64 bits (usage)."""
    _change(payload, "output_tokens", lambda count: count + 2**70, rows=1)


# The whole page


@_fault
def has_more_without_token(payload: Payload, _: Query | AnalyticsQuery) -> None:
    """`has_more` is true, but there is no token for the next page."""
    payload.update(has_more=True, next_page=None)


@_fault
def repeated_token(payload: Payload, query: Query | AnalyticsQuery) -> None:
    """The token for the next page is that of the same page, endlessly."""
    payload.update(has_more=True, next_page=query.token(query.first))


@_fault
def error_in_200(payload: Payload, _: Query | AnalyticsQuery) -> None:
    """The status is 200, but the body is an error."""
    payload.clear()
    payload.update(error_body(ApiError(500, "Internal server error (simulated)"), "req_invented"))


@_fault
def error_in_200_with_float(payload: Payload, query: Query | AnalyticsQuery) -> None:
    """The status is 200, but the body is an error that contains a float."""
    error_in_200(payload, query)
    payload["error"]["retry_in"] = payload["version"] = 0.5


# Lists


def colon_in_names(payload: Payload) -> None:
    """Every name of a list has a colon (harmless)."""
    for record in payload["data"]:
        record["name"] = f"Invented: {record['name']}"


LIST_FAULTS: dict[str, Callable[[Payload], None]] = {"colon_in_names": colon_in_names}


def _filled(payload: Payload) -> list[list[dict[str, Any]]]:
    """Return the rows of every bucket that has any.

    A page of an analytics report has no buckets. There it is the numbers of each row, as if it were a bucket.
    """
    found: list[list[dict[str, Any]]] = []
    for bucket in payload["data"]:
        if "group" in bucket:
            found.append([bucket["usage"] if "usage" in bucket else bucket["cost"]])
        elif bucket["results"]:
            found.append(bucket["results"])
    return found


def _rows(payload: Payload) -> Iterator[dict[str, Any]]:
    return (row for rows in _filled(payload) for row in rows)


def _change(payload: Payload, name: str, change: Callable[[Any], object], rows: int | None = None) -> None:
    """Change a field of the first `rows` rows that have it; None for all of them."""
    for row in islice((row for row in _rows(payload) if name in row), rows):
        row[name] = change(row[name])


def _split(row: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return two rows with the dimensions of `row` that add up to it."""
    first, second = dict(row), dict(row)
    for name, value in row.items():
        if isinstance(value, dict):
            first[name], second[name] = _split(value)
        elif isinstance(value, int):
            first[name], second[name] = value // 2, value - value // 2
        elif name == "amount":
            # The second row gets one cent. Halves could need a seventh fractional digit.
            first[name], second[name] = str(Decimal(value) - 1), "1.000000"
    return first, second
