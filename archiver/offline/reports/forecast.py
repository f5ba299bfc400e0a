"""`report forecast`: the cost of a month to date, projected to its end.

A day is whole if it was read after it had ended.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from archiver.model import Report
from archiver.offline.reports.daily_money import TEAM_WORDS
from archiver.offline.reports.grouped import total_row
from archiver.offline.reports.known_days import count
from archiver.offline.reports.projection import RECENT_DAYS, project
from archiver.offline.reports.request import COST_NOTE, period_of, select_days, within
from archiver.offline.tables.table import Table, keep_top, money, plain, sum_by_currency
from archiver.reports.dimensions import TIMES, dimensions_of

if TYPE_CHECKING:
    from archiver.offline.reports.projection import Projection
    from archiver.offline.reports.request import ReportRequest
    from archiver.store.read.reader import ArchiveReader

OF_A_MONTH = (*TEAM_WORDS, *(name for name in dimensions_of(Report.COST) if name not in TIMES))
"""The dimensions of `--by`: teams, and those of the cost report but time, because a row is about a whole month."""
_AMOUNTS = ("to_date", "projected")


def forecast(reader: ArchiveReader, request: ReportRequest) -> Table:
    """Return the cost of a month to date, and projected to its end.

    `projected` is None if no day of the month or the 28 days before is archived whole.
    """
    by = request.grouped(OF_A_MONTH, ("workspace",), "forecast")
    period = period_of(reader, request)
    selected = select_days(reader, Report.COST, within(request, period))
    if selected.known is None:
        return selected.unknown()
    projected = project(reader, request, by, period)
    rows = [
        group.values | {"to_date": projected.to_date(group), "projected": projected.to_end(group)}
        for group in projected.groups
    ]
    # Days before the month are read for the projection: a group that has cost only on these is left out.
    rows = [row for row in rows if row["to_date"] or row["projected"]]
    names = [*rows[0]][: -len(_AMOUNTS)] if rows else ["currency"]
    zero = {"USD": 0}
    total = total_row([*names, *_AMOUNTS], **{name: sum_by_currency(rows, name) or zero for name in _AMOUNTS})
    top = keep_top(rows, request.top, lambda row: row["projected"] or row["to_date"], _AMOUNTS)
    table = Table([*plain(*names), *money(*_AMOUNTS)], top.rows, total)
    return table.over(projected.known.title()).noting(projected.known.sentence(), projection_note(projected), COST_NOTE)


def projection_note(projected: Projection) -> str:
    """Return the note on how days were projected; "" if none was."""
    days = len(projected.projected_days)
    if not days:
        return ""
    if not projected.recent:
        return "nothing is projected: no whole day is archived"
    return (
        f"{count(days, 'day')} of the {projected.known.period.unit} projected, each from the mean of the same weekday "
        f"over the last {RECENT_DAYS} days ({count(len(projected.recent), 'day')} known); credits are not projected"
    )
