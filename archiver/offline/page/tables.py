"""Report tables for a page: whole, and with exact amounts."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from archiver.offline.tables.table import Column, Kind, Table, exact, noted, to_display

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_NUMBER = re.compile(r"-?[0-9][0-9,]*(\.[0-9]+)?%?")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}(-[0-9]{2}(T[0-9:]+Z)?)?")
_EXACT_AMOUNT = re.compile(r"(-?[0-9,]+\.[0-9]{2})([0-9]+)")


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell's text.

    `fine` are the digits of an amount after the cents, which are shown fainter; `kind` is `number` or `time`, where all
    of the column is, else empty.
    """

    text: str
    fine: str
    kind: str


@dataclass(frozen=True, slots=True)
class PageTable:
    """A table as it is shown: `title` opens it, `caption` adds the report's note."""

    title: str
    caption: str
    header: Sequence[Cell]
    rows: Sequence[Sequence[Cell]]
    total: Sequence[Cell] | None


def page_table(title: str, table: Table, unit: str) -> PageTable:
    """Return every row of a report's table, with amounts in `unit` (usd or cents) to their last digit."""
    header, rows = to_display(_with_exact_amounts(table, unit), unit)
    money = {column.name for column in table.columns if column.kind is Kind.MONEY}
    named = unit_name(currencies([table]), unit)
    titles = [f"{name} ({named})" if name in money else name for name in header]
    kinds = [_kind_of([row[i] for row in rows[: len(table.rows)]]) for i in range(len(header))]
    cells = [[_cell(*one) for one in zip(row, kinds, strict=True)] for row in rows]
    head = [Cell(name.replace("_", " "), "", kind) for name, kind in zip(titles, kinds, strict=True)]
    body, total = (cells, None) if table.total is None else (cells[:-1], cells[-1])
    return PageTable(title, f"{title}: {noted(table, unit)}" if table.note else title, head, body, total)


def currencies(tables: Iterable[Table]) -> list[str]:
    """Return the currencies of tables, sorted; a table without a currency column is in the API's only one, USD."""
    found = set()
    for table in tables:
        names = [column.name for column in table.columns]
        if "currency" in names:
            found |= {row[names.index("currency")] for row in table.rows}
    return sorted(found - {None, ""}) or ["USD"]


def unit_name(of: Sequence[str], unit: str) -> str:
    """Return the name of the unit of amounts in these currencies."""
    if unit == "usd":
        return ", ".join(of)
    return "cents" if list(of) == ["USD"] else f"cents of {', '.join(of)}"


def exact_amounts(microcents: Sequence[int | None], unit: str) -> list[str | None]:
    """Return amounts exactly, with thousands separators and the same number of decimals, at least two."""
    parts = [exact(one, unit).partition(".")[::2] if one is not None else None for one in microcents]
    digits = max([2, *(len(part[1].rstrip("0")) for part in parts if part)])
    return [f"{_grouped(part[0])}.{part[1][:digits]}" if part else None for part in parts]


def _grouped(whole: str) -> str:
    # int() loses the sign of -0, which a small negative amount needs.
    return f"-{int(whole[1:]):,}" if whole.startswith("-") else f"{int(whole):,}"


def _kind_of(values: Sequence[str]) -> str:
    # Of all values, as ids and names of models may look like numbers; a column without any is text.
    filled = [one for one in values if one]
    for kind, pattern in (("number", _NUMBER), ("time", _TIME)):
        if filled and all(pattern.fullmatch(one) for one in filled):
            return kind
    return ""


def _cell(text: str, kind: str) -> Cell:
    match = _EXACT_AMOUNT.fullmatch(text)
    return Cell(match[1], match[2], kind) if match else Cell(text, "", kind)


def _with_exact_amounts(table: Table, unit: str) -> Table:
    """Return the table with amounts as exact text in place of numbers, which display rounds to cents."""
    lines = [list(row) for row in (*table.rows, *([table.total] if table.total is not None else []))]
    money = [i for i, column in enumerate(table.columns) if column.kind is Kind.MONEY]
    for i in money:
        # All of a column at once, the total too: they share one number of decimals and so line up.
        for line, amount in zip(lines, exact_amounts([line[i] for line in lines], unit), strict=True):
            line[i] = amount
    columns = [Column(column.name) if i in money else column for i, column in enumerate(table.columns)]
    shown = [tuple(line) for line in lines]
    rows, total = (shown, None) if table.total is None else (shown[:-1], shown[-1])
    return replace(table, columns=columns, rows=rows, total=total)
