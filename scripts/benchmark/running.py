"""Running a server and the programs that are measured, each as a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from scripts.benchmark.pages import Shape

KEY = "sk-ant-admin01-invented-key-of-the-benchmark"


@dataclass(frozen=True)
class Run:
    """What one process took: wall and processor seconds, and the most memory it had, in MiB."""

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


def run(command: Sequence[str]) -> Run:
    """Run a program to its end; what it prints is not shown unless it fails."""
    began = time.perf_counter()
    process = subprocess.Popen(  # noqa: S603  # a program of this benchmark
        command,
        env={**os.environ, "ANTHROPIC_ADMIN_API_KEY": KEY},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    said = process.stderr.read()
    _, status, used = os.wait4(process.pid, 0)
    process.stderr.close()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}: {said[-2000:]}")
    return Run(time.perf_counter() - began, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def sync_command(url: str, db: Path, arguments: Sequence[str]) -> list[str]:
    """Spell a sync as a user would run it, without a limit of its pace."""
    common = ["--quiet", "--rate", "none", "--api-url", url, "--db", str(db)]
    return [sys.executable, "-m", "archiver", "sync", *common, *arguments]


def run_floor(db: Path, folder: Path, rows_at_once: int) -> float:
    """Measure the bare floor; gives its seconds."""
    command = [sys.executable, "-m", "scripts.benchmark.floor", str(db), str(folder), str(rows_at_once)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603  # itself
    return float(done.stdout)
