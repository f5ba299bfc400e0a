"""The archive's file before SQLite sees it: what it is, who holds it, with which permissions it is made."""

from __future__ import annotations

import fcntl
import os
import stat
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from archiver.errors import DamagedError, LockedError
from archiver.store.faults import translated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

MAGIC = b"SQLite format 3\0"
APPLICATION_ID = 0x41524356
_APPLICATION_ID_AT = slice(68, 72)
_HEADER_BYTES = 100
_POLL_SECONDS = 0.2
_LOOKS, _LOOK_SECONDS = 10, 0.05


def check_file(path: Path) -> bool:
    """Say whether there is an archive at `path`; False when nothing is there yet.

    It reads the header alone, before SQLite opens the file, so that what is not ours is not touched. Not to be called
    while this process has the file open: closing any descriptor of a file drops the locks that SQLite holds on it.

    Raises:
        DamagedError: Something is there and it is not an archive.
        StorageError: It cannot be looked at.
    """
    with translated(path):
        try:
            mode = path.lstat().st_mode
        except FileNotFoundError:
            return False
        if not stat.S_ISREG(mode):
            raise DamagedError(f"{path} is not a regular file", hint="give --db the path of the archive itself")
        header = _read_header(path)
    if not header.strip(b"\0") and (not header or path.with_name(path.name + "-journal").exists()):
        return False
    if not header.startswith(MAGIC):
        raise DamagedError(f"{path} is not an archive: it is not a SQLite file", hint="it was left as it is")
    if header[_APPLICATION_ID_AT] != APPLICATION_ID.to_bytes(4, "big"):
        raise DamagedError(f"{path} is another program's database", hint="it was left as it is")
    return True


def _read_header(path: Path) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    try:
        return os.read(descriptor, _HEADER_BYTES)
    finally:
        os.close(descriptor)


def create_private(path: Path) -> None:
    """Make the file for its owner alone, whatever the umask, if it is not there.

    Raises:
        StorageError: The folder cannot be made or written.
    """
    with translated(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        except FileExistsError:
            return
        os.fchmod(descriptor, 0o600)
        os.close(descriptor)


def sync_file(path: Path) -> None:
    """Make a file, or the names in a folder, last through a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_only_uri(path: Path) -> str:
    """Give SQLite's name of the file; one that nobody can be writing, in a folder that cannot be written, is immutable.

    Otherwise SQLite would want to make its `-shm` file there.
    """
    wal = path.with_name(path.name + "-wal")
    lasting = not wal.exists() and not os.access(path.parent, os.W_OK)
    return f"{path.absolute().as_uri()}?mode=ro" + ("&immutable=1" if lasting else "")


def lock_path(path: Path) -> Path:
    """Name the lock file that stands beside an archive."""
    return path.with_name(path.name + ".lock")


@contextmanager
def exclusive(
    path: Path,
    wait: float = 0.0,
    monotonic: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[None]:
    """Hold the archive as its only writer; the system frees the lock however the process ends.

    `wait` is how many seconds another run is waited for.

    Raises:
        LockedError: Another run holds it.
        StorageError: The lock file cannot be made.
    """
    with translated(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(lock_path(path), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        deadline = monotonic() + wait
        while not _try_lock(descriptor):
            if monotonic() >= deadline:
                raise _locked(path, _holder(descriptor, sleep))
            sleep(_POLL_SECONDS)
        with translated(path):
            os.fchmod(descriptor, 0o600)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(descriptor: int, sleep: Callable[[float], None]) -> int | None:
    """Find who holds the lock; it may only just have got it, and what stands there be that of one that is gone."""
    for _ in range(_LOOKS):
        text = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
        if text.isdigit() and _is_alive(int(text)):
            return int(text)
        sleep(_LOOK_SECONDS)
    return None


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def _locked(path: Path, holder: int | None) -> LockedError:
    who = "another process" if holder is None else f"process {holder}"
    return LockedError(f"{path} is held by {who}", hint="wait for it with --wait 10m, or run again later")
