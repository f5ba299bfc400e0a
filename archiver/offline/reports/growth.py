"""`report growth`: the change of cost over one week and over four weeks.

A day is whole if it was read after it had ended.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from archiver.offline.periods import Period
from archiver.offline.reports.daily_money import DIMENSIONS, read_daily_money
from archiver.offline.reports.expected import Baseline, baseline
from archiver.offline.reports.grouped import total_row
from archiver.offline.reports.known_days import KnownDays, count
from archiver.offline.reports.request import select_of
from archiver.offline.tables.table import Column, Kind, Table, keep_top, plain, sum_by_currency

if TYPE_CHECKING:
    from collections.abc import Sequence

    from archiver.offline.reports.daily_money import DailyAmounts
    from archiver.offline.reports.request import ReportRequest
    from archiver.offline.tables.table import Row
    from archiver.store.read.reader import ArchiveReader

_SPANS = {"week": 7, "four_weeks": 28}
"""Name of a span, as columns have it → its days."""
SORTS = tuple(f"{span}_{what}" for span in reversed(_SPANS) for what in ("change", "ratio"))


def growth(reader: ArchiveReader, request: ReportRequest) -> Table:
    """Return the change over the last week and the last four weeks.

    Both end with the last selected day that is archived whole, and each is compared with the same number of days
    before. Only pairs of days are compared that are archived whole and by the dimensions in both. Both spans are whole
    weeks, so that weekends do not look like a change. Rows are ordered by `sort`, the largest first: by default, by the
    change over four weeks.
    """
    by = request.grouped(DIMENSIONS, ("workspace",), "growth")
    available = read_daily_money(reader, request, by, lambda _: False)  # days only, without amounts
    whole_days = [day for day in available.archived if day.is_whole]
    last = max((day.date for day in whole_days if request.selects(day.date)), default=None)
    if last is None:
        return select_of([], available.what, request).unknown()
    periods = {name: Period(last - timedelta(days=days - 1), last + timedelta(days=1)) for name, days in _SPANS.items()}
    first = periods["four_weeks"].before().since
    read = read_daily_money(reader, request, by, lambda day: first <= day <= last)
    comparable = {day.date for day in read.days if day.is_whole} & read.grouped
    compared = {name: baseline(period, comparable) for name, period in periods.items()}
    amounts = tuple(f"{name}_{part}" for name in _SPANS for part in ("before", "now", "change"))
    rows = [_row(group, compared) for group in read.groups]
    names = [*rows[0]][: -len(amounts)] if rows else ["currency"]
    by_column = request.sort or SORTS[0]
    top = keep_top(rows, request.top, lambda row: _rank(row, by_column), amounts).rows
    sums = {name: sum_by_currency(rows, name) for name in amounts}
    total = total_row([*names, *amounts], **sums)
    columns = [*plain(*names)]
    for name in _SPANS:
        columns += [
            Column(f"{name}_{part}", Kind.MONEY, is_optional=part == "before") for part in ("before", "now", "change")
        ]
        columns.append(Column(f"{name}_ratio", Kind.SHARE))
    total |= {f"{name}_ratio": _total_ratio(sums, name) for name in _SPANS}
    title = KnownDays.of(periods["four_weeks"], read.days).title()
    return Table(columns, [_with_ratios(row) for row in top], total, period=title).noting(
        *(_note(name, compared[name], by) for name in _SPANS), *read.notes
    )


def _row(group: DailyAmounts, compared: dict[str, Baseline | None]) -> Row:
    """Return a group's row; amounts are None in spans without compared days."""
    row = dict(group.values)
    for name, days in compared.items():
        then = group.total(days.then) if days else None
        now = group.total(days.now) if days else None
        change = None if now is None or then is None else now - then
        row |= {f"{name}_before": then, f"{name}_now": now, f"{name}_change": change}
    return row


def _with_ratios(row: Row) -> Row:
    return row | {f"{name}_ratio": _ratio(row[f"{name}_change"], row[f"{name}_before"]) for name in _SPANS}


def _ratio(change: int | None, before: int | None) -> float | None:
    # Without cost before there is no ratio, and a negative base, of credits, would give it the wrong sign.
    return change / before if change is not None and before is not None and before > 0 else None


def _total_ratio(sums: dict[str, dict[str, int]], name: str) -> float | None:
    """Return the total's ratio in a span; None for two currencies or none."""
    change, before = sums[f"{name}_change"], sums[f"{name}_before"]
    return _ratio(*change.values(), *before.values()) if len(change) == len(before) == 1 else None


def _rank(row: Row, column: str) -> float:
    # Ratios are added here for ranking only, because the row of the others gets its own after the folding.
    value = _with_ratios(row)[column]
    return value if value is not None else float("-inf")


def _note(name: str, days: Baseline | None, by: Sequence[str]) -> str:
    """Return the note on days of a span that are not compared; "" if all are."""
    grouped = f"archived by {' and '.join(by)}"
    words = name.replace("_", " ")
    if days is None:
        return f"{words}: no day is {grouped} in both periods"
    is_partial = len(days.now) < _SPANS[name]
    return f"{words}: {count(len(days.now), 'day')} {grouped} in both periods" if is_partial else ""
