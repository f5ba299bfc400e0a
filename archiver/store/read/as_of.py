"""The archive as of an earlier time, on a read-only connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archiver.store.statements import script, sql

if TYPE_CHECKING:
    import sqlite3


def open_as_of(connection: sqlite3.Connection, moment: int) -> None:
    """Hide tables and views behind temporary ones of an earlier moment.

    `moment` is in UTC seconds.
    """
    connection.executescript(script("as_of"))
    connection.execute(sql("insert_as_of"), (moment,))
    for name in ("insert_revisions_after_as_of", "insert_buckets_revised_after_as_of", "insert_days_after_as_of"):
        connection.execute(sql(name), {"moment": moment})
    # A temporary table hides the table of the same name, so that the ranking of now also writes that of the moment.
    connection.execute(sql("insert_chosen_days"), {"moment": moment, "report": None, "days": None})
    for (view,) in connection.execute(sql("select_dated_views")).fetchall():
        connection.execute(view.replace("CREATE VIEW", "CREATE TEMP VIEW", 1))
    connection.commit()
