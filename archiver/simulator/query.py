"""Parse report requests, and refuse them with a 400 as the API does.

Limits, widths, dimensions and filters are documented. The cap of five dimensions, the refusal of ranges without a
complete bucket, the binding of page tokens to their query, and the messages of these are not: they come from responses
of the real API that others have published.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING

from archiver.simulator.clock import DAY, HOUR, MINUTE, stamp
from archiver.simulator.errors import ApiError, invalid_request
from archiver.simulator.usage_patterns import CONTEXT_WINDOWS, DIMENSIONS, GEOS, SPEEDS, TIERS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Pairs = tuple[tuple[str, str], ...]
Filters = tuple[tuple[str, frozenset[str]], ...]

WIDTHS = {"1m": MINUTE, "1h": HOUR, "1d": DAY}
FAST_BETA = "fast-mode-2026-02-01"
_LIMITS = {"1m": (60, 1440), "1h": (24, 168), "1d": (7, 31)}  # default, largest
_SCALARS = ("starting_at", "ending_at", "bucket_width", "limit", "page")
_FILTERS = {
    "account_ids[]": "account_id",
    "api_key_ids[]": "api_key_id",
    "context_window[]": "context_window",
    "inference_geos[]": "inference_geo",
    "models[]": "model",
    "service_account_ids[]": "service_account_id",
    "service_tiers[]": "service_tier",
    "speeds[]": "speed",
    "workspace_ids[]": "workspace_id",
}
_ALLOWED = {
    "context_window[]": CONTEXT_WINDOWS,
    "inference_geos[]": GEOS,
    "service_tiers[]": TIERS,
    "speeds[]": SPEEDS,
}
_GROUPINGS = {"usage": DIMENSIONS, "cost": ("workspace_id", "description")}
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Selection:
    """A valid range with its grouping and filters.

    Times are UTC seconds, multiples of `width`; `end` is exclusive.
    """

    report: str
    start: int
    end: int
    width: int
    group_by: tuple[str, ...]
    filters: Filters


@dataclass(frozen=True, slots=True)
class Query:
    """One page of a selection: at most `limit` buckets from `first`.

    A page token is valid only for queries with the same `digest`. With `open_ended` the request had no end, so its
    range grows with time.
    """

    selection: Selection
    limit: int
    first: int
    digest: str
    open_ended: bool

    def token(self, start: int) -> str:
        """Return the token of the page that begins with the bucket at `start`."""
        return "page_" + urlsafe_b64encode(f"{stamp(start)}.{self.digest}".encode()).decode()


def parse_query(report: str, pairs: Pairs, now: int, *, fast: bool, cap: int) -> Query:
    """Parse the parameters of a request; raises a 400.

    `now` is in UTC seconds, `fast` is whether the request has the beta header of `speed`, and `cap` is the largest
    number of dimensions in `group_by[]`.
    """
    values = _collect(report, pairs)
    width_name = _width(report, values)
    width = WIDTHS[width_name]
    group_by = _group_by(report, values["group_by[]"], cap, fast=fast)
    if values["speeds[]"] and not fast:
        raise invalid_request(f"speeds[]: requires the header anthropic-beta: {FAST_BETA}")
    filters = tuple((_FILTERS[name], _allowed(name, values[name])) for name in _FILTERS if values[name])
    limit = parse_limit(values["limit"], *_LIMITS[width_name])
    start, end = _range(report, values, width, now)
    digest = _digest(report, pairs)
    first = _first(values["page"], digest) if values["page"] else start
    selection = Selection(report, start, end, width, group_by, filters)
    return Query(selection, limit, first, digest, not values["ending_at"])


def _collect(report: str, pairs: Pairs) -> Mapping[str, Sequence[str]]:
    # Unknown parameters are refused: a filter with a wrong name would otherwise return more than was asked for.
    known = {*_SCALARS, "group_by[]", *(_FILTERS if report == "usage" else ())}
    # A default, so that a parameter which is not given reads as an empty list everywhere below.
    values: defaultdict[str, list[str]] = defaultdict(list)
    for name, value in pairs:
        if name not in known:
            raise invalid_request(f"{name}: Extra inputs are not permitted")
        if name in _SCALARS and values[name]:
            raise invalid_request(f"{name}: Input should be given once")
        values[name].append(value)
    return values


def _width(report: str, values: Mapping[str, Sequence[str]]) -> str:
    name = (values["bucket_width"] or ["1d"])[0]
    allowed = ["1d"] if report == "cost" else list(WIDTHS)
    if name not in allowed:
        raise invalid_request(f"bucket_width: Input should be {_alternatives(allowed)}")
    return name


def _group_by(report: str, names: Sequence[str], cap: int, *, fast: bool) -> tuple[str, ...]:
    # `speed` is a dimension only for requests with its beta.
    valid = [name for name in _GROUPINGS[report] if fast or name != "speed"]
    for name in names:
        if name not in valid:
            options = ", ".join(f'"{option}"' for option in valid)
            raise invalid_request(f'Invalid `group_by[]`: "{name}". Valid options are {options}.')
    if len(set(names)) > cap:
        raise invalid_request(f"Cannot specify more than {cap} group_by[] dimensions.")
    return tuple(sorted(set(names)))


def _allowed(name: str, values: Sequence[str]) -> frozenset[str]:
    allowed = _ALLOWED.get(name)
    if allowed and not set(values) <= set(allowed):
        raise invalid_request(f"{name}: Input should be {_alternatives(allowed)}")
    return frozenset(values)


def parse_limit(values: Sequence[str], default: int, largest: int) -> int:
    """Return the value of `limit`; raises a 400."""
    if not values:
        return default
    if not re.fullmatch(r"-?\d{1,9}", values[0], re.ASCII):
        raise invalid_request("limit: Input should be a valid integer, unable to parse string as an integer")
    limit = int(values[0])
    if limit < 1:
        raise invalid_request("limit: Input should be greater than or equal to 1")
    if limit > largest:
        raise invalid_request(f"limit: Input should be less than or equal to {largest}")
    return limit


def _range(report: str, values: Mapping[str, Sequence[str]], width: int, now: int) -> tuple[int, int]:
    """Return start and end of the whole buckets of a range; raises a 400."""
    if not values["starting_at"]:
        raise invalid_request("starting_at: Field required")
    starting = parse_seconds("starting_at", values["starting_at"][0])
    start, end = _snap(starting, width), _snap(now, width)
    if values["ending_at"]:
        ending = parse_seconds("ending_at", values["ending_at"][0])
        if ending <= starting:
            raise invalid_request("ending_at must be after starting_at")
        # The cost report replaces a later end by today 00:00 UTC before it checks the range.
        end = min(_snap(ending, width), end) if report == "cost" else _snap(ending, width)
    if end <= start and report == "cost":
        raise invalid_request("ending date must be after starting date")
    if end <= start:
        raise invalid_request("The range from starting_at to ending_at does not contain a complete bucket")
    return start, end


def _snap(seconds: int, width: int) -> int:
    return seconds // width * width


def parse_seconds(name: str, text: str) -> int:
    """Return UTC seconds, without fractions of a second; raises a 400."""
    wrong = invalid_request(f"{name}: Input should be a valid datetime in RFC 3339 format")
    if not _RFC3339.fullmatch(text):
        raise wrong
    try:
        return int(datetime.fromisoformat(text.upper()).timestamp() // 1)
    except (ValueError, OverflowError):
        raise wrong from None


def _digest(report: str, pairs: Pairs) -> str:
    # A token is refused if any other parameter has changed, so the digest covers all parameters but the token.
    bound = sorted(pair for pair in pairs if pair[0] != "page")
    return sha256(repr((report, bound)).encode()).hexdigest()[:24]


def _first(page: Sequence[str], digest: str) -> int:
    # The token contains the start of its page and the digest of its query, so the server keeps no state for it.
    try:
        start, bound = urlsafe_b64decode(page[0].removeprefix("page_")).decode().split(".")
        first = parse_seconds("page", start)
    except (ValueError, ApiError):
        raise invalid_request("page: invalid page token") from None
    if bound != digest:
        raise invalid_request("page: the token was issued for a different query")
    return first


def _alternatives(names: Iterable[str]) -> str:
    *most, last = [f"'{name}'" for name in names]
    return f"{', '.join(most)} or {last}" if most else last
