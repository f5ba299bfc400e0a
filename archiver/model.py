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
"""The difference between two clocks, in seconds, up to which both count as right.

Clocks that are set over the network differ by less than a second. Common protocols tolerate five minutes.
"""

Filters = tuple[tuple[str, tuple[str, ...]], ...]
"""Pairs of a dimension and its sorted values, sorted by dimension; empty for an unfiltered series."""


class Report(StrEnum):
    """The reports of the Admin API that can be archived.

    The first two are archived unless other reports are chosen. The two `analytics-` reports belong to the Usage and
    Cost Analytics API.
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
        SETTLED: The bucket was read so long after its end (`--refresh`) that it hardly changes any more.
        PROVISIONAL: The bucket was read earlier than that, or it is cost that the API may publish late. It is fetched
            again.
        MISSING: The bucket has ended, and no response has contained it.
        FAILED: The last request for the bucket failed, or `verify` found the bucket damaged.
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
        """The dimensions joined with commas; empty without dimensions."""
        return ",".join(self.group_by)

    @property
    def filters_text(self) -> str:
        """The filters as `dimension=value` pairs joined with `&`.

        Values are percent-encoded, except for spaces and `/:,@`. The text is empty without filters.
        """
        pairs = ((dimension, quote(value, safe=" /:,@")) for dimension, values in self.filters for value in values)
        return "&".join(f"{dimension}={value}" for dimension, value in pairs)

    def __str__(self) -> str:
        """Return the series for display: `usage 1d by model where …`."""
        text = f"{self.report} {self.bucket_width} by {self.group_by_text or 'nothing'}"
        return f"{text} where {self.filters_text}" if self.filters else text


def make_filters(values: Mapping[str, tuple[str, ...]]) -> Filters:
    """Return filters in canonical form, from the values of each dimension.

    Dimensions and values are sorted. Repeated values, and dimensions without values, are left out.
    """
    return tuple((dimension, tuple(sorted(set(wanted)))) for dimension, wanted in sorted(values.items()) if wanted)


@dataclass(frozen=True, slots=True)
class Window:
    """The range of one request: consecutive buckets of one series.

    Attributes:
        series: The series.
        start: The start of the first bucket.
        end: The end of the last bucket (exclusive).
        digest: The digest of the last answer about the same window; None if the archive has no valid digest.
        failed_before: Whether an earlier run could not read a part of the window.
    """

    series: Series
    start: int
    end: int
    # Windows of the same range stand for the same request, so they are equal whatever the archive contains.
    digest: bytes | None = field(default=None, compare=False)
    failed_before: bool = field(default=False, compare=False)

    @property
    def buckets(self) -> int:
        """The number of buckets in the window."""
        return (self.end - self.start) // self.series.bucket_width.seconds


DimensionValues = tuple[str | None, ...]
"""The values that identify a row within a bucket, in the order of the report's `columns`."""

Values = tuple[int | str | None, ...]
"""The values of a row: its measures in the order of the report's `measures`, then `extra`.

`extra` is the JSON text of unknown fields, or None. The measures of a usage row are six integer counts. The measures of
a cost row are the text of the amount (in cents), its microcents, and the remainder in 1e-18 cents. Rows of the
analytics reports have these measures too, and then others.
"""


@dataclass(frozen=True, slots=True)
class Span:
    """A range of buckets of the same state.

    `fetched_at` is the time of the response that last contained the buckets. For a missing or failed range it is the
    time of the last request, which returned none of them.

    Without `fetched_at`, the state shows the reason: a missing range was not requested yet, a failed range was found
    damaged by `verify`, and a provisional range is cost that no response contained and that may come late.

    `complete_until` is the time up to which the response of `fetched_at` had all use; None if that is `fetched_at`.
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
    """The numbers of rows that a write inserted, updated, removed or left."""

    inserted: int = 0
    updated: int = 0
    removed: int = 0
    unchanged: int = 0

    def __add__(self, other: RowCounts) -> RowCounts:
        """Return the sums of both counts."""
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

    A `person` is a user as named by the analytics reports. For each other kind, the API has a list.
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

    `details` has the other fields of the entry, as JSON text.
    """

    kind: NameKind
    id: str
    name: str | None
    details: str


@dataclass(frozen=True, slots=True)
class ApiKey:
    """An API key as the API lists it, with times in the API's format.

    A `workspace_id` of None stands for the default workspace.
    """

    id: str
    workspace_id: str | None
    status: str | None
    created_at: str | None
    expires_at: str | None
    workspace_archived_at: str | None


@dataclass(frozen=True, slots=True)
class SpendLimit:
    """A spend limit that the API lists for the organisation.

    Attributes:
        id: The id of the limit.
        scope: The type of the limited object: organization, usage_tier, workspace, user, and others.
        scope_id: The id of the limited object; None for the organisation and its usage tier.
        amount: A whole number of cents as text; None if no amount is configured.
        currency: The ISO 4217 code of the currency.
        period: daily, weekly or monthly.
        is_enabled: Whether the limit applies.
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
