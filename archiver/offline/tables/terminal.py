"""Write tables for a terminal: fitted, with a title and colours."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import islice
from typing import TYPE_CHECKING, Any

from archiver.offline.tables.display import Role, Shown, to_shown
from archiver.offline.tables.layout import GAP, fit, width_of
from archiver.offline.tables.states import KEPT, PASSED, UNKNOWN, WILL_BE_PASSED
from archiver.offline.tables.write import NO_ROWS, bottom_aligned, pad, show, with_null

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import TextIO

    from archiver.offline.tables.layout import Layout
    from archiver.offline.tables.table import Table

_ROWS_A_TABLE = 1000  # a query may have millions: each thousand is a table, measured and titled by itself


class _Style(StrEnum):
    """A way to write text, as its SGR code."""

    PLAIN = ""
    BOLD = "1"
    RED = "31"
    GREEN = "32"
    YELLOW = "33"


_OF_STATE = {PASSED: _Style.RED, UNKNOWN: _Style.YELLOW, WILL_BE_PASSED: _Style.YELLOW, KEPT: _Style.GREEN}
_UNSETTLED = ("provisional", "in progress", "not archived")


@dataclass(frozen=True, slots=True)
class Terminal:
    """What a terminal can show."""

    width: int
    is_coloured: bool = False
    is_unicode: bool = True

    @property
    def ellipsis(self) -> str:
        """The mark of what was cut."""
        return "…" if self.is_unicode else "~"

    def styled(self, text: str, style: _Style) -> str:
        """Return a text in a style, if the terminal has colours."""
        return f"\x1b[{style}m{text}\x1b[0m" if self.is_coloured and style and text.strip() else text

    def wrapped(self, text: str) -> str:
        """Return a sentence on lines that fit."""
        return "\n".join(textwrap.wrap(text, self.width, break_on_hyphens=False)) if self.width > GAP else text


def write_report(name: str, table: Table, unit: str, to: TextIO, terminal: Terminal) -> list[str]:
    """Write the table of a report, and return notes on how it was fitted."""
    shown = to_shown(table, unit, ascii_only=not terminal.is_unicode)
    # The API's text is made inert before anything is measured.
    inert = [replace(one, cells=[show(cell) for cell in one.cells]) for one in shown]
    layout = fit(inert, terminal.width, has_total=table.total is not None, ellipsis=terminal.ellipsis)
    to.write(_title(name, table, layout, unit, terminal) + "\n\n")
    to.writelines(terminal.wrapped(sentence) + "\n" for sentence in table.sentences)
    if table.sentences:
        to.write("\n")
    to.writelines(line + "\n" for line in _lines(layout, terminal, has_total=table.total is not None))
    notes = [table.slots.legend(halved=layout.is_halved)] if table.slots and layout.has_trend else []
    if layout.left_out:
        notes.append(f"left out, as there is no room: {', '.join(layout.left_out)}; a wider terminal shows them")
    return notes


def write_result(columns: Sequence[str], rows: Iterable[Sequence[Any]], to: TextIO, terminal: Terminal) -> None:
    """Write the result of a query."""
    source = iter(rows)
    some = list(islice(source, _ROWS_A_TABLE))
    while True:
        shown = [_shown(show(name), [row[i] for row in some]) for i, name in enumerate(columns)]
        layout = fit(shown, terminal.width, has_total=False, ellipsis=terminal.ellipsis)
        if layout.constants:
            to.write(
                terminal.wrapped(", ".join(f"{name} {value}" for name, value in layout.constants.items())) + "\n\n"
            )
        to.writelines(line + "\n" for line in _lines(layout, terminal, has_total=False))
        some = list(islice(source, _ROWS_A_TABLE))
        if not some:
            return
        to.write("\n")


def _shown(name: str, values: Sequence[Any]) -> Shown:
    known = [value for value in values if value is not None]
    is_number = bool(known) and all(isinstance(value, int | float) for value in known)
    return Shown(name, [with_null(value) for value in values], Role.NUMBER if is_number else Role.TEXT)


def _title(name: str, table: Table, layout: Layout, unit: str, terminal: Terminal) -> str:
    currency = layout.constants.get("currency")
    amounts = f"amounts in {'cents of ' if unit == 'cents' else ''}{currency}" if currency else ""
    others = [f"{column} {value}" for column, value in layout.constants.items() if column != "currency"]
    lines = terminal.wrapped(", ".join(one for one in (name, table.period, *others, amounts) if one))
    for state in _UNSETTLED:
        lines = lines.replace(state, terminal.styled(state, _Style.YELLOW))
    return lines


def _lines(layout: Layout, terminal: Terminal, *, has_total: bool) -> Iterator[str]:
    number = len(layout.columns[0].cells) if layout.columns else 0
    if layout.is_in_blocks:
        yield from _blocks(layout, terminal, number, has_total=has_total)
    else:
        yield from _side_by_side(layout, terminal, number, has_total=has_total)
    if number == has_total:
        yield NO_ROWS


def _side_by_side(layout: Layout, terminal: Terminal, number: int, *, has_total: bool) -> Iterator[str]:
    columns = layout.columns
    widths = [width_of(one) for one in columns]

    def line(cells: Sequence[str], styles: Sequence[_Style]) -> str:
        padded = [
            pad(cell, width, one.role is Role.NUMBER) for cell, width, one in zip(cells, widths, columns, strict=True)
        ]
        padded[-1] = padded[-1].rstrip()
        return (" " * GAP).join(map(terminal.styled, padded, styles)).rstrip()

    plain = [_Style.PLAIN] * len(columns)
    rule = line(["-" * width for width in widths], plain)
    for cells in bottom_aligned([one.name.splitlines() or [""] for one in columns]):
        yield line(cells, plain)
    yield rule
    for row in range(number):
        is_total = has_total and row == number - 1
        if is_total:
            yield rule
        cells = [one.cells[row] for one in columns]
        yield line(cells, [_style(one, cell, is_total=is_total) for one, cell in zip(columns, cells, strict=True)])


def _blocks(layout: Layout, terminal: Terminal, number: int, *, has_total: bool) -> Iterator[str]:
    """Yield one block a row, each line a name and its value."""
    width = max((len(one.name) for one in layout.columns), default=0)
    for row in range(number):
        is_total = has_total and row == number - 1
        if row:
            yield ""
        for one in layout.columns:
            cell = one.cells[row]
            # A total has no values in most of the columns.
            if cell or not is_total:
                styled = terminal.styled(cell, _style(one, cell, is_total=is_total))
                yield f"{one.name:{width}}{' ' * GAP}{styled}".rstrip()


def _style(column: Shown, cell: str, *, is_total: bool) -> _Style:
    if column.name == "state":
        return _OF_STATE.get(cell, _Style.PLAIN)
    if column.name.startswith("change") and cell.startswith("-"):
        return _Style.GREEN
    return _Style.BOLD if is_total else _Style.PLAIN
