"""The state of an archive: coverage, suspects, freshness and the last run."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from archiver.model import GAPS, Organization
from archiver.store.statements import sql

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class CoverageRange:
    """A range of one series with one state, as the `coverage` view shows it.

    Times are text.
    """

    report: str
    bucket_width: str
    group_by: str
    filters: str
    start: str
    end: str
    state: str
    fetched_at: str | None

    @property
    def is_gap(self) -> bool:
        """Whether the range was planned or requested, but is not archived."""
        return self.state in GAPS


@dataclass(frozen=True, slots=True)
class Suspect:
    """A bucket for which the last response was held back.

    In that response the bucket had lost most or all of its amount. The archive keeps the earlier rows.
    """

    report: str
    bucket_width: str
    group_by: str
    bucket_start: str


@dataclass(frozen=True, slots=True)
class ArchiveStatus:
    """The state of an archive.

    Attributes:
        bytes: The size of the file, without its -wal.
        series: The report, bucket width, grouping and filters of each series that has coverage.
        newest_complete: Report → the end (UTC seconds) of the newest bucket that was read after that end.
        last_run: The row of `sync_run` by column; None before the first run.
        collapses: The series that lost over a fifth of their amount in the last run, as `sync --json` lists them.
        unavailable: The reports that the API refused to the last sync, because the organisation or the key does not
            have them.
    """

    path: Path
    bytes: int
    schema_version: int
    organization: Organization | None
    series: tuple[tuple[str, str, str, str], ...]
    coverage: tuple[CoverageRange, ...]
    suspects: tuple[Suspect, ...]
    newest_complete: dict[str, int]
    last_run: dict[str, Any] | None
    collapses: tuple[dict[str, Any], ...] = ()
    unavailable: frozenset[str] = frozenset()

    @property
    def sqlite_version(self) -> str:
        """The version of the SQLite library that reads the archive."""
        return sqlite3.sqlite_version

    @property
    def gaps(self) -> list[CoverageRange]:
        """The ranges that were planned or requested, but are not archived."""
        return [part for part in self.coverage if part.is_gap]

    @property
    def is_empty(self) -> bool:
        """Whether no bucket is archived."""
        return all(part.is_gap for part in self.coverage)


def read_status(connection: sqlite3.Connection, path: Path) -> ArchiveStatus:
    """Read the state of an open archive."""
    organization = connection.execute(sql("select_organization")).fetchone()
    runs = connection.execute(sql("select_last_run"))
    last_run = runs.fetchone()
    collapse = connection.execute(sql("select_memory"), {"key": "collapse"}).fetchone()
    return ArchiveStatus(
        path=path,
        bytes=path.stat().st_size,
        schema_version=connection.execute("PRAGMA user_version").fetchone()[0],
        organization=Organization(*organization) if organization else None,
        series=tuple(row[1:] for row in connection.execute(sql("select_status_series"))),
        coverage=tuple(CoverageRange(*row) for row in connection.execute(sql("select_status_coverage"))),
        suspects=tuple(Suspect(*row) for row in connection.execute(sql("select_suspects"))),
        newest_complete=dict(connection.execute(sql("select_newest_complete")).fetchall()),
        last_run=dict(zip([column[0] for column in runs.description], last_run, strict=True)) if last_run else None,
        collapses=tuple(json.loads(collapse[0])["collapses"]) if collapse else (),
        unavailable=frozenset(key for (key,) in connection.execute(sql("select_unavailable_reports"))),
    )
