"""`report idle`: API keys that are not used, or expire soon."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from archiver.model import Report
from archiver.offline.periods import Period
from archiver.offline.reports.known_days import KnownDays, count
from archiver.offline.reports.request import select_of
from archiver.offline.tables.table import Table, plain

if TYPE_CHECKING:
    from archiver.model import ApiKey
    from archiver.offline.reports.request import ReportRequest
    from archiver.offline.tables.table import Row
    from archiver.store.read.daily_sums import Day
    from archiver.store.read.reader import ArchiveReader

DEFAULT_DAYS = 30
_IDLE, _UNKNOWN = "idle", "use unknown"
_EXPIRED, _EXPIRES, _ORPHANED = "expired", "expires soon", "workspace archived"
_COLUMNS = ("api_key_id", "api_key", "workspace_id", "workspace", "created_at", "last_used", "expires_at", "state")


def idle(reader: ArchiveReader, request: ReportRequest) -> Table:
    """Return the active API keys to decide on, the longest unused first.

    The states are about the last N days that are archived by API key, where N is `days` of the request:
    `idle`: the key was created before these days, and was not used on them.
    `use unknown`: the same, but some of these days are not archived by API key.
    `expired`, `expires soon`: the key has expired, or expires within N days from today.
    `workspace archived`: the workspace of the key is archived.

    `last_used` is the last archived day with use, None if there is none. Keys without a state are left out.
    """
    days_back = request.days or DEFAULT_DAYS
    days = _days_by_key(reader)
    if not days:
        # The hint after the colon is replaced, because the usage may be archived, but not by API key.
        sentence = select_of([], "usage", request).sentence
        return Table([], [], notes=(f"{sentence.partition(': ')[0]} by API key: run archiver sync",), is_known=False)
    last = max(day.date for day in days)
    period = Period(last - timedelta(days=days_back - 1), last + timedelta(days=1))
    known = KnownDays.of(period, days)
    today = request.today if request.as_of is None else datetime.fromtimestamp(request.as_of, UTC).date()
    used = _last_used(reader, days)
    keys = [key for key in reader.api_keys() if key.status == "active"]
    soon = today + timedelta(days=days_back)
    found = [(key, _states(key, used.get(key.id), known, soon, today)) for key in keys]
    rows = [_row(reader, key, used.get(key.id), states, days[-1]) for key, states in found if states]
    rows.sort(key=lambda row: (row["last_used"] or "", row["created_at"] or "", row["api_key_id"]))
    return Table(plain(*_COLUMNS), rows, period=known.title()).noting(
        known.sentence(),
        f"{count(len(rows), 'key')} of {count(len(keys), 'active key')}; usage is archived from {days[0].date} on",
    )


def _days_by_key(reader: ArchiveReader) -> list[Day]:
    """Return the days of usage by API key, each with one series."""
    if reader.as_of is not None:  # only the canonical series of a day can be read as of an earlier time
        return [day for day in reader.days(Report.USAGE) if "api_key_id" in day.group_by]
    finest: dict[int, Day] = {}
    for day in reader.grouped_days(Report.USAGE, "api_key_id"):
        finest.setdefault(day.start, day)  # the series of the finest grouping is the first of its day
    return [finest[start] for start in sorted(finest)]


def _last_used(reader: ArchiveReader, days: list[Day]) -> dict[str, date]:
    """Return the last day with use of each API key that has one, by its id."""
    lines = reader.lines(Report.USAGE, ("api_key",), days)
    return {
        line.values["api_key_id"]: datetime.fromtimestamp(line.last_day, UTC).date() for line in lines if any(line.sums)
    }


def _states(key: ApiKey, used: date | None, known: KnownDays, soon: date, today: date) -> list[str]:
    """Return the states of a key; empty if there is nothing to decide."""
    states = []
    created, expires = _day(key.created_at), _day(key.expires_at)
    if (used is None or used < known.period.since) and (created is None or created < known.period.since):
        states.append(_UNKNOWN if known.missing else _IDLE)
    if expires is not None and expires < soon:
        states.append(_EXPIRED if expires < today else _EXPIRES)
    return [*states, *([_ORPHANED] if key.workspace_archived_at else [])]


def _day(time: str | None) -> date | None:
    return None if time is None else datetime.fromisoformat(time).astimezone(UTC).date()


def _row(reader: ArchiveReader, key: ApiKey, used: date | None, states: list[str], last: Day) -> Row:
    labelled = reader.with_labels({"api_key_id": key.id, "workspace_id": key.workspace_id}, last.start)
    return labelled | {
        "created_at": key.created_at,
        "last_used": None if used is None else f"{used}",
        "expires_at": key.expires_at,
        "state": ", ".join(states),
    }
