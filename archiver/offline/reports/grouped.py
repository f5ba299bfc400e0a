"""Shared steps of the reports that group days by dimensions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from archiver.offline.reports.request import SelectedDays, select_days
from archiver.offline.tables.slots import Slots
from archiver.offline.tables.sparkline import SlotDays
from archiver.reports.dimensions import TIMES, Label, missing_columns
from archiver.store.read.daily_sums import group_columns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from archiver.model import Report
    from archiver.offline.reports.request import ReportRequest
    from archiver.offline.tables.table import Row
    from archiver.store.read.daily_sums import Line
    from archiver.store.read.reader import ArchiveReader

COUNTS = (
    "uncached_input_tokens",
    "cache_creation_1h_input_tokens",
    "cache_creation_5m_input_tokens",
    "cache_read_input_tokens",
    "output_tokens",
    "web_search_requests",
)
WEB_SEARCHES = COUNTS.index("web_search_requests")
COUNT_OF_TOKEN_TYPE = {
    "uncached_input_tokens": 0,
    "cache_creation.ephemeral_1h_input_tokens": 1,
    "cache_creation.ephemeral_5m_input_tokens": 2,
    "cache_read_input_tokens": 3,
    "output_tokens": 4,
}
"""`token_type` of a cost row → index of the count in COUNTS that a usage row has for the same tokens."""


def all_tokens(sums: Sequence[int]) -> int:
    """Return the sum of the token counts; `sums` has the order of COUNTS."""
    return sum(sums[:WEB_SEARCHES])


@dataclass(frozen=True, slots=True)
class Grouped:
    """The lines of a report, and the days that they sum.

    Attributes:
        selected: The days; without any, there are no lines.
        by: The dimensions of `--by` that the lines are grouped by.
        sparkline_days: The days of each slot of a sparkline; None for a report without sparklines.
    """

    selected: SelectedDays
    by: tuple[str, ...]
    lines: list[Line]
    sparkline_days: SlotDays | None

    @property
    def note(self) -> str:
        """The note on days that are missing or in progress; "" if there are none."""
        return self.selected.known.sentence() if self.selected.known else ""

    @property
    def title(self) -> str:
        """The period that the lines cover, in words; "" without archived days."""
        return self.selected.known.title() if self.selected.known else ""


def read_grouped(
    reader: ArchiveReader, report: Report, request: ReportRequest, by: tuple[str, ...], dimension: str = ""
) -> Grouped:
    """Read the lines of the selected days, grouped by `by`.

    `dimension` selects the series of analytics-cost, see `ArchiveReader.days`.
    """
    selected = select_days(reader, report, request, dimension)
    if selected.known is None:
        return Grouped(selected, by, [], None)
    slots = slots_for(request, selected, by)
    lines = reader.lines(report, by, selected.days, slots.of if slots else None)
    # The mean of a slot is over the days on which a line can have values: their series lack the same columns.
    columns = tuple(group_columns(report, by))
    days = ((day, missing_columns(report, columns, day.group_by)) for day in selected.days)
    return Grouped(selected, by, lines, SlotDays(days, slots) if slots else None)


def slots_for(request: ReportRequest, selected: SelectedDays, by: Sequence[str]) -> Slots | None:
    """Return the division of the selected period into slots of a sparkline.

    None if no sparklines are requested, if no day is selected, or if each line is about a single day.
    """
    if not request.sparklines or "day" in by or selected.known is None:
        return None
    period = selected.known.period
    return Slots.over(period.since, period.until, monthly="month" in by)


def total_row(columns: Sequence[str], **totals: object) -> Row:
    """Return the total row: a label in the first column, and `totals`.

    All other columns are None.
    """
    row: Row = dict.fromkeys(columns)
    row[columns[0]] = Label.TOTAL
    return row | totals


def is_by_time(by: Sequence[str]) -> bool:
    """Return whether a grouping is by time alone.

    Only such a report shows an archived day or month without rows as zero. With other dimensions it would need a row of
    zeros for each combination of their values.
    """
    return bool(by) and set(by) <= set(TIMES)


def times_of(selected: SelectedDays, by: Sequence[str]) -> list[Row]:
    """Return a row with the time columns for each archived day or month."""
    found: dict[tuple[str, ...], Row] = {}
    for day in selected.days:
        # Dimension of `--by` → its column, and the value of the day in this column.
        times = {"day": ("date", f"{day.date}"), "month": ("month", f"{day.date:%Y-%m}")}
        row: Row = dict(times[name] for name in TIMES if name in by)
        found[tuple(row.values())] = row
    return list(found.values())
