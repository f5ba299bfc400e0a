"""The archive as of an earlier time, on a read-only connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archiver.store.statements import script, sql

if TYPE_CHECKING:
    import sqlite3


def open_as_of(connection: sqlite3.Connection, moment: int) -> None:
    """Hide tables and views behind temporary views as of an earlier moment.

    `moment` is in UTC seconds. The file does not change.
    """
    connection.executescript(script("as_of"))
    connection.execute(sql("insert_as_of"), (moment,))
    for name in ("insert_revisions_after_as_of", "insert_buckets_revised_after_as_of", "insert_days_after_as_of"):
        connection.execute(sql(name), {"moment": moment})
    # This statement also stores the choice for the present. Here it writes to a temporary table, which hides the table
    # of the same name.
    connection.execute(sql("insert_chosen_days"), {"moment": moment, "report": None, "days": None})
    for (view,) in connection.execute(sql("select_dated_views")).fetchall():
        # A view of the file reads only tables of the file: its temporary copy reads the temporary ones.
        connection.execute(view.replace("CREATE VIEW", "CREATE TEMP VIEW", 1))
    connection.commit()
