"""Fit the columns of a table into the width of a terminal.

What gives way, in this order: ids are shortened, texts that all rows share move to the title, sparklines are halved and
then left out, optional columns are left out, and texts are cut in the middle. Numbers and times are never shortened.
Where all of that is not enough, the table is written as one block a row.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from archiver.offline.tables.display import Role, broken
from archiver.offline.tables.shorten import shorten_ids, shorten_middles
from archiver.offline.tables.write import display_width

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from archiver.offline.tables.display import Shown

GAP = 2
"""The spaces between two columns."""
_LEAST_TEXT = 10
_WHOLE = frozenset({"state"})
"""Columns that are what a reader looks for, and are never cut or moved."""
_TIME = re.compile(r"[0-9]{4}(-[0-9]{2}){1,2}([T ][0-9:.]+(Z|[+-][0-9:]+)?)?")


@dataclass(frozen=True, slots=True)
class Layout:
    """Columns that fit.

    Attributes:
        columns: The columns with their texts, some shortened; titles may have several lines.
        constants: Name and value of the columns that have one value in all rows, for the title.
        left_out: The names of the columns without room.
        is_halved: Whether a mark of the sparklines is of twice as many days.
        is_in_blocks: Whether the columns do not fit side by side.
    """

    columns: list[Shown]
    constants: dict[str, str] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    is_halved: bool = False
    is_in_blocks: bool = False

    @property
    def has_trend(self) -> bool:
        """Whether sparklines are shown."""
        return any(one.role is Role.TREND for one in self.columns)


def fit(shown: Sequence[Shown], width: int, *, has_total: bool, ellipsis: str = "…") -> Layout:
    """Return the layout of columns for a terminal of `width` columns.

    With `has_total` the last cell of each column is that of the total.
    """
    whole = Layout([replace(one, name=_title(one)) for one in shown])
    layout = _without_constants(whole, has_total=has_total, names={"currency"})
    steps: tuple[Callable[[Layout], Layout], ...] = (
        lambda one: _mapped(one, Role.TEXT, lambda text: replace(text, cells=shorten_ids(text.cells, ellipsis))),
        lambda one: _mapped(one, Role.TEXT, lambda text: replace(text, name=_over_lines(text))),
        lambda one: _without_constants(one, has_total=has_total, names={column.name for column in one.columns}),
        lambda one: replace(
            _mapped(one, Role.TREND, lambda trend: replace(trend, cells=trend.narrower)), is_halved=True
        ),
        lambda one: replace(one, columns=[column for column in one.columns if column.role is not Role.TREND]),
        _without_optional,
        lambda one: _cut_texts(one, width, ellipsis),
    )
    for step in steps:
        if _width(layout.columns) <= width:
            return layout
        layout = step(layout)
    return layout if _width(layout.columns) <= width else _in_blocks(whole, width, ellipsis)


def width_of(column: Shown) -> int:
    """Return the columns of the terminal that a column takes."""
    return max(map(display_width, [*column.name.splitlines(), *column.cells]), default=0)


def _width(columns: Sequence[Shown]) -> int:
    return sum(map(width_of, columns)) + GAP * max(0, len(columns) - 1)


def _title(column: Shown) -> str:
    return broken(column.name) if column.role is Role.NUMBER else column.name


def _over_lines(column: Shown) -> str:
    """Return a title over several lines, if it is wider than its values."""
    widest = max(map(display_width, column.cells), default=0)
    return column.name.replace("_", "\n") if display_width(column.name) > widest else column.name


def _without_constants(layout: Layout, *, has_total: bool, names: Collection[str]) -> Layout:
    """Move the texts that all rows share into the title; of several rows, or of the currency."""
    constants = dict(layout.constants)
    columns: list[Shown] = []
    first = layout.columns[0] if has_total and layout.columns else None  # it has the word `total`
    for column in layout.columns:
        cells = column.cells[:-1] if has_total else column.cells
        is_currency = column.name == "currency"
        # A row without an amount has no currency either.
        values = set(cells) - {""} if is_currency else set(cells)
        is_constant = len(values) == 1 and values != {""} and (is_currency or len(cells) > 1)
        can_move = column.name in names and column.role is Role.TEXT and column.name not in _WHOLE
        if is_constant and can_move and column is not first:
            constants[column.name.replace("\n", "_")] = values.pop()
        else:
            columns.append(column)
    return replace(layout, columns=columns, constants=constants)


def _mapped(layout: Layout, role: Role, change: Callable[[Shown], Shown]) -> Layout:
    return replace(layout, columns=[change(one) if one.role is role else one for one in layout.columns])


def _without_optional(layout: Layout) -> Layout:
    left_out = tuple(one.name.replace("\n", "_") for one in layout.columns if one.is_optional)
    return replace(layout, columns=[one for one in layout.columns if not one.is_optional], left_out=left_out)


def _cut_texts(layout: Layout, width: int, ellipsis: str) -> Layout:
    """Cut the widest texts in the middle, evenly, until all columns fit.

    A column that would get equal texts keeps more of its width, at the cost of the others.
    """
    done: dict[int, Shown] = {i: one for i, one in enumerate(layout.columns) if not _can_be_cut(one)}
    while True:
        room = width - _width([*done.values()]) - GAP * (len(layout.columns) - len(done)) + (0 if done else GAP)
        rest = {i: one for i, one in enumerate(layout.columns) if i not in done}
        level = _level([*rest.values()], room)
        cut = {i: _cut_column(one, max(level, _least(one)), ellipsis) for i, one in rest.items()}
        wider = [i for i, one in cut.items() if width_of(one) > max(level, _least(one))]
        if not wider:
            return replace(layout, columns=[(done | cut)[i] for i in range(len(layout.columns))])
        done |= {i: cut[i] for i in wider}


def _can_be_cut(column: Shown) -> bool:
    is_text = column.role is Role.TEXT and column.name not in _WHOLE
    return is_text and not any(_TIME.fullmatch(cell) for cell in column.cells)


def _least(column: Shown) -> int:
    return max(_LEAST_TEXT, *map(display_width, column.name.splitlines()))


def _level(columns: Sequence[Shown], room: int) -> int:
    """Return the width that wider columns have to be cut to, so that all fit into a room."""
    level = max(map(width_of, columns), default=0)
    while level > _LEAST_TEXT and sum(min(width_of(one), max(level, _least(one))) for one in columns) > room:
        level -= 1
    return level


def _cut_column(column: Shown, widest: int, ellipsis: str) -> Shown:
    """Return a column cut to a width, or to the next one at which its texts stay different."""
    for width in range(widest, width_of(column)):
        if (cells := shorten_middles(column.cells, width, ellipsis)) is not None:
            return replace(column, cells=cells)
    return column


def _in_blocks(layout: Layout, width: int, ellipsis: str) -> Layout:
    """Return columns of which the texts fit behind the names."""
    names = [one.name.replace("\n", "_") for one in layout.columns]
    room = max(1, width - GAP - max(map(display_width, names), default=0))
    columns = []
    for column, name in zip(layout.columns, names, strict=True):
        cells: Sequence[str] = column.cells
        if column.role is Role.TREND:
            cells = next((one for one in (cells, column.narrower) if max(map(display_width, one)) <= room), ())
        if _can_be_cut(column):
            cells = shorten_ids(cells, ellipsis)
            cells = shorten_middles(cells, room, ellipsis) or [_one_line(cell, room, ellipsis) for cell in cells]
        if cells:
            columns.append(replace(column, name=name, cells=cells))
    is_halved = any(one.role is Role.TREND and one.cells == one.narrower for one in columns)
    return replace(layout, columns=columns, is_halved=is_halved, is_in_blocks=True)


def _one_line(text: str, room: int, ellipsis: str) -> str:
    return (shorten_middles([text], room, ellipsis) or [text])[0]
