"""The header, the permissions and the lock of an archive's file."""

from __future__ import annotations

import fcntl
import os
import stat
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from archiver.errors import ConfigurationError, DamagedError, LockedError
from archiver.store.faults import translated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

MAGIC = b"SQLite format 3\0"
APPLICATION_ID = 0x41524356  # "ARCV" in ASCII
# The format of SQLite's files: a header of 100 bytes, with the application id in bytes 68 to 71.
_APPLICATION_ID_AT = slice(68, 72)
_HEADER_BYTES = 100
_POLL_SECONDS = 0.2
_HOLDER_READS, _HOLDER_READ_SECONDS = 10, 0.05  # half a second is ample for a new holder to write its id
_UNCHANGED = "it was not changed; use another path: --db PATH"


def check_file(path: Path) -> bool:
    """Return whether there is an archive at `path`.

    Return False for a file that does not exist or is not an archive yet. Only the header is read, because SQLite may
    change a file by opening it. Do not call this while this process has the file open: closing any descriptor of a file
    drops the POSIX locks that SQLite holds on it.

    Raises:
        ConfigurationError: The file has several hard links.
        DamagedError: The file is not an archive, or not a regular file.
        StorageError: The file or its folder cannot be read.
    """
    with translated(path):
        try:
            found = path.lstat()
        except FileNotFoundError:
            return False
        # A symbolic link is refused: the -wal and lock files would be created next to the link or next to its target,
        # depending on the path that each program uses.
        if not stat.S_ISREG(found.st_mode):
            raise DamagedError(f"{path} is not a regular file", hint="use the path of the archive itself: --db PATH")
        if found.st_nlink > 1:
            raise ConfigurationError(
                f"{path} has {found.st_nlink} hard links; its -wal and lock files belong to one path only, and SQLite "
                "would damage the archive",
                hint="remove the other links, or use a copy: cp ARCHIVE COPY",
            )
        header = _read_header(path)
    # Two kinds of files are not an archive yet. A run that ends right after `create_private` leaves an empty file. A
    # first migration that is interrupted leaves zeros and a journal, from which SQLite restores the empty file.
    if not header.strip(b"\0") and (not header or path.with_name(path.name + "-journal").exists()):
        return False
    if not header.startswith(MAGIC):
        raise DamagedError(f"{path} is not an archive: it is not a SQLite file", hint=_UNCHANGED)
    if header[_APPLICATION_ID_AT] != APPLICATION_ID.to_bytes(4, "big"):
        raise DamagedError(f"{path} is the database of another program", hint=_UNCHANGED)
    return True


def _read_header(path: Path) -> bytes:
    # The file may be replaced after `lstat`. With O_NONBLOCK, opening a FIFO does not wait for its writer. With
    # O_NOFOLLOW, a symbolic link is refused.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    try:
        return os.read(descriptor, _HEADER_BYTES)
    finally:
        os.close(descriptor)


def create_private(path: Path) -> None:
    """Make an empty file with mode 0600, unless it exists.

    Missing folders are created. The umask has no effect on the mode of the file.

    Raises:
        StorageError: The folder cannot be created or written.
    """
    with translated(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        except FileExistsError:
            return
        os.fchmod(descriptor, 0o600)  # the umask may have removed permissions of the owner
        os.close(descriptor)


def sync_file(path: Path) -> None:
    """Write a file, or the names in a folder, to the disk with fsync.

    A new name of a file survives a power cut only when its folder is on the disk too.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_only_uri(path: Path) -> str:
    """Return the URI that opens the file read-only."""
    wal = path.with_name(path.name + "-wal")
    # A reader of a WAL database creates the -shm file. In a folder that cannot be written, SQLite can open the file
    # only as immutable, which ignores the -wal and all locks. This is correct if there is no -wal, because the file
    # itself then has every commit. If a writer starts later, while this process reads, the reader does not notice it.
    immutable = not wal.exists() and not os.access(path.parent, os.W_OK)
    return f"{path.absolute().as_uri()}?mode=ro" + ("&immutable=1" if immutable else "")


def lock_path(path: Path) -> Path:
    """Return the path of the lock file of an archive, in the same folder."""
    return path.with_name(path.name + ".lock")


@contextmanager
def exclusive(
    path: Path,
    wait: float = 0.0,
    monotonic: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[None]:
    """Hold the lock of an archive.

    Wait up to `wait` seconds for another run to release the lock. `monotonic` and `sleep` are the clock and the pause
    of the wait.

    Raises:
        LockedError: Another run holds the lock.
        StorageError: The lock file cannot be created.
    """
    # The lock is on a separate file: closing the database's file anywhere in this process would drop SQLite's locks.
    # The lock file is never deleted: a waiting run has it open, and would lock the deleted file, while the next run
    # locks a new file with the same name. The system releases a flock when the process ends, also after a crash.
    with translated(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        # O_NOFOLLOW: through a symbolic link, the process id would overwrite another file.
        descriptor = os.open(lock_path(path), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        deadline = monotonic() + wait
        while not _try_lock(descriptor):
            if monotonic() >= deadline:
                raise _locked(path, _holder(descriptor, sleep))
            sleep(_POLL_SECONDS)
        with translated(path):
            os.fchmod(descriptor, 0o600)  # against the umask, so that the next run can open the file
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
    """Return the process id of the lock's holder, from the lock file.

    Return None if the file has no id, or only the id of a process that has ended.
    """
    # The holder may not have written its id yet. Until then the file has the id of the run before, or is empty.
    for _ in range(_HOLDER_READS):
        # 32 bytes are more than any process id has.
        text = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
        if text.isdigit() and _is_alive(int(text)):
            return int(text)
        sleep(_HOLDER_READ_SECONDS)
    return None


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)  # signal 0 is not sent: the call only checks whether the process exists
    except (ProcessLookupError, OverflowError):  # overflow: the number is too large for a process id
        return False
    except PermissionError:  # the process of another user
        return True
    return True


def _locked(path: Path, holder: int | None) -> LockedError:
    who = "another process" if holder is None else f"process {holder}"
    return LockedError(f"{path} is locked by {who}", hint="wait for it with --wait 10m, or run again later")
