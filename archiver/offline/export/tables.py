"""The tables of a dataset, which are read by month."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, Protocol

from archiver.errors import ConfigurationError
from archiver.model import Report
from archiver.offline.periods import month as parse_month
from archiver.store.statements import FOREVER, sql

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from archiver.store.read.reader import ArchiveReader

VIEWS_OF = {
    Report.COST: ("daily_cost",),
    Report.USAGE: ("daily_tokens",),
    Report.ANALYTICS_COST: ("daily_cost_by_key", "daily_cost_by_person"),
    Report.CLAUDE_CODE: ("claude_code",),
}
"""The views that are exported of each report. They have one series of each day, so that sums over them are right."""
Rows = tuple[list[str], "Iterator[tuple[Any, ...]]"]
"""The names of the columns, and the rows."""
_OF_SERIES = re.compile(r"(usage|cost|analytics_usage|analytics_cost)_series_[0-9]+")


class Table(Protocol):
    """A table of a dataset."""

    @property
    def name(self) -> str:
        """The name of its folder."""

    @property
    def report(self) -> Report:
        """The report that its rows are from."""

    def is_archived(self, reader: ArchiveReader) -> bool:
        """Return whether anything of it was archived as of the time of the reader."""

    def months(self, reader: ArchiveReader, since: date | None, until: date | None) -> list[str]:
        """Return the months that can have rows, as `2026-10`.

        They are those with a day from `since` to before `until`.
        """

    def rows(self, reader: ArchiveReader, month: str) -> Rows:
        """Return all rows of a month."""


@dataclass(frozen=True, slots=True)
class View:
    """A daily view."""

    name: str
    report: Report

    def is_archived(self, reader: ArchiveReader) -> bool:
        """Return whether its report has a day."""
        return bool(reader.days(self.report))

    def months(self, reader: ArchiveReader, since: date | None, until: date | None) -> list[str]:
        """Return the months with rows, within the bounds."""
        bounds = {"since": f"{since}" if since else None, "until": f"{until}" if until else None}
        return [month for (month,) in reader.connection.execute(sql(f"{self.name}.select_months"), bounds)]

    def rows(self, reader: ArchiveReader, month: str) -> Rows:
        """Return all rows of a month."""
        return _read(reader, f"{self.name}.select_month", {"month": month})


@dataclass(frozen=True, slots=True)
class SeriesTable:
    """The rows of one series by bucket, as the API returned them, with names.

    A table has one series alone: sums over several would count the same use twice.
    """

    series_id: int
    report: Report

    @property
    def name(self) -> str:
        """The name of the folder, as `usage_series_3`."""
        return f"{self.report.replace('-', '_')}_series_{self.series_id}"

    def is_archived(self, reader: ArchiveReader) -> bool:
        """Return whether it has a row."""
        # Not by days: a series of some hours, or a filtered one, is that of no day.
        return any(next(self.rows(reader, month)[1], None) for month in self.months(reader, None, None))

    def months(self, reader: ArchiveReader, since: date | None, until: date | None) -> list[str]:
        """Return the months with archived buckets, within the bounds."""
        bounds = {
            "series_id": self.series_id,
            "start": 0 if since is None else _seconds(since.replace(day=1)),
            "end": FOREVER if until is None else _seconds(until),
        }
        return [month for (month,) in reader.connection.execute(sql("series.select_months"), bounds)]

    def rows(self, reader: ArchiveReader, month: str) -> Rows:
        """Return all rows of a month."""
        whole = parse_month(month)
        bounds = {"series_id": self.series_id, "start": _seconds(whole.since), "end": _seconds(whole.until)}
        return _read(reader, f"{self.report}.select_series_month", bounds)


def views_of(reports: Iterable[Report]) -> list[Table]:
    """Return the daily views of reports."""
    return [View(name, report) for report in reports for name in VIEWS_OF[report]]


def read_series_table(reader: ArchiveReader, series_id: int) -> SeriesTable:
    """Return the table of a series.

    Raises:
        ConfigurationError: There is no such series, or it is of the Claude Code report.
    """
    reports, texts = {}, []
    for number, report_name, width, group_by, filters in reader.connection.execute(sql("series.select_all")):
        reports[number] = Report(report_name)
        grouping = f"by {group_by}" if group_by else "(not grouped)"
        texts.append(f"{number}: {report_name} {width} {grouping}{f' where {filters}' if filters else ''}")
    if series_id not in reports:
        raise ConfigurationError(f"there is no series {series_id}", hint="; ".join(texts) or "run archiver sync first")
    report = reports[series_id]
    if report is Report.CLAUDE_CODE:
        # Its view has all rows of its only series.
        raise ConfigurationError(
            f"series {series_id} is of the Claude Code report", hint="use --report claude-code, which has all its rows"
        )
    return SeriesTable(series_id, report)


def is_table_name(name: str) -> bool:
    """Return whether a folder has the name of a table."""
    return any(name in views for views in VIEWS_OF.values()) or _OF_SERIES.fullmatch(name) is not None


def _read(reader: ArchiveReader, statement: str, parameters: dict[str, Any]) -> Rows:
    found = reader.connection.execute(sql(statement), parameters)
    return [column[0] for column in found.description], found


def _seconds(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
