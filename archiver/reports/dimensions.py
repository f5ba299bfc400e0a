"""The dimensions of reports: one table, so that adding one is one edit."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import TYPE_CHECKING

from archiver.model import Report

if TYPE_CHECKING:
    from collections.abc import Mapping

NONE_LABEL = "(none)"


class Label(Enum):
    """A value of this program in place of an API value.

    It is equal to no text of the API.
    """

    NOT_GROUPED = "(not grouped)"
    NOT_ALLOCATED = "(not allocated)"
    OTHERS = "(others)"
    TOTAL = "total"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, slots=True)
class Dimension:
    """One way to group numbers.

    Attributes:
        name: The word of `--by`.
        column: The column that identifies a value, in the archive and in reports.
        grouped_by: Report → the `group_by` dimension that a series needs for the column to have a meaning. The cost
            report sends most columns parsed, together with `description`.
        label: The column of the readable name; None where the value is readable itself.
        null_label: What an API null of a series that is grouped by the dimension means.
    """

    name: str
    column: str
    grouped_by: Mapping[Report, str]
    label: str | None = None
    null_label: str = NONE_LABEL


def _parsed(name: str, *, usage: bool = False) -> Dimension:
    """Return a dimension that the cost report parses out of its description."""
    return Dimension(name, name, {Report.COST: "description"} | ({Report.USAGE: name} if usage else {}))


DIMENSIONS = (
    Dimension(
        "workspace",
        "workspace_id",
        {Report.COST: "workspace_id", Report.USAGE: "workspace_id"},
        label="workspace",
        null_label="(default workspace)",
    ),
    Dimension("api_key", "api_key_id", {Report.USAGE: "api_key_id"}, label="api_key", null_label="(no API key)"),
    _parsed("model", usage=True),
    _parsed("description"),
    _parsed("cost_type"),
    _parsed("service_tier", usage=True),
    _parsed("context_window", usage=True),
    _parsed("token_type"),
    _parsed("inference_geo", usage=True),
    Dimension("speed", "speed", {Report.USAGE: "speed"}),
)
BY_COLUMN = {one.column: one for one in DIMENSIONS}
BY_NAME = {one.name: one for one in DIMENSIONS}
TIMES = ("day", "month")
"""The words of `--by` that group by time; their columns are `date` and `month`."""


def dimensions_of(report: Report) -> tuple[str, ...]:
    """Return the words of `--by` that a report has, time first."""
    return (*TIMES, *(one.name for one in DIMENSIONS if report in one.grouped_by))


def columns_of(report: Report) -> tuple[str, ...]:
    """Return the columns of a report's rows that are dimensions."""
    return tuple(one.column for one in DIMENSIONS if report in one.grouped_by)


@cache  # called for every line of every day, and there are few groupings
def missing_columns(report: Report, columns: tuple[str, ...], group_by: frozenset[str]) -> frozenset[str]:
    """Return the columns without a meaning in a series of this grouping."""
    known = {column: BY_COLUMN[column].grouped_by[report] for column in columns if column in BY_COLUMN}
    return frozenset(column for column, needed in known.items() if needed not in group_by)
