"""Reading an archive, also while a sync writes to it.

A reader sees whole windows only, and does not take the lock of the archive.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from archiver.errors import ConfigurationError
from archiver.model import DAY, ApiKey, Report, SpendLimit
from archiver.reports.dimensions import BY_COLUMN, Label, missing_columns
from archiver.store.damage import confirm_damage
from archiver.store.faults import translated
from archiver.store.files import check_file, create_private, read_only_uri
from archiver.store.migrate import check_schema, newest_version, shipped_migrations
from archiver.store.read.as_of import open_as_of
from archiver.store.read.daily_sums import Cube, Day, group_lines, read_days, read_grouped_days, read_sums, start_of
from archiver.store.read.status import ArchiveStatus, read_status
from archiver.store.statements import sql

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
    from datetime import date
    from pathlib import Path

    from archiver.reports.dimensions import Dimension
    from archiver.store.read.daily_sums import Line, Sum

T = TypeVar("T")


# A reader waits only while a writer opens or closes the file, or recovers it after a crash.
_BUSY_SECONDS = 10.0


@contextmanager
def open_reader(path: Path) -> Iterator[sqlite3.Connection]:
    """Open an archive for reading only.

    Raises:
        ConfigurationError: There is no archive, or it needs `archiver migrate` first.
        DamagedError, NewerError, StorageError: The file is damaged, too new, or cannot be read.
    """
    if not check_file(path):
        raise ConfigurationError(
            f"there is no archive at {path}", hint="make one with archiver sync, or give --db PATH"
        )
    with (
        confirm_damage(path),
        translated(path, system=False),
        closing(sqlite3.connect(read_only_uri(path), uri=True, timeout=_BUSY_SECONDS)) as connection,
    ):
        if check_schema(connection, path, shipped_migrations()):
            raise ConfigurationError(
                f"{path} was made by an older program; this one reads schema {newest_version()}",
                hint="run archiver migrate",
            )
        yield connection


def copy_archive(path: Path, target: Path) -> None:
    """Copy one snapshot of an archive to a new file.

    Raises:
        ConfigurationError: The target exists, or there is no archive.
        StorageError: The target cannot be written; it is deleted again.
    """
    with open_reader(path) as source:
        if target.exists() or target.is_symlink():
            raise ConfigurationError(f"{target} is there already", hint="name a file that is not")
        create_private(target)
        try:
            with translated(target), closing(sqlite3.connect(target)) as copy:
                source.backup(copy)
                copy.execute("PRAGMA journal_mode = DELETE")  # one file that can be moved, without a -wal
        except BaseException:
            target.unlink(missing_ok=True)
            raise


@dataclass(frozen=True, slots=True)
class HourlyDay:
    """The part of a day that a series of hours or minutes has.

    Attributes:
        seconds: How much of the day is archived.
        until: The end of the last archived bucket in it, in UTC seconds.
    """

    day: Day
    seconds: int
    until: int


@dataclass(slots=True)
class ArchiveReader:
    """One snapshot of an archive, now or as of an earlier time.

    All reads are within one transaction, so that a sync in between does not change the results.

    Attributes:
        as_of: The moment as of which the archive is read, in UTC seconds; None: now.
        where: Column of a dimension → the only value to read; None for an API null. Days that are not grouped by it
            are left out.
    """

    connection: sqlite3.Connection
    path: Path
    as_of: int | None = None
    where: Mapping[str, str | None] = field(default_factory=dict)
    _cubes: dict[Report, list[Cube]] = field(default_factory=lambda: defaultdict(list), init=False)
    _names: dict[tuple[str, str], list[tuple[int, int, str | None]]] | None = None
    _kept: dict[Hashable, Any] = field(default_factory=dict, init=False)

    def once(self, key: Hashable, read: Callable[[], T]) -> T:
        """Return the result of `read`, which is called once for each key.

        A snapshot does not change, so a later call would have the same result.
        """
        if key not in self._kept:
            self._kept[key] = read()
        result: T = self._kept[key]
        return result

    def status(self) -> ArchiveStatus:
        """Read coverage, suspects, freshness and the last run, as they are now."""
        return read_status(self.connection, self.path)

    def days(
        self, report: Report, since: str | None = None, until: str | None = None, *, dimension: str = ""
    ) -> list[Day]:
        """Read the days that have a canonical series.

        Bounds are dates, `until` exclusive. Of analytics-cost, days can be asked for by a `dimension` of `group_by`
        (`api_key_id`, `actor` or `product`): a day then has a series that is grouped by it, if one was read after the
        day had ended.
        """
        return self._grouped(report, read_days(self.connection, report, dimension, since, until))

    def grouped_days(
        self, report: Report, dimension: str, since: str | None = None, until: str | None = None
    ) -> list[Day]:
        """Read the days of unfiltered series that are grouped by a dimension.

        They are as they are now. A day can have several series; the one of the finest grouping is first.
        """
        return self._grouped(report, read_grouped_days(self.connection, report, dimension, since, until))

    def has_where(self, report: Report) -> bool:
        """Return whether a report has the dimensions of `where`."""
        return all(report in BY_COLUMN[column].grouped_by for column in self.where)

    def _grouped(self, report: Report, days: list[Day]) -> list[Day]:
        """Return the days that are grouped by the dimensions of `where`.

        Raises:
            ConfigurationError: The report has no such dimension.
        """
        if not self.has_where(report):
            names = [BY_COLUMN[column].name for column in self.where if report not in BY_COLUMN[column].grouped_by]
            raise ConfigurationError(f"the {report} report has no {names[0].replace('_', ' ')}")
        columns = tuple(self.where)
        return [day for day in days if not missing_columns(report, columns, day.group_by)] if columns else days

    def keep_sums(self, report: Report, columns: Sequence[str], days: Sequence[Day]) -> None:
        """Read sums by day and columns, and keep them in memory.

        Later results over the same days by fewer columns are added up from them, also sums that are kept later. They
        are from the sums that were kept last.
        """
        finer = next((one for one in self._cubes[report] if one.has(columns, days)), None)
        cube = (
            Cube.of(columns, days, read_sums(self.connection, report, columns, days, lambda day: day))
            if (finer is None)
            else finer.folded(columns)
        )
        self._cubes[report].insert(0, cube)

    def sums(
        self, report: Report, columns: Sequence[str], days: Sequence[Day], part_of: Callable[[Day], Hashable]
    ) -> Iterator[Sum]:
        """Yield the sums of days by part of time and by the values of columns."""
        if not days:
            return iter(())
        if self.where:
            return read_sums(self.connection, report, columns, days, part_of, self.where)
        for cube in self._cubes[report]:
            if cube.has(columns, days):
                return cube.sums(columns, days, part_of)
        return read_sums(self.connection, report, columns, days, part_of)

    def lines(
        self, report: Report, by: Iterable[str], days: Sequence[Day], slot_of: Callable[[Day], int] | None = None
    ) -> list[Line]:
        """Return the sums of days, grouped by the words of `--by`.

        Names of workspaces and keys are those at the end of the newest day of each line.
        """
        lines = group_lines(lambda columns, part_of: self.sums(report, columns, days, part_of), report, by, slot_of)
        for line in lines:
            line.values = self.with_labels(line.values, line.last_day)
        return lines

    def hourly_days(self, day: date) -> list[HourlyDay]:
        """Read the series of hours and minutes of usage of a UTC day.

        They have at least a part of it, as it is now; the last read is first.
        """
        start = start_of(f"{day}")
        assert start is not None
        found = self.connection.execute(sql("select_hourly_series"), {"start": start})
        return [
            HourlyDay(Day(start, series, False, frozenset(filter(None, group_by.split(","))), 0), seconds, until)  # noqa: FBT003  # a series of hours
            for series, group_by, seconds, until in found
        ]

    def usage_by_hour(self, day: Day) -> Iterator[tuple[int, dict[str, Any], list[int]]]:
        """Yield the usage of a day of a series of hours or minutes.

        Each item has the start of an hour in UTC seconds, the values of the dimensions, and the six counts.
        """
        names = ("workspace_id", "api_key_id", "model", "service_tier", "context_window")
        missing = missing_columns(Report.USAGE, names, day.group_by)
        parameters = {"series_id": day.series_id, "start": day.start}
        for hour, *values in self.connection.execute(sql("select_usage_by_hour"), parameters):
            named = zip(names, values, strict=False)
            yield (
                hour,
                {one: Label.NOT_GROUPED if one in missing else value for one, value in named},
                values[len(names) :],
            )

    def with_labels(self, values: dict[str, Any], day: int) -> dict[str, Any]:
        """Return values with a readable label after each id."""
        labelled: dict[str, Any] = {}
        for column, value in values.items():
            labelled[column] = value
            dimension = BY_COLUMN.get(column)
            if dimension is not None and dimension.label_column is not None:
                labelled[dimension.label_column] = self._label(dimension, value, day)
        return labelled

    def _label(self, dimension: Dimension, value: Any, day: int) -> Any:
        if value is None:
            return dimension.null_label
        if isinstance(value, Label):
            return value
        names = (self.name_at(kind, value, day) for kind in dimension.kinds)
        return next(filter(None, names), None) or dimension.unnamed(value)

    def name_at(self, kind: str, key: str, day: int) -> str | None:
        """Return the name of an id as it was known at the end of a day."""
        if self._names is None:
            self._names = defaultdict(list)
            for one, identity, name, since, until in self.connection.execute(sql("select_name_periods")):
                self._names[one, identity].append((since, until, name))
        end = day + DAY  # a name that is first seen at the end itself belongs to the next day
        return next((name for since, until, name in self._names.get((kind, key), ()) if since < end <= until), None)

    def spend_limits(self) -> list[SpendLimit]:
        """Read the spend limits of the API.

        The default workspace has the `scope_id` None, as in the cost report.
        """
        found = self.connection.execute(sql("select_spend_limits"), {"moment": self.as_of})
        return [SpendLimit(*row) for row in found]

    def api_keys(self) -> list[ApiKey]:
        """Read the API keys that are or were listed, as they were last listed."""
        return [ApiKey(*row) for row in self.connection.execute(sql("select_api_keys"), {"moment": self.as_of})]

    def workspaces(self) -> dict[str, list[str | None]]:
        """Read the names of every known workspace, by its id, the newest last.

        None stands for having no name.
        """
        names: dict[str, list[str | None]] = {}
        for one, name in self.connection.execute(sql("select_workspaces")):
            names.setdefault(one, []).append(name)
        return names

    def restatements(self, since: str | None, until: str | None) -> list[dict[str, Any]]:
        """Read the changes in settled buckets, one row for each field.

        They were first seen from `since` to before `until` (times as text).
        """
        found = self.connection.execute(sql("select_restatements"), {"since": since, "until": until})
        names = [column[0] for column in found.description]
        return [dict(zip(names, row, strict=True)) for row in found]


@contextmanager
def open_archive_reader(path: Path, as_of: int | None = None) -> Iterator[ArchiveReader]:
    """Open one snapshot of an archive.

    It is as of a moment in UTC seconds; None: now.

    Raises:
        ConfigurationError: There is no archive, it needs `archiver migrate`, or a sum does not fit 64 bits.
        DamagedError, NewerError, StorageError: The file is damaged, too new, or cannot be read.
    """
    with open_reader(path) as connection, translated(path, system=False):
        if as_of is not None:
            open_as_of(connection, as_of)
        connection.execute("BEGIN")
        yield ArchiveReader(connection, path, as_of)
