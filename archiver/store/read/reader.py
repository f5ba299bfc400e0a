"""Reading an archive, also while a sync writes to it.

A reader does not take the lock of the archive, and never sees a window that is only partly written.
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
        DamagedError, LockedError, NewerError, StorageError: The file is damaged, locked, too new, or cannot be read.
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
        ConfigurationError: The target exists, there is no archive, or it needs `archiver migrate` first.
        DamagedError, NewerError, StorageError: A file cannot be read or written; the target is deleted again.
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
    """The part of a day that is archived in a series of hours or minutes.

    Attributes:
        seconds: The number of seconds of the day that are archived.
        until: The end of the last archived bucket of the day, in UTC seconds.
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
        where: Column of a dimension → the only value to read; None for an API null. Days with a series that is not
            grouped by these dimensions are left out.
    """

    connection: sqlite3.Connection
    path: Path
    as_of: int | None = None
    where: Mapping[str, str | None] = field(default_factory=dict)
    _cubes: dict[Report, list[Cube]] = field(default_factory=lambda: defaultdict(list), init=False)
    _names: dict[tuple[str, str], list[tuple[int, int, str | None]]] | None = None  # (kind, id) → since, until, name
    _results: dict[Hashable, Any] = field(default_factory=dict, init=False)

    def once(self, key: Hashable, read: Callable[[], T]) -> T:
        """Return the result of `read`, which is called once for each key.

        A snapshot does not change, so a later call would have the same result.
        """
        if key not in self._results:
            self._results[key] = read()
        result: T = self._results[key]
        return result

    def status(self) -> ArchiveStatus:
        """Read coverage, suspects, freshness and the last run, always of now."""
        return read_status(self.connection, self.path)

    def days(
        self, report: Report, since: str | None = None, until: str | None = None, *, dimension: str = ""
    ) -> list[Day]:
        """Read the days that have a canonical series.

        `since` and `until` (exclusive) are dates. `dimension` is only for analytics-cost: `api_key_id`, `actor` or
        `product`. Each day then has a series that is grouped by it, if one was read after the day had ended.

        Raises:
            ConfigurationError: The report does not have all dimensions of `where`.
        """
        return self._filter_days(report, read_days(self.connection, report, dimension, since, until))

    def grouped_days(
        self, report: Report, dimension: str, since: str | None = None, until: str | None = None
    ) -> list[Day]:
        """Read the days of unfiltered series that are grouped by a dimension.

        A day can have several series, the finest grouping first.

        Raises:
            ConfigurationError: As in `days`.
        """
        return self._filter_days(
            report, read_grouped_days(self.connection, report, dimension, since, until, self.as_of)
        )

    def has_where(self, report: Report) -> bool:
        """Return whether a report has all dimensions of `where`."""
        return all(report in BY_COLUMN[column].grouped_by for column in self.where)

    def _filter_days(self, report: Report, days: list[Day]) -> list[Day]:
        """Return the days with a series that is grouped by the dimensions of `where`."""
        if not self.has_where(report):
            names = [BY_COLUMN[column].name for column in self.where if report not in BY_COLUMN[column].grouped_by]
            raise ConfigurationError(f"the {report} report has no {names[0].replace('_', ' ')}")
        columns = tuple(self.where)
        return [day for day in days if not missing_columns(report, columns, day.group_by)] if columns else days

    def keep_sums(self, report: Report, columns: Sequence[str], days: Sequence[Day]) -> None:
        """Read sums by day and columns, and keep them in memory.

        Later calls of this method and of `sums` add up kept sums and read no rows, if kept sums have all their columns
        and days. The sums that were kept last are tried first.
        """
        finer = next((cube for cube in self._cubes[report] if cube.has(columns, days)), None)
        new_cube = (
            Cube.of(columns, days, read_sums(self.connection, report, columns, days, lambda day: day))
            if (finer is None)
            else finer.folded(columns)
        )
        self._cubes[report].insert(0, new_cube)

    def sums(
        self, report: Report, columns: Sequence[str], days: Sequence[Day], part_of: Callable[[Day], Hashable]
    ) -> Iterator[Sum]:
        """Yield the sums of days by part of time and by the values of columns.

        `part_of` returns the part of time that a day belongs to, for example its month. Several sums can have the same
        part and values.
        """
        if not days:
            return iter(())
        if self.where:  # the kept sums are those of all values
            return read_sums(self.connection, report, columns, days, part_of, self.where)
        for cube in self._cubes[report]:
            if cube.has(columns, days):
                return cube.sums(columns, days, part_of)
        return read_sums(self.connection, report, columns, days, part_of)

    def lines(
        self, report: Report, by: Iterable[str], days: Sequence[Day], slot_of: Callable[[Day], int] | None = None
    ) -> list[Line]:
        """Return the sums of days, grouped by `by`, which has names for `--by`.

        `slot_of` returns the slot of time of a day; None: lines have no slots. Names of objects are those at the end of
        the newest day of each line.
        """
        lines = group_lines(lambda columns, part_of: self.sums(report, columns, days, part_of), report, by, slot_of)
        for line in lines:
            line.values = self.with_labels(line.values, line.last_day)
        return lines

    def hourly_days(self, day: date) -> list[HourlyDay]:
        """Read the usage series of hours or minutes that have a part of a UTC day.

        They are those of now, also with `as_of`, the last read first.
        """
        start = start_of(f"{day}")
        assert start is not None
        found = self.connection.execute(sql("select_hourly_series"), {"start": start})
        return [
            HourlyDay(Day(start, series_id, False, frozenset(filter(None, group_by.split(","))), rank), seconds, until)  # noqa: FBT003  # a series of hours
            for series_id, group_by, seconds, until, rank in found
        ]

    def usage_by_hour(self, day: Day) -> Iterator[tuple[int, dict[str, Any], list[int]]]:
        """Yield the usage of a day by hour, from a series of hours or minutes.

        Each item has the start of an hour in UTC seconds, the values of the dimensions, and the six counts.
        """
        names = ("workspace_id", "api_key_id", "model", "service_tier", "context_window")  # as in the statement
        missing = missing_columns(Report.USAGE, names, day.group_by)
        parameters = {"series_id": day.series_id, "start": day.start}
        for hour, *values in self.connection.execute(sql("select_usage_by_hour"), parameters):
            named = zip(names, values, strict=False)  # not strict, because the six counts follow the dimensions
            yield (
                hour,
                {name: Label.NOT_GROUPED if name in missing else value for name, value in named},
                values[len(names) :],
            )

    def with_labels(self, values: dict[str, Any], day: int) -> dict[str, Any]:
        """Return values by column, with the label of each id; see `name_at`."""
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
        """Return the name of an object at the end of a day; None without one.

        `key` is the id of the object, and `day` is the start of the day in UTC seconds.
        """
        if self._names is None:
            self._names = defaultdict(list)
            for named_kind, identity, name, since, until in self.connection.execute(sql("select_name_periods")):
                self._names[named_kind, identity].append((since, until, name))
        end = day + DAY  # a name that is first seen at the end itself belongs to the next day
        return next((name for since, until, name in self._names.get((kind, key), ()) if since < end <= until), None)

    def spend_limits(self) -> list[SpendLimit]:
        """Read the spend limits of the API.

        The default workspace has the `scope_id` None, as in the cost report.
        """
        found = self.connection.execute(sql("select_spend_limits"), {"moment": self.as_of})
        return [SpendLimit(*row) for row in found]

    def api_keys(self) -> list[ApiKey]:
        """Read every API key that the API has listed, as it was last listed."""
        return [ApiKey(*row) for row in self.connection.execute(sql("select_api_keys"), {"moment": self.as_of})]

    def workspaces(self) -> dict[str, list[str | None]]:
        """Read the names of every archived workspace, by its id, the newest last.

        A list also has None for each time that the workspace occurs in a report or in a list without a name.
        """
        names: dict[str, list[str | None]] = {}
        for workspace_id, name in self.connection.execute(sql("select_workspaces")):
            names.setdefault(workspace_id, []).append(name)
        return names

    def restatements(self, since: str | None, until: str | None) -> list[dict[str, Any]]:
        """Read the changes in settled buckets, one row for each changed field.

        These are the changes that were first seen from `since` to before `until` (times as text; None: no bound).
        """
        found = self.connection.execute(sql("select_restatements"), {"since": since, "until": until})
        names = [column[0] for column in found.description]
        return [dict(zip(names, row, strict=True)) for row in found]


@contextmanager
def open_archive_reader(path: Path, as_of: int | None = None) -> Iterator[ArchiveReader]:
    """Open one snapshot of an archive.

    `as_of` is the moment as of which it is read, in UTC seconds; None: now.

    Raises:
        ConfigurationError: There is no archive, it needs `archiver migrate`, or a sum does not fit 64 bits.
        DamagedError, LockedError, NewerError, StorageError: The file is damaged, locked, too new, or cannot be read.
    """
    with open_reader(path) as connection, translated(path, system=False):
        if as_of is not None:
            open_as_of(connection, as_of)
        connection.execute("BEGIN")
        yield ArchiveReader(connection, path, as_of)
