"""SQLite's and the system's errors, translated once into ours."""

from __future__ import annotations

import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from archiver.errors import ArchiverError, ConfigurationError, DamagedError, LockedError, StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT}
_STORAGE = {
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_NOLFS,
}
_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_REPEATED = {sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_UNIQUE}
_PRIMARY_CODE = 0xFF
_BLOCK = 1 << 20


def translate(  # noqa: PLR0911  # a table of errors
    error: sqlite3.Error | OSError, path: Path
) -> ArchiverError | None:
    """Find our error for a foreign one; None where it can only be a bug of ours."""
    if isinstance(error, OSError):
        reason = error.strerror or type(error).__name__
        return StorageError(f"{path} cannot be used: {reason}", hint="check the disk, the path and its permissions")
    if getattr(error, "sqlite_errorcode", -1) == sqlite3.SQLITE_READONLY_ROLLBACK:
        return StorageError(f"{path} is as a run left it that was cut short", hint="archiver sync puts it right")
    code = getattr(error, "sqlite_errorcode", -1) & _PRIMARY_CODE
    if code in _DAMAGED:
        return DamagedError(f"{path} is damaged or not an archive: {error}", hint="restore it from a copy")
    if code in _STORAGE:
        return StorageError(f"{path} cannot be used: {error}", hint="check the disk, the path and its permissions")
    if "decode to UTF-8" in str(error):  # sqlite3's own error about a text: SQLite keeps any bytes
        return DamagedError(f"{path} is damaged: {error}", hint="run archiver verify, or restore it from a copy")
    if "integer overflow" in str(error):
        return ConfigurationError(
            "the sum does not fit 64 bits", hint="ask for a shorter range, or add up the rows in another tool"
        )
    if getattr(error, "sqlite_errorcode", -1) in _REPEATED:
        return DamagedError(f"{path} has rows that no answer brought: {error}", hint="archiver verify says which")
    if code in _BUSY:
        return LockedError(f"{path} is held by another program: {error}", hint="try again when it is done")
    return None


@contextmanager
def reconsidered(path: Path) -> Iterator[None]:
    """Look again at a file that was called damaged, once nothing has it open: SQLite says so, too, when a read fails.

    Raises:
        StorageError: The file is sound, or the disk does not let it be read.
    """
    try:
        yield
    except DamagedError as error:
        if getattr(error.__cause__, "sqlite_errorcode", -1) & _PRIMARY_CODE != sqlite3.SQLITE_CORRUPT or _damaged(path):
            raise
        raise StorageError(f"{path} could not be read: disk I/O error", hint="check the disk, and try again") from error


def _damaged(path: Path) -> bool:
    from archiver.store.files import read_only_uri  # noqa: PLC0415  # that module needs this one

    try:
        with path.open("rb") as file:
            while file.read(_BLOCK):
                pass
        with closing(sqlite3.connect(read_only_uri(path), uri=True)) as connection:
            return bool(connection.execute("PRAGMA integrity_check(1)").fetchone() != ("ok",))
    except OSError:
        return False
    except sqlite3.Error as error:
        return getattr(error, "sqlite_errorcode", -1) & _PRIMARY_CODE not in _STORAGE


@contextmanager
def translated(path: Path, *, system: bool = True) -> Iterator[None]:
    """Let only our errors out, but for bugs; without `system`, errors of the operating system are someone else's.

    Raises:
        StorageError: The disk, the folder or its permissions.
        DamagedError: The file's content.
        LockedError: Another program holds the file.
    """
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        ours = translate(error, path) if system or isinstance(error, sqlite3.Error) else None
        if ours is None:
            raise
        raise ours from error
