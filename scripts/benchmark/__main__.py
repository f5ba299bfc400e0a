"""Measure `archiver sync` as users run it, beside a bare floor and other programs, in one run.

Figures depend on the machine; the ratios are what to compare. It prints a table, or JSON with --json.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sqlite3
import statistics
import sys
import tempfile
from contextlib import closing
from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archiver.offline.reports.registry import REPORTS
from scripts.benchmark.engines import measure_engines
from scripts.benchmark.pages import Shape
from scripts.benchmark.peer_runs import PEER_PYTHON, PEERS, measure_peer
from scripts.benchmark.profile import profile
from scripts.benchmark.running import run, run_floor, serving, sync_command
from scripts.benchmark.simulated import measure_first_sync, measure_nightly
from scripts.benchmark.table import show
from scripts.benchmark.workloads import SINCE, A, B, C, D, E, G, Workload

if TYPE_CHECKING:
    from collections.abc import Callable

MINUTES_A_DAY = 1440
PARTS = 10
PROGRAM = [sys.executable, "-m", "archiver"]
# They need what E has not: a configuration, teams, another report, usage of today, a time before the last sync.
_NOT_MEASURED = frozenset({"budget", "changes", "people", "claude-code", "statement", "today"})
# A month in the middle of the year of E, for the reports of one period.
_OPTIONS = {name: ["--month", "2024-03"] for name in ("compare", "forecast", "why")}
QUERIES = {
    **{f"report {name}": ["report", name, *_OPTIONS.get(name, [])] for name in REPORTS if name not in _NOT_MEASURED},
    "query that reads nothing": ["query", "SELECT 1"],
    "daily_tokens, a sum": ["query", "SELECT sum(output_tokens) FROM daily_tokens"],
    "daily_tokens, a month": [
        "query",
        "SELECT model, sum(output_tokens) FROM daily_tokens WHERE date LIKE '2024-03-%' GROUP BY model",
    ],
}


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
            (rows,) = connection.execute("SELECT count(*) FROM _usage_fact").fetchone()
            (requests,) = connection.execute("SELECT requests FROM _run ORDER BY id LIMIT 1").fetchone()
        seconds = statistics.median(one.seconds for one in first)
        return {
            "workload": workload.name,
            "title": workload.title,
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
            "peers": {
                # A run of dlt's default takes minutes: once is enough.
                peer: measure_peer(peer, workload.peer_arguments(), url, folder, 1 if peer == "dlt" else 3)
                for peer in peers
            },
        }


def measure_growth(workload: Workload, runs: int) -> dict[str, Any]:
    """Measure E: a year of minutes in ten parts, one more day on it and on nothing, queries."""
    with serving(workload.shape) as url, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        year, db = folder / "year.db", folder / "archive.db"
        marks = [(SINCE + timedelta(days=workload.days * part // PARTS)).isoformat() for part in range(PARTS + 1)]
        parts = [
            run(sync_command(url, year, workload.arguments(since=since, until=until)), watched=True)
            for since, until in pairwise(marks)
        ]
        beyond = _days_after(marks[-1], 1)
        day = workload.arguments(since=marks[-1], until=beyond)
        small = large = 0.0
        warm = _days_after(beyond, runs)
        run(sync_command(url, folder / "warm.db", workload.arguments(since=marks[-1], until=warm)))  # builds the pages
        for _ in range(runs):
            for file in folder.glob("archive.db*"):
                file.unlink()
            small += run(sync_command(url, db, day)).seconds
            # The last day of the year and not a copy of the file: with 100 million rows it has gigabytes.
            large += run(sync_command(url, year, day)).seconds
            day = workload.arguments(since=beyond, until=(beyond := _days_after(beyond, 1)))
        with closing(sqlite3.connect(year)) as connection:
            (rows,) = connection.execute("SELECT count(*) FROM _usage_fact").fetchone()
        return {
            "rows": rows,
            "seconds": sum(part.seconds for part in parts),
            "last_of_first_part": parts[-1].seconds / parts[0].seconds,
            "peak_mib": max(part.peak for part in parts),
            "bytes_per_row": year.stat().st_size / rows,
            "one_day_on_nothing": small / runs,
            "one_day_on_a_year": large / runs,
            "queries": {name: run([*PROGRAM, *words, "--db", str(year)]).seconds for name, words in QUERIES.items()},
        }


def _days_after(day: str, number: int) -> str:
    return (date.fromisoformat(day) + timedelta(days=number)).isoformat()


def measure_starts(runs: int) -> dict[str, float]:
    """Measure the commands that a person waits for, on a small file."""
    with serving(D.shape) as url, tempfile.TemporaryDirectory() as name:
        db = Path(name) / "small.db"
        run(sync_command(url, db, D.arguments(since="2026-10-01", until="2026-10-31")))
        commands = {
            "--help": ["--help"],
            "status": ["status", "--db", str(db)],
            "query": ["query", "SELECT count(*) FROM usage", "--db", str(db)],
        }
        return {
            name: statistics.median(run([*PROGRAM, *words]).seconds for _ in range(max(5, runs)))
            for name, words in commands.items()
        }


def measure_drift(runs: int) -> dict[str, float]:
    """Measure G: workload A with a new field in every row, in turns with A itself."""
    with serving(A.shape) as plain, serving(G.shape) as drifted, tempfile.TemporaryDirectory() as name:
        seconds: dict[str, list[float]] = {plain: [], drifted: []}
        # The first round makes the servers build their pages, and is not counted.
        for number in range(runs + 1):
            for url, taken in seconds.items():
                db = Path(name) / f"{number}-{len(taken)}-{url[-5:]}.db"
                taken.append(run(sync_command(url, db, A.arguments())).seconds)
                db.unlink()
        medians = {url: statistics.median(taken[1:]) for url, taken in seconds.items()}
        return {"seconds": medians[drifted], "ratio": medians[drifted] / medians[plain]}


def main() -> None:
    """Measure the chosen workloads and print them."""
    workloads = {one.name: one for one in (A, B, C, D)}
    options = parse_options([*workloads, "E", "F", "G", "nightly", "starts", "engines"])
    chosen = options.workloads or [*workloads, "starts"]
    versions = f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
    result: dict[str, Any] = {"machine": f"{platform.machine()}, {os.cpu_count()} cores, {versions}", "workloads": []}
    with_peers = options.peers and PEER_PYTHON.exists()
    if options.peers and not with_peers:
        print("the peers are not installed and are skipped; scripts/bench --peers installs them", file=sys.stderr)
    for name in [one for one in workloads if one in chosen]:
        peers = {"A": list(PEERS), "B": ["plain"]}.get(name, []) if with_peers else []
        result["workloads"].append(measure(workloads[name], options.runs, peers))
    others: dict[str, tuple[str, Callable[[], dict[str, Any]]]] = {
        "E": ("growth", lambda: measure_growth(replace(E, shape=Shape(options.rows, 2 * options.rows)), options.runs)),
        "F": ("first_sync", lambda: measure_first_sync(options.days, list(PEERS) if with_peers else [])),
        "G": ("drift", lambda: measure_drift(options.runs)),
        "nightly": ("nightly", lambda: measure_nightly(options.days, options.runs)),
        "starts": ("starts", lambda: measure_starts(options.runs)),
        "engines": ("engines", lambda: measure_engines(replace(E, shape=Shape(options.rows, 2 * options.rows)))),
    }
    result |= {key: function() for name, (key, function) in others.items() if name in chosen}
    if options.profile:
        result["profile"] = profile(A)
    if options.json:
        print(json.dumps(result, indent=2))
    else:
        show(result)


def parse_options(names: list[str]) -> argparse.Namespace:
    """Parse the command line; `names` are the workloads."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("workloads", nargs="*", choices=[[], *names], help="workloads (default: A B C D starts)")
    parser.add_argument("--runs", type=int, default=5, help="runs of each; medians are shown")
    parser.add_argument("--days", type=int, default=365, help="days of use in F and nightly")
    parser.add_argument(
        "--rows", type=int, default=E.shape.rows, help="rows a minute in E and engines (200 make 105 million)"
    )
    parser.add_argument("--peers", action="store_true", help="measure other programs too, in .venv-peers")
    parser.add_argument("--profile", action="store_true", help="show the work of A by stage")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser.parse_args()


if __name__ == "__main__":
    main()
