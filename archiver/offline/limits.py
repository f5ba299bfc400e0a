"""Limits of memory and processor time, and a child process within them.

SQLite checks its own limits between steps; a single step of a hostile query can still take minutes or all memory.
"""

from __future__ import annotations

import math
import os
import resource
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from archiver.errors import ConfigurationError, TimeLimitError

if TYPE_CHECKING:
    from collections.abc import Callable

_GRACE_SECONDS = 1
_MEBIBYTE = 1024 * 1024


def run_limited(work: Callable[[], int], seconds: float, mebibytes: int) -> int:
    """Run `work` in a forked child and return its exit code.

    The child shares stdout and stderr.

    The process must have one thread. `seconds` are processor time: a slow reader of the output uses none of it.

    Raises:
        TimeLimitError: It took longer, and was killed.
        ConfigurationError: It died of its limit of memory.
    """
    sys.stdout.flush()  # or the child would print what is buffered once more
    child = os.fork()
    if child == 0:
        _run_child(work, seconds, mebibytes)
    status = _wait(child)
    if os.WIFEXITED(status):
        return os.WEXITSTATUS(status)
    if os.WTERMSIG(status) in {signal.SIGXCPU, signal.SIGKILL}:
        raise TimeLimitError("the query took too long", hint="raise --timeout")
    raise ConfigurationError("the query needs more memory than it may use", hint="raise --max-memory")


def _run_child(work: Callable[[], int], seconds: float, mebibytes: int) -> None:
    code = 1
    try:
        limit_process(seconds, mebibytes)
        code = work()
    finally:
        os._exit(code)  # without the exit handlers of the parent, which has to run them once


def limit_process(seconds: float, mebibytes: int) -> None:
    """Limit this process for good, beyond what it uses now.

    `seconds` is more processor time, `mebibytes` more memory.
    """
    # SQLite's own limit ends a query with a message; this one comes later, for when SQLite does not get to check.
    limit = math.ceil(time.process_time() + seconds) + _GRACE_SECONDS
    resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + _GRACE_SECONDS))
    resource.setrlimit(
        resource.RLIMIT_CORE, (0, 0)
    )  # SIGXCPU would write a core file with the environment, which may hold the key
    _limit_memory(mebibytes)


def _limit_memory(mebibytes: int) -> None:
    """Limit the address space, on systems that report its size; elsewhere SQLite's own limit of its heap remains."""
    try:
        # RLIMIT_AS counts what the interpreter and its libraries have mapped already, so that is added.
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[0])
    except (OSError, ValueError):
        return
    limit = pages * resource.getpagesize() + mebibytes * _MEBIBYTE
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _wait(child: int) -> int:
    """Return the status of the child when it ends; kill it when this process is interrupted."""
    try:
        return os.waitpid(child, 0)[1]
    except BaseException:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        raise
