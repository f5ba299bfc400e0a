"""Ready answers as tables: what a column holds, and how it is spelled for programs and for people."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING, Any

from archiver.offline.render import dollars

if TYPE_CHECKING:
    from collections.abc import Sequence

_MICROCENTS = {"usd": 100_000_000, "cents": 1_000_000}
NOBODY = {
    "workspace_id": "(default workspace)",
    "api_key_id": "(no API key: Console)",
}
_NAME_OF = {"workspace_id": "workspace_name", "api_key_id": "api_key_name"}


class Kind(Enum):
    """What a column holds."""

    TEXT = "text"
    COUNT = "count"
    MONEY = "money"
    SHARE = "share"


@dataclass(frozen=True, slots=True)
class Column:
    """A named column; money is in microcents, a share between 0 and 1."""

    name: str
    kind: Kind = Kind.TEXT


@dataclass(frozen=True, slots=True)
class Table:
    """A ready answer, and what has to be said with it. `passed` says that a limit is, for the exit code."""

    columns: Sequence[Column]
    rows: Sequence[tuple[Any, ...]]
    note: str = ""
    total: tuple[Any, ...] | None = None
    passed: bool = False
    labels: frozenset[str] = field(default_factory=lambda: frozenset({"workspace_id", "api_key_id"}))


def exact(microcents: int, unit: str) -> str:
    """Spell microcents as dollars or cents, to the last digit."""
    digits = 8 if unit == "usd" else 6
    return f"{Decimal(microcents) / _MICROCENTS[unit]:.{digits}f}"


def for_programs(table: Table, unit: str) -> tuple[list[str], list[list[Any]]]:
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


def for_people(table: Table, unit: str) -> tuple[list[str], list[list[Any]]]:
    """Spell amounts to the cent with thousands, shares in percent, and names in place of ids."""
    names = [column.name for column in table.columns]
    hidden = [names.index(name) for of, name in _NAME_OF.items() if of in names and name in names]
    kept = [i for i in range(len(names)) if i not in hidden]
    rows = [*table.rows, *([table.total] if table.total is not None else [])]
    told = []
    for number, row in enumerate(rows):
        labelled = table.total is None or number < len(table.rows)
        told.append([_spell(table, row, i, unit) if labelled or row[i] is not None else "" for i in kept])
    return [names[i].removesuffix("_id") if names[i] in NOBODY else names[i] for i in kept], told


def _spell(table: Table, row: tuple[Any, ...], i: int, unit: str) -> str:
    column, value = table.columns[i], row[i]
    if column.name in NOBODY and column.name in table.labels:
        names = [one.name for one in table.columns]
        if value is None:
            return NOBODY[column.name]
        name = row[names.index(_NAME_OF[column.name])] if _NAME_OF[column.name] in names else None
        return str(name or value)
    if value is None:
        return ""
    if column.kind is Kind.MONEY:
        return dollars(value) if unit == "usd" else f"{Decimal(value) / _MICROCENTS[unit]:,.2f}"
    if column.kind is Kind.SHARE:
        return f"{value:.1%}"
    return f"{value:,}" if column.kind is Kind.COUNT else str(value)
