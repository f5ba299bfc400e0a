"""CSV files of any size: rows are sent as they are read.

Datasette would collect all rows of a file in this process. Here a query worker reads them, and waits for a slow reader.
An error before the first rows is a page; one after them ends the connection, so that a browser shows a failed download.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from datasette.filters import Filters
from datasette.utils import escape_sqlite
from datasette.views.base import DatasetteError

from archiver.errors import ArchiverError
from archiver.offline.saved import value_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

_HEADERS = [(b"content-type", b"text/csv; charset=utf-8")]


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement with its parameters, and the name of the file."""

    sql: str
    parameters: Mapping[str, Any]
    name: str


def of_query(sql: str, pairs: Sequence[tuple[str, str]], name: str) -> Statement:
    """Return a statement of a user, with its parameters from the address."""
    values = {key: value_of(value) for key, value in pairs if not key.startswith("_") and key != "sql"}
    return Statement(sql, values, name)


def of_view(view: str, columns: Sequence[str], pairs: Sequence[tuple[str, str]]) -> Statement:
    """Return the statement of all pages of a view.

    It has the columns, filters and order of the address.

    Raises:
        DatasetteError: The address names a column that the view does not have, or two orders.
    """
    given: dict[str, list[str]] = {}
    for key, value in pairs:
        given.setdefault(key, []).append(value)
    first = {key: values[0] for key, values in given.items()}
    shown, hidden = given.get("_col", []), given.get("_nocol", [])
    order = [(first[key], word) for key, word in (("_sort", ""), ("_sort_desc", " DESC")) if first.get(key)]
    if len(order) > 1:
        raise DatasetteError("_sort and _sort_desc are both given", status=400)
    check_columns(view, columns, [*shown, *hidden, *(name for name, _ in order)])
    check_columns(view, columns, filter_columns(given))
    filters = Filters(sorted((key, value) for key, value in pairs if not key.startswith("_") or "__" in key))
    where, parameters = filters.build_where_clauses(view)
    where += [f"({one})" for one in given.get("_where", [])]
    kept = [name for name in columns if (not shown or name in shown) and name not in hidden]
    parts = [
        *("SELECT", ", ".join(map(escape_sqlite, kept)) or "NULL", "FROM", escape_sqlite(view)),
        *(("WHERE", " AND ".join(where)) if where else ()),
        *(("ORDER BY", escape_sqlite(order[0][0]) + order[0][1]) if order else ()),
    ]
    return Statement(" ".join(parts), parameters, view)


def filter_columns(keys: Iterable[str]) -> list[str]:
    """Return the columns that an address filters by, as of `model__contains`."""
    return [key.partition("__")[0] for key in keys if not key.startswith("_")]


def check_columns(view: str, columns: Sequence[str], named: Iterable[str]) -> None:
    """Check that a view has columns.

    SQLite would read the name of another one as a text.

    Raises:
        DatasetteError: It has not.
    """
    for name in sorted(named):
        if name not in columns:
            raise DatasetteError(f"{view} has no column {name!r}", status=400)


async def send_file(  # noqa: PLR0913  # an ASGI application has a receiver and a sender
    pieces: Iterator[str], name: str, executor: Any, receive: Any, send: Any, *, head: bool
) -> None:
    """Send a file, or with `head` its headers alone.

    `pieces` are its parts, which are made in a thread of `executor`.

    Raises:
        ArchiverError: There is an error before the first part.
    """
    loop = asyncio.get_running_loop()
    gone = asyncio.ensure_future(_gone(receive))
    try:
        piece = await loop.run_in_executor(executor, next, pieces, None)
        disposition = f'attachment; filename="{name}.csv"'.encode("ascii", "replace")
        headers = [*_HEADERS, (b"content-disposition", disposition)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        try:
            while piece is not None and not head and not gone.done():
                await send({"type": "http.response.body", "body": piece.encode(), "more_body": True})
                piece = await loop.run_in_executor(executor, next, pieces, None)
        except ArchiverError as error:
            # Without its last part the server ends the connection, and the file is seen to be incomplete.
            sys.stderr.write(f"error: a CSV file was cut off: {error.message}\n")
            return
        await send({"type": "http.response.body", "body": b""})
    finally:
        gone.cancel()
        await loop.run_in_executor(executor, pieces.close)  # type: ignore[attr-defined]  # it is a generator


async def _gone(receive: Any) -> None:
    """Wait until the reader has closed the connection."""
    while (await receive())["type"] != "http.disconnect":
        pass
