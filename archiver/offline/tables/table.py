"""Tables, the results of reports: columns, rows, notes and sparklines."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TYPE_CHECKING, Any

from archiver.offline.tables.money import Estimate
from archiver.reports.dimensions import DIMENSIONS, Label

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from archiver.offline.tables.slots import Slots, Trend
    from archiver.store.read.daily_sums import Line

Row = dict[str, Any]
"""The values of one line by column name."""


class Kind(Enum):
    """The type and unit of the values of a column."""

    TEXT = "text"
    COUNT = "count"
    MONEY = "money"  # integers of 1e-18 cents
    SHARE = "share"  # 1 is all
    EXACT = "exact"  # decimal numbers as text
    BAR = "bar"  # the used part of a limit and the projected one (1 is all, None unknown); for people alone


@dataclass(frozen=True, slots=True)
class Column:
    """A named column.

    A money column is named without its unit, which is added on output: `amount` becomes `amount_usd`. A column that
    `is_optional` explains others, and a narrow terminal may leave it out.
    """

    name: str
    kind: Kind = Kind.TEXT
    is_optional: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """The result of a report.

    Attributes:
        rows: Rows in order. A dimension is None where the API sent null, a Label where the API sent no value for it.
        total: The last row, for people. Its money is a dict by currency, because currencies are never added up.
        notes: Sentences that a reader needs to interpret the numbers.
        is_known: False when no selected day is archived; then there are no rows and no total.
        needs_attention: Whether the exit code has to be 3, as a limit is exceeded or a state is unknown.
        sparklines: The trend of each row, for people; empty for none.
        total_sparkline: The trend of the total.
        slots: The division of the sparklines into marks.
        period: The days that the numbers are of, in words, for the title.
        sentences: The result in words, for people, to stand before the table.
    """

    columns: Sequence[Column]
    rows: Sequence[Row]
    total: Row | None = None
    notes: Sequence[str] = ()
    is_known: bool = True
    needs_attention: bool = False
    sparklines: Sequence[Trend] = ()
    total_sparkline: Trend = field(default_factory=list)
    slots: Slots | None = None
    period: str = ""
    sentences: Sequence[str] = ()

    @property
    def currencies(self) -> list[str]:
        """The currencies of the rows, USD first; USD alone where no row has one."""
        found = {row["currency"] for row in self.rows if row.get("currency")}
        return sorted(found, key=lambda one: (one != "USD", one)) or ["USD"]

    def over(self, period: str) -> Table:
        """Return the table with the days that its numbers are of."""
        return replace(self, period=period)

    def noting(self, *notes: str) -> Table:
        """Return the table with more notes."""
        return replace(self, notes=(*self.notes, *(note for note in notes if note)))


def plain(*names: str) -> list[Column]:
    """Return columns of text."""
    return [Column(name) for name in names]


def money(*names: str) -> list[Column]:
    """Return columns of amounts."""
    return [Column(name, Kind.MONEY) for name in names]


def counts(*names: str) -> list[Column]:
    """Return columns of counts."""
    return [Column(name, Kind.COUNT) for name in names]


def sum_by_currency(rows: Sequence[Row], column: str) -> dict[str, int]:
    """Add up a money column, each currency by itself.

    Rows without an amount add nothing. The sums are estimates if any of the amounts is one.
    """
    sums: dict[str, int] = {}
    for row in rows:
        if row[column] is not None:
            sums[row.get("currency") or "USD"] = sums.get(row.get("currency") or "USD", 0) + row[column]
    if any(isinstance(row[column], Estimate) for row in rows):
        return {currency: Estimate(amount) for currency, amount in sums.items()}
    return sums


@dataclass(frozen=True, slots=True)
class Ranked:
    """Rows in order, each with the archive's lines that it sums."""

    rows: list[Row]
    lines: list[list[Line]]


def keep_top(
    rows: Sequence[Row],
    top: int | None,
    rank: Callable[[Row], Any],
    added: Sequence[str],
    lines: Sequence[Line] | None = None,
) -> Ranked:
    """Order rows by `rank`, largest first; fold those beyond `top`.

    Each currency is ranked by itself, and has its own row `(others)`, the sum of the rows beyond `top`. `added` are the
    columns that are summed in it. `top` of None keeps all rows; `lines` are those that the rows sum, one each.
    """
    of = list(zip(rows, lines if lines is not None else [None] * len(rows), strict=True))
    kept: list[Row] = []
    made_of: list[list[Any]] = []
    currencies = {row.get("currency") or "" for row in rows}
    # Amounts of two currencies cannot be compared. Rows without any, such as tokens never billed, come last.
    for currency in sorted(currencies, key=lambda one: (one == "", one)):
        mine = sorted((one for one in of if (one[0].get("currency") or "") == currency), key=lambda one: rank(one[0]))
        mine.reverse()
        first, rest = (mine, []) if top is None else (mine[:top], mine[top:])
        kept += [row for row, _ in first]
        made_of += [[line] for _, line in first]
        if rest:
            kept.append(_fold([row for row, _ in rest], added))
            made_of.append([line for _, line in rest])
    return Ranked(kept, made_of)


def _fold(rows: Sequence[Row], added: Sequence[str]) -> Row:
    # Columns that do not add up, such as a price or a state, stay empty.
    folded: Row = dict.fromkeys(rows[0])
    folded[next(iter(folded))] = Label.OTHERS
    # Label columns are never null, so they have the word too where the first column is a month.
    folded |= {one.label_column: Label.OTHERS for one in DIMENSIONS if one.label_column in folded}
    for column in added:
        known = [row[column] for row in rows if row[column] is not None]
        total = sum(known)
        estimated = any(isinstance(value, Estimate) for value in known)
        folded[column] = (Estimate(total) if estimated else total) if known else None
    if "currency" in folded:
        folded["currency"] = rows[0]["currency"]
    return folded
