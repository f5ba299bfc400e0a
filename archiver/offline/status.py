"""The status of an archive as JSON, its problems, and ages in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archiver.model import HOUR, MINUTE, to_text
from archiver.offline.reports.known_days import count
from archiver.offline.retention import retentions

if TYPE_CHECKING:
    from archiver.offline.retention import Retention
    from archiver.store.read.status import ArchiveStatus, CoverageRange

_TWO_DAYS = 48 * HOUR  # below, an age in days would be too coarse for a daily sync


def status_to_json(status: ArchiveStatus, problems: list[str], now: float) -> dict[str, Any]:
    """Return the object that `status --json` prints."""
    organization = status.organization
    return {
        "database": str(status.path),
        "schema_version": status.schema_version,
        "sqlite_version": status.sqlite_version,
        "bytes": status.bytes,
        "organization": {"id": organization.id, "name": organization.name} if organization else None,
        "series": [_series_to_json(status, identity) for identity in status.series],
        "gaps": [
            {name: getattr(gap, name) for name in ("report", "bucket_width", "group_by", "start", "end", "state")}
            for gap in status.gaps
        ],
        "suspects": [
            {name: getattr(one, name) for name in ("report", "bucket_width", "group_by", "bucket_start")}
            for one in status.suspects
        ],
        "collapses": list(status.collapses),
        "retention": [_retention_to_json(one) for one in retentions(status, now)],
        "newest_complete": {report: to_text(end) for report, end in status.newest_complete.items()},
        "last_run": status.last_run,
        "problems": problems,
    }


def _retention_to_json(one: Retention) -> dict[str, Any]:
    return {
        "report": one.report,
        "archived_since": str(one.archived_since) if one.archived_since else None,
        "forgotten_before": str(one.forgotten_before),
        "days_not_archived": len(one.not_archived),
        "first_not_archived": str(one.not_archived[0]) if one.not_archived else None,
        "next_loss": str(one.next_loss) if one.next_loss else None,
    }


def _series_to_json(status: ArchiveStatus, identity: tuple[str, str, str, str]) -> dict[str, Any]:
    ranges = [{"start": one.start, "end": one.end, "state": one.state} for one in coverage_of(status, identity)]
    return dict(zip(("report", "bucket_width", "group_by", "filters"), identity, strict=True)) | {"ranges": ranges}


def coverage_of(status: ArchiveStatus, identity: tuple[str, str, str, str]) -> list[CoverageRange]:
    """Return the coverage of a series.

    `identity` is its report, bucket width, grouping and filters.
    """
    return [one for one in status.coverage if (one.report, one.bucket_width, one.group_by, one.filters) == identity]


def problems_of(status: ArchiveStatus, max_age: float | None, now: float) -> list[str]:
    """Return the problems that make the exit code 3, a sentence for each.

    `max_age` is in seconds, `now` in UTC seconds.
    """
    if status.is_empty:
        return ["nothing is archived yet: run archiver sync"]
    problems = []
    if status.gaps:
        it = "it" if len(status.gaps) == 1 else "them"
        problems.append(f"{count(len(status.gaps), 'gap')}; run archiver sync to retry {it}")
    if status.suspects:
        problems.append(
            f"{count(len(status.suspects), 'suspect bucket')}: the last answer lost more than half and was not "
            "written; run archiver sync again after six hours, or with --accept-restatements"
        )
    problems += [
        f"in the last sync {one['report']} {one['bucket_width']} collapsed: {one['message']}"
        for one in status.collapses
    ]
    if max_age is not None:
        problems += [
            f"{report} is stale: its newest complete bucket ended {to_text(end)}, {age(now - end)} ago"
            for report, end in sorted(status.newest_complete.items())
            if now - end > max_age
        ]
    return problems


def age(seconds: float) -> str:
    """Return a length of time in words: `3 hours`, `12 days`."""
    if seconds < HOUR:
        return count(max(0, int(seconds // MINUTE)), "minute")
    if seconds < _TWO_DAYS:
        return count(int(seconds // HOUR), "hour")
    return count(int(seconds // (24 * HOUR)), "day")
