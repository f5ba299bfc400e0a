"""Sums of the canonical series of each day, by time and by dimensions.

SQL groups by two small integers, one for the part of time and one for the set of values. Python maps them to dates and
texts. That keeps texts out of the inner loop, which can read millions of rows.
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
        is_daily: Whether the series has buckets of days. For others the stored daily sums are read.
        group_by: The dimensions that the series is grouped by.
        rank: 2 settled, 1 read after the day had ended, 0 read before.
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
        """Whether the day had ended when it was read, and may still change."""
        return self.rank == _READ_AFTER_ITS_END


_EVERYTHING: Mapping[str, str | None] = MappingProxyType({})


class Sum(NamedTuple):
    """Sums of one part of time and one set of dimension values.

    `values` are in the order of the requested columns. `last_day` is the start of the newest day, in UTC seconds.
    `sums` of usage are the six counts. `sums` of money are the amount and the credits in it, in 1e-18 cents.
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
        last_day: The start of the newest day, in UTC seconds.
        missing: The columns that the series of the days are not grouped by. Their value is Label.NOT_GROUPED.
        slots: Slot of time → the sums of its days; empty if no slots were requested.
    """

    values: dict[str, Any]
    sums: list[int]
    last_day: int
    missing: frozenset[str] = frozenset()
    slots: dict[int, list[int]] = field(default_factory=dict)

    def add(self, slot: int | None, last_day: int, sums: list[int]) -> None:
        """Add the sums of more days."""
        self.last_day = max(self.last_day, last_day)
        self.sums = list(map(add, self.sums, sums)) if self.sums else sums
        if slot is not None:
            before = self.slots.get(slot)
            self.slots[slot] = list(map(add, before, sums)) if before else sums


def read_days(
    connection: sqlite3.Connection, report: Report, dimension: str, since: str | None, until: str | None
) -> list[Day]:
    """Read the days of a report that have a canonical series, in order.

    Bounds are dates, `until` exclusive.
    """
    values = {"report": report, "dimension": dimension, "since": start_of(since), "until": start_of(until)}
    return [_day(row) for row in connection.execute(sql("select_days"), values)]


def read_grouped_days(
    connection: sqlite3.Connection, report: Report, dimension: str, since: str | None, until: str | None
) -> list[Day]:
    """Read the days of unfiltered series that are grouped by a dimension.

    A day can have several series. The one of the finest grouping is first.
    """
    values = {"report": report, "dimension": dimension, "since": start_of(since), "until": start_of(until)}
    return [_day(row) for row in connection.execute(sql("select_grouped_days"), values)]


def _day(row: tuple[Any, ...]) -> Day:
    start, series_id, is_daily, group_by, rank = row
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

    `part_of` returns the part of a day, for example its month. With `where`, a map from columns to values, only rows
    with these values are summed.

    Raises:
        sqlite3.Error: A sum does not fit 64 bits. The caller's `translated` makes it a ConfigurationError.
    """
    for statement in script("daily_sums").split(";\n"):
        connection.execute(statement)  # not executescript: it commits first, which ends the snapshot
    parts: dict[Hashable, int] = {}
    selected = [(d.series_id, d.start, d.is_daily, parts.setdefault(part_of(d), len(parts))) for d in days]
    insert_many(connection, "insert_selected_day", selected)
    dimensions = connection.execute(sql(f"{report}.select_dimensions"))
    names = [column[0] for column in dimensions.description]
    at = [names.index(one) for one in columns]
    # Sets of dimension values that are equal in the requested columns get the same line.
    lines: dict[tuple[Any, ...], int] = {}
    wanted = [(names.index(column), value) for column, value in where.items()]
    keys = [
        (row[0], lines.setdefault(tuple([row[i] for i in at]), len(lines)))
        for row in dimensions
        if all(row[i] == value for i, value in wanted)
    ]
    insert_many(connection, "insert_selected_key", keys)
    part_list, line_list = list(parts), list(lines)
    for part, line, last_day, *sums in connection.execute(sql(f"{report}.select_sums")):
        exact = _exact(*sums) if SPECS[report].is_money else sums
        yield Sum(part_list[part], line_list[line], last_day, exact)


def _exact(microcents: int, remainder: int, credit: int, credit_remainder: int) -> list[int]:
    return [
        microcents * REMAINDER_UNITS_PER_MICROCENT + remainder,
        credit * REMAINDER_UNITS_PER_MICROCENT + credit_remainder,
    ]


