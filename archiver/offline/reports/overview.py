"""`report overview`: the totals of each month."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from archiver.model import Report
from archiver.offline.reports.grouped import COUNTS, all_tokens, total_row
from archiver.offline.reports.request import COST_NOTE, select_days
from archiver.offline.reports.spend import spend
from archiver.offline.reports.usage import cache, hit_rate, tokens
from archiver.offline.tables.table import Column, Kind, Table, counts, money, plain, sum_by_currency

if TYPE_CHECKING:
    from archiver.offline.reports.request import ReportRequest, SelectedDays
    from archiver.offline.tables.table import Row
    from archiver.store.read.reader import ArchiveReader

_NAMES = ("month", "currency", "amount", "tokens", "cache_hit_rate", "billed_days")


def overview(reader: ArchiveReader, request: ReportRequest) -> Table:
    """Return money, tokens, cache hit rate and billed days by month.

    A cell is empty if its number comes from a report without an archived day in the month.
    """
    request = replace(request, by=("month",), top=None, sparklines=False)
    billed, used = (select_days(reader, report, request) for report in (Report.COST, Report.USAGE))
    if billed.known is None and used.known is None:
        return billed.unknown()
    paid, used_tokens, cached = (report(reader, request) for report in (spend, tokens, cache))
    counts_of = {row["month"]: all_tokens([row[name] for name in COUNTS]) for row in used_tokens.rows}
    rates = {row["month"]: row["cache_hit_rate"] for row in cached.rows}
    days = Counter(f"{day.date:%Y-%m}" for day in billed.days)
    # The usage report can have months that the cost report does not have: their amount is unknown.
    unbilled = ({"month": month, "currency": None, "amount": None} for month in {*counts_of} - {*days})
    lines: list[Row] = [*paid.rows, *unbilled]
    # Tokens have no currency: a month with two currencies has two rows, and both show all of its tokens.
    rows = [
        {
            **{name: line[name] for name in ("month", "currency", "amount")},
            "tokens": counts_of.get(line["month"]),
            "cache_hit_rate": rates.get(line["month"]),
            "billed_days": days[line["month"]],
        }
        for line in sorted(lines, key=lambda line: (line["month"], line["currency"] or ""))
    ]
    total = total_row(
        _NAMES,
        amount=sum_by_currency(rows, "amount"),
        tokens=sum(counts_of.values()) if used.known else None,
        cache_hit_rate=hit_rate(cached.total) if cached.total else None,
        billed_days=sum(days.values()),
    )
    columns = [*plain("month", "currency"), *money("amount"), *counts("tokens")]
    table = Table([*columns, Column("cache_hit_rate", Kind.SHARE), *counts("billed_days")], rows, total)
    known = billed.known or used.known
    return table.over(known.title() if known else "").noting(*_notes("cost", billed), *_notes("usage", used), COST_NOTE)


def _notes(name: str, selected: SelectedDays) -> list[str]:
    """Return the notes on the missing days of a report, without empty ones."""
    if selected.known is None:
        return [selected.sentence]
    sentence = selected.known.sentence()
    return [f"{name}: {sentence}"] if sentence else []
