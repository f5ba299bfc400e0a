"""Children that answer one question each, bounded in time and memory, for a process that has threads.

A process with threads had better not fork. So one is forked off while there are none yet, the nursery, and that one
forks a child for every question: what a hostile statement can take is the child's, and is gone with it. None of them
shares an open file of the archive with another, so that no lock of SQLite's is dropped by a neighbour.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import msgspec

from archiver import errors
from archiver.errors import ArchiverError, ConfigurationError, StorageError, TimeLimitError
from archiver.offline.limits import limit_process

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Works = Mapping[str, Callable[..., Any]]

_PATIENCE_SECONDS = 30  # beyond what a child may use of the processor: others use it too
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a child may use: seconds of the processor, and MiB of memory on top of what the nursery has."""

    seconds: float
    mebibytes: int


class Children:
    """Asks children; safe to use from several threads. To be made while the process has one thread.

    `works` are what they can be asked to do, by name; arguments and results are what MessagePack can say.
    """

    def __init__(self, works: Works) -> None:
        self._lock = threading.Lock()
        self._control, theirs = socket.socketpair()
        if os.fork() == 0:
            self._control.close()
            _tend(theirs, works)
        theirs.close()

    def close(self) -> None:
        """Let the nursery go."""
        self._control.close()

    def ask(self, work: str, bounds: Bounds, *arguments: Any) -> Any:
        """Let a child do some work within bounds.

        Raises:
            TimeLimitError: It took longer; it is gone.
            ArchiverError: What the work raised.
        """
        question = msgspec.msgpack.encode([work, arguments, bounds.seconds, bounds.mebibytes])
        try:
            reply = self._exchange(question, bounds.seconds + _PATIENCE_SECONDS)
        except TimeoutError:
            reply = b""
        except OSError as error:
            raise StorageError("the processes that answer are gone", hint="start archiver serve again") from error
        if not reply:
            raise TimeLimitError("the query took too long")
        told = msgspec.msgpack.decode(reply)
        if told[0] == "done":
            return told[1]
        raise getattr(errors, told[1])(told[2], hint=told[3])

    def _exchange(self, question: bytes, patience: float) -> bytes:
        ours, theirs = socket.socketpair()
        with ours:
            with theirs, self._lock:
                socket.send_fds(self._control, [b"?"], [theirs.fileno()])
            ours.settimeout(patience)
            ours.sendall(question)
            ours.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: ours.recv(_CHUNK), b""))


def _tend(control: socket.socket, works: Works) -> NoReturn:
    """Fork a child for each question until the one who asks is gone; Ctrl-C is for that one to understand."""
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the system buries them
        while True:
            word, descriptors, *_ = socket.recv_fds(control, 1, 1)
            if not word:
                break
            with socket.socket(fileno=descriptors[0]) as asker:
                if os.fork() == 0:
                    control.close()
                    _answer(asker, works)
    finally:
        os._exit(0)


def _answer(asker: socket.socket, works: Works) -> NoReturn:
    try:
        question = b"".join(iter(lambda: asker.recv(_CHUNK), b""))
        asker.sendall(_reply(question, works))
    finally:
        os._exit(0)


def _reply(question: bytes, works: Works) -> bytes:
    work, arguments, seconds, mebibytes = msgspec.msgpack.decode(question)
    try:
        limit_process(seconds, mebibytes)
        return msgspec.msgpack.encode(["done", works[work](*arguments)])
    except MemoryError:
        return _failed(ConfigurationError("the query needs more memory than it may use"))
    except ArchiverError as error:
        return _failed(error)
    except Exception as error:  # noqa: BLE001  # a bug, told without any value of the archive's
        sys.stderr.write(f"error: a bug in archiver: {type(error).__name__}\n")
        return _failed(ArchiverError("this is a bug in archiver"))


def _failed(error: ArchiverError) -> bytes:
    return msgspec.msgpack.encode(["failed", type(error).__name__, error.message, error.hint])
