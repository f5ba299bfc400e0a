"""A second check of a file that SQLite reports as damaged.

If the disk fails to return a part of the file, SQLite can report damage although the content is sound.
"""

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

_BLOCK_BYTES = 1 << 20  # 1 MiB


@contextmanager
def confirm_damage(path: Path) -> Iterator[None]:
    """Check the file again when SQLite reports corruption in the block.

    The block must close its connections before the error leaves it. An error that is not corruption is raised
    unchanged.

    Raises:
        DamagedError: The check confirms the damage, or the error is not corruption.
        StorageError: The check finds the file sound, or cannot read it from the disk.
    """
    try:
        yield
    except DamagedError as error:
        if primary_code(error.__cause__) != sqlite3.SQLITE_CORRUPT or _is_damaged(path):
            raise
        raise StorageError(f"cannot read {path}: disk I/O error", hint="check the disk, and try again") from error


def _is_damaged(path: Path) -> bool:
    try:
        # SQLite reads pages only as it needs them. Reading the whole file first finds a disk error anywhere in it.
        with path.open("rb") as file:
            while file.read(_BLOCK_BYTES):
                pass
        with closing(sqlite3.connect(read_only_uri(path), uri=True)) as connection:
            return bool(connection.execute("PRAGMA integrity_check(1)").fetchone() != ("ok",))
    except OSError:  # the disk is faulty, and not the content
        return False
    except sqlite3.Error as error:
        return primary_code(error) not in STORAGE_CODES
