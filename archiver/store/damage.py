"""A second look at a file that SQLite reports as damaged: failing reads of a sound file look the same to it."""

from __future__ import annotations

import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from archiver.errors import DamagedError, StorageError
from archiver.store.faults import STORAGE_CODES, primary_code
from archiver.store.files import read_only_uri

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_BLOCK = 1 << 20


@contextmanager
def confirm_damage(path: Path) -> Iterator[None]:
    """Check the file again when SQLite reports corruption; the block closes its connections.

    Raises:
        DamagedError: The check confirms it.
        StorageError: The file is sound, or the disk does not let it be read.
    """
    try:
        yield
    except DamagedError as error:
        if primary_code(error.__cause__) != sqlite3.SQLITE_CORRUPT or _is_damaged(path):
            raise
        raise StorageError(f"cannot read {path}: disk I/O error", hint="check the disk, and try again") from error


def _is_damaged(path: Path) -> bool:
    try:
        # SQLite reads pages as it needs them; a disk error anywhere in the file has to show here first.
        with path.open("rb") as file:
            while file.read(_BLOCK):
                pass
        with closing(sqlite3.connect(read_only_uri(path), uri=True)) as connection:
            return bool(connection.execute("PRAGMA integrity_check(1)").fetchone() != ("ok",))
    except OSError:
        return False
    except sqlite3.Error as error:
        return primary_code(error) not in STORAGE_CODES
