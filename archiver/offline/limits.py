"""A child process for work that may want too much: its memory and its time on the processor are bounded.

SQLite looks at its own limits between steps; one step of a hostile query can still take minutes or all memory.
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
    """Run `work` in a child and give its exit code; what it prints goes where this process prints.

    `seconds` are seconds of the processor: a reader that is slow to take the output costs none.

    Raises:
        TimeLimitError: It took longer; it is gone.
        ConfigurationError: It was ended for wanting too much memory.
    """
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        _be_the_child(work, seconds, mebibytes)
    status = _wait(child)
    if os.WIFEXITED(status):
        return os.WEXITSTATUS(status)
    if os.WTERMSIG(status) in {signal.SIGXCPU, signal.SIGKILL}:
        raise TimeLimitError("the query took too long", hint="raise --timeout")
    raise ConfigurationError("the query needs more memory than it may use", hint="raise --max-memory")


def _be_the_child(work: Callable[[], int], seconds: float, mebibytes: int) -> None:
    code = 1
    try:
        limit_process(seconds, mebibytes)
        code = work()
    finally:
        os._exit(code)


def limit_process(seconds: float, mebibytes: int) -> None:
    """Bound this process for the rest of its life: so many more seconds of the processor, so much more memory."""
    used = math.ceil(time.process_time() + seconds) + _GRACE_SECONDS
    resource.setrlimit(resource.RLIMIT_CPU, (used, used + _GRACE_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # SIGXCPU would dump the environment, and the key in it
    _bound_memory(mebibytes)


def _bound_memory(mebibytes: int) -> None:
    """Allow so much on top of what the process has; where the system does not tell that, SQLite's own bound is left."""
    try:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[0])
    except (OSError, ValueError):
        return
    most = pages * resource.getpagesize() + mebibytes * _MEBIBYTE
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def _wait(child: int) -> int:
    """Wait for the child; it goes with this process when that is told to stop."""
    try:
        return os.waitpid(child, 0)[1]
    except BaseException:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        raise
