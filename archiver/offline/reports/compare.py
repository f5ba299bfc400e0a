"""`report compare`: compare a month with the month before."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

from archiver.model import Report
from archiver.offline.periods import Period, month_before
from archiver.offline.reports.forecast import OF_A_MONTH
from archiver.offline.reports.grouped import total_row
from archiver.offline.reports.known_days import KnownDays, count
from archiver.offline.reports.projection import DailyAmounts, read_daily_amounts
from archiver.offline.reports.request import COST_NOTE, month_period, of_month, select_days
from archiver.offline.tables.table import Table, keep_top, money, plain, sum_by_currency

if TYPE_CHECKING:
    from archiver.offline.reports.request import ReportRequest
    from archiver.offline.tables.table import Row
    from archiver.store.read.reader import ArchiveReader

_AMOUNTS = ("month_before", "same_days_before", "same_days", "this_month", "change")


def compare(reader: ArchiveReader, request: ReportRequest) -> Table:
    """Return the cost of a month, of the month before, and the change.

    `month_before` and `this_month` are of all archived days. `same_days_before`, `same_days` and their difference,
    `change`, are of the days of the month that are archived whole in both months. Without such days they are None.
    """
    by = request.grouped(OF_A_MONTH, ("workspace",), "compare")
    period = month_period(reader, request)
    selected = select_days(reader, Report.COST, of_month(request, period))
    if selected.known is None:
        return selected.unknown()
    before = month_before(period)
    days = reader.days(Report.COST, before.since.isoformat(), period.until.isoformat())
    now, then = (KnownDays.of(one, days) for one in (period, before))
    common = sorted({day.day for day in now.whole} & {day.day for day in then.whole})
    rows = [_row(group, now, then, common) for group in read_daily_amounts(reader, by, days)]
    names = [*rows[0]][: -len(_AMOUNTS)] if rows else ["currency"]
    # Without a row there was no cost, which is a zero where days are archived and unknown elsewhere.
    zeros = {name: {"USD": 0} for name in _AMOUNTS if rows == [] and (common or name == "this_month")}
    sums = {name: sum_by_currency(rows, name) or zeros.get(name) for name in _AMOUNTS}
    total = total_row([*names, *_AMOUNTS], **sums)
    top = keep_top(rows, request.top, lambda row: (row["this_month"] or 0, row["month_before"] or 0), _AMOUNTS)
    return Table([*plain(*names), *money(*_AMOUNTS)], top.rows, total).noting(
        now.sentence(), _before_note(then, before), _common_note(common, period, before), COST_NOTE
    )


def _row(group: DailyAmounts, now: KnownDays, then: KnownDays, common: list[int]) -> Row:
    # Days in progress are in neither sum: a part of a day would be compared with a whole one.
    same = group.total(_days(now.period, common)) if common else None
    same_before = group.total(_days(then.period, common)) if common else None
    return group.values | {
        "month_before": group.total(then.archived) if then.archived else None,
        "same_days_before": same_before,
        "same_days": same,
        "this_month": group.total(now.archived),
        "change": same - same_before if same is not None and same_before is not None else None,
    }


def _days(period: Period, numbers: list[int]) -> list[date]:
    return [period.since + timedelta(days=number - 1) for number in numbers]


def _before_note(then: KnownDays, before: Period) -> str:
    return then.sentence() if then.archived else f"nothing of {before.since:%Y-%m} is archived: there is no comparison"


def _common_note(common: list[int], period: Period, before: Period) -> str:
    if not common:
        return ""
    months = f"{before.since:%Y-%m} and {period.since:%Y-%m}"
    return f"change compares {count(len(common), 'day')} that are archived in both {months}"
