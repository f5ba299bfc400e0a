"""The chart of each built-in report that has one."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from archiver.model import Report
from archiver.offline.check.money_rules import jumps
from archiver.offline.check.settings import Jump, Settings
from archiver.offline.check.watch import Watch
from archiver.offline.page.figures import cache, letters, money, ranked, restatements, tokens, widened
from archiver.offline.periods import Period
from archiver.offline.reports.daily_money import TEAM_WORDS
from archiver.offline.reports.keys import select_key_days
from archiver.offline.reports.registry import REPORTS
from archiver.reports.dimensions import TIMES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from archiver.offline.page.figures import Chart, PageDays
    from archiver.offline.reports.request import ReportRequest
    from archiver.store.read.reader import ArchiveReader


def _by(request: ReportRequest, default: Sequence[str]) -> Sequence[str]:
    # A chart has its own axis of time, so only the other dimensions are its lines.
    return [one for one in request.by if one not in TIMES] or default


def _usage_by(request: ReportRequest) -> Sequence[str]:
    # Tokens by team are a table alone.
    return [one for one in _by(request, ()) if one not in TEAM_WORDS] or _DEFAULT_BY


def _spend(*default: str) -> Callable[[ArchiveReader, ReportRequest, PageDays], Chart]:
    return lambda reader, request, days: replace(
        money(reader, request, days, _by(request, default)), marks=_unusual_days(reader, request, days)
    )


def _unusual_days(reader: ArchiveReader, request: ReportRequest, days: PageDays) -> list[tuple[str, str]]:
    """Return the days on which all cost jumped as `archiver check` sees it by default, each with the sentence.

    Of filtered rows it would be other days: then none is.
    """
    if not days.dates or reader.where:
        return []
    first, last = (date.fromisoformat(days.dates[i]) for i in (0, -1))
    settings = Settings(jump=Jump(by=("total",)))
    watch = Watch(reader, request, settings, Period(first, last + timedelta(days=1)), datetime.now(UTC))
    return [(f"{one.day}", one.text) for one in jumps(watch)]


def _keys(reader: ArchiveReader, request: ReportRequest, days: PageDays) -> Chart:
    by_day = REPORTS["keys"].compute(reader, _by_day(request, "api_key"))
    # Not the states of one report: these days are of the cost report or of the analytics cost report.
    states = letters(days.dates, select_key_days(reader, request)[0].days, reader.as_of is not None)
    return ranked("keys", by_day, "api_key", days, states, request.top)


def _people(reader: ArchiveReader, request: ReportRequest, days: PageDays) -> Chart:
    by_day = REPORTS["people"].compute(reader, _by_day(request, "person"))
    return ranked("people", by_day, "person", days, days.states[Report.ANALYTICS_COST], request.top)


def _by_day(request: ReportRequest, dimension: str) -> ReportRequest:
    return replace(request, by=("day", dimension), top=None, sparklines=False)


def _restatements(reader: ArchiveReader, request: ReportRequest, days: PageDays) -> Chart:
    # Selected by the time they were first seen, the changes may be of any day, so the chart has to cover more days.
    table = REPORTS["restatements"].compute(reader, request)
    return restatements(table, widened(days, table))


_DEFAULT_BY = ("model", "workspace")
CHARTS: dict[str, Callable[[ArchiveReader, ReportRequest, PageDays], Chart]] = {
    "spend": _spend("workspace", "model"),
    "workspaces": _spend("workspace"),
    "models": _spend("model"),
    "tokens": lambda reader, request, days: tokens(reader, request, days, _usage_by(request)),
    "cache": lambda reader, request, days: cache(reader, request, days, _usage_by(request)),
    "keys": _keys,
    "people": _people,
    "restatements": _restatements,
}
