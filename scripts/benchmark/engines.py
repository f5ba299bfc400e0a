"""Tokens by month and workspace over a year of minutes, by SQLite and by other engines, each a process of its own."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.benchmark.running import run, serving, sync_command

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scripts.benchmark.workloads import Workload

_EXAMPLES = Path(__file__).parents[2] / "examples"
_PROGRAM = [sys.executable, "-m", "archiver"]
# Polars and Spark are large: their Python is named by the person who measures.
_PYTHONS = {
    "DuckDB": sys.executable,
    "Polars": os.environ.get("POLARS_PYTHON"),
    "Spark": os.environ.get("SPARK_PYTHON"),
}
_COUNTS = (
    "uncached_input_tokens",
    "cache_creation_1h_input_tokens",
    "cache_creation_5m_input_tokens",
    "cache_read_input_tokens",
    "output_tokens",
    "web_search_requests",
)
_SUMS = ", ".join(f"sum({name}) AS {name}" for name in _COUNTS)
_SCAN = f"SELECT substr(bucket_start, 1, 7) AS month, workspace_id, {_SUMS} FROM usage GROUP BY 1, 2"  # noqa: S608  # ours


def measure_engines(workload: Workload) -> dict[str, Any]:
    """Measure the export of a year of minutes, and the same question to each engine.

    Raises SystemExit when two engines do not return the same numbers.
    """
    with tempfile.TemporaryDirectory() as name:
        db, folder = Path(name) / "year.db", Path(name) / "set"
        with serving(workload.shape) as url:
            # The one report that is measured, so that its series is the first.
            run([*sync_command(url, db, workload.arguments()), "--report", "usage"])
        export = [*_PROGRAM, "export", "parquet", str(folder), "--series", "1", "--db", str(db)]
        first, second = run(export, watched=True), run(export)
        result: dict[str, Any] = {
            "export": first.seconds,
            "export_peak_mib": first.peak,
            "export_again": second.seconds,
            "bytes": sum(file.stat().st_size for file in folder.rglob("*.parquet")),
            "engines": {},
        }
        report = ["report", "tokens", "--by", "month", "--by", "workspace", "--csv", "--db", str(db)]
        # SQLite sorts all rows in memory to group them.
        scan = ["query", _SCAN, "--csv", "--timeout", "1h", "--max-memory", "16384", "--db", str(db)]
        commands = {"archiver report tokens": [*_PROGRAM, *report], "SQLite, view usage": [*_PROGRAM, *scan]}
        for engine, python in _PYTHONS.items():
            if python is not None:
                program = _EXAMPLES / f"tokens_by_month_{engine.lower()}.py"
                commands[f"{engine} on Parquet"] = [python, str(program), str(folder / "usage_series_1")]
        numbers: Any = None
        for engine, command in commands.items():
            seconds, found = _ask(command)
            if numbers not in (None, found):
                raise SystemExit(f"{engine} has other numbers")
            numbers = found
            result["engines"][engine] = seconds
        return result


def _ask(command: Sequence[str]) -> tuple[float, Any]:
    """Run a command that prints CSV; returns its seconds, and its numbers by month and workspace."""
    began = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603  # a program of ours
    seconds = time.perf_counter() - began
    rows = csv.DictReader(done.stdout.splitlines())
    return seconds, {(row["month"], row["workspace_id"]): [int(row[name]) for name in _COUNTS] for row in rows}
