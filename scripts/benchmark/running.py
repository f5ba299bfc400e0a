"""Runs of the server and of the measured programs, each in its own process."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from archiver.simulator import INVENTED_KEY

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scripts.benchmark.pages import Shape

_SECONDS_BETWEEN_LOOKS = 0.25
_BLOCK = 512  # bytes in a unit of the resource usage of a process


@dataclass(frozen=True, order=True)
class Run:
    """The cost of one run: wall and processor seconds, peak MiB with children, bytes written to the disk."""

    seconds: float
    cpu: float
    peak: float
    written: int


@contextmanager
def serving(shape: Shape, latency: float = 0.0) -> Iterator[str]:
    """Serve pages from another process; yields its URL."""
    values = (shape.rows, shape.keys, int(shape.new_field), latency)
    command = [sys.executable, "-m", "scripts.benchmark.server", *map(str, values)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:  # noqa: S603  # itself
        assert server.stdout is not None
        try:
            yield f"http://127.0.0.1:{server.stdout.readline().strip()}"
        finally:
            server.terminate()


def run(command: Sequence[str], *, watched: bool = False) -> Run:
    """Run a program to its end; its output is shown only when it fails.

    Unless it is `watched`, its memory is that of its largest process. Watching makes it slower. Raises SystemExit when
    the program fails.
    """
    began = time.perf_counter()
    process = subprocess.Popen(  # noqa: S603  # a program of this benchmark
        command,
        env={**os.environ, "ANTHROPIC_ADMIN_API_KEY": INVENTED_KEY},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    memory = Memory(process.pid)
    if watched:
        memory.start()
    errors = process.stderr.read()
    # wait4 and not wait: it returns the resource usage of this one process and its children.
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    if watched:
        memory.join()
    process.stderr.close()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}: {errors[-2000:]}")
    peak = max(memory.peak, used.ru_maxrss / 1024)
    return Run(seconds, used.ru_utime + used.ru_stime, peak, used.ru_oublock * _BLOCK)


class Memory(threading.Thread):
    """Watches the memory of a process with its children (Linux only); shared pages are counted once."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid = pid
        self.peak = 0.0

    def run(self) -> None:
        """Look until the process is gone."""
        while memory := sum(map(_memory, (self._pid, *_children(self._pid)))):
            self.peak = max(self.peak, memory)
            time.sleep(_SECONDS_BETWEEN_LOOKS)


def _children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _memory(pid: int) -> float:
    """Return the MiB of a process with its share of shared pages; 0 when the process is gone."""
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in rollup.splitlines() if line.startswith("Pss:")), 0.0)


def sync_command(url: str, db: Path, arguments: Sequence[str], rate: str = "none") -> list[str]:
    """Return the command line of a sync, as a user would type it."""
    common = ["--quiet", "--rate", rate, "--api-url", url, "--db", str(db)]
    return [sys.executable, "-m", "archiver", "sync", *common, *arguments]


def run_floor(db: Path, folder: Path, rows_at_once: int) -> float:
    """Measure the bare floor; returns its seconds."""
    command = [sys.executable, "-m", "scripts.benchmark.floor", str(db), str(folder), str(rows_at_once)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603  # itself
    return float(done.stdout)
