"""The typed columns of exported rows, with exact decimals."""

from __future__ import annotations

from datetime import date
from decimal import Decimal, localcontext
from functools import partial
from itertools import islice
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from archiver.offline.export.parquet import ROWS_AT_ONCE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_CENTS_DIGITS, _DOLLAR_DIGITS = 18, 20
_PRECISION = 1100  # of digits: Python keeps 28 by default, and a text can have a thousand
_AMOUNTS = {"amount": "amount_usd", "list_amount": "list_amount_usd"}
"""Amounts in cents as the API's text, and the rounded columns of the views that are computed exactly here."""
_COUNTS = frozenset(
    {"sessions", "lines_added", "lines_removed", "commits", "pull_requests", "accepted", "rejected", "requests"}
)
_TIMES = frozenset({"bucket_start", "bucket_end"})


def record_batches(
    pa: Any, names: Sequence[str], rows: Iterator[tuple[Any, ...]], month: str | None = None
) -> tuple[Any, Iterator[Any]]:
    """Return the schema of a view's rows, and their batches.

    With `month` it is the last column, for a format that has its partitions as a column.
    """
    columns = _columns(pa, names)
    if month is not None:
        columns.append((pa.field("month", pa.string()), lambda _: month))
    schema = pa.schema([one for one, _ in columns])

    def batches() -> Iterator[Any]:
        while batch := list(islice(rows, ROWS_AT_ONCE)):
            arrays = [pa.array([value_of(row) for row in batch], type=one.type) for one, value_of in columns]
            yield pa.record_batch(arrays, schema=schema)

    return schema, batches()


def _columns(pa: Any, names: Sequence[str]) -> list[tuple[Any, Callable[[tuple[Any, ...]], Any]]]:
    """Return the field of each column, and what computes its value from a row."""
    at = {name: i for i, name in enumerate(names)}
    cents, dollars = pa.decimal128(38, _CENTS_DIGITS), pa.decimal128(38, _DOLLAR_DIGITS)
    found: list[tuple[Any, Callable[[tuple[Any, ...]], Any]]] = []
    for name, i in at.items():
        if name in _AMOUNTS.values():
            continue
        if name == "date":
            found.append((pa.field(name, pa.date32()), partial(_day, at=i)))
        elif name in _TIMES:
            # Delta tables have times in microseconds alone.
            found.append((pa.field(name, pa.timestamp("us", tz="UTC")), partial(_microseconds, at=i)))
        elif name in _AMOUNTS:
            found.append((pa.field(f"{name}_cents", cents), partial(_decimal, at=i)))
            in_dollars = partial(_dollars, at=i, currency=at["currency"])
            found.append((pa.field(_AMOUNTS[name], dollars), in_dollars))
        elif name in _COUNTS or name.endswith(("_tokens", "_requests", "_microcents")):
            found.append((pa.field(name, pa.int64()), itemgetter(i)))
        else:
            found.append((pa.field(name, pa.string()), itemgetter(i)))
    return found


def _day(row: tuple[Any, ...], at: int) -> date:
    return date.fromisoformat(row[at])


def _microseconds(row: tuple[Any, ...], at: int) -> int:
    seconds: int = row[at]
    return seconds * 1_000_000


def _decimal(row: tuple[Any, ...], at: int) -> Decimal | None:
    return None if row[at] is None else _rounded(Decimal(row[at]), _CENTS_DIGITS)


def _rounded(amount: Decimal, digits: int) -> Decimal:
    """Return an amount of at most so many fractional digits; DECIMAL(38) has no more. Only tiny amounts have more."""
    with localcontext(prec=_PRECISION):
        return round(amount, digits)


def _dollars(row: tuple[Any, ...], at: int, currency: int) -> Decimal | None:
    """Return the amount in US dollars; None for another currency."""
    if row[at] is None or row[currency] != "USD":
        return None
    with localcontext(prec=_PRECISION):
        return _rounded(Decimal(row[at]).scaleb(-2), _DOLLAR_DIGITS)
