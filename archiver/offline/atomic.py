"""Write files atomically, and never over an archive."""

from __future__ import annotations

import os
import re
import stat
from contextlib import contextmanager
from dataclasses import dataclass
from glob import escape
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from archiver.errors import ConfigurationError, StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator

_PRIVATE = 0o600
_DATABASE = b"SQLite format 3\0"
_ARCHIVE_SUFFIXES = ("", "-wal", "-shm", "-journal", ".lock")
_LONGEST_PREFIX = 80  # of the temporary folder, so that a long name of a file does not make one that is too long


@dataclass(frozen=True, slots=True)
class Stage:
    """A temporary file, which `keep` moves to its target."""

    file: Path
    target: Path

    def keep(self) -> None:
        """Replace the target, and keep its mode.

        A new target can be read by its owner only, as the archive.
        """
        mode = stat.S_IMODE(self.target.stat().st_mode) if self.target.exists() else _PRIVATE
        with self.file.open("rb") as made:
            os.fchmod(made.fileno(), mode)
            os.fsync(made.fileno())  # before the rename, or a crash could leave an empty file under the final name
        self.file.replace(self.target)


@contextmanager
def atomic_file(path: Path, archive: Path) -> Iterator[Stage]:
    """Yield a stage: a temporary file that can replace `path`.

    Unless it is kept, it is deleted and `path` stays as it is. A symbolic link is followed, so that it stays a link.
    What a killed process left of the same target is removed.

    Raises:
        ConfigurationError: `path` is no regular file, is a database, or belongs to the archive.
        StorageError: The file cannot be written.
    """
    try:
        target = path.resolve()
        if target in {Path(f"{archive.resolve()}{end}") for end in _ARCHIVE_SUFFIXES} or _is_database(target):
            raise ConfigurationError(f"{path} is an archive", hint="name another file")
        prefix = f".{target.name[:_LONGEST_PREFIX]}."
        _remove_leftovers(target.parent, prefix)
        # In the target's folder: a rename is atomic within one file system only.
        with TemporaryDirectory(prefix=f"{prefix}{os.getpid()}.", dir=target.parent) as folder:
            yield Stage(Path(folder) / f"new{target.suffix}", target)
    except OSError as error:
        raise StorageError(
            f"cannot write {path}: {error.strerror or type(error).__name__}",
            hint="check the disk, the path and its permissions",
        ) from error


def _remove_leftovers(parent: Path, prefix: str) -> None:
    """Remove the temporary folders of processes that are no more.

    Their names have the numbers of the processes. A folder that a process on another machine has just made can be taken
    for one of them; that process then fails. A folder with anything but the one file of `atomic_file` is left alone.
    """
    form = re.compile(re.escape(prefix) + r"([0-9]+)\.[a-z0-9_]{8}")
    for folder in parent.glob(f"{escape(prefix)}*"):
        match = form.fullmatch(folder.name)
        if match and not _is_running(int(match[1])) and all(file.stem == "new" for file in folder.iterdir()):
            rmtree(folder, ignore_errors=True)


def _is_running(number: int) -> bool:
    try:
        os.kill(number, 0)  # signal 0 is not sent; it asks whether the process is there
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True  # a process of another user, or no number of a process
    return True


def write_atomic(path: Path, content: bytes, archive: Path) -> None:
    """Write a file atomically; write a pipe or a device directly.

    Raises:
        ConfigurationError, StorageError: As for `atomic_file`.
        OSError: The pipe or device cannot be written.
    """
    if path.exists() and not path.is_file() and not path.is_dir():
        path.write_bytes(content)
        return
    with atomic_file(path, archive) as stage:
        stage.file.write_bytes(content)
        stage.keep()


def _is_database(target: Path) -> bool:
    if not target.exists():
        return False
    if not target.is_file():
        raise ConfigurationError(f"{target} is not a regular file", hint="name another file")
    with target.open("rb") as file:
        return file.read(len(_DATABASE)) == _DATABASE
