"""Measure `archiver sync` as users run it, beside a bare floor and other programs, in one run.

Figures depend on the machine; the ratios are what to compare. It prints a table, or JSON with --json.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sqlite3
import statistics
import sys
import tempfile
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from archiver.offline.reports.registry import REPORTS
from scripts.benchmark.profile import profile
from scripts.benchmark.running import run, run_floor, serving, sync_command
from scripts.benchmark.table import show
from scripts.benchmark.workloads import SINCE, A, B, C, D, E, Workload

PEERS = Path(__file__).parent / "peers"
PEER_PYTHON = Path(".venv-peers/bin/python")
NAMES = {
    "plain": ("plain.py", "{url}", "{folder}/peer.db"),
    "pandas": ("with_pandas.py", "{url}", "{folder}/peer.db"),
    "dlt, its fastest": ("with_dlt.py", "fastest", "{url}", "{folder}"),
    "dlt": ("with_dlt.py", "default", "{url}", "{folder}"),
}
MINUTES_A_DAY = 1440


def measure(workload: Workload, runs: int, peers: list[str]) -> dict[str, Any]:
    """Measure one workload: first sync, second sync, floor, peers."""
    with serving(workload.shape, workload.latency) as url, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        db = folder / "archive.db"
        run(sync_command(url, folder / "warm.db", workload.arguments()))  # the server builds its pages now
        watched = run(sync_command(url, folder / "watched.db", workload.arguments()), watched=True)
        first, second, bare = [], [], []
        for _ in range(runs):
            for file in folder.glob("archive.db*"):
                file.unlink()
            first.append(run(sync_command(url, db, workload.arguments())))
            second.append(run(sync_command(url, db, [*workload.arguments(), "--refresh", "36500"])))
            bare.append(run_floor(db, folder, workload.shape.rows * MINUTES_A_DAY))
        with closing(sqlite3.connect(db)) as connection:
            (rows,) = connection.execute("SELECT count(*) FROM usage_fact").fetchone()
            (requests,) = connection.execute("SELECT requests FROM run ORDER BY id LIMIT 1").fetchone()
        seconds = statistics.median(one.seconds for one in first)
        return {
            "workload": workload.name,
            "what": workload.what,
            "rows": rows,
            "requests": requests,
            "seconds": seconds,
            "cpu": statistics.median(one.cpu for one in first),
            "rows_per_second": rows / seconds,
            "peak_mib": watched.peak,
            "bytes_per_row": db.stat().st_size / rows,
            "second_of_first": statistics.median(one.seconds for one in second) / seconds,
            "of_the_floor": statistics.median(bare) / seconds,
            "latency_bound": requests * workload.latency / workload.concurrency,
            "peers": {peer: measure_peer(peer, workload, url, folder) for peer in peers},
        }


def measure_peer(peer: str, workload: Workload, url: str, folder: Path) -> dict[str, float]:
    """Measure another program, three times, or once when it takes long."""
    script, *arguments = NAMES[peer]
    runs = []
    for _ in range(1 if peer == "dlt" else 3):
        place = folder / "peer"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        spelled = [one.format(url=url, folder=place) for one in arguments]
        runs.append(run([str(PEER_PYTHON), str(PEERS / script), *spelled, *workload.peer_arguments()]))
        size = sum(file.stat().st_size for file in place.glob("peer*") if "staging" not in file.name)
    return {
        "seconds": statistics.median(one.seconds for one in runs),
        "peak_mib": max(one.peak for one in runs),
        "bytes": size,
    }


def measure_growth(runs: int) -> dict[str, Any]:
    """Measure a year of minutes, one day more on top of it and on top of nothing, and what is asked of it."""
    last = (SINCE + timedelta(days=E.days)).isoformat()
    beyond = (date.fromisoformat(last) + timedelta(days=1)).isoformat()
    day = E.arguments(since=last, until=beyond)
    with serving(E.shape) as url, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        year, db = folder / "year.db", folder / "archive.db"
        whole = run(sync_command(url, year, E.arguments()), watched=True)
        run(sync_command(url, folder / "warm.db", day))
        small, large = [], []
        for _ in range(runs):
            for file in folder.glob("archive.db*"):
                file.unlink()
            small.append(run(sync_command(url, db, day)).seconds)
            shutil.copy(year, db)
            large.append(run(sync_command(url, db, day)).seconds)
        with closing(sqlite3.connect(year)) as connection:
            (rows,) = connection.execute("SELECT count(*) FROM usage_fact").fetchone()
        program = [sys.executable, "-m", "archiver"]
        asked = {
            **{f"report {one}": ["report", one] for one in REPORTS if one != "budget"},
            "daily_tokens, a sum": ["query", "SELECT sum(output_tokens) FROM daily_tokens"],
            "daily_tokens, a month": [
                "query",
                "SELECT model, sum(output_tokens) FROM daily_tokens WHERE date LIKE '2024-03-%' GROUP BY model",
            ],
        }
        return {
            "rows": rows,
            "seconds": whole.seconds,
            "peak_mib": whole.peak,
            "one_day_on_nothing": statistics.median(small),
            "one_day_on_a_year": statistics.median(large),
            "asked": {what: run([*program, *words, "--db", str(year)]).seconds for what, words in asked.items()},
        }


def measure_starts(runs: int) -> dict[str, float]:
    """Measure the commands that a person waits for, on a small file."""
    with serving(D.shape) as url, tempfile.TemporaryDirectory() as name:
        db = Path(name) / "small.db"
        run(sync_command(url, db, D.arguments(since="2026-10-01", until="2026-10-31")))
        program = [sys.executable, "-m", "archiver"]
        commands = {
            "--help": ["--help"],
            "status": ["status", "--db", str(db)],
            "query": ["query", "SELECT count(*) FROM usage", "--db", str(db)],
        }
        return {
            what: statistics.median(run([*program, *words]).seconds for _ in range(max(5, runs)))
            for what, words in commands.items()
        }


def main() -> None:
    """Measure what is asked for."""
    workloads = {one.name: one for one in (A, B, C, D)}
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("what", nargs="*", choices=[[], *workloads, "E", "starts"], help="which (A B C D starts)")
    parser.add_argument("--runs", type=int, default=5, help="how often; medians are shown")
    parser.add_argument("--peers", action="store_true", help="measure other programs beside A and B, in .venv-peers")
    parser.add_argument("--profile", action="store_true", help="show where the time of A goes")
    parser.add_argument("--json", action="store_true", help="print JSON")
    asked = parser.parse_args()
    what = asked.what or [*workloads, "starts"]
    versions = f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
    result: dict[str, Any] = {"machine": f"{platform.machine()}, {os.cpu_count()} cores, {versions}", "workloads": []}
    if asked.peers and not PEER_PYTHON.exists():
        print("the peers are not installed, and are skipped: scripts/bench --peers makes .venv-peers", file=sys.stderr)
    for name in [one for one in workloads if one in what]:
        peers = {"A": list(NAMES), "B": ["plain"]}.get(name, []) if asked.peers and PEER_PYTHON.exists() else []
        result["workloads"].append(measure(workloads[name], asked.runs, peers))
    if "E" in what:
        result["growth"] = measure_growth(asked.runs)
    if "starts" in what:
        result["starts"] = measure_starts(asked.runs)
    if asked.profile:
        result["profile"] = profile(A)
    if asked.json:
        print(json.dumps(result, indent=2))
    else:
        show(result)


if __name__ == "__main__":
    main()
