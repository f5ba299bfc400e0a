"""Sums of the canonical series of each day by whatever is chosen, on an open archive.

SQL adds integers up by two numbers, the part of time and the line; what they stand for is put to them here, once each.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.resources import files
from operator import add
from typing import TYPE_CHECKING, Any, Final

from archiver.store.statements import insert_many, sql

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Hashable, Iterable, Sequence
    from datetime import date

_DAY_SECONDS = 86400
_COST_PARTS = ("model", "description", "cost_type", "service_tier", "context_window", "token_type", "inference_geo")
ASKED_BY = {
    "cost": {"workspace_id": "workspace_id", **dict.fromkeys(_COST_PARTS, "description")},
    "usage": {one: one for one in ("workspace_id", "api_key_id", "model", "service_tier", "context_window")},
}
"""Which dimension a series has to be grouped by so that a column says something."""
_COLUMN_OF = {"day": "date", "workspace": "workspace_id", "api_key": "api_key_id"}
NAMED = {"workspace_id": "workspace", "api_key_id": "api_key"}


class Label(str):
    """A text of ours in place of a value; it equals itself alone, whatever text the API sent."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return self is other

    def __ne__(self, other: object) -> bool:
        return self is not other

    def __hash__(self) -> int:
        return id(self)


NOT_GROUPED: Final = Label("(not grouped)")
"""In place of a dimension that the series of those days was not grouped by."""


@dataclass(frozen=True, slots=True)
class Day:
    """A day that a series speaks for. `is_bucket`: that series is one of days; `asked`: what it is grouped by."""

    start: int
    series_id: int
    is_bucket: bool
    asked: frozenset[str]

    @property
    def date(self) -> date:
        """Its UTC date."""
        return datetime.fromtimestamp(self.start, UTC).date()


@dataclass(slots=True)
class Line:
    """One line of an answer: its columns, its sums, and the same sums by slot of time, where slots were asked for.

    `missing` are the columns that the series of its days were not grouped by.
    """

    group: tuple[Any, ...]
    sums: list[int]
    last_day: int
    missing: frozenset[str]
    slots: dict[int, list[int]] = field(default_factory=dict)

    def add(self, slot: int | None, last_day: int, sums: list[int]) -> None:
        """Add the sums of more days."""
        self.last_day = max(self.last_day, last_day)
        self.sums = list(map(add, self.sums, sums))
        self.note(slot, sums)

    def note(self, slot: int | None, sums: list[int]) -> None:
        """Keep to which slot sums belong."""
        if slot is not None:
            before = self.slots.get(slot)
            self.slots[slot] = sums if before is None else list(map(add, before, sums))


def read_days(
    connection: sqlite3.Connection, report: str, since: str | None = None, until: str | None = None
) -> list[Day]:
    """Read the days of a report that a series speaks for, in order; bounds are dates as text, `until` exclusive."""
    values = {"report": report, "since": _start(since), "until": _start(until)}
    return [
        Day(start, series_id, bool(is_bucket), frozenset(filter(None, group_by.split(","))))
        for start, series_id, is_bucket, group_by in connection.execute(sql("chosen.days"), values)
    ]


def _start(day: str | None) -> int | None:
    return None if day is None else int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp())


def not_grouped(report: str, columns: Iterable[str], day: Day) -> frozenset[str]:
    """Say which of these columns mean nothing on a day, because its series was not grouped by them."""
    by = ASKED_BY[report]
    return frozenset(one for one in columns if one in by and by[one] not in day.asked)


@dataclass(frozen=True, slots=True)
class Sums:
    """Sums by numbers of parts and lines: rows of part, line, last day, and each sum."""

    parts: list[Any]
    lines: list[tuple[Any, ...]]
    rows: Iterable[tuple[int, ...]]


