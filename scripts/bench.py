"""Measure `archiver sync` as users run it: a process, from an empty file, against the local simulator.

Figures depend on the machine; the ratios within one run are what to compare. It prints a table, or JSON with --json.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from archiver.simulator import Settings, Simulator, background
from archiver.store.statements import sql

NOW = datetime(2026, 1, 15, 12, 30, tzinfo=UTC)
WORKLOADS = {
    "days": ["--since", "2023-01-15", "--report", "usage"],
    "hours": ["--since", "2025-01-15", "--report", "usage", "--bucket-width", "1h"],
    "minutes": ["--since", "2025-12-16", "--report", "usage", "--bucket-width", "1m"],
}
LATENCY, CONCURRENCY = 0.150, 8


@dataclass(frozen=True)
class Measured:
    """One workload: seconds, rows, bytes and MiB, and the ratios that matter."""

    workload: str
    rows: int
    requests: int
    seconds: float
    rows_per_second: float
    of_the_floor: float
    bytes_per_row: float
    peak_mebibytes: float
    second_sync_of_first: float


def run(api: Simulator, db: Path, arguments: list[str]) -> tuple[float, float, dict[str, object]]:
    """Run one sync; answer its seconds, process start included, its peak MiB, and what it told."""
    command = [sys.executable, "-m", "archiver", "sync", "--json", "--quiet", "--rate", "none"]
    command += ["--api-url", api.url, "--db", str(db), *arguments]
    variables = {**os.environ, "ANTHROPIC_ADMIN_API_KEY": api.key}
    peak = 0.0
    began = time.perf_counter()
    with subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603  # itself
        while process.poll() is None:
            peak = max(peak, peak_mebibytes(process.pid))
            time.sleep(0.01)
        seconds = time.perf_counter() - began
        assert process.stdout is not None
        return seconds, peak, json.loads(process.stdout.read())


def peak_mebibytes(pid: int) -> float:
    """Read the most memory a process has had so far; getrusage would count its parent's too."""
    try:
        status = Path(f"/proc/{pid}/status").read_text("ascii")
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM:")), 0.0)


def floor(db: Path, folder: Path) -> float:
    """Time the bare minimum: the same rows, as integers, with executemany into the same tables."""
    with closing(sqlite3.connect(db)) as source:
        rows = source.execute("SELECT * FROM usage_fact ORDER BY series_id, bucket_start, key_id").fetchall()
        (schema,) = source.execute("SELECT sql FROM sqlite_master WHERE name = 'usage_fact'").fetchone()
    with closing(sqlite3.connect(folder / "floor.db", isolation_level=None)) as bare:
        bare.execute("PRAGMA journal_mode = WAL")
        bare.execute("PRAGMA synchronous = FULL")
        bare.execute(schema)
        began = time.perf_counter()
        for start in range(0, len(rows), 30_000):
            bare.execute("BEGIN")
            bare.executemany(sql("usage.add_fact"), rows[start : start + 30_000])
            bare.execute("COMMIT")
        return time.perf_counter() - began


def measure(api: Simulator, name: str) -> Measured:
    """Measure one workload; the simulator has answered it once before, so that its own work is not counted."""
    with tempfile.TemporaryDirectory() as folder:
        run(api, Path(folder) / "warm.db", WORKLOADS[name])
        db = Path(folder) / "archive.db"
        seconds, peak, told = run(api, db, WORKLOADS[name])
        size = db.stat().st_size
        again, _, _ = run(api, db, [*WORKLOADS[name], "--refresh", "36500"])
        with closing(sqlite3.connect(db)) as connection:
            (rows,) = connection.execute("SELECT count(*) FROM usage_fact").fetchone()
        bare = floor(db, Path(folder))
    requests = told["requests"]
    assert isinstance(requests, int)
    return Measured(name, rows, requests, seconds, rows / seconds, bare / seconds, size / rows, peak, again / seconds)


def measure_latency() -> str:
    """Compare three years of days, both reports, with the bound that latency and concurrency give; start included."""
    settings = Settings(first_day=date(2023, 1, 1), now=NOW, size=0.01, latency=LATENCY)
    with background(settings) as api, tempfile.TemporaryDirectory() as folder:
        arguments = ["--since", "2023-01-15", "--concurrency", str(CONCURRENCY)]
        run(api, Path(folder) / "warm.db", arguments)
        seconds, _, told = run(api, Path(folder) / "archive.db", arguments)
    requests = told["requests"]
    assert isinstance(requests, int)
    bound = requests * LATENCY / CONCURRENCY
    times = f"{seconds:.2f} s, {seconds / bound:.2f} times the bound, process start included"
    return f"latency: {requests} requests of {LATENCY * 1000:.0f} ms, {CONCURRENCY} at a time: {times}"


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workload", nargs="*", choices=[[], *WORKLOADS], help="which (all of them)")
    parser.add_argument("--size", type=float, default=1.0, help="amount of use in the invented organisation")
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args()
    with background(Settings(first_day=date(2023, 1, 1), now=NOW, size=arguments.size)) as api:
        measured = [measure(api, name) for name in arguments.workload or WORKLOADS]
    if arguments.json:
        print(json.dumps([asdict(one) for one in measured], indent=2))
        return
    versions = f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
    print(f"{platform.machine()}, {os.cpu_count()} cores, {versions}")
    print("workload      rows  requests  seconds   rows/s  of floor  bytes/row  peak MiB  second sync")
    for one in measured:
        counts = f"{one.workload:8} {one.rows:9,} {one.requests:9,} {one.seconds:8.2f} {one.rows_per_second:8,.0f}"
        ratios = f"{one.of_the_floor:9.0%} {one.bytes_per_row:10.1f} {one.peak_mebibytes:9.0f}"
        print(f"{counts} {ratios} {one.second_sync_of_first:12.0%}")
    print(measure_latency())


if __name__ == "__main__":
    main()
