"""Ready answers as tables: what a column holds, and how it is spelled for programs and for people."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING, Any

from archiver.offline.tables.sparkline import sparkline
from archiver.offline.tables.write import dollars
from archiver.store.read.daily_sums import NOT_GROUPED

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from archiver.offline.tables.sparkline import Trend

_MICROCENTS = {"usd": 100_000_000, "cents": 1_000_000}
_LONGEST_TITLE = 12
_NONE = "(none)"
NULL_LABELS = {
    "workspace_id": "(default workspace)",
    "api_key_id": "(no API key: Console)",
    **dict.fromkeys(("model", "description", "cost_type", "service_tier", "context_window", "token_type"), _NONE),
    "inference_geo": _NONE,
}
"""What it means that a dimension is null in an answer that was grouped by it; otherwise it is NOT_GROUPED."""
_LABELS = frozenset({*NULL_LABELS.values(), str.__str__(NOT_GROUPED), "(others)", "(not allocated)", "total"})
_NAME_OF = {"workspace_id": "workspace_name", "api_key_id": "api_key_name"}
_ID_OF = {name: one for one, name in _NAME_OF.items()}


class Kind(Enum):
    """What a column holds."""

    TEXT = "text"
    COUNT = "count"
    MONEY = "money"
    SHARE = "share"
    EXACT = "exact"


@dataclass(frozen=True, slots=True)
class Column:
    """A named column; money is in microcents, a share between 0 and 1, and what is exact a decimal number as text."""

    name: str
    kind: Kind = Kind.TEXT


@dataclass(frozen=True, slots=True)
class Table:
    """A ready answer, and what has to be said with it. `passed` says that a limit is, for the exit code.

    `trends` are how the rows went over their days, for people alone; `legend` says how they are drawn.
    """

    columns: Sequence[Column]
    rows: Sequence[tuple[Any, ...]]
    note: str = ""
    total: tuple[Any, ...] | None = None
    passed: bool = False
    trends: Sequence[Trend] = ()
    total_trend: Trend = field(default_factory=list)
    legend: str = ""


def exact(microcents: int, unit: str) -> str:
    """Spell microcents as dollars or cents, to the last digit."""
    digits = 8 if unit == "usd" else 6
    return f"{Decimal(microcents) / _MICROCENTS[unit]:.{digits}f}"


def to_export(table: Table, unit: str) -> tuple[list[str], list[list[Any]]]:
    """Spell everything exactly; a lone column of money has its microcents beside it."""
    money = [i for i, column in enumerate(table.columns) if column.kind is Kind.MONEY]
    names = [column.name for column in table.columns]
    rows = [[exact(v, unit) if i in money and v is not None else v for i, v in enumerate(row)] for row in table.rows]
    if len(money) == 1:
        at = money[0]
        names.insert(at + 1, f"{names[at]}_microcents")
        for told, row in zip(rows, table.rows, strict=True):
            told.insert(at + 1, row[at])
    return names, rows


def to_sheet(table: Table) -> list[list[Any]]:
    """Give the rows as they are, with labels where there is nobody; an id has its label where its name would be."""
    names = [column.name for column in table.columns]
    told = []
    for row in table.rows:
        labelled = list(row)
        for i, name in enumerate(names):
            if name in _ID_OF and _ID_OF[name] in names:
                labelled[i] = named(table, row, names.index(_ID_OF[name]))
            elif row[i] is None and name in NULL_LABELS and name not in _NAME_OF:
                labelled[i] = NULL_LABELS[name]
        told.append(labelled)
    return told


def to_display(
    table: Table, unit: str, *, ascii_only: bool = False, narrow: bool = False
) -> tuple[list[str], list[list[Any]]]:
    """Spell amounts to the cent with thousands, shares in percent, and names in place of ids; and draw trends.

    `narrow` breaks long titles over several lines.
    """
    names = [column.name for column in table.columns]
    kept = [i for i, name in enumerate(names) if _ID_OF.get(name) not in names]
    shared = _shared_names(table)
    told = [[_spell(table, row, i, unit, shared) for i in kept] for row in table.rows]
    if table.total is not None:
        told.append([_spell(table, table.total, i, unit, shared) if table.total[i] is not None else "" for i in kept])
    titles = [_title(table.columns[i], unit, narrow=narrow) for i in kept]
    if table.trends:
        titles.append("days")
        for row, trend in zip(told, [*table.trends, table.total_trend], strict=False):
            row.append(sparkline(trend, ascii_only=ascii_only))
    return titles, told


def noted(table: Table, unit: str) -> str:
    """Give what has to be said with a table whose amounts are in a unit."""
    if unit == "usd" or not any(column.kind is Kind.MONEY for column in table.columns):
        return table.note
    return table.note.replace("amounts in ", "amounts in cents of ", 1)


def _title(column: Column, unit: str, *, narrow: bool) -> str:
    name = column.name.removesuffix("_id") if column.name in NULL_LABELS else column.name
    if narrow and column.kind is not Kind.TEXT and len(name) > _LONGEST_TITLE:
        name = name.replace("_", "\n")
    return f"{name} (cents)" if column.kind is Kind.MONEY and unit == "cents" else name


def _shared_names(table: Table) -> set[tuple[str, str]]:
    """Find the names that several ids have, by the column of the ids."""
    ids: dict[tuple[str, str], set[str]] = defaultdict(set)
    at = {column.name: i for i, column in enumerate(table.columns)}
    for one, name in _NAME_OF.items():
        if one in at and name in at:
            for row in table.rows:
                if row[at[one]] is not None and row[at[name]]:
                    ids[one, row[at[name]]].add(row[at[one]])
    return {key for key, found in ids.items() if len(found) > 1}


def _spell(table: Table, row: tuple[Any, ...], i: int, unit: str, shared: Collection[tuple[str, str]]) -> str:
    column, value = table.columns[i], row[i]
    if column.name in _NAME_OF:
        return str(named(table, row, i, shared))
    if value is None:
        return NULL_LABELS.get(column.name, "")
    if column.kind is Kind.MONEY:
        return dollars(value) if unit == "usd" else f"{Decimal(value) / _MICROCENTS[unit]:,.2f}"
    if column.kind is Kind.SHARE:
        return f"{value:.1%}"
    return f"{value:,}" if column.kind is Kind.COUNT else str(value)


def named(table: Table, row: tuple[Any, ...], i: int, shared: Collection[tuple[str, str]] = ()) -> str:
    """Give what a person knows an id by: its name, or what it means that there is none.

    Where a name reads as one of our own labels, or is `shared` with another id, its id stands beside it.
    """
    column, value = table.columns[i].name, row[i]
    if value is None:
        return NULL_LABELS[column]
    at = next((j for j, one in enumerate(table.columns) if one.name == _NAME_OF[column]), None)
    name = row[at] if at is not None else None
    return f"{name} ({value})" if name in _LABELS or (column, name) in shared else str(name or value)
