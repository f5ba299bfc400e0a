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
"""The largest count in one row, about 4.5 * 10^15. No organisation comes near.

A set of dimension values has at most 1,440 rows in a day, one for each minute. Their sum then always fits the 64 bits
of SQLite.
"""

Count = Annotated[int, msgspec.Meta(ge=0, le=LARGEST_COUNT)]
"""A count of tokens or requests: 0 to 2^52."""


class JsonNumber:
    """The text of a JSON number as it was sent.

    Numbers that are not decoded as a Python integer, for example `1.50`, are decoded as this class. It is not a
    dataclass, because msgspec would encode a dataclass as a JSON object.
    """

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def __str__(self) -> str:
        return self.text


class Repeats(NamedTuple):
    """The rules for rows of one bucket that have the same dimension values.

    Attributes:
        add: Adds the measures of two such rows. It raises ValueError for a sum that does not fit.
        allowed: Returns whether several rows may have the same values, from the grouping and the dimension values.
        across_pages: Whether such rows may also be on different pages.
    """

    add: Callable[[Sequence[Any], Sequence[Any]], tuple[Any, ...]]
    allowed: Callable[[Collection[str], Sequence[str | None]], bool]
    across_pages: bool = True


@dataclass(frozen=True, slots=True)
class RowPaging:
    """The paging of a report that the API returns row by row.

    Pages of other reports hold whole buckets, also empty ones. This report has one row for each combination of
    dimension values with use, and no empty buckets. A bucket without rows had no use if it was requested.

    Attributes:
        earliest: The time before which the API has no rows, in UTC seconds.
        delay: A response without `data_refreshed_at` has all use up to this number of seconds before it was sent.
        retention_days: The number of days after which the API deletes a day; None: no such limit is known.
        by_day: Whether a request has one day as its only parameter of time. Other requests have a range and a width.
        metrics: The field of a row that holds its measures; "" for a report with a decoder of its own.
        metrics_type: The type of that field.
        repeats: The rules for rows of a bucket with the same dimension values; None: no two rows may have them.
        limit: The largest number of rows in a page.
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
        limits: Bucket width → the largest number of buckets that a page may hold.
        group_by: All dimensions that a request can group by.
        default_dimensions: The dimensions that the presets of `--group-by` use if none are configured, coarsest first.
        filters: Dimension → the name of its query parameter.
        betas: Dimension → the `anthropic-beta` header that it needs.
        columns: The fields that identify a row within a bucket.
        measures: The numbers and amounts of an archived row.
        wire_measures: The fields of a sent row that are not dimensions, with their types; empty for paging by rows.
        parsed: Fields of a sent row that the API derives from a dimension; they cannot be requested by name.
        only_when_asked: Dimensions that a sent row does not contain unless the request groups by them.
        read_dimensions: Returns the values of `columns` from a sent row. It is not used for paging by rows.
        read_measures: One function for each of `measures`, which returns its value from a sent row. It raises
            ValueError for a value that the type of the field allows and the report does not.
        absent: Measure in `wire_measures` that rows of an older API lack → the value to use in its place.
        lag_seconds: The time after its end during which the API may leave a bucket out. A report with a lag never
            returns the bucket in progress.
        youngest_seconds: The time after its start during which a bucket is not requested.
        texts: The measures that are text; all other measures are 64-bit integers.
        nullable: The measures that can be None.
        is_money: Whether the first three measures are an amount: its text, microcents and remainder.
        always_grouped: Dimensions that presets add to every grouping that is not empty. They do not count toward the
            cap.
        beta: The `anthropic-beta` header of every request.
        rows: The paging by rows; None for a report with pages of buckets.

    The cap is the largest number of dimensions that one request may group by.
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
        return sum(1 for dimension in group_by if dimension not in self.always_grouped)

    def oldest(self, now: int, width: int) -> int:
        """Return the start of the oldest bucket that the API still returns.

        It is in UTC seconds, and `width` is the width of a bucket in seconds. It is 0 for a report with pages of
        buckets, and `rows.earliest` for a report without `rows.retention_days`.
        """
        if self.rows is None:
            return 0
        if self.rows.retention_days is None:
            return self.rows.earliest
        # A request may be sent an hour after it was planned, and the oldest bucket would be refused by then.
        kept_from = now - self.rows.retention_days * DAY + HOUR
        # Division of the negative number rounds up, to the start of a bucket.
        return max(self.rows.earliest, -(-kept_from // width) * width)

    def adds_up(self, group_by: Collection[str]) -> bool:
        """Return whether the rows of a grouping add up to the total of the report."""
        # The use of a user who is in several groups is in the rows of each group. The analytics reports leave out all
        # cost except that of tokens if they are grouped by token type without cost type.
        overlaps = "rbac_group_id" in group_by
        lacks_rows = self.rows is not None and "token_type" in group_by and "cost_type" not in group_by
        return not overlaps and not lacks_rows

    def empty_buckets(self) -> Buckets:
        """Return an empty container for buckets of this report."""
        # True for a column of Python objects. Columns of integers cannot hold None.
        return Buckets(measure in self.texts or measure in self.nullable for measure in self.measures)

    def wire_row(self, group_by: tuple[str, ...]) -> type[msgspec.Struct]:
        """Build the type of a sent row of a series that is grouped by `group_by`.

        Measures and requested dimensions are required; `absent` measures and all other dimensions may be missing.
        """
        fields: list[Any] = [(name, kind) for name, kind in self.wire_measures.items() if name not in self.absent]
        fields += [(name, str | None) for name in group_by]
        optional: list[Any] = [(name, self.wire_measures[name], value) for name, value in self.absent.items()]
        # A dimension that was not requested can only be null. A field that the API derives (`parsed`) may have a value.
        # dict.fromkeys removes repeats.
        not_requested = dict.fromkeys(name for name in (*self.group_by, *self.parsed) if name not in group_by)
        optional += [(name, str | None if name in self.parsed else None, None) for name in not_requested]
        # An unknown field is an error here, so that the caller finds fields that are new in the API. `gc=False` turns
        # off tracking by the garbage collector: rows of plain values do not need it, and are decoded faster without.
        return msgspec.defstruct("Result", [*fields, *optional], forbid_unknown_fields=True, gc=False)
