"""SQLite's and the system's errors, translated once into ours."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
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
_PRIMARY_CODE = 0xFF


def translate(error: sqlite3.Error | OSError, path: Path) -> ArchiverError | None:
    """Find our error for a foreign one; None where it can only be a bug of ours."""
    if isinstance(error, OSError):
        reason = error.strerror or type(error).__name__
        return StorageError(f"{path} cannot be used: {reason}", hint="check the disk, the path and its permissions")
    code = getattr(error, "sqlite_errorcode", -1) & _PRIMARY_CODE
    if code in _DAMAGED:
        return DamagedError(f"{path} is damaged or not an archive: {error}", hint="restore it from a copy")
    if code in _STORAGE:
        return StorageError(f"{path} cannot be used: {error}", hint="check the disk, the path and its permissions")
    if "integer overflow" in str(error):
        return ConfigurationError(
            "the sum does not fit 64 bits", hint="ask for a shorter range, or add up the rows in another tool"
        )
    if code in _BUSY:
        return LockedError(f"{path} is held by another program: {error}", hint="try again when it is done")
    return None


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
