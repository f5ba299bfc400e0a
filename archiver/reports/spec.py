"""The description of a report: its parameters, and the format of its rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import msgspec

from archiver.answer import Buckets
from archiver.model import DAY, HOUR

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from archiver.model import BucketWidth, Report

LARGEST_INTEGER = 2**63 - 1
"""The largest integer of SQLite."""

LARGEST_COUNT = 2**52
"""The largest count in one row, about 4.5 * 10^15.

The sum of a day, at most 1,440 rows of one key, then always fits the 64 bits of SQLite. No organisation comes near.
"""

Count = Annotated[int, msgspec.Meta(ge=0, le=LARGEST_COUNT)]
"""A count of tokens or requests: 0 to 2^52."""


class JsonNumber:
    """The text of a JSON number as it was sent.

    It stands for numbers that are not decoded as a Python integer. It is not a dataclass, because msgspec would encode
    that as a JSON object.
    """

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def __str__(self) -> str:
        return self.text


class Repeats(NamedTuple):
    """What to do with several rows of a bucket that have the same dimensions.

    Attributes:
        add: Adds the measures of two of them. It raises ValueError for a sum that does not fit.
        allowed: Whether there may be several rows of these values: grouping and dimensions → yes or no.
        across_pages: Whether they may also be on different pages.
    """

    add: Callable[[Sequence[Any], Sequence[Any]], tuple[Any, ...]]
    allowed: Callable[[Collection[str], Sequence[str | None]], bool]
    across_pages: bool = True


@dataclass(frozen=True, slots=True)
class RowPaging:
    """The paging of a report by rows and not by buckets.

    Such a report has a row for each combination of values with use, and no empty buckets: what was not used and what
    was not requested differ by the requested range alone.

    Attributes:
        earliest: The API has nothing before this time, in UTC seconds.
        delay: The seconds after which a response has all use, if it does not say so itself.
        retention_days: The API forgets a day after so many days; None: it is not known to forget any.
        by_day: Whether a request names one day, and not a range and a width.
        metrics: The field of a row that holds its measures.
        metrics_type: The type of that field.
        repeats: Which rows of a bucket may have the same dimensions; None: none may.
        limit: The largest number of rows of a page.
    """

    earliest: int
    delay: int
    retention_days: int | None = None
    by_day: bool = False
    metrics: str = ""
    metrics_type: type[msgspec.Struct] = msgspec.Struct
    repeats: Repeats | None = None
    limit: int = 1000


@dataclass(frozen=True, slots=True)
class ReportSpec:
    """A report of the Admin API, as the vendor documents it.

    Attributes:
        report: The report.
        path: The path below the host.
        limits: Bucket width → the largest number of buckets a page may hold.
        group_by: All dimensions that a request can group by.
        default_dimensions: The dimensions of the presets unless configured otherwise, coarsest first.
        filters: Dimension → the name of its query parameter.
        betas: Dimension → the `anthropic-beta` header that it needs.
        columns: The fields that identify a row within a bucket.
        measures: The fields that a row measures.
        wire_measures: The fields of a sent row that are no dimensions, with their types.
        parsed: Fields of a sent row that the API derives from a dimension; they cannot be requested by name.
        only_when_asked: Dimensions that a sent row does not contain unless the request groups by them.
        read_dimensions: A sent row → the values of `columns`.
        read_measures: For each of `measures`, a sent row → its value. It raises ValueError for a value that the type
            of the field allows and the report does not.
        absent: Those of `wire_measures` that rows of an older API lack → the value that stands for it.
        lag_seconds: For how long after its end the API may leave a bucket out. A report with a lag never returns the
            bucket in progress.
        youngest_seconds: For how long after its start a bucket is not requested.
        texts: Those of `measures` that are text; the others are 64-bit integers.
        nullable: Those of `measures` that the API may leave open.
        is_money: Whether the first three measures are an amount: its text, microcents and remainder.
        always_grouped: Dimensions that every preset groups by, and that do not count toward the cap.
        beta: The `anthropic-beta` header of every request.
        rows: How its rows are paged; None for a report with pages of buckets.
    """

    report: Report
    path: str
    limits: Mapping[BucketWidth, int]
    group_by: tuple[str, ...]
    default_dimensions: tuple[str, ...]
    columns: tuple[str, ...]
    measures: tuple[str, ...]
    wire_measures: Mapping[str, Any]
    read_dimensions: Callable[[Any], tuple[str | None, ...]]
    read_measures: tuple[Callable[[Any], Any], ...]
    lag_seconds: int = 0
    youngest_seconds: int = 0
    texts: tuple[str, ...] = ()
    parsed: tuple[str, ...] = ()
    only_when_asked: tuple[str, ...] = ()
    filters: Mapping[str, str] = field(default_factory=dict)
    betas: Mapping[str, str] = field(default_factory=dict)
    absent: Mapping[str, Any] = field(default_factory=dict)
    nullable: tuple[str, ...] = ()
    is_money: bool = False
    always_grouped: tuple[str, ...] = ()
    beta: str | None = None
    rows: RowPaging | None = None

    def counted(self, group_by: Iterable[str]) -> int:
        """Return how many dimensions of a grouping count toward the cap."""
        return sum(1 for one in group_by if one not in self.always_grouped)

    def oldest(self, now: int, width: int) -> int:
        """Return the start of the oldest bucket that the API answers for.

        It is in UTC seconds, and `width` is that of a bucket in seconds. A report that the API does not forget has 0.
        """
        if self.rows is None:
            return 0
        if self.rows.retention_days is None:
            return self.rows.earliest
        # A request may be sent an hour after it was planned, and the oldest bucket would be refused by then.
        kept_from = now - self.rows.retention_days * DAY + HOUR
        return max(self.rows.earliest, -(-kept_from // width) * width)

    def adds_up(self, group_by: Collection[str]) -> bool:
        """Return whether the rows of a grouping add up to the whole of the report."""
        # A user who is in several groups is in the rows of each of them. Grouping by token type without cost type
        # leaves out all cost that is not of tokens.
        overlaps = "rbac_group_id" in group_by
        return not overlaps and not (self.rows and "token_type" in group_by and "cost_type" not in group_by)

    def empty_buckets(self) -> Buckets:
        """Return a container for buckets of this report, with none in it."""
        return Buckets(measure in self.texts or measure in self.nullable for measure in self.measures)

    def wire_row(self, group_by: tuple[str, ...]) -> type[msgspec.Struct]:
        """Build the type of a sent row of a series.

        Measures and requested dimensions are required; `absent` measures and other dimensions may be missing.
        """
        fields: list[Any] = [(name, kind) for name, kind in self.wire_measures.items() if name not in self.absent]
        fields += [(name, str | None) for name in group_by]
        optional: list[Any] = [(name, self.wire_measures[name], value) for name, value in self.absent.items()]
        # The API sends null for a dimension that was not requested. Columns that it derives may have values all the
        # same.
        others = dict.fromkeys(name for name in (*self.group_by, *self.parsed) if name not in group_by)
        optional += [(name, str | None if name in self.parsed else None, None) for name in others]
        # An unknown field is an error here, so that the caller finds fields that are new in the API. Without tracking
        # by the garbage collector, which rows of plain values do not need, many rows are decoded faster.
        return msgspec.defstruct("Result", [*fields, *optional], forbid_unknown_fields=True, gc=False)
