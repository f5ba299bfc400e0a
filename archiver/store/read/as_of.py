"""Looking back: the views as they were known at a moment, on a connection that only reads the file."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

from archiver.store.statements import sql

if TYPE_CHECKING:
    import sqlite3


def open_as_of(connection: sqlite3.Connection, moment: int) -> None:
    """Let the views of use and money say what was known at a moment."""
    connection.executescript(files("archiver.store.read").joinpath("as_of.sql").read_text("utf-8"))
    connection.execute(sql("as_of"), (moment,))
    connection.execute(sql("as_of_days"))
    for (view,) in connection.execute(sql("dated_views")).fetchall():
        connection.execute(view.replace("CREATE VIEW", "CREATE TEMP VIEW", 1))
    connection.commit()
