"""One table of the same report of several archives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archiver.offline.tables.money import Estimate
from archiver.offline.tables.table import Column, Kind, Row, Table
from archiver.reports.dimensions import Label

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PROFILE = "profile"


def join(tables: Mapping[str, Table]) -> Table:
    """Return the rows of all tables, each with the name of its table.

    Money and counts of the totals are added up, other columns of it are empty. It has no sparklines.
    """
    known = {name: table for name, table in tables.items() if table.is_known}
    columns = list(dict.fromkeys(column for table in known.values() for column in table.columns))
    empty: Row = dict.fromkeys(column.name for column in columns)
    rows = [{PROFILE: name} | empty | row for name, table in known.items() for row in table.rows]
    periods = {table.period for table in known.values()}
    return Table(
        [Column(PROFILE), *columns],
        rows,
        _total(columns, [table.total for table in known.values()]),
        _named({name: table.notes for name, table in tables.items()}),
        is_known=bool(known),
        needs_attention=len(known) < len(tables) or any(table.needs_attention for table in known.values()),
        period=periods.pop() if len(periods) == 1 else "",
        sentences=_named({name: table.sentences for name, table in known.items()}),
    )


def _named(sentences: Mapping[str, Sequence[str]]) -> list[str]:
    """Return sentences with the names that they are of, and once what all have."""
    texts = dict.fromkeys(text for of in sentences.values() for text in of)
    found = []
    for text in texts:
        names = [name for name, of in sentences.items() if text in of]
        found.append(text if len(names) == len(sentences) else f"{', '.join(names)}: {text}")
    return found


def _total(columns: Sequence[Column], totals: Sequence[Row | None]) -> Row | None:
    if not totals or None in totals:
        return None
    sums = {column.name: _sum(column, [row.get(column.name) for row in totals if row]) for column in columns}
    return {PROFILE: Label.TOTAL} | sums


def _sum(column: Column, values: Sequence[Any]) -> Any:
    if None in values or column.kind not in {Kind.MONEY, Kind.COUNT}:
        return None
    if not isinstance(values[0], dict):
        return sum(values)
    sums: dict[str, int] = {}
    for currency in dict.fromkeys(one for value in values for one in value):
        parts = [value[currency] for value in values if currency in value]
        sums[currency] = Estimate(sum(parts)) if any(isinstance(one, Estimate) for one in parts) else sum(parts)
    return sums
