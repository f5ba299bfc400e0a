"""Functions that a query worker runs in tests: a child imports them by name."""

from __future__ import annotations

import os
import signal

from archiver.errors import StorageError


def add(a: int, b: int) -> int:
    return a + b


def loop_forever() -> None:
    while True:
        pass


def use_a_gibibyte() -> int:
    return len(bytearray(2**30))


def abort() -> None:
    os.abort()


def fail() -> None:
    raise StorageError("no room", hint="make some")


def raise_a_bug() -> None:
    raise KeyError("secret")


def wait_forever(pid_file: str) -> None:
    """Wait without using CPU time; write the id of this process to a file."""
    with open(pid_file, "w", encoding="ascii") as file:  # noqa: PTH123  # as few imports as possible
        file.write(str(os.getpid()))
    signal.pause()


def read_environment() -> list[str]:
    return sorted(os.environ)


def fork_server() -> int:
    return os.getppid()
