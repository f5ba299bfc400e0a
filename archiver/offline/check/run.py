"""Run the rules: on the newest days, or on the past as a backtest."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from archiver.model import Report
from archiver.offline.check.budget_rules import api_limits, budgets, paces
from archiver.offline.check.findings import Finding, Signal, findings_of
from archiver.offline.check.money_rules import jumps, new_subjects
from archiver.offline.check.other_rules import cache_collapses, restated_cost, stale_reports
from archiver.offline.check.watch import Watch
from archiver.offline.periods import Period
from archiver.offline.tables.table import Table, counts, money, plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

    from archiver.offline.check.settings import Settings
    from archiver.offline.reports.request import ReportRequest
    from archiver.store.read.reader import ArchiveReader

_RULES: dict[str, Callable[[Watch], Iterable[Signal]]] = {
    "budget": budgets,
    "pace": paces,
    "limit": api_limits,
    "jump": jumps,
    "new": new_subjects,
    "cache": cache_collapses,
    "stale": stale_reports,
    "restated": restated_cost,
}
LOOKED_BACK = 35
"""The days that every run looks at, so that a finding that goes on is known to be the same."""
NO_DAY = "no whole day of cost or usage is archived: nothing can be checked"


def last_whole_day(reader: ArchiveReader) -> Period | None:
    """Return the newest day that is archived whole, of cost or usage."""
    whole = [day.date for report in (Report.COST, Report.USAGE) for day in reader.days(report) if day.is_whole]
    return Period(max(whole), max(whole) + timedelta(days=1)) if whole else None


def check(reader: ArchiveReader, request: ReportRequest, settings: Settings, now: datetime) -> list[Finding]:
    """Return all findings of the last days, also those reported before."""
    last = last_whole_day(reader)
    if last is None:
        return []
    period = Period(last.until - timedelta(days=LOOKED_BACK), last.until)
    return _findings(Watch(reader, request, settings, period, now))


def backtest(
    reader: ArchiveReader, request: ReportRequest, settings: Settings, days: int, now: datetime
) -> list[Finding]:
    """Return the findings of the last days, by the numbers of today."""
    last = last_whole_day(reader)
    if last is None:
        return []
    period = Period(last.until - timedelta(days=days), last.until)
    return _findings(Watch(reader, request, settings, period, now, is_backtest=True))


def _findings(watch: Watch) -> list[Finding]:
    signals: list[Signal] = []
    for name in watch.settings.rules:
        signals += _RULES[name](watch)
    return findings_of(signals)


def findings_table(findings: Sequence[Finding], title: str) -> Table:
    """Return findings as a table, with a sentence for each."""
    rows = [
        {
            "rule": one.signal.rule,
            "subject": one.signal.subject,
            "first_day": f"{one.first}",
            "last_day": f"{one.last}",
            "currency": one.signal.currency if one.signal.amount is not None else None,
            "amount": one.signal.amount,
            "expected": one.signal.expected,
            "text": one.signal.text,
            "lines": "; ".join(one.signal.lines),
        }
        for one in findings
    ]
    columns = [*plain("rule", "subject", "first_day", "last_day", "currency"), *money("amount", "expected")]
    return Table([*columns, *plain("text", "lines")], rows, period=title, needs_attention=bool(rows))


def backtest_table(findings: Sequence[Finding], settings: Settings, days: int, title: str) -> Table:
    """Return how often each rule would have had a finding, and when last."""
    rows = []
    for rule in settings.rules:
        mine = [one for one in findings if one.signal.rule == rule]
        rows.append(
            {
                "rule": rule,
                "findings": len(mine),
                "per_30_days": f"{len(mine) * 30 / days:.1f}",
                "last_day": f"{mine[-1].first}" if mine else None,
                "last_text": mine[-1].signal.text if mine else None,
            }
        )
    columns = [*plain("rule"), *counts("findings"), *plain("per_30_days", "last_day", "last_text")]
    return Table(columns, rows, period=title, notes=("by the numbers of today; stale cannot be tested on the past",))
