"""Run the rules on the newest days, or on past days as a backtest.

A day is whole if it was read after it had ended.
"""

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
"""How many days every run looks at, so that it can see whether a finding continues."""
NO_DAY = "no whole day of cost or usage is archived: nothing can be checked"


def last_whole_day(reader: ArchiveReader) -> Period | None:
    """Return the newest whole day of cost or usage; None if there is none."""
    whole_days = [day.date for report in (Report.COST, Report.USAGE) for day in reader.days(report) if day.is_whole]
    return Period(max(whole_days), max(whole_days) + timedelta(days=1)) if whole_days else None


def check(reader: ArchiveReader, request: ReportRequest, settings: Settings, now: datetime) -> list[Finding]:
    """Return all findings of the last days, also those reported before.

    The last days are `LOOKED_BACK` days up to the newest whole day.
    """
    last = last_whole_day(reader)
    if last is None:
        return []
    period = Period(last.until - timedelta(days=LOOKED_BACK), last.until)
    return _findings(Watch(reader, request, settings, period, now))


def backtest(
    reader: ArchiveReader, request: ReportRequest, settings: Settings, days: int, now: datetime
) -> list[Finding]:
    """Return the findings of the last `days` days, from current numbers."""
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
    """Return a table with a row for each finding."""
    rows = [
        {
            "rule": finding.signal.rule,
            "subject": finding.signal.subject,
            "first_day": f"{finding.first}",
            "last_day": f"{finding.last}",
            "currency": finding.signal.currency if finding.signal.amount is not None else None,
            "amount": finding.signal.amount,
            "expected": finding.signal.expected,
            "text": finding.signal.text,
            "lines": "; ".join(finding.signal.lines),
        }
        for finding in findings
    ]
    columns = [*plain("rule", "subject", "first_day", "last_day", "currency"), *money("amount", "expected")]
    return Table([*columns, *plain("text", "lines")], rows, period=title, needs_attention=bool(rows))


def backtest_table(findings: Sequence[Finding], settings: Settings, days: int, title: str) -> Table:
    """Return the number of findings and the last finding of each rule.

    `findings` are ordered by their first day.
    """
    rows = []
    for rule in settings.rules:
        matching = [finding for finding in findings if finding.signal.rule == rule]
        rows.append(
            {
                "rule": rule,
                "findings": len(matching),
                "per_30_days": f"{len(matching) * 30 / days:.1f}",
                "last_day": f"{matching[-1].first}" if matching else None,
                "last_text": matching[-1].signal.text if matching else None,
            }
        )
    columns = [*plain("rule"), *counts("findings"), *plain("per_30_days", "last_day", "last_text")]
    return Table(
        columns,
        rows,
        period=title,
        notes=("from the numbers as archived now; the rule stale cannot be tested on past days",),
    )
