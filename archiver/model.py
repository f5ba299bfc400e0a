"""The concepts of the domain as frozen values.

Times are whole UTC seconds since the epoch.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Mapping

MINUTE, HOUR, DAY = 60, 3600, 86400
WORST_CLOCK_SKEW = 300
"""The difference of two clocks, in seconds, up to which both count as right.

Clocks that are set over the network differ by less than a second, and five minutes is what common protocols tolerate.
"""

Filters = tuple[tuple[str, tuple[str, ...]], ...]
"""Pairs of a dimension and its sorted values, sorted by dimension; empty for an unfiltered series."""


class Report(StrEnum):
    """The reports of the Admin API that are archived.

    The first two are archived unless others are chosen. The last two are those of the Usage and Cost Analytics API.
    """

    USAGE = "usage"
    COST = "cost"
    ANALYTICS_USAGE = "analytics-usage"
    ANALYTICS_COST = "analytics-cost"
    CLAUDE_CODE = "claude-code"


DEFAULT_REPORTS = (Report.USAGE, Report.COST)


class BucketWidth(StrEnum):
    """The length of one bucket, in the API's notation."""

    MINUTE = "1m"
    HOUR = "1h"
    DAY = "1d"

    @property
    def seconds(self) -> int:
        """The length in seconds."""
        return _SECONDS[self]


_SECONDS = {BucketWidth.MINUTE: MINUTE, BucketWidth.HOUR: HOUR, BucketWidth.DAY: DAY}


class State(StrEnum):
    """The state of a bucket in the archive.

    Attributes:
        SETTLED: It was read so long after its end (`--refresh`) that it hardly changes any more.
        PROVISIONAL: It was read earlier than that, or it is cost that the API may publish late; it is fetched again.
        MISSING: It has ended, and no response contained it.
        FAILED: Its last request failed, or `verify` found it damaged.
    """

    SETTLED = "settled"
    PROVISIONAL = "provisional"
    MISSING = "missing"
    FAILED = "failed"


COVERED = (State.SETTLED, State.PROVISIONAL)
GAPS = (State.MISSING, State.FAILED)


@dataclass(frozen=True, slots=True)
class Series:
    """A report with its bucket width, its group_by dimensions and its filters."""

    report: Report
    bucket_width: BucketWidth
    group_by: tuple[str, ...] = ()
    filters: Filters = ()

    def __post_init__(self) -> None:
        """Sort the dimensions and drop repeats; their order changes no row."""
        object.__setattr__(self, "group_by", tuple(sorted(set(self.group_by))))

    @property
    def group_by_text(self) -> str:
        """The comma list of the dimensions, empty for none."""
        return ",".join(self.group_by)

    @property
    def filters_text(self) -> str:
        """The filters as `dimension=value` pairs joined with `&`.

        Values are percent-encoded, but for spaces and `/:,@`. The text is empty without filters.
        """
        pairs = ((dimension, quote(value, safe=" /:,@")) for dimension, values in self.filters for value in values)
        return "&".join(f"{dimension}={value}" for dimension, value in pairs)

    def __str__(self) -> str:
        """Return the series for display: `usage 1d by model`, then the filters."""
        text = f"{self.report} {self.bucket_width} by {self.group_by_text or 'nothing'}"
        return f"{text} where {self.filters_text}" if self.filters else text


def make_filters(values: Mapping[str, tuple[str, ...]]) -> Filters:
    """Return filters in canonical form.

    They are sorted, without repeats or empty dimensions.
    """
    return tuple((dimension, tuple(sorted(set(wanted)))) for dimension, wanted in sorted(values.items()) if wanted)


@dataclass(frozen=True, slots=True)
class Window:
    """The range of one request: buckets of one series.

    Attributes:
        series: The series.
        start: The start of the first bucket.
        end: The end of the last bucket (exclusive).
        digest: The digest of the last answer about the same window; None where the archive has no valid one.
        failed_before: Whether an earlier run could not read a part of it.
    """

    series: Series
    start: int
    end: int
    # Windows of the same range are equal, whatever the archive knows about it, because they stand for one request.
    digest: bytes | None = field(default=None, compare=False)
    failed_before: bool = field(default=False, compare=False)

    @property
    def buckets(self) -> int:
        """The number of buckets in the window."""
        return (self.end - self.start) // self.series.bucket_width.seconds


