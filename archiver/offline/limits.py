"""Run work in a child process with limited memory and processor time.

SQLite checks its own limits between steps, but a single step of a hostile query can take minutes or all memory.
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

    The child writes to the same stdout and stderr. The process must have one thread, as a fork copies only that one.
    `seconds` are processor time, so that a slow reader of the output uses none of it.

    Raises:
        TimeLimitError: The child used more time and was killed.
        ConfigurationError: Another signal killed the child, most likely for lack of memory.
    """
    sys.stdout.flush()  # or the child would print what is buffered once more
    child = os.fork()
    if child == 0:
        _run_child(work, seconds, mebibytes)
    status = _wait(child)
    if os.WIFEXITED(status):
        return os.WEXITSTATUS(status)
    # The kernel sends SIGXCPU at the soft limit, and SIGKILL at the hard one.
    if os.WTERMSIG(status) in {signal.SIGXCPU, signal.SIGKILL}:
        raise TimeLimitError("the query took too long", hint="raise --timeout")
    raise ConfigurationError("the query needs more memory than it may use", hint="raise --max-memory")


def _run_child(work: Callable[[], int], seconds: float, mebibytes: int) -> None:
    code = 1
    try:
        limit_process(seconds, mebibytes)
        code = work()
    finally:
        os._exit(code)  # without exit handlers: they are the parent's, which runs them itself


def limit_process(seconds: float, mebibytes: int) -> None:
    """Limit the further use of this process, irrevocably.

    It can use `seconds` more of processor time, and `mebibytes` more of memory.
    """
    # SQLite's own limit ends a query with a message. This one is later, for steps during which SQLite does not check.
    limit = math.ceil(time.process_time() + seconds) + _GRACE_SECONDS
    resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + _GRACE_SECONDS))
    # SIGXCPU would write a core file, and with it the environment, which may contain the admin key.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _limit_memory(mebibytes)


def _limit_memory(mebibytes: int) -> None:
    """Limit the address space, on systems that report its size.

    On others, SQLite's own limit of its heap is the only one.
    """
    try:
        # RLIMIT_AS includes what the interpreter and its libraries have mapped already.
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[0])
    except (OSError, ValueError):
        return
    limit = pages * resource.getpagesize() + mebibytes * _MEBIBYTE
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _wait(child: int) -> int:
    """Wait for the child and return its status; kill it if this process is interrupted."""
    try:
        return os.waitpid(child, 0)[1]
    except BaseException:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        raise
