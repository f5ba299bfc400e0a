"""Checks that a damaged or interrupted archive still holds all reported rows."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from archiver.errors import ArchiverError
from archiver.model import DAY, Report
from archiver.plan.groupings import parse_group_by
from archiver.plan.scope import Scope
from archiver.store.archive import held_archive
from archiver.store.read.verify import verify_archive
from tests.support import NOW, day, dump, select, sync

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from archiver.simulator import Simulator
    from tests.support import Row

GROUPS = ("none", "workspace_id", "finest")
SINCE = "2026-01-10"
_BUCKETS = """
SELECT s.report, s.bucket_width, s.group_by, f.bucket_start, count(*), sum(uncached_input_tokens), sum(output_tokens)
FROM _usage_fact AS f JOIN _series AS s ON s.id = f.series_id GROUP BY s.id, f.bucket_start
UNION ALL
SELECT s.report, s.bucket_width, s.group_by, f.bucket_start, count(*), sum(amount_microcents), NULL
FROM _cost_fact AS f JOIN _series AS s ON s.id = f.series_id GROUP BY s.id, f.bucket_start
UNION ALL
SELECT s.report, s.bucket_width, s.group_by, f.bucket_start, count(*), sum(uncached_input_tokens), sum(output_tokens)
FROM _analytics_usage_fact AS f JOIN _series AS s ON s.id = f.series_id GROUP BY s.id, f.bucket_start
UNION ALL
SELECT s.report, s.bucket_width, s.group_by, f.bucket_start, count(*), sum(amount_microcents), NULL
FROM _analytics_cost_fact AS f JOIN _series AS s ON s.id = f.series_id GROUP BY s.id, f.bucket_start
UNION ALL
SELECT s.report, s.bucket_width, s.group_by, f.bucket_start, count(*), sum(sessions), sum(amount_microcents)
FROM _claude_code_fact AS f JOIN _series AS s ON s.id = f.series_id GROUP BY s.id, f.bucket_start
"""
_COVERED = """
SELECT s.report, s.bucket_width, s.group_by, p.span_start, p.span_end
FROM _span AS p JOIN _series AS s ON s.id = p.series_id WHERE p.state IN ('settled', 'provisional')
"""


def scope(since: str = SINCE, until: str | None = None) -> Scope:
    """Return the scope of every sync here, for running one in this process."""
    return Scope(
        tuple(Report),
        group_by=tuple(parse_group_by(group) for group in GROUPS),
        since=day(since),
        until=day(until) if until else None,
    )


def content(db: Path) -> set[Row]:
    """Return the covered days of each series, and the sums of each bucket with rows."""
    covered = {(*series, at) for *series, start, end in select(db, _COVERED) for at in range(start, end, DAY)}
    return covered | set(select(db, _BUCKETS))


def promised(reported: Iterable[str], clean: set[Row]) -> set[Row]:
    """Return the content of a clean archive in the windows that a sync reported as archived."""
    found: set[Row] = set()
    for line in reported:
        *series, start, end = json.loads(line)
        rows = {row for row in clean if [*row[:3]] == series and start <= row[3] < end}
        assert rows, f"a clean archive has no rows in {line}"
        found |= rows
    return found


def lost(db: Path, expected: set[Row]) -> set[Row]:
    """Open a file as the next sync does, verify it, and return the expected content that is missing."""
    with held_archive(db, now=int(NOW.timestamp())):
        pass
    assert verify_archive(db) == []
    return expected - content(db)


@dataclass(frozen=True, slots=True)
class Trial:
    """A folder for one archive that is damaged in many attempts, and a clean archive to compare with.

    `begun` is the archive at the start of every attempt; None when the attempt creates it.
    """

    api: Simulator
    db: Path
    clean: Path
    begun: Path | None

    @classmethod
    def prepare(cls, api: Simulator, folder: Path, *, fresh: bool) -> Trial:
        """Create the clean archive and, unless `fresh`, the one at the start of every attempt."""
        clean, begun = folder / "clean.db", folder / "begun.db"
        sync(api, clean, scope())
        if not fresh:
            sync(api, begun, scope(until="2026-01-12"))
        (folder / "tried").mkdir()
        trial = cls(api, folder / "tried" / "archive.db", clean, None if fresh else begun)
        trial.begin()
        return trial

    def begin(self) -> None:
        """Reset the folder to the start of an attempt."""
        for file in self.db.parent.iterdir():
            file.unlink()
        if self.begun:
            shutil.copy(self.begun, self.db)

    def harm(self, reported: Iterable[str]) -> list[str]:
        """Return the problems of the archive after an attempt that reported these windows."""
        expected = promised(reported, content(self.clean)) | (content(self.begun) if self.begun else set())
        try:
            gone = lost(self.db, expected)
            sync(self.api, self.db, scope())
        except (ArchiverError, AssertionError) as error:
            return [f"the next run fails: {error}"]
        problems = [f"{len(gone)} rows are lost"] if gone else []
        if dump(self.db) != dump(self.clean):
            problems.append("the next run does not end with the content of a clean archive")
        return problems
