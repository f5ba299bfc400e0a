"""What a request for a report asks for, and every way in which it is refused.

Limits, widths, dimensions and filters are documented; the five-dimension cap, the refusal of ranges without a
complete bucket and the binding of page tokens to their query were reported by others.
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
from archiver.simulator.habits import CONTEXT_WINDOWS, DIMENSIONS, GEOS, SPEEDS, TIERS
from archiver.simulator.refusals import RefusalError, invalid

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
class Ask:
    """A checked range (UTC seconds on the grid of `width`, `end` exclusive), grouping and filters."""

    report: str
    start: int
    end: int
    width: int
    group_by: tuple[str, ...]
    filters: Filters


@dataclass(frozen=True, slots=True)
class Query:
    """An `Ask`, and which page of how many buckets of it; `digest` is what page tokens are bound to."""

    ask: Ask
    limit: int
    first: int
    digest: str
    open_ended: bool

    def token(self, start: int) -> str:
        """The token of the page that begins with the bucket at `start`."""
        return "page_" + urlsafe_b64encode(f"{stamp(start)}.{self.digest}".encode()).decode()


def parse(report: str, pairs: Pairs, now: int, *, fast: bool, cap: int) -> Query:
    """The query of a request at `now` (UTC seconds); `fast` when the beta of `speed` was asked for."""
    values = _collect(report, pairs)
    width_name = _width(report, values)
    width = WIDTHS[width_name]
    group_by = _group_by(report, values["group_by[]"], cap)
    filters = tuple((_FILTERS[name], _allowed(name, values[name])) for name in _FILTERS if values[name])
    _check_speed((*group_by, *(name for name, _ in filters)), fast=fast)
    limit = _limit(values["limit"], *_LIMITS[width_name])
    start, end = _range(report, values, width, now)
    digest = _digest(report, pairs)
    first = _first(values["page"], digest) if values["page"] else start
    ask = Ask(report, start, end, width, group_by, filters)
    return Query(ask, limit, first, digest, not values["ending_at"])


def _collect(report: str, pairs: Pairs) -> Mapping[str, Sequence[str]]:
    known = {*_SCALARS, "group_by[]", *(_FILTERS if report == "usage" else ())}
    values: defaultdict[str, list[str]] = defaultdict(list)
    for name, value in pairs:
        if name not in known:
            raise invalid(f"{name}: Extra inputs are not permitted")
        if name in _SCALARS and values[name]:
            raise invalid(f"{name}: Input should be given once")
        values[name].append(value)
    return values


def _width(report: str, values: Mapping[str, Sequence[str]]) -> str:
    name = (values["bucket_width"] or ["1d"])[0]
    allowed = ["1d"] if report == "cost" else list(WIDTHS)
    if name not in allowed:
        raise invalid(f"bucket_width: Input should be {_alternatives(allowed)}")
    return name


def _group_by(report: str, names: Sequence[str], cap: int) -> tuple[str, ...]:
    for name in names:
        if name not in _GROUPINGS[report]:
            raise invalid(f"group_by[]: Input should be {_alternatives(_GROUPINGS[report])}")
    if len(set(names)) > cap:
        raise invalid(f"Cannot specify more than {cap} group_by[] dimensions.")
    return tuple(sorted(set(names)))


def _allowed(name: str, values: Sequence[str]) -> frozenset[str]:
    allowed = _ALLOWED.get(name)
    if allowed and not set(values) <= set(allowed):
        raise invalid(f"{name}: Input should be {_alternatives(allowed)}")
    return frozenset(values)


def _check_speed(dimensions: Iterable[str], *, fast: bool) -> None:
    if "speed" in dimensions and not fast:
        raise invalid(f"speed requires the header anthropic-beta: {FAST_BETA}")


def _limit(values: Sequence[str], default: int, largest: int) -> int:
    if not values:
        return default
    if not re.fullmatch(r"-?\d{1,9}", values[0], re.ASCII):
        raise invalid("limit: Input should be a valid integer, unable to parse string as an integer")
    limit = int(values[0])
    if limit < 1:
        raise invalid("limit: Input should be greater than or equal to 1")
    if limit > largest:
        raise invalid(f"limit: Input should be less than or equal to {largest}")
    return limit


def _range(report: str, values: Mapping[str, Sequence[str]], width: int, now: int) -> tuple[int, int]:
    if not values["starting_at"]:
        raise invalid("starting_at: Field required")
    asked = _moment("starting_at", values["starting_at"][0])
    start = _snap(asked, width)
    if report == "cost" and start >= _snap(now, width):
        raise invalid("starting_at: too recent, must be before the start of the current UTC day")
    if not values["ending_at"]:
        end = _snap(now, width)
    else:
        ending = _moment("ending_at", values["ending_at"][0])
        end = _snap(ending, width)
        if ending <= asked:
            raise invalid("ending_at: must be after starting_at")
    if end <= start:
        raise invalid("The range from starting_at to ending_at does not contain a complete bucket")
    return start, end


def _snap(moment: int, width: int) -> int:
    return moment // width * width


def _moment(name: str, text: str) -> int:
    """UTC seconds; fractions of a second are cut off."""
    wrong = invalid(f"{name}: Input should be a valid datetime in RFC 3339 format")
    if not _RFC3339.fullmatch(text):
        raise wrong
    try:
        return int(datetime.fromisoformat(text.upper()).timestamp() // 1)
    except (ValueError, OverflowError):
        raise wrong from None


def _digest(report: str, pairs: Pairs) -> str:
    bound = sorted(pair for pair in pairs if pair[0] != "page")
    return sha256(repr((report, bound)).encode()).hexdigest()[:24]


def _first(page: Sequence[str], digest: str) -> int:
    try:
        start, bound = urlsafe_b64decode(page[0].removeprefix("page_")).decode().split(".")
        first = _moment("page", start)
    except (ValueError, RefusalError):
        raise invalid("page: invalid page token") from None
    if bound != digest:
        raise invalid("page: the token was issued for a different query")
    return first


def _alternatives(names: Iterable[str]) -> str:
    *most, last = [f"'{name}'" for name in names]
    return f"{', '.join(most)} or {last}" if most else last
