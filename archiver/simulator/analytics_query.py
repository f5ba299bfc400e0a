"""Parse requests for the analytics reports, and refuse them with a 400.

Parameters, limits and ranges are those of the vendor's Python SDK, version 2.14.0. The messages are invented.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING

from archiver.simulator.clock import DAY, HOUR
from archiver.simulator.errors import invalid_request
from archiver.simulator.query import WIDTHS, parse_limit, parse_seconds

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from archiver.simulator.query import Pairs

BETA = "analytics-usage-cost-2026-08-24"
EARLIEST = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp())
FAN_OUT = ("cost_type", "token_type")
GROUPINGS = (
    "actor",
    "actor_type",
    "agent_id",
    "api_key_id",
    "claude_tag_category",
    "claude_tag_user_id",
    "context_window",
    "deployment_id",
    "environment_id",
    "inference_geo",
    "model",
    "organization_id",
    "product",
    "rbac_group_id",
    "service_tier",
    "session_id",
    "slack_channel_id",
    "speed",
    "user_profile_id",
    "workspace_id",
)
_FILTERS = {
    "actor_ids[]": "actor_id",
    **{f"{name.removesuffix('_id')}_ids[]" if name.endswith("_id") else f"{name}s[]": name for name in GROUPINGS[1:]},
}
_FILTERS["claude_tag_categories[]"] = _FILTERS.pop("claude_tag_categorys[]")
_METRICS = {
    "analytics-usage": ("total_tokens", "output_tokens", "requests", "uncached_input_tokens", "time"),
    "analytics-cost": ("amount", "list_amount", "time"),
}
_SCALARS = (
    "starting_at",
    "ending_at",
    "time_bucket_width",
    "limit",
    "page",
    "order",
    "order_by",
    "exclude_deleted_users",
    "beta",
)
_LONGEST_RANGE, _RETENTION = 31 * DAY, 365 * DAY


@dataclass(frozen=True, slots=True)
class AnalyticsQuery:
    """One page of an analytics report.

    It has at most `limit` rows, from the row number `first`.
    Times are UTC seconds. A `width` of None is one bucket over the whole range. `filters` maps a dimension to the
    values that pass; an empty value stands for null.
    """

    report: str
    start: int
    end: int
    width: int | None
    group_by: tuple[str, ...]
    filters: tuple[tuple[str, frozenset[str]], ...]
    order_by: str
    ascending: bool
    without_deleted: bool
    limit: int
    first: int
    digest: str

    @property
    def selection(self) -> AnalyticsQuery:
        """The range and the grouping, for the faults of payloads."""
        return self

    def token(self, first: int) -> str:
        """Return the token of the page that begins with a row."""
        return "page_" + urlsafe_b64encode(f"{first}.{self.digest}".encode()).decode()


def parse_analytics(report: str, pairs: Pairs, now: int, *, cap: int) -> AnalyticsQuery:
    """Parse the parameters of a request; raises a 400."""
    values = _collect(pairs)
    width = _choice(values, "time_bucket_width", tuple(WIDTHS), None)
    start, end = _range(values, now, width)
    metrics = _METRICS[report]
    # A token is bound to the other parameters.
    digest = sha256(repr((report, sorted(p for p in pairs if p[0] != "page"))).encode()).hexdigest()[:24]
    group_by = _group_by(report, values["group_by[]"], cap)
    without_deleted = _choice(values, "exclude_deleted_users", ("true", "false"), "false") == "true"
    if without_deleted and "actor" not in group_by:
        raise invalid_request("exclude_deleted_users: requires group_by[]=actor")
    return AnalyticsQuery(
        report=report,
        start=start,
        end=end,
        width=WIDTHS[width] if width else None,
        group_by=group_by,
        filters=tuple((name, frozenset(values[one])) for one, name in _FILTERS.items() if values[one]),
        order_by=str(_choice(values, "order_by", metrics, metrics[0])),
        ascending=_choice(values, "order", ("asc", "desc"), "desc") == "asc",
        without_deleted=without_deleted,
        limit=parse_limit(values["limit"], 20, 1000),
        first=_first(values["page"], digest),
        digest=digest,
    )


def _collect(pairs: Pairs) -> Mapping[str, Sequence[str]]:
    values: defaultdict[str, list[str]] = defaultdict(list)
    for name, value in pairs:
        if name not in {*_SCALARS, *_FILTERS, "group_by[]"}:
            raise invalid_request(f"{name}: Extra inputs are not permitted")
        if name in _SCALARS and values[name]:
            raise invalid_request(f"{name}: Input should be given once")
        values[name].append(value)
    return values


def _choice(values: Mapping[str, Sequence[str]], name: str, allowed: Sequence[str], default: str | None) -> str | None:
    if not values[name]:
        return default
    if values[name][0] not in allowed:
        raise invalid_request(f"{name}: Input should be one of {', '.join(allowed)}")
    return values[name][0]


def _range(values: Mapping[str, Sequence[str]], now: int, width: str | None) -> tuple[int, int]:
    if not values["starting_at"]:
        raise invalid_request("starting_at: Field required")
    start = parse_seconds("starting_at", values["starting_at"][0])
    if width and not values["ending_at"]:
        raise invalid_request("ending_at: Field required with time_bucket_width")
    end = (
        parse_seconds("ending_at", values["ending_at"][0]) if values["ending_at"] else min(now, start + _LONGEST_RANGE)
    )
    if end <= start:
        raise invalid_request("ending_at must be after starting_at")
    if start < EARLIEST:
        raise invalid_request("starting_at must be no earlier than 2026-01-01T00:00:00Z")
    if start < now - _RETENTION:
        raise invalid_request("starting_at must be within the last 365 days")
    if end - start > _LONGEST_RANGE:
        raise invalid_request("The range may span at most 31 days")
    if width == "1m" and end - start > DAY:
        raise invalid_request("With time_bucket_width=1m the range may span at most 24 hours")
    step = WIDTHS[width] if width else HOUR
    return start // step * step, (-(-end // step) if width else end // step) * step


def _group_by(report: str, names: Sequence[str], cap: int) -> tuple[str, ...]:
    valid = (*GROUPINGS, *FAN_OUT) if report == "analytics-cost" else GROUPINGS
    for name in names:
        if name not in valid:
            raise invalid_request(f'Invalid `group_by[]`: "{name}". Valid options are {", ".join(valid)}.')
    if len({*names} - {*FAN_OUT}) > cap:
        raise invalid_request(f"Cannot specify more than {cap} group_by[] dimensions.")
    return tuple(sorted(set(names)))


def _first(page: Sequence[str], digest: str) -> int:
    if not page:
        return 0
    try:
        first, bound = urlsafe_b64decode(page[0].removeprefix("page_")).decode().split(".")
        number = int(first[:9])
    except ValueError:
        raise invalid_request("page: invalid page token") from None
    if bound != digest:
        raise invalid_request("page: the token was issued for a different query")
    return number
