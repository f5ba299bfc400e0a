"""The named statements of the .sql files of this room and of `read`."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from itertools import chain, islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Sequence

    from archiver.model import Series

FOREVER = 2**62
_ROWS_AT_ONCE = 100
_NAME = re.compile(r"^-- name: (\S+)\n", re.MULTILINE)


@cache
def _statements() -> dict[str, str]:
    folders = (files("archiver.store"), files("archiver.store.read"))
    scripts = [
        entry.read_text("utf-8") for folder in folders for entry in folder.iterdir() if entry.name.endswith(".sql")
    ]
    found: dict[str, str] = {}
    for script in scripts:
        parts = _NAME.split(script)
        for name, body in zip(parts[1::2], parts[2::2], strict=True):
            assert name not in found, f"two statements are named {name}"
            found[name] = body.strip()
    return found


def sql(name: str) -> str:
    """Give the statement of that name.

    Raises:
        KeyError: There is none.
    """
    return _statements()[name]


def script(name: str) -> str:
    """Return a script of the read side, which is run whole."""
    return files("archiver.store.read").joinpath(f"{name}.sql").read_text("utf-8")


def insert_many(connection: sqlite3.Connection, name: str, rows: Iterable[Sequence[object]]) -> None:
    """Run the named INSERT of one row for many rows, a hundred at a time: faster, for SQLite is called less often."""
    left = iter(rows)
    while batch := list(islice(left, _ROWS_AT_ONCE)):
        connection.execute(_of_many_rows(name, len(batch)), list(chain.from_iterable(batch)))


@cache
def _of_many_rows(name: str, count: int) -> str:
    head, values, row = sql(name).rstrip(";").rpartition("VALUES ")
    return head + values + ", ".join([row] * count)


def series_values(series: Series) -> dict[str, object]:
    """Give what identifies a series, by the names that statements use."""
    return {
        "report": series.report,
        "bucket_width": series.bucket_width,
        "group_by": series.group_by_text,
        "filters": series.filters_text,
    }
