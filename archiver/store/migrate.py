"""Migrations: numbered scripts that bring a file to the newest schema.

Each migration runs in one transaction. The ledger, which is the table `_migration` of the file, has the hash of each
migration that was applied. The first migration sets the application id before the file is switched to WAL mode. In WAL
mode the header could stay in the -wal file, and the file itself would look like the file of another program.
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
        """The hash of the script, as the ledger stores it."""
        return hashlib.sha256(self.script.encode()).hexdigest()


def shipped_migrations() -> tuple[Migration, ...]:
    """Return the migrations of this program, in order of their versions.

    They are read from the installed package, or else from the top of the repository.
    """
    folder: Traversable = files("archiver").joinpath("migrations")
    if not folder.is_dir():
        folder = Path(__file__).parents[2] / "migrations"
    names = sorted(entry.name for entry in folder.iterdir() if _FILE_NAME.fullmatch(entry.name))
    # A name begins with the version, in four digits.
    return tuple(Migration(int(name[:4]), name, folder.joinpath(name).read_text("utf-8")) for name in names)


def newest_version(migrations: Sequence[Migration] | None = None) -> int:
    """Return the schema version that the migrations lead to.

    None stands for the migrations of this program, here and below.
    """
    return max(migration.version for migration in (migrations or shipped_migrations()))


def check_sqlite() -> None:
    """Check that SQLite has STRICT tables and the `->>` operator.

    Raises:
        ConfigurationError: SQLite is older than 3.38.
    """
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        required = ".".join(map(str, OLDEST_SQLITE))
        raise ConfigurationError(f"SQLite {sqlite3.sqlite_version} is too old: {required} or newer is required")


def check_schema(connection: sqlite3.Connection, path: Path, migrations: Sequence[Migration]) -> list[Migration]:
    """Return the migrations that a file still needs, by its ledger.

    Raises:
        NewerError: The file is newer than the program.
        DamagedError: The ledger differs from the migrations of this program, or the file is not an archive.
    """
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > newest_version(migrations):
        raise NewerError(
            f"{path} has schema {version}; this program supports up to schema {newest_version(migrations)}",
            hint="install a newer archiver",
        )
    # A file without any table is new.
    if version == 0 and not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        return list(migrations)
    try:
        ledger = connection.execute("SELECT version, name, sha256 FROM _migration ORDER BY version").fetchall()
    except sqlite3.OperationalError as error:
        # SQLITE_ERROR: there is no ledger, so the file is not an archive. Other codes are faults of the disk or file.
        if error.sqlite_errorcode != sqlite3.SQLITE_ERROR:
            raise
        ledger = []
    expected = [(m.version, m.name, m.sha256) for m in migrations if m.version <= version]
    if ledger != expected or connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        raise DamagedError(f"{path} has other migrations than this program", hint="it was not changed")
    return [m for m in migrations if m.version > version]


def pending(path: Path, migrations: Sequence[Migration] | None = None) -> list[Migration]:
    """Return the migrations that an existing file still needs.

    The file is not changed, except that an interrupted migration is rolled back.

    Raises:
        NewerError, DamagedError, LockedError, StorageError: The file cannot be migrated.
    """
    shipped = migrations or shipped_migrations()
    journal = path.with_name(path.name + "-journal")
    # An interrupted migration leaves a journal, and only a read-write connection can roll it back.
    uri = f"{path.absolute().as_uri()}?mode=rw" if journal.exists() else read_only_uri(path)
    with translated(path), closing(sqlite3.connect(uri, uri=True)) as connection:
        return check_schema(connection, path, shipped)


def migrate(path: Path, now: int, migrations: Sequence[Migration] | None = None) -> list[Migration]:
    """Bring the file to the newest schema, and return the migrations applied.

    The file is created if it does not exist. The caller holds the lock. `now` (UTC seconds) is stored in the ledger.
    An existing archive that needs a migration is first copied to `backup_path`.

    Raises:
        ConfigurationError: SQLite is too old.
        NewerError, DamagedError, LockedError, StorageError: The file cannot be migrated. The migration that failed is
            rolled back.
    """
    check_sqlite()
    shipped = migrations or shipped_migrations()
    create_private(path)
    with translated(path), closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = FULL")
        todo = check_schema(connection, path, shipped)
        # A file that needs the first migration is empty.
        if todo and todo[0] is not shipped[0]:
            _back_up(connection, path, todo[0].version - 1)
        for migration in todo:
            _apply(connection, migration, now)
        # In WAL mode readers never block the writer. The mode is stored in the file, so only the first call changes it.
        connection.execute("PRAGMA journal_mode = WAL")
    return todo


def columns_of_views(views: Sequence[str]) -> dict[str, list[str]]:
    """Return the columns of views in the newest schema, by view."""
    # A database in memory gets the schema, so that no archive is needed.
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        for migration in shipped_migrations():
            connection.executescript(migration.script)
        return {view: [name for _, name, *_ in connection.execute(f"PRAGMA table_info({view})")] for view in views}


def backup_path(path: Path, version: int) -> Path:
    """Return the path of the copy that is made before a migration.

    It is in the same folder. `version` is the schema of the copy.
    """
    return path.with_name(f"{path.name}.schema-{version}")


def _back_up(connection: sqlite3.Connection, path: Path, version: int) -> None:
    """Copy the file to `backup_path`, either completely or not at all."""
    # The copy gets its final name only when it is complete and on the disk. The folder is synced for that name. So a
    # file with the final name is complete, also after a power cut.
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
        # `executescript` commits an open transaction first, so BEGIN has to be a part of the script.
        connection.executescript(f"BEGIN IMMEDIATE;\n{migration.script}")
        connection.execute("INSERT INTO _migration VALUES (?, ?, ?, ?, ?)", ledger)
        connection.execute(f"PRAGMA user_version = {migration.version:d}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
