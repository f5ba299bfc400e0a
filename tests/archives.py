"""Edits of an archive that no sync makes: what damage, another program or an interrupted run leaves.

The tables are private, so tests change them here and nowhere else. Times are UTC seconds, `before` is exclusive.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from archiver.store.statements import FOREVER

if TYPE_CHECKING:
    from pathlib import Path


def _edit(db: Path, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(db)) as connection, connection:
        connection.execute(statement, values)


def make_foreign_database(db: Path) -> None:
    """Create the database of another program, which has a table of migrations, too."""
    with closing(sqlite3.connect(db)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE _migration (version, name, sha256)")


def copy_database(db: Path, target: Path) -> None:
    """Copy a database that may have a WAL."""
    with closing(sqlite3.connect(db)) as source, closing(sqlite3.connect(target)) as copy:
        source.backup(copy)


def set_schema_version(db: Path, version: int) -> None:
    """Change the schema version in the header."""
    _edit(db, f"PRAGMA user_version = {version:d}")


def set_ledger(db: Path, column: str, value: str) -> None:
    """Change one column of all entries in the ledger of migrations."""
    _edit(db, f"UPDATE _migration SET {column} = ?", value)  # noqa: S608  # a column's name


def delete_ledger(db: Path) -> None:
    """Delete all entries of the ledger of migrations."""
    _edit(db, "DELETE FROM _migration")


def set_organization(db: Path, identity: str) -> None:
    """Change the organization that the archive belongs to."""
    _edit(db, "UPDATE _organization SET id = ?", identity)


def delete_names(db: Path) -> None:
    """Delete all names of workspaces, keys and users."""
    _edit(db, "DELETE FROM _name")


def delete_coverage(db: Path, before: int = FOREVER) -> None:
    """Delete the spans of coverage that start before a time; rows and digests of buckets stay."""
    _edit(db, "DELETE FROM _span WHERE span_start < ?", before)


def delete_answers(db: Path) -> None:
    """Delete the digests of all responses, so that the next ones are compared bucket by bucket."""
    _edit(db, "DELETE FROM _answer")


def delete_digests(db: Path, before: int = FOREVER) -> None:
    """Delete the digests of buckets that start before a time; their rows stay."""
    _edit(db, "DELETE FROM _bucket WHERE bucket_start < ?", before)


def add_day_sums(db: Path) -> None:
    """Add sums of a day to a series of days, which has none."""
    _edit(
        db,
        "INSERT INTO _usage_day SELECT series_id, bucket_start, key_id, 1, 1, 1, 1, 1, 1 FROM _usage_fact LIMIT 1",
    )


def set_counts(db: Path, table: str, count: int) -> None:
    """Change the output tokens of all rows of `_usage_fact` or `_usage_day`."""
    _edit(db, f"UPDATE {table} SET output_tokens = ?", count)  # noqa: S608  # a table's name
