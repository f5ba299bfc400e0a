"""Translation of SQLite and operating system errors to `ArchiverError`."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING

from archiver.errors import ArchiverError, ConfigurationError, DamagedError, LockedError, StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STORAGE_CODES = {
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_NOLFS,
}
_DAMAGED_CODES = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT}
_BUSY_CODES = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_DUPLICATE_CODES = {sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_UNIQUE}
_CHECK_DISK = "check the disk, the path and its permissions"


def extended_code(error: object) -> int:
    """Return SQLite's extended result code for an error; -1 without a code."""
    return int(getattr(error, "sqlite_errorcode", -1))


def primary_code(error: object) -> int:
    """Return SQLite's primary result code for an error.

    It is the low byte of the extended code, which is 255 if the error has no code.
    """
    return extended_code(error) & 0xFF


def translate(  # noqa: PLR0911  # a table of errors
    error: sqlite3.Error | OSError, path: Path
) -> ArchiverError | None:
    """Return the `ArchiverError` for an error of SQLite or the system.

    Return None for an error that only a bug can cause.
    """
    if isinstance(error, OSError):
        reason = error.strerror or type(error).__name__
        return StorageError(f"cannot open the archive: {path}: {reason}", hint=_CHECK_DISK)
    # This extended code is checked before the primary codes. Its primary code is READONLY, but the cause is not the
    # disk: there is a journal that a read-only connection may not roll back.
    if extended_code(error) == sqlite3.SQLITE_READONLY_ROLLBACK:
        return StorageError(f"{path} was left by an interrupted sync", hint="run archiver sync to roll it back")
    code = primary_code(error)
    if code in _DAMAGED_CODES:
        return DamagedError(f"{path} is damaged or not an archive: {error}", hint="restore it from a backup")
    if code in STORAGE_CODES:
        return StorageError(f"cannot use the archive: {path}: {error}", hint=_CHECK_DISK)
    # The next two errors are recognised by their text, because they have no code of their own. Python's sqlite3 raises
    # the first, because SQLite stores any bytes as text.
    if "decode to UTF-8" in str(error):
        return DamagedError(f"{path} is damaged: {error}", hint="run archiver verify, or restore it from a backup")
    if "integer overflow" in str(error):
        return ConfigurationError(
            "the sum does not fit 64 bits", hint="use a shorter range, or sum the rows in another tool"
        )
    # The writer compares a bucket before it inserts rows. It meets a stored row only if its bucket has neither a digest
    # nor coverage.
    if extended_code(error) in _DUPLICATE_CODES:
        message = f"{path} contains rows without a matching API response: {error}"
        return DamagedError(message, hint="run archiver verify to find them")
    if code in _BUSY_CODES:
        return LockedError(f"{path} is locked by another program: {error}", hint="try again when it has finished")
    return None


@contextmanager
def translated(path: Path, *, system: bool = True) -> Iterator[None]:
    """Translate errors of SQLite and the system that the block raises.

    Errors that only a bug can cause are raised unchanged. With `system=False`, errors of the operating system are
    raised unchanged too: in a block that does more than use the file, they may have another cause.

    Raises:
        StorageError: The disk, the folder or its permissions prevent the use of the file.
        DamagedError: The content of the file is damaged.
        LockedError: Another program has locked the file.
        ConfigurationError: A sum does not fit 64 bits.
    """
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        translation = translate(error, path) if system or isinstance(error, sqlite3.Error) else None
        if translation is None:
            raise
        raise translation from error