DimensionValues = tuple[str | None, ...]
"""The values that identify a row within a bucket, in the order of its report's columns."""

Values = tuple[int | str | None, ...]
"""The values of a row, in the order of its report's measures, and behind them `extra`, the JSON text of unknown fields.

A usage row has six integer counts. A cost row has the amount's text (cents), its microcents, and the remainder in 1e-18
cents. Rows of the analytics reports have further measures behind these.
"""


@dataclass(frozen=True, slots=True)
class Span:
    """A range of buckets of one state.

    `complete_until` is the time up to which that response had all use, where the API says so; None is `fetched_at`.

    `fetched_at` is the time of the response that last contained the buckets. For a missing or failed range it is the
    time of the request that brought none of them. None has a meaning of its own for each state: a missing range was not
    requested yet, a failed one was found damaged by `verify`, and a provisional one is cost that no response contained
    and that may come late.
    """

    start: int
    end: int
    state: State
    fetched_at: int | None = None
    complete_until: int | None = None

    @property
    def known_until(self) -> int:
        """The time up to which the response had all use; 0 without a response."""
        return self.fetched_at or 0 if self.complete_until is None else self.complete_until


@dataclass(frozen=True, slots=True)
class RowCounts:
    """Numbers of rows by what a write did to them."""

    inserted: int = 0
    updated: int = 0
    removed: int = 0
    unchanged: int = 0

    def __add__(self, other: RowCounts) -> RowCounts:
        """Add two counts."""
        return RowCounts(
            self.inserted + other.inserted,
            self.updated + other.updated,
            self.removed + other.removed,
            self.unchanged + other.unchanged,
        )

    @property
    def changed(self) -> int:
        """The number of rows that a write changed."""
        return self.inserted + self.updated + self.removed


@dataclass(frozen=True, slots=True)
class Organization:
    """The organisation of an API key."""

    id: str
    name: str | None


class NameKind(StrEnum):
    """The kinds of objects that have names.

    A person is a user as the analytics reports name it. All others have a list of their own in the API.
    """

    WORKSPACE = "workspace"
    API_KEY = "api_key"
    USER = "user"
    SERVICE_ACCOUNT = "service_account"
    PERSON = "person"


LISTED_NAMES = (NameKind.WORKSPACE, NameKind.API_KEY, NameKind.USER, NameKind.SERVICE_ACCOUNT)


@dataclass(frozen=True, slots=True)
class NamedObject:
    """One entry of a list of names.

    `details` is the rest of its fields, as JSON text.
    """

    kind: NameKind
    id: str
    name: str | None
    details: str


@dataclass(frozen=True, slots=True)
class ApiKey:
    """An API key as the API lists it; times are as the API writes them.

    `workspace_id` of None is the default workspace.
    """

    id: str
    workspace_id: str | None
    status: str | None
    created_at: str | None
    expires_at: str | None
    workspace_archived_at: str | None


@dataclass(frozen=True, slots=True)
class SpendLimit:
    """A limit of spend that the vendor knows for the organisation.

    Attributes:
        id: Its id.
        scope: What it limits: organization, usage_tier, workspace, user, and others.
        scope_id: The id of what it limits; None for the organisation and its usage tier.
        amount: A whole number of cents as text; None: no amount is configured.
        currency: Its ISO 4217 code.
        period: daily, weekly or monthly.
        is_enabled: Whether it applies.
    """

    id: str
    scope: str
    scope_id: str | None
    amount: str | None
    currency: str
    period: str
    is_enabled: bool


def to_text(seconds: int) -> str:
    """Return a time as `YYYY-MM-DDTHH:MM:SSZ`.

    Raises:
        ValueError: The year is after 9999.
    """
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
