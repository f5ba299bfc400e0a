"""Helpers of the acceptance tests: run the program, and compare an archive with the simulator."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from archiver.api.key import AdminKey
from archiver.api.rate_limit import Rate
from archiver.cli.run import synchronise
from archiver.cli.settings import Settings as SyncSettings
from archiver.crawl.progress import Progress
from archiver.crawl.summary import Summary
from archiver.plan.scope import Scope
from archiver.reports import SPECS, USAGE
from archiver.simulator import Settings, Simulator

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

NOW = datetime(2026, 1, 15, 12, 30, tzinfo=UTC)
FIRST_DAY = date(2025, 11, 1)
INVENTED_KEY = "sk-ant-admin01-invented-for-tests"
SMALL = Settings(first_day=FIRST_DAY, now=NOW, size=0.15)

Row = tuple[Any, ...]


def day(text: str) -> datetime:
    """Return the start of a UTC day."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def sync(api: Simulator, db: Path, scope: Scope | None = None, **settings: Any) -> Summary:
    """Run a sync in this process, as fast as it goes."""
    summary = Summary()
    wanted: dict[str, Any] = {
        "db": db,
        "api_url": api.url,
        "key": AdminKey(api.key, "the simulator"),
        "scope": scope or Scope(),
        "rate": Rate(None),
        "concurrency": 4,
        "max_runtime": None,
        "wait": 0.0,
    }
    synchronise(SyncSettings(**(wanted | settings)), Progress(), summary)
    return summary


def environment(**more: str) -> dict[str, str]:
    """Return the variables of this process for a child, without those that archiver reads."""
    kept = {n: v for n, v in os.environ.items() if not n.startswith(("ARCHIVER_", "ANTHROPIC_"))}
    return {**kept, "PYTHONWARNINGS": "error", **more}


def archiver(
    *arguments: str, stdin: str = "", timeout: float = 60, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run the program as a process."""
    return subprocess.run(
        [sys.executable, "-m", "archiver", *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=timeout,
        env=environment(**variables),
        check=False,
    )


def run_sync(api: Simulator, db: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run `archiver sync` against a simulator, as fast as it goes."""
    wanted: dict[str, Any] = {"ANTHROPIC_ADMIN_API_KEY": api.key} | variables
    return archiver("sync", "--api-url", api.url, "--db", str(db), "--rate", "none", *arguments, **wanted)


def printed_json(done: subprocess.CompletedProcess[str]) -> Any:
    """Return the one JSON object that a command printed."""
    return json.loads(done.stdout)


def select(db: Path, sql: str, *values: object) -> list[Row]:
    """Return the rows of a query on an archive."""
    with closing(sqlite3.connect(f"{db.as_uri()}?mode=ro", uri=True)) as connection:
        return connection.execute(sql, values).fetchall()


def archived(db: Path, report: str, bucket_width: str, group_by: Sequence[str], filters: str = "") -> list[Row]:
    """Return the rows of one series from the public view, in a fixed order."""
    columns = [*SPECS[report].columns, *_measures(report)]  # type: ignore[index]
    rows = select(
        db,
        f"""SELECT v.bucket_start, v.bucket_end, {", ".join("v." + c for c in columns)} FROM {report} AS v
        JOIN _series AS s ON s.id = v.series_id
        WHERE v.bucket_width = ? AND v.group_by = ? AND s.filters = ?""",  # noqa: S608  # names of columns
        bucket_width,
        ",".join(sorted(group_by)),
        filters,
    )
    return sorted(rows, key=repr)


def truth(  # noqa: PLR0913, PLR0917  # the parts of a series
    api: Simulator,
    report: str,
    bucket_width: str,
    group_by: Sequence[str],
    start: datetime,
    end: datetime | None = None,
    filters: Mapping[str, Sequence[str]] | None = None,
) -> list[Row]:
    """Return the rows of a series in the simulator, with the bucket in progress of usage."""
    end = end or NOW + timedelta(days=1)
    buckets = api.truth(
        report=report, bucket_width=bucket_width, group_by=group_by, filters=filters, start=start, end=end
    )
    rows = [
        (bucket["starting_at"], bucket["ending_at"], *_values(report, result))
        for bucket in buckets
        for result in bucket["results"]
    ]
    return sorted(rows, key=repr)


def _measures(report: str) -> tuple[str, ...]:
    return USAGE.measures if report == "usage" else ("amount",)


def _values(report: str, result: Mapping[str, Any]) -> Row:
    dimensions = [result.get(column) for column in SPECS[report].columns]  # type: ignore[index]
    if report == "cost":
        return (*dimensions, result["amount"])
    return (
        *dimensions,
        result["uncached_input_tokens"],
        result["cache_creation"]["ephemeral_1h_input_tokens"],
        result["cache_creation"]["ephemeral_5m_input_tokens"],
        result["cache_read_input_tokens"],
        result["output_tokens"],
        result["server_tool_use"]["web_search_requests"],
    )


def dump(db: Path) -> str:
    """Return the contents of the public views as text, to compare two archives."""
    tables = ("usage", "cost", "coverage", "daily_tokens", "daily_cost", "workspace", "api_key", "restatement")
    contents: dict[str, list[Row]] = {}
    for table in tables:
        with closing(sqlite3.connect(f"{db.as_uri()}?mode=ro", uri=True)) as connection:
            cursor = connection.execute(f"SELECT * FROM {table}")  # noqa: S608  # a name from above
            names = [column[0] for column in cursor.description]
            hidden = [
                names.index(n) for n in ("series_id", "fetched_at", "learnt_at", "previously_learnt_at") if n in names
            ]
            contents[table] = sorted(
                (tuple(v for i, v in enumerate(row) if i not in hidden) for row in cursor), key=repr
            )
    return json.dumps(contents, indent=1)
