"""Run the program on a pseudo-terminal of a given size."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import sys
import termios
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_LONGEST_SECONDS = 60
_CODES = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class Screen:
    """What a run wrote to its terminal, and its exit code."""

    code: int
    written: str

    @property
    def lines(self) -> list[str]:
        """The lines without colours."""
        return _CODES.sub("", self.written).splitlines()


def on_a_terminal(
    *arguments: str, columns: int, lines: int = 500, variables: Mapping[str, str] | None = None, keys: bytes = b""
) -> Screen:
    """Run `archiver` with both outputs on a terminal, and type `keys` once something is written."""
    child, terminal = pty.fork()
    if child == 0:
        # The size is set before the program begins, so it reads no other.
        fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        # All of the environment is given: readline sets COLUMNS and LINES where os.environ does not see them.
        left_out = {"COLUMNS", "LINES", "PAGER", "LESS", "NO_COLOR"}
        kept = {name: value for name, value in os.environ.items() if name not in left_out}
        set_here = {"TERM": "xterm-256color", "PYTHONUTF8": "1"} | dict(variables or {})
        os.execve(sys.executable, [sys.executable, "-m", "archiver", *arguments], kept | set_here)  # noqa: S606  # no shell is wanted
    written, deadline = b"", time.monotonic() + _LONGEST_SECONDS
    while time.monotonic() < deadline:
        ready, _, _ = select.select([terminal], [], [], 1)
        try:
            part = os.read(terminal, 65536) if ready else None
        except OSError:  # how Linux reports that the other side is closed
            break
        if part == b"":
            break
        written += part or b""
        if keys and written.strip():
            os.write(terminal, keys)
            keys = b""
    os.close(terminal)
    return Screen(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), written.decode("utf-8", "replace"))
