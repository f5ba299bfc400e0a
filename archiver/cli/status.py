"""`archiver status`."""

from __future__ import annotations

import json
import sqlite3
import time
from typing import TYPE_CHECKING, Any

import click

from archiver.cli.command import Command
from archiver.cli.options import Duration, config_option, db_option, option
from archiver.cli.profiles import run_children
from archiver.errors import PARTIAL_EXIT
from archiver.offline.retention import retentions
from archiver.offline.status import age, coverage_of, problems_of, status_to_json
from archiver.offline.tables.write import show
from archiver.plan.calendar import parse_time
from archiver.store.read.reader import open_archive_reader

if TYPE_CHECKING:
    from pathlib import Path

    from archiver.store.read.status import ArchiveStatus

_KIB = 1024.0


def _bytes(size: float) -> str:
    for unit in ("bytes", "KiB", "MiB"):
        if size < _KIB:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= _KIB
    return f"{size:.1f} GiB"


def _grouping(group_by: str) -> str:
    return f"by {group_by}" if group_by else "(not grouped)"


def _ago(text: str, now: float) -> str:
    return f"{text} ({age(now - parse_time(text).timestamp())} ago)"


def _print(status: ArchiveStatus, problems: list[str], now: float) -> None:
    name = status.organization
    versions = f"schema {status.schema_version}, SQLite {sqlite3.sqlite_version}"
    click.echo(f"archive       {status.path}\n              {_bytes(status.bytes)}, {versions}")
    identity = f" ({show(name.id)})" if name and name.name else ""
    click.echo(f"organisation  {show(name.name or name.id) if name else 'not known yet'}{identity}")
    _print_last_run(status, now)
    for series in status.series:
        report, bucket_width, group_by, filters = series
        where = f" where {show(filters)}" if filters else ""
        click.echo(f"\n{report} {bucket_width} {_grouping(group_by)}{where}")
        for one in coverage_of(status, series):
            fetched = f", read {_ago(one.fetched_at, now)} or later" if one.fetched_at else ""
            click.echo(f"  {one.start} to {one.end}  {one.state}{fetched}")
    _print_retention(status, now)
    for suspect in status.suspects:
        click.echo(
            f"\nsuspect: {suspect.report} {suspect.bucket_width} {_grouping(suspect.group_by)}, {suspect.bucket_start}"
        )
    click.echo("\n" + "\n".join([*([] if status.gaps or status.is_empty else ["no gaps"]), *problems]))


def _print_retention(status: ArchiveStatus, now: float) -> None:
    kept = retentions(status, now)
    if any(one.archived_since for one in kept):
        for one in kept:
            click.echo(f"\n{one.report}: {one.sentence()}")
    elif not status.is_empty and not status.unavailable:
        click.echo(
            "\nbilled cost by key and person is not archived, and the API forgets it after a year: "
            "archiver sync --report all archives it"
        )


def _print_last_run(status: ArchiveStatus, now: float) -> None:
    run = status.last_run
    if run is None:
        return
    started = run["started_at"]
    if run["finished_at"]:
        click.echo(f"last run      {started} to {_ago(run['finished_at'], now)}: {run['outcome']}")
    else:
        click.echo(f"last run      {_ago(started, now)}, not finished or still running")


@click.command(
    cls=Command,
    several=run_children,
    examples=[
        "archiver status",
        "archiver status --max-age 36h  # for cron: exit code 3 when the archive is older",
        "archiver status --json | jq .gaps",
    ],
)
@option("--max-age", type=Duration(), help="Exit 3 when the newest complete bucket of a report is older, as in 36h.")
@option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@db_option
@config_option
def status(*, max_age: float | None, as_json: bool, db: Path, **_: Any) -> int:
    """Show what is archived: ranges, gaps, freshness, the last run, size.

    Exit code 3: there are gaps or suspects, nothing is archived yet, or it is older than --max-age.
    """
    with open_archive_reader(db) as reader:
        found = reader.status()
    now = time.time()
    problems = problems_of(found, max_age, now)
    if as_json:
        click.echo(json.dumps(status_to_json(found, problems, now), indent=2))
    else:
        _print(found, problems, now)
    return PARTIAL_EXIT if problems else 0
