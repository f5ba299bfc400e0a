"""Bring a file to the newest schema: one transaction a migration, with a ledger of their hashes.

The application id is set inside the first migration, before the file turns to WAL, so that the header on the disk
always says whose file it is.
"""

from __future__ import annotations

import hashlib
import re
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from archiver import __version__
from archiver.errors import ConfigurationError, DamagedError, NewerError
from archiver.store.faults import translated
from archiver.store.files import APPLICATION_ID, create_private, read_only_uri, sync_file

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.resources.abc import Traversable

_FILE_NAME = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")
OLDEST_SQLITE = (3, 38, 0)


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered step of the schema."""

    version: int
    name: str
    script: str

    @property
    def sha256(self) -> str:
        """The hash that the ledger keeps."""
        return hashlib.sha256(self.script.encode()).hexdigest()


def shipped_migrations() -> tuple[Migration, ...]:
    """Read the migrations that came with the program, in order: in the wheel, or at the top of the repository."""
    folder: Traversable = files("archiver").joinpath("migrations")
    if not folder.is_dir():
        folder = Path(__file__).parents[2] / "migrations"
    names = sorted(entry.name for entry in folder.iterdir() if _FILE_NAME.fullmatch(entry.name))
    return tuple(Migration(int(name[:4]), name, folder.joinpath(name).read_text("utf-8")) for name in names)


def newest_version(migrations: Sequence[Migration] | None = None) -> int:
    """Say which schema this program writes."""
    return max(m.version for m in (migrations or shipped_migrations()))


def check_sqlite() -> None:
    """Refuse a SQLite that is too old for the schema.

    Raises:
        ConfigurationError: It is older than 3.38.
    """
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        wanted = ".".join(map(str, OLDEST_SQLITE))
        raise ConfigurationError(f"SQLite {sqlite3.sqlite_version} is too old: {wanted} or newer is needed")


def check_schema(connection: sqlite3.Connection, path: Path, migrations: Sequence[Migration]) -> list[Migration]:
    """Compare a file's ledger with the migrations of this program; answer those it still needs.

    Raises:
        NewerError: The file is newer than the program.
        DamagedError: The ledger does not fit: edited, missing or foreign migrations.
    """
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > newest_version(migrations):
        raise NewerError(
            f"{path} has schema {version}; this program knows {newest_version(migrations)}",
            hint="update the program",
        )
    if version == 0 and not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        return list(migrations)
    try:
        ledger = connection.execute("SELECT version, name, sha256 FROM migration ORDER BY version").fetchall()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_ERROR:
            raise
        ledger = []
    known = [(m.version, m.name, m.sha256) for m in migrations if m.version <= version]
    if ledger != known or connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        raise DamagedError(f"{path} was made with other migrations than this program's", hint="it was left as it is")
    return [m for m in migrations if m.version > version]


def pending(path: Path, migrations: Sequence[Migration] | None = None) -> list[Migration]:
    """Say which migrations an existing file still needs; reads only, but for rolling back what was cut short.

    Raises:
        NewerError, DamagedError, StorageError: As the file is.
    """
    shipped = migrations or shipped_migrations()
    journal = path.with_name(path.name + "-journal")
    # A change that was cut short left a journal, and only a connection that may write can roll it back.
    uri = f"{path.absolute().as_uri()}?mode=rw" if journal.exists() else read_only_uri(path)
    with translated(path), closing(sqlite3.connect(uri, uri=True)) as connection:
        return check_schema(connection, path, shipped)


def migrate(path: Path, now: int, migrations: Sequence[Migration] | None = None) -> list[Migration]:
    """Bring the file to the newest schema, making it if it is not there; answer what was applied.

    The caller holds the lock. `now` is for the ledger. Before the first change to a file that is there, it is copied to
    `backup_path`.

    Raises:
        NewerError, DamagedError, StorageError: As the file is; it is left unchanged.
    """
    check_sqlite()
    shipped = migrations or shipped_migrations()
    create_private(path)
    with translated(path), closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = FULL")
        todo = check_schema(connection, path, shipped)
        if todo and todo[0] is not shipped[0]:
            _back_up(connection, path, todo[0].version - 1)
        for migration in todo:
            _apply(connection, migration, now)
        connection.execute("PRAGMA journal_mode = WAL")
    return todo


def columns_of_views(views: Sequence[str]) -> dict[str, list[str]]:
    """Give the columns of views as the newest schema has them, from a database that is made in memory."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        for migration in shipped_migrations():
            connection.executescript(migration.script)
        return {view: [name for _, name, *_ in connection.execute(f"PRAGMA table_info({view})")] for view in views}


def backup_path(path: Path, version: int) -> Path:
    """Name the copy of an archive as it was with an older schema."""
    return path.with_name(f"{path.name}.schema-{version}")


def _back_up(connection: sqlite3.Connection, path: Path, version: int) -> None:
    """Copy the file beside itself before the first change; a copy is there whole or not at all."""
    part = path.with_name(f"{path.name}.schema-{version}.part")
    part.unlink(missing_ok=True)
    try:
        create_private(part)
        connection.execute("VACUUM INTO ?", (str(part),))
        sync_file(part)
        part.replace(backup_path(path, version))
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    sync_file(path.parent)


def _apply(connection: sqlite3.Connection, migration: Migration, now: int) -> None:
    ledger = (migration.version, migration.name, migration.sha256, now, __version__)
    try:
        connection.executescript(f"BEGIN IMMEDIATE;\n{migration.script}")
        connection.execute("INSERT INTO migration VALUES (?, ?, ?, ?, ?)", ledger)
        connection.execute(f"PRAGMA user_version = {migration.version:d}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
