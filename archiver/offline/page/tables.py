"""Report tables for a page, with all rows and exact amounts."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from archiver.offline.tables.display import to_display
from archiver.offline.tables.table import Kind, Row

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from archiver.offline.tables.table import Table

_NUMBER = re.compile(r"-?[0-9][0-9,]*(\.[0-9]+)?%?")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}(-[0-9]{2}(T[0-9:.]+Z)?)?")
_EXACT_AMOUNT = re.compile(r"(-?[0-9,]+\.[0-9]{2})([0-9]+)")


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a table.

    Attributes:
        text: Its text; of an amount, up to two fractional digits.
        fine: The other fractional digits of an amount, which are shown fainter.
        kind: `number` or `time` if all values of the column are, `whole` for what must not break, else empty. It is a
            class in page.css.
        href: The address that it leads to; empty for none.
    """

    text: str
    fine: str
    kind: str
    href: str = ""


@dataclass(frozen=True, slots=True)
class PageTable:
    """A table of a page.

    Attributes:
        title: The text that opens and closes the table.
        notes: Notes on the numbers.
        no_rows: The text that is shown if there are no rows.
    """

    title: str
    notes: str
    header: Sequence[Cell]
    rows: Sequence[Sequence[Cell]]
    total: Sequence[Cell] | None
    no_rows: str = "none"


Link = Callable[[str, Row], str]
"""Returns where a cell leads, by the column and the row; "" for nowhere."""


def page_table(title: str, table: Table, unit: str, link: Link | None = None) -> PageTable:
    """Return every row of a report's table, with amounts to the last digit.

    `unit` is usd or cents.
    """
    notes = "; ".join(table.notes)
    if not table.is_known:
        return PageTable(title, "", [], [], None, notes)
    # A chart draws the bars that a terminal has of characters.
    table = replace(table, columns=[column for column in table.columns if column.kind is not Kind.BAR])
    header, rows = to_display(table, unit, exact=True)
    kinds = [_kind_of(name, [row[i] for row in rows[: len(table.rows)]]) for i, name in enumerate(header)]
    cells = [[_cell(*one) for one in zip(row, kinds, strict=True)] for row in rows]
    head = [Cell(name.replace("_", " "), "", kind) for name, kind in zip(header, kinds, strict=True)]
    if link is not None:
        cells = [
            [replace(cell, href=link(name, table.rows[i])) if i < len(table.rows) else cell
             for name, cell in zip(header, row, strict=True)]
            for i, row in enumerate(cells)
        ]  # fmt: skip
    body, total = (cells, None) if table.total is None else (cells[:-1], cells[-1])
    return PageTable(title, notes, head, body, total)


def currencies(tables: Iterable[Table]) -> list[str]:
    """Return the currencies of tables, sorted.

    Tables without any are in USD, the only currency that the API has used so far.
    """
    return sorted({row["currency"] for table in tables for row in table.rows if row.get("currency")}) or ["USD"]


def unit_name(of: Sequence[str], unit: str) -> str:
    """Return the unit of amounts in currencies, as `EUR, USD` or `cents`."""
    if unit == "usd":
        return ", ".join(of)
    return "cents" if list(of) == ["USD"] else f"cents of {', '.join(of)}"


def _kind_of(name: str, values: Sequence[str]) -> str:
    if name == "model":
        return "whole"  # at a hyphen it would break, and be no name any more
    # All values have to match, as single ids and names may look like numbers. A column without values is text.
    filled = [one for one in values if one]
    for kind, pattern in (("number", _NUMBER), ("time", _TIME)):
        if filled and all(pattern.fullmatch(one) for one in filled):
            return kind
    return ""


def _cell(text: str, kind: str) -> Cell:
    match = _EXACT_AMOUNT.fullmatch(text)
    return Cell(match[1], match[2], kind) if match else Cell(text, "", kind)