@dataclass(frozen=True, slots=True)
class Cube:
    """Sums by day and columns, in memory, for several results from one read."""

    columns: tuple[str, ...]
    days: frozenset[Day]
    rows: Mapping[Day, Sequence[Sum]]

    @classmethod
    def of(cls, columns: Sequence[str], days: Iterable[Day], sums: Iterable[Sum]) -> Cube:
        """Return the cube of sums by day, of which none have the same values."""
        rows: dict[Day, list[Sum]] = {}
        for one in sums:
            rows.setdefault(one.part, []).append(one)
        return cls(tuple(columns), frozenset(days), rows)

    def has(self, columns: Collection[str], days: Iterable[Day]) -> bool:
        """Return whether sums by these columns can be added up from it."""
        return set(columns) <= set(self.columns) and self.days.issuperset(days)

    def folded(self, columns: Sequence[str]) -> Cube:
        """Return the cube of some of the columns."""
        pick = _picker([self.columns.index(one) for one in columns])
        rows = {}
        for day, of_day in self.rows.items():
            merged: dict[tuple[Any, ...], list[int]] = {}
            for one in of_day:
                values = pick(one.values)
                sums = merged.get(values)
                merged[values] = one.sums if sums is None else list(map(add, sums, one.sums))
            rows[day] = [Sum(day, values, day.start, sums) for values, sums in merged.items()]
        return Cube(tuple(columns), self.days, rows)

    def sums(self, columns: Sequence[str], days: Iterable[Day], part_of: Callable[[Day], Hashable]) -> Iterator[Sum]:
        """Yield sums as `read_sums` does, for some of the columns.

        Unlike there, several sums can have the same part and values.
        """
        pick = _picker([self.columns.index(one) for one in columns])
        for day in days:
            part = part_of(day)
            for _, values, last_day, sums in self.rows.get(day, ()):
                yield Sum(part, pick(values), last_day, sums)


def _picker(at: Sequence[int]) -> Callable[[tuple[Any, ...]], tuple[Any, ...]]:
    """Return a function that picks these values of a tuple. An itemgetter of one place would return no tuple."""
    if len(at) > 1:
        return itemgetter(*at)
    return lambda values: tuple([values[i] for i in at])


def group_columns(report: Report, by: Iterable[str]) -> list[str]:
    """Return the columns of a grouping in their fixed order.

    They are those of time, the dimensions, and for money the currency.
    """
    wanted = {BY_NAME[one].column if one in BY_NAME else {"day": "date"}.get(one, one) for one in by}
    times = [one for one in ("date", "month") if one in wanted]
    return [*times, *(one for one in columns_of(report) if one in wanted), *["currency"] * SPECS[report].is_money]


def group_lines(
    sums: Callable[[list[str], Callable[[Day], Hashable]], Iterable[Sum]],
    report: Report,
    by: Iterable[str],
    slot_of: Callable[[Day], int] | None = None,
) -> list[Line]:
    """Group sums into lines, in order of their values.

    A column that the series of a day is not grouped by has the value Label.NOT_GROUPED, which no API value equals. So
    such days are never added to a line of days that have the column.
    """
    columns = group_columns(report, by)
    values_of = [one for one in columns if one not in {"date", "month"}]

    def part_of(day: Day) -> Hashable:
        # The date is computed only if a column of time needs it: there are thousands of days.
        date = day.date if len(values_of) < len(columns) else None
        return (
            f"{date}" if "date" in columns else None,
            f"{date:%Y-%m}" if "month" in columns else None,
            slot_of(day) if slot_of else None,
            missing_columns(report, tuple(values_of), day.group_by),
        )

    lines: dict[tuple[Any, ...], Line] = {}
    for (date, month, slot, missing), values, last_day, added in sums(values_of, part_of):
        labelled = values
        if missing:
            pairs = zip(values_of, values, strict=True)
            labelled = tuple(Label.NOT_GROUPED if column in missing else value for column, value in pairs)
        key = (date, month, *labelled)
        if key not in lines:
            named = {"date": date, "month": month} | dict(zip(values_of, labelled, strict=True))
            lines[key] = Line({one: named[one] for one in columns}, [], last_day, missing)
        lines[key].add(slot, last_day, added)
    return [lines[key] for key in sorted(lines, key=lambda key: tuple(map(_order, key)))]


def _order(value: Any) -> tuple[int, str]:
    """Order API nulls first, labels second, and values by their text."""
    return (0, "") if value is None else (1, str(value)) if isinstance(value, Label) else (2, value)
