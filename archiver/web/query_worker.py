"""One child process for each piece of the server's work.

It is bounded in time and memory.

SQL is bounded from outside, because one step of a hostile statement can take all memory or minutes: what it takes is
gone with its process. The server has threads, and a process with threads must not fork. The children are forked by
multiprocessing's fork server, which has one thread, no file of the archive (closing a descriptor would drop SQLite's
locks in the whole process) and no key in its environment.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import forkserver, get_context
from threading import Lock
from typing import TYPE_CHECKING, Any

import msgspec

from archiver import errors
from archiver.errors import ArchiverError, ConfigurationError, StorageError, TimeLimitError
from archiver.offline.limits import limit_process

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from multiprocessing.connection import Connection
    from multiprocessing.context import ForkServerProcess

_PATIENCE_SECONDS = 30.0
"""Wall-clock time for a child on top of its time on the processor: other processes use that too."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a child may use.

    Seconds of the processor, and MiB of memory on top of what a fresh child has.
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
        # Process objects of multiprocessing look at each other when one starts or ends, without a lock of their own.
        self._lock = Lock()
        with _restricted_environment():
            forkserver.ensure_running()

    def run(self, work: Callable[..., Any], bounds: Bounds, *arguments: Any) -> Any:
        """Return what `work`, a function of a module, returns in its own child.

        The result has to be of the types that MessagePack has: it is decoded here, and unlike a pickle it cannot run
        code when a hostile statement took the child over.

        Raises:
            TimeLimitError: It took longer, and was killed.
            ConfigurationError: It needed more memory.
            StorageError: No child could be started.
            ArchiverError: What `work` raised.
        """
        receiver, sender = self._context.Pipe(duplex=False)
        with receiver:
            with sender:
                process = self._start(sender, bounds, work, arguments)
            try:
                reply = _receive(receiver, bounds.seconds + self._patience)
            finally:
                exit_code = self._end(process)
        if reply is None:
            raise _died(exit_code)
        result = msgspec.msgpack.decode(reply)
        if "error" in result:
            raise getattr(errors, result["error"])(result["message"], hint=result["hint"])
        return result["value"]

    def _start(self, *arguments: Any) -> ForkServerProcess:
        process = self._context.Process(target=_run_child, args=arguments, daemon=True)
        try:
            with self._lock, _restricted_environment():  # a fork server that was killed is started again here
                process.start()
        except (OSError, EOFError) as error:
            raise StorageError("the query workers have stopped", hint="try again; see free memory") from error
        return process

    def _end(self, process: ForkServerProcess) -> int | None:
        """Kill a child that has not ended, and return its exit code: minus the number of a signal."""
        with self._lock:
            if process.exitcode is None:
                process.kill()
            process.join()
            code = process.exitcode
            process.close()
        return code


@contextmanager
def _restricted_environment() -> Iterator[None]:
    """Hide keys and settings from a fork server that starts now, and the current folder from its imports."""
    before = dict(os.environ)
    for name in before:
        if name.startswith(("ANTHROPIC_", "ARCHIVER_")):
            del os.environ[name]
    # The fork server is `python -c …`, which would import modules of that name from the current folder first.
    os.environ["PYTHONSAFEPATH"] = "1"
    try:
        yield
    finally:
        del os.environ["PYTHONSAFEPATH"]
        os.environ.update(before)


def _receive(receiver: Connection, seconds: float) -> bytes | None:
    """Return the reply of a child, or None when it is late or ended without one."""
    try:
        return receiver.recv_bytes() if receiver.poll(seconds) else None
    except EOFError:
        return None


def _died(exit_code: int | None) -> ArchiverError:
    # SIGXCPU is the limit of processor time; SIGKILL is ours, for a child that is late, or the system's.
    if exit_code in {-signal.SIGXCPU, -signal.SIGKILL}:
        return TimeLimitError("the query took too long")
    return _too_much_memory()  # SQLite without memory may end in any signal


def _too_much_memory() -> ConfigurationError:
    return ConfigurationError("the query needs more memory than it may use")


def _run_child(sender: Connection, bounds: Bounds, work: Callable[..., Any], arguments: Sequence[Any]) -> None:
    """Run in the child: send the result or the error, and print no traceback, which could contain data."""
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the server ends its children
        sender.send_bytes(_reply(bounds, work, arguments))
    finally:
        os._exit(0)


def _reply(bounds: Bounds, work: Callable[..., Any], arguments: Sequence[Any]) -> bytes:
    try:
        limit_process(bounds.seconds, bounds.mebibytes)
        return msgspec.msgpack.encode({"value": work(*arguments)})
    except MemoryError:
        error: ArchiverError = _too_much_memory()
    except ArchiverError as raised:
        error = raised
    except Exception as bug:  # noqa: BLE001  # reported by its type alone: the message may contain data
        sys.stderr.write(f"error: a bug in archiver: {type(bug).__name__}\n")
        error = ArchiverError("this is a bug in archiver")
    return msgspec.msgpack.encode({"error": type(error).__name__, "message": error.message, "hint": error.hint})