def read_sums(  # noqa: PLR0913  # what a sum is
    connection: sqlite3.Connection,
    report: str,
    columns: Sequence[str],
    days: Iterable[Day],
    part_of: Callable[[Day], Hashable],
    *,
    whole: bool = True,
) -> Sums:
    """Sum up days by parts of time and by the values of columns, which are the lines; one such sum at a time.

    Unless `whole`, rows come faster and one line may have several for a part, which the caller adds up.
    """
    for statement in files("archiver.store.read").joinpath("daily_sums.sql").read_text("utf-8").split(";\n"):
        connection.execute(statement)  # one by one: a script would end the transaction, and with it the moment
    parts: dict[Hashable, int] = {}
    chosen = [(d.series_id, d.start, d.is_bucket, parts.setdefault(part_of(d), len(parts))) for d in days]
    insert_many(connection, "chosen.day", chosen)
    dimensions = connection.execute(sql(f"{report}.dimensions"))
    names = [column[0] for column in dimensions.description]
    at = [names.index(one) for one in columns]
    lines: dict[tuple[Any, ...], int] = {}
    keys = [(row[0], lines.setdefault(tuple([row[i] for i in at]), len(lines))) for row in dimensions]
    insert_many(connection, "chosen.line", keys)
    return Sums(list(parts), list(lines), connection.execute(sql(f"{report}.chosen_{'sums' if whole else 'facts'}")))


def read_lines(
    connection: sqlite3.Connection,
    report: str,
    by: Sequence[str],
    days: Iterable[Day],
    slot_of: Callable[[Day], int] | None = None,
) -> tuple[list[str], list[Line]]:
    """Sum up days by dimensions, in their order: the names of the columns, and the lines.

    Days that were asked differently are never in one line: what a day was not asked for is NOT_GROUPED.
    Money has its currency as the last column. A name is that of the last day of its line.
    """
    wanted = {_COLUMN_OF.get(one, one) for one in by}
    columns = [one for one in ASKED_BY[report] if one in wanted] + ["currency"] * (report == "cost")

    def part_of(day: Day) -> Hashable:
        date = day.date if wanted & {"date", "month"} else None
        return (
            f"{date}" if "date" in wanted else None,
            f"{date:%Y-%m}" if "month" in wanted else None,
            slot_of(day) if slot_of else None,
            not_grouped(report, columns, day),
        )

    found = read_sums(connection, report, columns, days, part_of)
    lines: dict[tuple[Any, ...], Line] = {}
    for part, number, last_day, *sums in found.rows:
        date, month, slot, missing = found.parts[part]
        group = (date, month, *labelled(columns, found.lines[number], missing))
        if group in lines:
            lines[group].add(slot, last_day, sums)
        else:
            lines[group] = Line(group, sums, last_day, missing)
            lines[group].note(slot, sums)
    ordered = [lines[group] for group in sorted(lines, key=lambda group: tuple(map(_rank, group)))]
    return _with_names(connection, ["date", "month", *columns], wanted, ordered)


def labelled(columns: Sequence[str], values: tuple[Any, ...], missing: frozenset[str]) -> tuple[Any, ...]:
    """Put NOT_GROUPED in place of what was not asked for."""
    if not missing:
        return values
    return tuple(NOT_GROUPED if one in missing else v for one, v in zip(columns, values, strict=True))


def _rank(value: str | None) -> tuple[int, str]:
    """Order nobody before those who were not asked for, and both before everybody else."""
    return (0, "") if value is None else (1, "") if value is NOT_GROUPED else (2, value)


def _with_names(
    connection: sqlite3.Connection, columns: list[str], wanted: set[str], lines: list[Line]
) -> tuple[list[str], list[Line]]:
    """Put names beside ids, and leave out times that were not wanted."""
    kept = [(i, one) for i, one in enumerate(columns) if i > 1 or one in wanted]
    name_at = read_names(connection) if wanted & NAMED.keys() else None
    for line in lines:
        told: list[Any] = []
        for i, one in kept:
            told.append(line.group[i])
            if one in NAMED and name_at is not None:
                told.append(name_at(NAMED[one], line.group[i], line.last_day))
        line.group = tuple(told)
    names = [name for _, one in kept for name in ((one, f"{NAMED[one]}_name") if one in NAMED else (one,))]
    return names, lines


def read_names(connection: sqlite3.Connection) -> Callable[[str, str | None, int], str | None]:
    """Give what finds the name of a kind's id as it was known at the end of a day."""
    periods: dict[tuple[str, str], list[tuple[int, int, str | None]]] = defaultdict(list)
    for kind, key, name, since, until in connection.execute(sql("chosen.names")):
        periods[kind, key].append((since, until, name))

    def name_at(kind: str, key: str | None, day: int) -> str | None:
        end = day + _DAY_SECONDS
        found = periods.get((kind, key), ()) if key is not None else ()
        return next((name for since, until, name in found if since < end <= until), None)

    return name_at
