"""The terminal that a command writes to: width, colours and pager."""

from __future__ import annotations

import io
import os
import shlex
import shutil
import subprocess
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, TextIO, cast

import click

from archiver.offline.tables.terminal import Terminal
from archiver.offline.tables.write import is_unicode

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_DEFAULT_PAGER = "less -FRX"
_ENOUGH = 20
"""The columns below which nothing is fitted: such a width is that of no person's terminal."""


def terminal_of(stream: TextIO) -> Terminal | None:
    """Return the terminal that a stream writes to, or None."""
    if not stream.isatty():
        return None
    # An empty NO_COLOR has no meaning: https://no-color.org
    is_coloured = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    width = max(_ENOUGH, shutil.get_terminal_size().columns)
    return Terminal(width, is_coloured=is_coloured, is_unicode=is_unicode(stream))


def print_notes(notes: Iterable[str]) -> None:
    """Print notes on stderr, on lines that fit if that is a terminal."""
    terminal = terminal_of(sys.stderr)
    for note in notes:
        text = f"note: {note}"
        click.echo(terminal.wrapped(text) if terminal else text, err=True)


@contextmanager
def paged(to: TextIO, *, wanted: bool = True) -> Iterator[TextIO]:
    """Return a stream that starts a pager when the screen is full.

    The pager is that of PAGER, or else less. Without one that can be run, the stream is `to` itself.
    """
    command = _pager() if wanted and to.isatty() else []
    if not command:
        yield to
        return
    stream = _Paged(to, shutil.get_terminal_size().lines, command)
    try:
        with suppress(BrokenPipeError):  # the reader has left the pager, and wants no more
            yield cast("TextIO", stream)
    finally:
        stream.close()


def _pager() -> list[str]:
    """Return the command of the pager; empty for none."""
    command = shlex.split(os.environ.get("PAGER", _DEFAULT_PAGER))
    return command if command and shutil.which(command[0]) else []


class _Paged(io.TextIOBase):
    """Text that is held back until it fills the screen, then paged."""

    def __init__(self, to: TextIO, height: int, command: list[str]) -> None:
        self._to, self._height, self._command = to, height, command
        self._held: list[str] = []
        self._lines = 0
        self._process: subprocess.Popen[str] | None = None

    def write(self, text: str) -> int:
        """Write text.

        Raises:
            BrokenPipeError: The pager has ended.
        """
        if self._process is None:
            self._held.append(text)
            self._lines += text.count("\n")
            if self._lines < self._height:
                return len(text)
            self._start()
            text = "".join(self._held)
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(text)
        return len(text)

    def _start(self) -> None:
        # As git does: colours pass, a short text is printed, and the text stays on the screen afterwards.
        environment = {"LESS": "FRX", **os.environ}
        self._process = subprocess.Popen(  # noqa: S603  # the command is the user's own
            self._command, stdin=subprocess.PIPE, env=environment, encoding=self._to.encoding, errors="replace"
        )

    def close(self) -> None:
        """Write what is held back, or wait until the reader has left the pager."""
        if self.closed:
            return
        super().close()
        if self._process is None:
            self._to.write("".join(self._held))
            self._to.flush()
            return
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # the reader has seen enough
            self._process.stdin.close()
        while True:
            try:
                self._process.wait()
            except KeyboardInterrupt:  # it is the pager's, which has the keyboard
                continue
            return
