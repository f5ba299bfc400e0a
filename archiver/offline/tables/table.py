"""Reports as tables.

Rows by column name, what a column holds, and what is known of the days behind them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TYPE_CHECKING, Any

from archiver.offline.tables.money import Estimate
from archiver.reports.dimensions import DIMENSIONS, Label

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from archiver.store.read.daily_sums import Line

Row = dict[str, Any]
"""The values of one line by column name."""

Trend = list[float | None]
"""Daily means over equal stretches of days; None where no day of a stretch is known."""


class Kind(Enum):
    """What a column holds.

    Text, a count, an amount (1e-18 cents), a share of 1, or a decimal number as text.
    """

    TEXT = "text"
    COUNT = "count"
    MONEY = "money"
    SHARE = "share"
    EXACT = "exact"


@dataclass(frozen=True, slots=True)
class Column:
    """A named column.

    The name of a money column gets its unit when it is written: `amount` becomes `amount_usd`.
    """

    name: str
    kind: Kind = Kind.TEXT


@dataclass(frozen=True, slots=True)
class Table:
    """The result of a report.

    Attributes:
        rows: Lines in order. A dimension is None where the API sent null, a Label where it has another meaning.
        total: The last line, for people; money in it is a dict by currency, for currencies are never added up.
        notes: What has to be known to read the numbers, one sentence each.
        is_known: False when nothing of what was asked for is archived; then there are no rows and no total.
        needs_attention: Whether the exit code has to be 3: a limit is passed, or a state is unknown.
        sparklines: One trend a row, for people; `total_sparkline` is that of the total, `legend` explains the marks.
    """

    columns: Sequence[Column]
    rows: Sequence[Row]
    total: Row | None = None
    notes: Sequence[str] = ()
    is_known: bool = True
    needs_attention: bool = False
    sparklines: Sequence[Trend] = ()
    total_sparkline: Trend = field(default_factory=list)
    legend: str = ""

    @property
    def currencies(self) -> list[str]:
        """The currencies of the rows, USD first; USD alone where no row has one."""
        found = {row["currency"] for row in self.rows if row.get("currency")}
        return sorted(found, key=lambda one: (one != "USD", one)) or ["USD"]

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

    Rows without an amount add nothing.
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
    """Rows in order with the lines that each is made of."""

    rows: list[Row]
    lines: list[list[Line]]


def keep_top(
    rows: Sequence[Row],
    top: int | None,
    rank: Callable[[Row], Any],
    added: Sequence[str],
    lines: Sequence[Line] | None = None,
) -> Ranked:
    """Order rows by `rank`, and fold those beyond `top` into `(others)`.

    The largest first, each currency by itself.

    `added` are the columns that add up; the others of the folded row are empty, but for its first column and currency.
    """
    of = list(zip(rows, lines if lines is not None else [None] * len(rows), strict=True))
    kept: list[Row] = []
    made_of: list[list[Any]] = []
    currencies = {row.get("currency") or "" for row in rows}
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
    folded: Row = dict.fromkeys(rows[0])
    folded[next(iter(folded))] = Label.OTHERS
    # A label is never null, also where the first column is a month.
    folded |= {one.label_column: Label.OTHERS for one in DIMENSIONS if one.label_column in folded}
    for column in added:
        known = [row[column] for row in rows if row[column] is not None]
        total = sum(known)
        estimated = any(isinstance(value, Estimate) for value in known)
        folded[column] = (Estimate(total) if estimated else total) if known else None
    if "currency" in folded:
        folded["currency"] = rows[0]["currency"]
    return folded
