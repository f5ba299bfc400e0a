"""`archiver status`."""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING, Any

import click

from archiver.cli.command import Command
from archiver.cli.options import config_option, db_option, option
from archiver.errors import PARTIAL_EXIT
from archiver.offline.tables.write import show
from archiver.store.read.daily_sums import NOT_GROUPED
from archiver.store.read.reads import Coverage, Overview, read_overview

if TYPE_CHECKING:
    from pathlib import Path

_KIB = 1024.0


def overview_to_json(overview: Overview) -> dict[str, Any]:
    """Give the object that `status --json` prints."""
    organization = overview.organization
    return {
        "database": str(overview.path),
        "schema_version": overview.schema_version,
        "sqlite_version": sqlite3.sqlite_version,
        "bytes": overview.bytes,
        "organization": {"id": organization.id, "name": organization.name} if organization else None,
        "series": [_series_to_json(overview, identity) for identity in overview.series],
        "gaps": [_gap_to_json(one) for one in overview.coverage if one.is_gap],
        "last_run": overview.last_run,
    }


def _series_to_json(overview: Overview, identity: tuple[str, str, str, str]) -> dict[str, Any]:
    report, bucket_width, group_by, filters = identity
    return {
        "report": report,
        "bucket_width": bucket_width,
        "group_by": group_by,
        "filters": filters,
        "ranges": [
            {"start": one.start, "end": one.end, "state": one.state} for one in _coverage_of(overview, identity)
        ],
    }


def _gap_to_json(one: Coverage) -> dict[str, Any]:
    return {
        "report": one.report,
        "bucket_width": one.bucket_width,
        "group_by": one.group_by,
        "start": one.start,
        "end": one.end,
        "state": one.state,
    }


def _coverage_of(overview: Overview, identity: tuple[str, str, str, str]) -> list[Coverage]:
    return [o for o in overview.coverage if (o.report, o.bucket_width, o.group_by, o.filters) == identity]


def _spell_bytes(size: float) -> str:
    for unit in ("bytes", "KiB", "MiB"):
        if size < _KIB:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= _KIB
    return f"{size:.1f} GiB"


def spell_grouping(group_by: str) -> str:
    """Say what a series is grouped by."""
    return f"by {group_by}" if group_by else NOT_GROUPED


def _say(overview: Overview) -> None:
    name = overview.organization
    click.echo(f"archive       {overview.path}")
    click.echo(
        f"              {_spell_bytes(overview.bytes)}, schema {overview.schema_version}, "
        f"SQLite {sqlite3.sqlite_version}"
    )
    click.echo(
        f"organisation  {show(name.name or name.id) if name else 'not known yet'}"
        + (f" ({show(name.id)})" if name and name.name else "")
    )
    run = overview.last_run
    if run:
        ended = f"{run['finished_at']}: {run['outcome']}" if run["finished_at"] else "not finished, or still running"
        click.echo(
            f"last run      {run['started_at']} to {ended}"
            if run["finished_at"]
            else f"last run      {run['started_at']}, {ended}"
        )
    for identity in overview.series:
        report, bucket_width, group_by, filters = identity
        where = f" where {show(filters)}" if filters else ""
        click.echo(f"\n{report} {bucket_width} {spell_grouping(group_by)}{where}")
        for one in _coverage_of(overview, identity):
            fetched = f", read {one.fetched_at} or later" if one.fetched_at else ""
            click.echo(f"  {one.start} to {one.end}  {one.state}{fetched}")
    for report, bucket_width, group_by, start in overview.suspects:
        series = f"{report} {bucket_width} {spell_grouping(group_by)}"
        click.echo(f"\nsuspect: {series} at {start} came back with less than half and is kept as it was")
    gaps = [one for one in overview.coverage if one.is_gap]
    click.echo("\nno gaps" if not gaps else f"\n{len(gaps)} gaps; archiver sync fills what can be had")


@click.command(
    cls=Command,
    examples=[
        "archiver status",
        "archiver status --json | jq .gaps  # for a monitor; exit code 3 when there are gaps",
    ],
)
@option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@db_option
@config_option
def status(*, as_json: bool, db: Path, **_: Any) -> int:
    """Show what is archived: ranges, gaps, freshness, the last run, size and versions.

    Exit code 3 says that there are gaps.
    """
    overview = read_overview(db)
    if as_json:
        click.echo(json.dumps(overview_to_json(overview), indent=2))
    else:
        _say(overview)
    return PARTIAL_EXIT if any(one.is_gap for one in overview.coverage) else 0
