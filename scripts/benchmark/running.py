"""Running a server and the programs that are measured, each as a process of its own."""

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

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scripts.benchmark.pages import Shape

_SECONDS_BETWEEN_LOOKS = 0.25
KEY = "sk-ant-admin01-invented-key-of-the-benchmark"


@dataclass(frozen=True)
class Run:
    """What a program took: wall and processor seconds, and the most memory it had with its children, in MiB."""

    seconds: float
    cpu: float
    peak: float


@contextmanager
def serving(shape: Shape, latency: float = 0.0) -> Iterator[str]:
    """Serve pages from another process; gives their address."""
    command = [sys.executable, "-m", "scripts.benchmark.server", str(shape.rows), str(shape.keys), str(latency)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:  # noqa: S603  # itself
        assert server.stdout is not None
        try:
            yield f"http://127.0.0.1:{server.stdout.readline().strip()}"
        finally:
            server.terminate()


def run(command: Sequence[str], *, watched: bool = False) -> Run:
    """Run a program to its end; what it prints is not shown unless it fails.

    Unless it is `watched`, its memory is that of its largest process. Watching makes it slower.
    """
    began = time.perf_counter()
    process = subprocess.Popen(  # noqa: S603  # a program of this benchmark
        command,
        env={**os.environ, "ANTHROPIC_ADMIN_API_KEY": KEY},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    memory = Memory(process.pid)
    if watched:
        memory.start()
    said = process.stderr.read()
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    if watched:
        memory.join()
    process.stderr.close()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}: {said[-2000:]}")
    return Run(seconds, used.ru_utime + used.ru_stime, max(memory.peak, used.ru_maxrss / 1024))


class Memory(threading.Thread):
    """Watches what a process and its children hold together, where Linux tells; shared pages are counted once."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid = pid
        self.peak = 0.0

    def run(self) -> None:
        """Look until the process is gone."""
        while held := sum(map(_held, (self._pid, *_children(self._pid)))):
            self.peak = max(self.peak, held)
            time.sleep(_SECONDS_BETWEEN_LOOKS)


def _children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _held(pid: int) -> float:
    """Give the MiB that a process holds, its share of shared pages; none when it is gone."""
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in rollup.splitlines() if line.startswith("Pss:")), 0.0)


def sync_command(url: str, db: Path, arguments: Sequence[str]) -> list[str]:
    """Spell a sync as a user would run it, without a limit of its pace."""
    common = ["--quiet", "--rate", "none", "--api-url", url, "--db", str(db)]
    return [sys.executable, "-m", "archiver", "sync", *common, *arguments]


def run_floor(db: Path, folder: Path, rows_at_once: int) -> float:
    """Measure the bare floor; gives its seconds."""
    command = [sys.executable, "-m", "scripts.benchmark.floor", str(db), str(folder), str(rows_at_once)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603  # itself
    return float(done.stdout)
