"""The dimensions that results can be grouped by, in one table.

A new dimension also needs a column in the spec of its report and in the tables and views of the schema.

Results show labels, which people can read. The label of an id is the name that the organisation gave the object. The
label of a null is the `null_label` of its dimension. The labels in `Label` are for cells without any value of the API.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import TYPE_CHECKING

from archiver.model import NameKind, Report
from archiver.reports.analytics import actor_label

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

NONE_LABEL = "(none)"


class Label(Enum):
    """A value that a result has in place of an API value.

    It is an Enum and not a StrEnum, because a member must not equal any text. A workspace that is named "(others)" then
    differs from `Label.OTHERS`.
    """

    NOT_GROUPED = "(not grouped)"
    NOT_ALLOCATED = "(not allocated)"
    OTHERS = "(others)"
    TOTAL = "total"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, slots=True)
class Dimension:
    """One dimension of reports.

    Attributes:
        name: The name of the dimension for `--by`.
        column: The column of its values, in the archive and in results.
        grouped_by: Report → the dimension that a request must group by, so that the column has values. For cost it is
            often `description`, because the API derives other columns from it. `ALWAYS` stands for no such dimension.
        label_column: The column of the label; None if the value itself is readable.
        kinds: The kinds of objects that the values identify, in the order in which names are looked up.
        unnamed: A function that returns the label of an id that has no name.
        null_label: The label of an API null, in a series that is grouped by the dimension.
    """

    name: str
    column: str
    grouped_by: Mapping[Report, str]
    label_column: str | None = None
    kinds: tuple[NameKind, ...] = ()
    unnamed: Callable[[str], str] = str
    null_label: str = NONE_LABEL


def _by_own_name(name: str, *reports: Report) -> dict[Report, str]:
    """Return `grouped_by` for reports in which the column and the dimension of requests have the same name."""
    return dict.fromkeys(reports, name)


def _with_description(name: str, *reports: Report) -> Dimension:
    """Return a dimension that the cost report has if it is grouped by `description`.

    For `reports`, the column and the dimension of requests have the same name.
    """
    return Dimension(name, name, {Report.COST: "description", **_by_own_name(name, *reports)})


ALWAYS = ""
"""The value in `Dimension.grouped_by` for a column that has values in every series of a report."""

_WITH_KEYS = (Report.USAGE, Report.ANALYTICS_USAGE, Report.ANALYTICS_COST)
"""The reports with API keys. The cost report has none."""
_ANALYTICS = (Report.ANALYTICS_USAGE, Report.ANALYTICS_COST)

DIMENSIONS = (
    Dimension(
        "workspace",
        "workspace_id",
        _by_own_name("workspace_id", Report.COST, *_WITH_KEYS),
        label_column="workspace",
        kinds=(NameKind.WORKSPACE,),
        null_label="(default workspace)",
    ),
    Dimension(
        "api_key",
        "api_key_id",
        _by_own_name("api_key_id", *_WITH_KEYS),
        label_column="api_key",
        kinds=(NameKind.API_KEY,),
        null_label="(no API key)",
    ),
    Dimension(
        "person",
        "actor_id",
        {**_by_own_name("actor", *_ANALYTICS), Report.CLAUDE_CODE: ALWAYS},
        label_column="person",
        kinds=(NameKind.PERSON, NameKind.SERVICE_ACCOUNT, NameKind.API_KEY),
        unnamed=actor_label,
        null_label="(not attributed)",
    ),
    _with_description("model", *_WITH_KEYS),
    Dimension("product", "product", _by_own_name("product", *_ANALYTICS)),
    _with_description("description"),
    _with_description("cost_type", Report.ANALYTICS_COST),
    _with_description("service_tier", *_WITH_KEYS),
    _with_description("context_window", *_WITH_KEYS),
    _with_description("token_type", Report.ANALYTICS_COST),
    _with_description("inference_geo", *_WITH_KEYS),
    Dimension("speed", "speed", _by_own_name("speed", *_WITH_KEYS)),
    Dimension("terminal_type", "terminal_type", {Report.CLAUDE_CODE: ALWAYS}),
    Dimension("customer_type", "customer_type", {Report.CLAUDE_CODE: ALWAYS}),
)
BY_COLUMN = {dimension.column: dimension for dimension in DIMENSIONS}
BY_NAME = {dimension.name: dimension for dimension in DIMENSIONS}
TIMES = ("day", "month")
"""The names for `--by` that group by time. Their columns are `date` and `month`."""


def dimensions_of(report: Report) -> tuple[str, ...]:
    """Return the names for `--by` that are valid for a report, time first."""
    return (*TIMES, *(dimension.name for dimension in DIMENSIONS if report in dimension.grouped_by))


def columns_of(report: Report) -> tuple[str, ...]:
    """Return the columns of the dimensions that a report has."""
    return tuple(dimension.column for dimension in DIMENSIONS if report in dimension.grouped_by)


@cache  # called for each day of a result, and there are few groupings
def missing_columns(report: Report, columns: tuple[str, ...], group_by: frozenset[str]) -> frozenset[str]:
    """Return the columns that have no values in a series with this grouping.

    Columns that are not dimensions, such as the currency, always have values.
    """
    needed_by = {column: BY_COLUMN[column].grouped_by[report] for column in columns if column in BY_COLUMN}
    return frozenset(column for column, needed in needed_by.items() if needed != ALWAYS and needed not in group_by)
