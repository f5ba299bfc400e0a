"""Named statements and scripts, read from the `.sql` files of the store."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from itertools import chain, islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from archiver.model import Series

FOREVER = 2**62
"""A time after every bucket, in UTC seconds. It is far below 2**63, so that sums with it fit SQLite's integers."""

ROWS_AT_ONCE = 100
"""The number of rows in one INSERT.

Inserting 100 rows at once is 1.5 times as fast as inserting single rows. The widest row has 32 values, so a statement
has at most 3,200 variables; SQLite's limit is 32,766.
"""

_FOLDERS = ("archiver.store", "archiver.store.read")
_NAME = re.compile(r"^-- name: (\S+)\n", re.MULTILINE)


def sql(name: str) -> str:
    """Return the statement that follows the line `-- name: NAME`.

    Raises:
        KeyError: No file has a statement of that name.
    """
    return _statements()[name]


def script(name: str) -> str:
    """Return the whole text of `NAME.sql`, for example for `executescript`.

    Raises:
        KeyError: There is no such file.
    """
    return _files()[name]


def parse_statements(texts: Mapping[str, str]) -> dict[str, str]:
    """Return the named statements of SQL files, by name.

    `texts` maps the names of files to their content. A file without `-- name:` lines has no named statements.

    Raises:
        ValueError: Two statements have the same name.
    """
    found: dict[str, str] = {}
    for file, text in texts.items():
        # Text before the first name is a comment about the file. Names and bodies alternate after it, because `split`
        # also returns the group of the pattern.
        _, *parts = _NAME.split(text)
        for name, body in zip(parts[::2], parts[1::2], strict=True):
            if name in found:
                raise ValueError(f"{file}.sql: a second statement named {name}")
            found[name] = body.strip()
    return found


@cache
def _statements() -> dict[str, str]:
    return parse_statements(_files())


@cache
def _files() -> dict[str, str]:
    entries = chain.from_iterable(files(folder).iterdir() for folder in _FOLDERS)
    scripts = (entry for entry in entries if entry.name.endswith(".sql"))
    return {entry.name.removesuffix(".sql"): entry.read_text("utf-8") for entry in scripts}


@cache
def of_many_rows(name: str, count: int) -> str:
    """Return the named INSERT of one row as an INSERT of `count` rows."""
    # The statement ends with `VALUES (?, …);`: its last part is repeated.
    head, values, row = sql(name).rstrip(";").rpartition("VALUES ")
    return head + values + ", ".join([row] * count)


def batches(rows: Iterable[Sequence[object]]) -> Iterator[list[Sequence[object]]]:
    """Group rows into lists of `ROWS_AT_ONCE`; the last list may be shorter."""
    remaining = iter(rows)
    while batch := list(islice(remaining, ROWS_AT_ONCE)):
        yield batch


def insert_many(connection: sqlite3.Connection, name: str, rows: Iterable[Sequence[object]]) -> None:
    """Run the named INSERT of one row for many rows, `ROWS_AT_ONCE` at a time."""
    for batch in batches(rows):
        connection.execute(of_many_rows(name, len(batch)), list(chain.from_iterable(batch)))


def series_values(series: Series) -> dict[str, object]:
    """Return the columns that identify a series, as statement parameters."""
    return {
        "report": series.report,
        "bucket_width": series.bucket_width,
        "group_by": series.group_by_text,
        "filters": series.filters_text,
    }
