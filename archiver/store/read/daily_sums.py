"""Sums of the canonical series of each day, by time and by dimensions.

The canonical series of a day is the series that the daily views use for it. A part of time is what the caller groups
days by, for example a month.

SQL groups by two small integers: the number of a part of time, and the number of a set of dimension values. Python maps
these numbers to dates and texts. That keeps texts out of the inner loop, which can read millions of rows.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from operator import add, itemgetter
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from archiver.reports import SPECS
from archiver.reports.cost import REMAINDER_UNITS_PER_MICROCENT
from archiver.reports.dimensions import BY_NAME, Label, columns_of, missing_columns
from archiver.store.statements import insert_many, script, sql

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
    from datetime import date

    from archiver.model import Report

_READ_AFTER_ITS_END = 1


@dataclass(frozen=True, slots=True)
class Day:
    """A UTC day and the series that is used for it.

    Attributes:
        start: The start of the day, in UTC seconds.
        series_id: The id of the series.
        is_daily: Whether each bucket of the series is a day. For series of hours or minutes the stored daily sums are
            read.
        group_by: The dimensions that the series is grouped by.
        rank: 2 if the day is settled, 1 if it was read after it had ended, 0 if it was read before its end.
    """

    start: int
    series_id: int
    is_daily: bool
    group_by: frozenset[str]
    rank: int

    @property
    def date(self) -> date:
        """The UTC date of the day."""
        return datetime.fromtimestamp(self.start, UTC).date()

    @property
    def is_whole(self) -> bool:
        """Whether the day was read after it had ended."""
        return self.rank > 0

    @property
    def is_provisional(self) -> bool:
        """Whether the day was read after it had ended, but is not settled."""
        return self.rank == _READ_AFTER_ITS_END


_EVERYTHING: Mapping[str, str | None] = MappingProxyType({})


class Sum(NamedTuple):
    """Sums of one part of time and one set of dimension values.

    Attributes:
        part: The part of time, as the caller's function `part_of` returned it.
        values: The dimension values, in the order of the requested columns.
        last_day: The start of the newest day in the sums, in UTC seconds.
        sums: For usage, the six counts. For money, the amount and the credits in it, in 1e-18 cents. For Claude Code,
            the sums that `claude-code.select_sums` selects.
    """

    part: Any
    values: tuple[Any, ...]
    last_day: int
    sums: list[int]


@dataclass(slots=True)
class Line:
    """One line of a grouped result.

    Attributes:
        values: Column → value.
        sums: The sums, as in `Sum`.
        last_day: The start of the newest day in the sums, in UTC seconds.
        missing: The columns that the series of the days are not grouped by. Their value is Label.NOT_GROUPED.
        slots: Slot of time (for example one step of a sparkline) → the sums of its days; empty if no slots were
            requested.
    """

    values: dict[str, Any]
    sums: list[int]
    last_day: int
    missing: frozenset[str] = frozenset()
    slots: dict[int, list[int]] = field(default_factory=dict)

    def add(self, slot: int | None, last_day: int, sums: list[int]) -> None:
        """Add the sums of more days, and add them to a slot unless it is None."""
        self.last_day = max(self.last_day, last_day)
        self.sums = list(map(add, self.sums, sums)) if self.sums else sums
        if slot is not None:
            slot_sums = self.slots.get(slot)
            self.slots[slot] = list(map(add, slot_sums, sums)) if slot_sums else sums


def read_days(
    connection: sqlite3.Connection, report: Report, dimension: str, since: str | None, until: str | None
) -> list[Day]:
    """Read the days of a report that have a canonical series, in order.

    `since` and `until` are dates; `until` is exclusive, and None is no bound. `dimension` selects the choice of series
    that prefers those grouped by this dimension; "" selects the choice for all other purposes.
    """
    values = {"report": report, "dimension": dimension, "since": start_of(since), "until": start_of(until)}
    return [_day(row) for row in connection.execute(sql("select_days"), values)]


def read_grouped_days(  # noqa: PLR0913, PLR0917  # which days, as of when
    connection: sqlite3.Connection,
    report: Report,
    dimension: str,
    since: str | None,
    until: str | None,
    moment: int | None = None,
) -> list[Day]:
    """Read the days of unfiltered series that are grouped by a dimension.

    They are those read by `moment`, in UTC seconds; None: now. A day can have several series. The series with the
    finest grouping comes first. Bounds are as in `read_days`.
    """
    bounds = {"since": start_of(since), "until": start_of(until), "moment": moment}
    values = {"report": report, "dimension": dimension, **bounds}
    return [_day(row) for row in connection.execute(sql("select_grouped_days"), values)]


def _day(row: tuple[Any, ...]) -> Day:
    start, series_id, is_daily, group_by, rank = row
    # An empty `group_by` splits into one empty text, which `filter` removes.
    return Day(start, series_id, bool(is_daily), frozenset(filter(None, group_by.split(","))), rank)


def start_of(day: str | None) -> int | None:
    """Return the start of a date in UTC seconds; None for None."""
    return None if day is None else int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp())


def read_sums(  # noqa: PLR0913, PLR0917  # which sums, of what
    connection: sqlite3.Connection,
    report: Report,
    columns: Sequence[str],
    days: Iterable[Day],
    part_of: Callable[[Day], Hashable],
    where: Mapping[str, str | None] = _EVERYTHING,
) -> Iterator[Sum]:
    """Yield the sums of days by part of time and by the values of columns.

    `part_of` returns the part of time that a day belongs to, for example its month. With `where`, a map from columns to
    values, only rows with these values are summed.

    Raises:
        sqlite3.Error: A sum does not fit 64 bits. The caller's `translated` makes it a ConfigurationError.
    """
    for statement in script("daily_sums").split(";\n"):
        connection.execute(statement)  # not executescript: it commits first, which ends the snapshot
    # `setdefault` numbers each new part, in the order of first use.
    parts: dict[Hashable, int] = {}
    selected = [(d.series_id, d.start, d.is_daily, parts.setdefault(part_of(d), len(parts))) for d in days]
    insert_many(connection, "insert_selected_day", selected)
    dimensions = connection.execute(sql(f"{report}.select_dimensions"))
    names = [column[0] for column in dimensions.description]
    indexes = [names.index(column) for column in columns]
    # Sets of dimension values that are equal in the requested columns get the same line. The first column is their id.
    lines: dict[tuple[Any, ...], int] = {}
    wanted = [(names.index(column), value) for column, value in where.items()]
    keys = [
        (row[0], lines.setdefault(tuple([row[i] for i in indexes]), len(lines)))
        for row in dimensions
        if all(row[i] == value for i, value in wanted)
    ]
    insert_many(connection, "insert_selected_key", keys)
    part_list, line_list = list(parts), list(lines)  # by number: a dict keeps the order of insertion
    for part, line, last_day, *sums in connection.execute(sql(f"{report}.select_sums")):
        exact = _exact(*sums) if SPECS[report].is_money else sums
        yield Sum(part_list[part], line_list[line], last_day, exact)


def _exact(microcents: int, remainder: int, credit: int, credit_remainder: int) -> list[int]:
    """Return the amount and the credits in it, in 1e-18 cents."""
    return [
        microcents * REMAINDER_UNITS_PER_MICROCENT + remainder,
        credit * REMAINDER_UNITS_PER_MICROCENT + credit_remainder,
    ]


@dataclass(frozen=True, slots=True)
class Cube:
    """Sums by day and columns in memory: several results need one read.

    Attributes:
        columns: The columns of the values in `rows`.
        days: The days that were read, also those without sums.
        rows: Day → its sums.
    """

    columns: tuple[str, ...]
    days: frozenset[Day]
    rows: Mapping[Day, Sequence[Sum]]

    @classmethod
    def of(cls, columns: Sequence[str], days: Iterable[Day], sums: Iterable[Sum]) -> Cube:
        """Return the cube of sums that have a day as their part of time.

        No two sums of a day have the same values.
        """
        rows: dict[Day, list[Sum]] = {}
        for day_sum in sums:
            rows.setdefault(day_sum.part, []).append(day_sum)
        return cls(tuple(columns), frozenset(days), rows)

    def has(self, columns: Collection[str], days: Iterable[Day]) -> bool:
        """Return whether the cube has all of these columns and days."""
        return set(columns) <= set(self.columns) and self.days.issuperset(days)

    def folded(self, columns: Sequence[str]) -> Cube:
        """Return a cube with only some of the columns.

        Sums of a day with equal values in these columns are added up.
        """
        pick = _picker([self.columns.index(column) for column in columns])
        rows = {}
        for day, day_sums in self.rows.items():
            merged: dict[tuple[Any, ...], list[int]] = {}
            for day_sum in day_sums:
                values = pick(day_sum.values)
                sums = merged.get(values)
                merged[values] = day_sum.sums if sums is None else list(map(add, sums, day_sum.sums))
            rows[day] = [Sum(day, values, day.start, sums) for values, sums in merged.items()]
        return Cube(tuple(columns), self.days, rows)

    def sums(self, columns: Sequence[str], days: Iterable[Day], part_of: Callable[[Day], Hashable]) -> Iterator[Sum]:
        """Yield sums by part of time and by the values of some of the columns.

        Unlike the sums of `read_sums`, several sums can have the same part and values.
        """
        pick = _picker([self.columns.index(column) for column in columns])
        for day in days:
            part = part_of(day)
            for _, values, last_day, sums in self.rows.get(day, ()):
                yield Sum(part, pick(values), last_day, sums)


def _picker(indexes: Sequence[int]) -> Callable[[tuple[Any, ...]], tuple[Any, ...]]:
    """Return a function that picks the values at some indexes of a tuple."""
    # An itemgetter of one index would return the value itself and not a tuple, and it needs at least one index.
    if len(indexes) > 1:
        return itemgetter(*indexes)
    return lambda values: tuple([values[i] for i in indexes])


def group_columns(report: Report, by: Iterable[str]) -> list[str]:
    """Return the columns of a grouping in their fixed order.

    `by` has names for `--by`. The columns of time come first, then those of dimensions, then the currency for money.
    """
    # The column of `day` is `date`; all other names that are not in BY_NAME are columns themselves.
    wanted = {BY_NAME[name].column if name in BY_NAME else {"day": "date"}.get(name, name) for name in by}
    times = [column for column in ("date", "month") if column in wanted]
    dimensions = [column for column in columns_of(report) if column in wanted]
    return [*times, *dimensions, *(["currency"] if SPECS[report].is_money else [])]


def group_lines(
    sums: Callable[[list[str], Callable[[Day], Hashable]], Iterable[Sum]],
    report: Report,
    by: Iterable[str],
    slot_of: Callable[[Day], int] | None = None,
) -> list[Line]:
    """Group sums into lines, in order of their values.

    `sums` yields the sums for columns and a function `part_of`, as `read_sums` does. `slot_of` returns the slot of time
    of a day; None: lines have no slots.

    A column that the series of a day is not grouped by has the value Label.NOT_GROUPED, which no API value equals. So
    such days are never added to a line of days that have the column.
    """
    columns = group_columns(report, by)
    value_columns = [column for column in columns if column not in {"date", "month"}]

    def part_of(day: Day) -> Hashable:
        # The date is computed only if a column of time needs it: there are thousands of days.
        date = day.date if len(value_columns) < len(columns) else None
        return (
            f"{date}" if "date" in columns else None,
            f"{date:%Y-%m}" if "month" in columns else None,
            slot_of(day) if slot_of else None,
            missing_columns(report, tuple(value_columns), day.group_by),
        )

    lines: dict[tuple[Any, ...], Line] = {}
    for (date, month, slot, missing), values, last_day, added in sums(value_columns, part_of):
        labelled = values
        if missing:
            pairs = zip(value_columns, values, strict=True)
            labelled = tuple(Label.NOT_GROUPED if column in missing else value for column, value in pairs)
        key = (date, month, *labelled)
        if key not in lines:
            named = {"date": date, "month": month} | dict(zip(value_columns, labelled, strict=True))
            lines[key] = Line({column: named[column] for column in columns}, [], last_day, missing)
        lines[key].add(slot, last_day, added)
    return [lines[key] for key in sorted(lines, key=lambda key: tuple(map(_order, key)))]


def _order(value: Any) -> tuple[int, str]:
    """Return the sort key of a value: nulls first, then labels, then texts."""
    if value is None:
        return (0, "")
    return (1, str(value)) if isinstance(value, Label) else (2, value)
