"""Tables as names and rows of values, for programs and for people.

Programs get exact amounts and null; people get rounded amounts and labels.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from archiver.offline.tables.money import Estimate, to_exact, to_microcents, to_rounded
from archiver.offline.tables.sparkline import bar, halved, sparkline
from archiver.offline.tables.table import Column, Kind, Row, Table
from archiver.reports.dimensions import BY_COLUMN, DIMENSIONS, Label

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

_LONGEST_TITLE = 12
_ID_OF = {one.label_column: one.column for one in DIMENSIONS if one.label_column is not None}
_LABELLED = frozenset(_ID_OF.values())
# The words of this program: a workspace that has one of them as its name is shown with its id.
_OWN_LABELS = frozenset({*(one.null_label for one in DIMENSIONS), *map(str, Label)})
_NOT_IN_A_NAME = re.compile(r"[^a-z0-9]+")


def to_export(table: Table, unit: str) -> tuple[list[str], list[list[Any]]]:
    """Return names and rows for programs.

    Amounts are exact, each id has its label in a column of its own, and API nulls are None.
    """
    names: list[str] = []
    rows: list[list[Any]] = [[] for _ in table.rows]
    for column in table.columns:
        for name, values in _exported(table, column, unit):
            names.append(name)
            for row, value in zip(rows, values, strict=True):
                row.append(value)
    return names, rows


def to_sheet(table: Table, unit: str) -> tuple[list[Column], list[list[Any]]]:
    """Return columns and rows for a spreadsheet.

    They are those for programs, but a column without a label column has the label of an API null in its cells.
    """
    columns: list[Column] = []
    rows: list[list[Any]] = [[] for _ in table.rows]
    for column in table.columns:
        # People read spreadsheets, so an API null gets its label; an id stays empty, as its label has its own column.
        label = BY_COLUMN[column.name].null_label if column.name in BY_COLUMN and column.name not in _LABELLED else None
        for name, values in _exported(table, column, unit):
            # Microcents are whole numbers, although the column that they come from holds money.
            columns.append(Column(name, column.kind if name != "amount_microcents" else Kind.COUNT))
            for row, value in zip(rows, values, strict=True):
                row.append(label if value is None and label is not None else value)
    return columns, rows


def _exported(table: Table, column: Column, unit: str) -> list[tuple[str, list[Any]]]:
    values = [row[column.name] for row in table.rows]
    if column.kind is Kind.BAR:
        return []
    if column.kind is not Kind.MONEY:
        return [(column.name, [_exported_value(column, value) for value in values])]
    split: list[tuple[str, list[Any]]] = [
        (name, [None if value is None else to_exact(value, unit) for value in mine])
        for name, mine in by_currency(table, column, unit)
    ]
    if column.name == "amount":
        split.append(("amount_microcents", [None if value is None else to_microcents(value) for value in values]))
    return split


def _exported_value(column: Column, value: Any) -> Any:
    if isinstance(value, Label):
        # An id that does not exist is null; its label has the reason.
        is_id = column.name in BY_COLUMN and BY_COLUMN[column.name].label_column is not None
        return None if is_id and value is not Label.OTHERS else str(value)
    return value


def by_currency(table: Table, column: Column, unit: str) -> list[tuple[str, list[int | None]]]:
    """Return the columns that a money column is written as, by name.

    In dollars there is a column for each currency, because its name contains the currency: `amount_usd`. In cents there
    is one column, in the currency of the row.
    """
    values = [row[column.name] for row in table.rows]
    if unit == "cents":
        return [(f"{column.name}_cents", values)]
    # Among several currencies USD always has a column, which is empty when no row is in USD.
    currencies = list(dict.fromkeys(["USD", *table.currencies])) if len(table.currencies) > 1 else table.currencies
    rows_of = [row.get("currency") or currencies[0] for row in table.rows]
    return [
        (
            money_name(column.name, currency, unit),
            [value if mine == currency else None for value, mine in zip(values, rows_of, strict=True)],
        )
        for currency in currencies
    ]


def money_name(name: str, currency: str, unit: str) -> str:
    """Return the name of a money column with its unit, as `amount_usd`."""
    return f"{name}_{'cents' if unit == 'cents' else _NOT_IN_A_NAME.sub('_', currency.lower())}"


class Role(Enum):
    """What a column contains, which decides how it can be narrowed."""

    NUMBER = "number"  # never shortened
    TEXT = "text"
    TREND = "trend"


@dataclass(frozen=True, slots=True)
class Shown:
    """A column for people.

    Attributes:
        name: Its title, with the unit of amounts.
        cells: One text a row, and last that of the total.
        narrower: The cells with half the marks, of a sparkline.
        is_optional: Whether a narrow terminal may leave it out.
    """

    name: str
    cells: Sequence[str]
    role: Role = Role.TEXT
    narrower: Sequence[str] = ()
    is_optional: bool = False


def to_shown(table: Table, unit: str, *, ascii_only: bool = False, exact: bool = False) -> list[Shown]:
    """Return columns for people.

    Amounts are rounded to two fractional digits, shares are in percent, names stand in place of ids, and sparklines are
    the last column. `exact` writes amounts to their last digit, each column with as many fractional digits as its
    longest amount.
    """
    shared = shared_names(table)
    lines = [*table.rows, *([table.total] if table.total is not None else [])]
    shown: list[Shown] = []
    names = {column.name for column in table.columns}
    for column in table.columns:
        dimension = BY_COLUMN.get(column.name)
        if dimension is not None and dimension.label_column in names:
            continue  # people see the label in place of the id
        if column.kind is Kind.BAR:
            bars = [bar(row.get(column.name), ascii_only=ascii_only) for row in lines]
            shown.append(Shown(column.name, bars, is_optional=True))
        elif column.kind is Kind.MONEY:
            parts = _shown_money(table, column, unit, exact=exact)
            shown += [Shown(name, cells, Role.NUMBER, is_optional=column.is_optional) for name, cells in parts]
        else:
            role = Role.TEXT if column.kind is Kind.TEXT else Role.NUMBER
            cells = [_shown(column, row, shared) for row in lines]
            shown.append(Shown(column.name, cells, role, is_optional=column.is_optional))
    if table.sparklines:
        trends = [*table.sparklines, *([table.total_sparkline] if table.total is not None else [])]
        marks = [sparkline(trend, ascii_only=ascii_only) for trend in trends]
        narrower = [sparkline(halved(trend), ascii_only=ascii_only) for trend in trends]
        shown.append(Shown("days", marks, Role.TREND, narrower))
    return shown


def to_display(
    table: Table, unit: str, *, ascii_only: bool = False, narrow: bool = False, exact: bool = False
) -> tuple[list[str], list[list[str]]]:
    """Return titles and rows for people, of all columns.

    `narrow` breaks long titles over several lines; the rest is as in `to_shown`.
    """
    shown = to_shown(table, unit, ascii_only=ascii_only, exact=exact)
    # Only titles of numbers are broken: they are often wider than their values, and names of dimensions are not.
    titles = [broken(one.name) if narrow and one.role is Role.NUMBER else one.name for one in shown]
    return titles, [list(row) for row in zip(*(one.cells for one in shown), strict=True)]


def broken(name: str) -> str:
    """Return a long title over several lines, broken between its words."""
    return name.replace("_", "\n") if len(name) > _LONGEST_TITLE else name


def _shown_money(table: Table, column: Column, unit: str, *, exact: bool) -> list[tuple[str, list[str]]]:
    shown = []
    for name, values in by_currency(table, column, unit):
        total = [_total_of(table.total.get(column.name), name, column.name, unit)] if table.total is not None else []
        shown.append((name, (_exact if exact else _rounded)([*values, *total], unit)))
    return shown


def _rounded(values: Sequence[int | None], unit: str) -> list[str]:
    return ["" if value is None else to_rounded(value, unit) for value in values]


def _exact(values: Sequence[int | None], unit: str) -> list[str]:
    """Return amounts with commas, all with as many fractional digits as the longest needs.

    Estimates have no more than their two: zeros after them would be claims.
    """
    parts = ["" if value is None else _with_thousands(to_exact(value, unit)) for value in values]
    digits = max((len(part.partition(".")[2]) for part in parts), default=0)
    return [
        part if not part or isinstance(value, Estimate) else part.ljust(len(part.partition(".")[0]) + 1 + digits, "0")
        for part, value in zip(parts, values, strict=True)
    ]


def _with_thousands(text: str) -> str:
    whole, point, fraction = text.partition(".")
    sign = "-" if whole.startswith("-") else ""
    return f"{sign}{int(whole.removeprefix('-')):,}{point}{fraction}"


def _total_of(total: dict[str, int] | None, name: str, base: str, unit: str) -> int | None:
    """Return the total of one column, or None where it has amounts of several currencies.

    `name` is the column as it is written, `base` without its unit. In cents all currencies share one column.
    """
    for currency, amount in (total or {}).items():
        if money_name(base, currency, unit) == name and (unit != "cents" or len(total or {}) == 1):
            return amount
    return None


def _shown(column: Column, row: Row, shared: Collection[tuple[str, str]]) -> str:
    value = row.get(column.name)
    if column.name in _ID_OF:
        return shown_label(column.name, row, shared)
    if value is None:
        # A null of the API has a label. In the total and the folded row an empty cell only means that nothing adds up.
        is_total = next(iter(row.values())) in {Label.TOTAL, Label.OTHERS}
        return BY_COLUMN[column.name].null_label if column.name in BY_COLUMN and not is_total else ""
    if column.kind is Kind.SHARE:
        return f"{value:.1%}"
    return f"{value:,}" if column.kind is Kind.COUNT else str(value)


def shown_label(name: str, row: Row, shared: Collection[tuple[str, str]] = ()) -> str:
    """Return the readable name of an id.

    The id follows in parentheses where the name alone could be misread: it is equal to a label of this program, or
    several ids share it.
    """
    label, identity = row.get(name), row.get(_ID_OF[name])
    if isinstance(identity, Label) or label is None:
        return str(identity) if isinstance(identity, Label) else ""
    if identity is not None and (label in _OWN_LABELS or (name, label) in shared) and label != identity:
        return f"{label} ({identity})"
    return str(label)


def shared_names(table: Table) -> set[tuple[str, str]]:
    """Return the (label column, name) pairs that several ids share."""
    ids: dict[tuple[str, str], set[str]] = defaultdict(set)
    for row in table.rows:
        for name, identity in _ID_OF.items():
            if isinstance(row.get(identity), str):
                ids[name, row[name]].add(row[identity])
    return {key for key, found in ids.items() if len(found) > 1}
