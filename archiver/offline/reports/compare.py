"""`report compare`: compare a period with the one before or any other.

A day is whole if it was read after it had ended.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

from archiver.offline.reports.daily_money import DIMENSIONS, read_daily_money
from archiver.offline.reports.grouped import total_row
from archiver.offline.reports.known_days import KnownDays, count
from archiver.offline.reports.request import period_of, select_of, within
from archiver.offline.tables.table import Column, Kind, Table, keep_top, plain, sum_by_currency

if TYPE_CHECKING:
    from archiver.offline.periods import Period
    from archiver.offline.reports.daily_money import DailyAmounts
    from archiver.offline.reports.request import ReportRequest
    from archiver.offline.tables.table import Row
    from archiver.store.read.reader import ArchiveReader

SORTS = ("now", "before", "change")


def compare(reader: ArchiveReader, request: ReportRequest) -> Table:
    """Return the cost of a period and of another period, and the change.

    The other period is `request.against`, or else the period before. `before` and `now` are the cost of all archived
    days. For two months, if `against` is not given, they are named `month_before` and `this_month`.

    `same_days_before`, `same_days`, their difference `change`, and `change_ratio` compare the same days: the first day
    of one period with the first day of the other, and so on. Both days have to be archived whole and by the dimensions.
    Without such days these columns are None. The ratio is also None if the cost before was not above zero.
    """
    by = request.grouped(DIMENSIONS, ("workspace",), "compare")
    period = period_of(reader, request)
    other = request.against or period.before()
    read = read_daily_money(reader, request, by, lambda day: _is_in(period, day) or _is_in(other, day))
    selected = select_of(read.archived, read.what, within(request, period))
    if selected.known is None:
        return selected.unknown()
    now, then = KnownDays.of(period, read.days), KnownDays.of(other, read.days)
    common = sorted(_offsets(now, read.grouped) & _offsets(then, read.grouped))
    of_months = period.unit == other.unit == "month" and request.against is None
    before_name, now_name = ("month_before", "this_month") if of_months else ("before", "now")
    amounts = (before_name, "same_days_before", "same_days", now_name, "change")
    rows = [_row(group, now, then, common, amounts) for group in read.groups]
    names = [*rows[0]][: -len(amounts)] if rows else ["currency"]
    # Without rows the cost is zero if days were compared, and unknown otherwise. `now` always has archived days.
    zeros = {name: {"USD": 0} for name in amounts if rows == [] and (common or name == now_name)}
    sums = {name: sum_by_currency(rows, name) or zeros.get(name) for name in amounts}
    total = total_row([*names, *amounts, "change_ratio"], **sums, change_ratio=_total_ratio(sums))
    ranks = {
        "now": lambda row: (row[now_name] or 0, row[before_name] or 0),
        "before": lambda row: (row[before_name] or 0, row[now_name] or 0),
        "change": lambda row: abs(row["change"] or 0),
    }
    top = keep_top(rows, request.top, ranks[request.sort or "now"], amounts)
    ratios = [row | {"change_ratio": _ratio(row["change"], row["same_days_before"])} for row in top.rows]
    of_same_days = {"same_days_before", "same_days"}
    money_columns = [Column(name, Kind.MONEY, is_optional=name in of_same_days) for name in amounts]
    columns = [*plain(*names), *money_columns, Column("change_ratio", Kind.SHARE)]
    return Table(columns, ratios, total, period=f"{now.title()}, with {other}").noting(
        now.sentence(), _note_on(then, other), _common_note(common, period, other), *read.notes
    )


def _is_in(period: Period, day: date) -> bool:
    return period.since <= day < period.until


def _row(
    group: DailyAmounts, now: KnownDays, then: KnownDays, common: list[int], names: tuple[str, str, str, str, str]
) -> Row:
    """Return the row of a group; `names` are the names of its five amounts."""
    # Days in progress are left out of both sums: a part of a day would be compared with a whole day.
    same = group.total(_days(now.period, common)) if common else None
    same_before = group.total(_days(then.period, common)) if common else None
    amounts = (
        group.total(then.archived) if then.archived else None,
        same_before,
        same,
        group.total(now.archived),
        same - same_before if same is not None and same_before is not None else None,
    )
    return group.values | dict(zip(names, amounts, strict=True))


def _offsets(known: KnownDays, grouped: frozenset[date]) -> set[int]:
    """Return the offsets of comparable days from the start of their period.

    Comparable days are archived whole, and grouped by all dimensions.
    """
    return {(day - known.period.since).days for day in known.whole & grouped}


def _days(period: Period, offsets: list[int]) -> list[date]:
    return [period.since + timedelta(days=offset) for offset in offsets]


def _ratio(change: int | None, before: int | None) -> float | None:
    # A negative base, which credits can cause, would give the ratio the wrong sign.
    return change / before if change is not None and before is not None and before > 0 else None


def _total_ratio(sums: dict[str, dict[str, int] | None]) -> float | None:
    """Return the ratio of the total; None unless it has exactly one currency."""
    change, before = sums["change"] or {}, sums["same_days_before"] or {}
    return _ratio(*change.values(), *before.values()) if len(change) == len(before) == 1 else None


def _note_on(then: KnownDays, other: Period) -> str:
    return then.sentence() if then.archived else f"nothing of {other} is archived: there is no comparison"


def _common_note(common: list[int], period: Period, other: Period) -> str:
    if not common:
        return ""
    days, verb = count(len(common), "day"), "is" if len(common) == 1 else "are"
    return f"change compares {days} that {verb} archived in both {other} and {period}"
