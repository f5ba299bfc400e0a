"""Child processes with limits of time and memory, one for each task.

SQL is limited from outside its process, because one step of a hostile statement can take minutes or all memory. When
the process ends, its memory is free. The server has threads, and a process with threads must not fork. So
multiprocessing's fork server forks the children. It has one thread, and no key in its environment. It has no file of
the archive open: closing a descriptor would drop SQLite's locks in the whole process.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from multiprocessing import forkserver, get_context
from threading import Lock
from typing import TYPE_CHECKING, Any

import msgspec

from archiver import errors
from archiver.errors import ArchiverError, ConfigurationError, StorageError, TimeLimitError
from archiver.offline.limits import limit_process

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence
    from multiprocessing.connection import Connection
    from multiprocessing.context import ForkServerProcess

_PATIENCE_SECONDS = 30.0
"""Wall-clock time for a child on top of its processor time, because other processes use the processor too."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """The limits of a child: seconds of processor time and MiB of memory.

    The memory is on top of that of a new child.
    """

    seconds: float
    mebibytes: int


class QueryWorkers:
    """Runs functions in child processes; safe to use from several threads."""

    def __init__(self, preload: Sequence[str], patience: float = _PATIENCE_SECONDS) -> None:
        """Start the fork server, which imports the modules `preload` once for all children."""
        self._context = get_context("forkserver")
        self._context.set_forkserver_preload([*preload])
        self._patience = patience
        # Starting or ending a process makes multiprocessing inspect all of them, without a lock of its own.
        self._lock = Lock()
        with _restricted_environment():
            forkserver.ensure_running()

    def run(self, work: Callable[..., Any], bounds: Bounds, *arguments: Any) -> Any:
        """Run a function in its own child, and return its result.

        `work` must be a function of a module, and its result of the types of MessagePack. Unlike a pickle, MessagePack
        cannot run code here if a hostile statement has taken over the child.

        Raises:
            TimeLimitError: It took too long and was killed.
            ConfigurationError: It needed more memory.
            StorageError: No child could be started.
            ArchiverError: `work` raised it.
        """
        with closing(self.stream(work, bounds, *arguments)) as results:
            return next(results)

    def stream(self, work: Callable[..., Any], bounds: Bounds, *arguments: Any) -> Generator[Any]:
        """Run a generator function in its own child, and yield its results.

        The child waits while no result is asked for, and is killed when the generator is closed. See `run`, which
        raises the same errors.
        """
        receiver, sender = self._context.Pipe(duplex=False)
        with receiver:
            with sender:
                process = self._start(sender, bounds, work, arguments)
            try:
                while (reply := _receive(receiver, bounds.seconds + self._patience)) is not None:
                    result = msgspec.msgpack.decode(reply)
                    if "error" in result:
                        raise getattr(errors, result["error"])(result["message"], hint=result["hint"])
                    if "value" not in result:
                        return
                    yield result["value"]
            finally:
                exit_code = self._end(process)
        raise _died(exit_code)

    def _start(self, *arguments: Any) -> ForkServerProcess:
        process = self._context.Process(target=_run_child, args=arguments, daemon=True)
        try:
            with self._lock, _restricted_environment():  # a fork server that was killed is started again here
                process.start()
        except (OSError, EOFError) as error:
            raise StorageError("the query workers have stopped", hint="try again; see free memory") from error
        return process

    def _end(self, process: ForkServerProcess) -> int | None:
        """Kill a child if it has not ended, and return its exit code.

        The code is the negative number of a signal that ended it.
        """
        with self._lock:
            if process.exitcode is None:
                process.kill()
            process.join()
            code = process.exitcode
            process.close()
        return code


@contextmanager
def _restricted_environment() -> Iterator[None]:
    """Hide keys and settings from a fork server that starts in the block."""
    before = dict(os.environ)
    for name in before:
        if name.startswith(("ANTHROPIC_", "ARCHIVER_")):
            del os.environ[name]
    # The fork server is `python -c …`, which would import modules from the current folder first.
    os.environ["PYTHONSAFEPATH"] = "1"
    try:
        yield
    finally:
        del os.environ["PYTHONSAFEPATH"]
        os.environ.update(before)


def _receive(receiver: Connection, seconds: float) -> bytes | None:
    """Return the reply of a child, or None if it is late or ended without a reply."""
    try:
        return receiver.recv_bytes() if receiver.poll(seconds) else None
    except EOFError:
        return None


def _died(exit_code: int | None) -> ArchiverError:
    # SIGXCPU is the limit of processor time. SIGKILL is that of `_end` for a late child, or the system's.
    if exit_code in {-signal.SIGXCPU, -signal.SIGKILL}:
        return TimeLimitError("the query took too long")
    return _too_much_memory()  # SQLite without memory may end in any signal


def _too_much_memory() -> ConfigurationError:
    return ConfigurationError("the query needs more memory than it may use")


def _run_child(sender: Connection, bounds: Bounds, work: Callable[..., Any], arguments: Sequence[Any]) -> None:
    """Send the results or the error of `work`; this runs in the child.

    It prints no traceback, which could contain data.
    """
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the server ends its children
        for reply in _replies(bounds, work, arguments):
            sender.send_bytes(msgspec.msgpack.encode(reply))
    finally:
        os._exit(0)  # without the handlers of `atexit`, which are the parent's


def _replies(bounds: Bounds, work: Callable[..., Any], arguments: Sequence[Any]) -> Iterator[dict[str, Any]]:
    """Yield each result of `work`, and at the end an empty reply or the error."""
    try:
        limit_process(bounds.seconds, bounds.mebibytes)
        result = work(*arguments)
        for value in result if isinstance(result, Iterator) else [result]:
            yield {"value": value}
    except MemoryError:
        error: ArchiverError = _too_much_memory()
    except ArchiverError as raised:
        error = raised
    except Exception as bug:  # noqa: BLE001  # reported by its type alone: the message may contain data
        sys.stderr.write(f"error: a bug in archiver: {type(bug).__name__}\n")
        error = ArchiverError("this is a bug in archiver")
    else:
        yield {}
        return
    yield {"error": type(error).__name__, "message": error.message, "hint": error.hint}
