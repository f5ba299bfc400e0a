"""Writing a file whole or not at all."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

from archiver.errors import StorageError

_PRIVATE = 0o600


def write_whole(target: Path, content: bytes) -> None:
    """Write a file beside its place and then put it there, so that a failure leaves what was there.

    It keeps the mode of the one it replaces; a new one is its owner's alone, as the archive is. A link is followed, and
    what is no plain file (a pipe, a terminal) is written to as it is.

    Raises:
        StorageError: It cannot be written; nothing is left behind.
    """
    try:
        there = target.stat().st_mode if target.exists() else None
        if there is not None and not stat.S_ISREG(there):
            target.write_bytes(content)
        else:
            _replace(Path(os.path.realpath(target)), content, _PRIVATE if there is None else stat.S_IMODE(there))
    except OSError as error:
        raise StorageError(f"{target} cannot be written: {error.strerror or type(error).__name__}") from None


def _replace(target: Path, content: bytes, mode: int) -> None:
    descriptor, name = tempfile.mkstemp(prefix=f".{target.name[:100]}.", dir=target.parent)
    try:
        with open(descriptor, "wb") as file:  # noqa: PTH123  # a descriptor, not a path
            file.write(content)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        os.replace(name, target)  # noqa: PTH105  # both are names already
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
