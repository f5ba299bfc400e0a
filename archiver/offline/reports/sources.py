"""`report reconcile --by source`: the two reports that have money."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from archiver.errors import ConfigurationError
from archiver.model import Report, to_text
from archiver.offline.reports.grouped import total_row
from archiver.offline.reports.known_days import count
from archiver.offline.reports.request import select_days
from archiver.offline.tables.table import Table, money, plain, sum_by_currency
from archiver.reports.analytics import API_PRODUCTS
from archiver.reports.dimensions import TIMES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from archiver.offline.reports.request import ReportRequest
    from archiver.offline.tables.table import Row
    from archiver.store.read.daily_sums import Day
    from archiver.store.read.reader import ArchiveReader

SOURCE = "source"
_SETTLED = 2
# The default dimensions and the product. A series by product alone can become the canonical one of its days, and would
# hide keys and people from the other reports.
_WITH_PRODUCT = "workspace_id,api_key_id,actor,model,product,cost_type,token_type"


@dataclass(slots=True)
class _Amounts:
    """The amounts of one line, in 1e-18 cents.

    `other_products` is None if a day of the line is not archived by product.
    """

    cost: int = 0
    credits: int = 0
    analytics: int = 0
    other_products: int | None = 0
    is_settled: bool = True

    @property
    def difference(self) -> int:
        """What is left after credits, and after other products if they are known."""
        return (self.cost - self.credits) - (self.analytics - (self.other_products or 0))

    def state(self) -> str:
        """Return why the two sources differ, as far as it is known."""
        if not self.difference:
            return "equal"
        if not self.is_settled:
            return "not settled yet"
        return "differs" if self.other_products is not None else "differs, products unknown"


def sources(reader: ArchiveReader, request: ReportRequest) -> Table:
    """Return the money of both sources by day or month.

    Credits are in the cost report alone, products other than the API in the analytics report alone. Days that are
    archived of one of the two only are left out. Where both words of time are given, `day` is used.

    Raises:
        ConfigurationError: The grouping has other words than those of time, or there is a `top`.
    """
    others = [one for one in request.by if one not in {SOURCE, *TIMES}]
    if others:
        raise ConfigurationError(
            f"cannot group sources by {others[0]!r}", hint="with --by source, the others are day and month"
        )
    if request.top is not None:
        raise ConfigurationError("--top has no meaning with --by source", hint="leave out --top")
    time = "month" if "month" in request.by and "day" not in request.by else "date"
    cost, analytics = (select_days(reader, report, request) for report in (Report.COST, Report.ANALYTICS_COST))
    for one in (cost, analytics):
        if one.known is None:
            return one.unknown()
    both = {day.start for day in cost.days} & {day.start for day in analytics.days}
    left_out = {day.start for day in (*cost.days, *analytics.days)} - both
    by_product = _by_product(reader, request, both)
    lines = _amounts(
        reader, time, [d for d in cost.days if d.start in both], [d for d in analytics.days if d.start in both]
    )
    _add_products(reader, time, by_product, both - {day.start for day in by_product}, lines)
    rows = [_row(time, identity, amounts) for identity, amounts in sorted(lines.items())]
    unknown = len(both) - len(by_product)
    return _table(time, rows).noting(
        f"{count(len(left_out), 'day')} left out: not archived of both reports" if left_out else "",
        f"{count(unknown, 'day')} not archived by product: "
        f"archiver sync --report analytics-cost --group-by {_WITH_PRODUCT}"
        if unknown and any(row["difference"] for row in rows)
        else "",
        "two sources of the same money, never to be added up; the difference is after credits and other products",
    )


def _by_product(reader: ArchiveReader, request: ReportRequest, both: set[int]) -> list[Day]:
    """Return the series with products of each day that has one."""
    days = reader.days(Report.ANALYTICS_COST, *request.bounds, dimension="product")
    return [day for day in days if day.start in both and day.is_whole and "product" in day.group_by]


def _amounts(
    reader: ArchiveReader, time: str, cost: Sequence[Day], analytics: Sequence[Day]
) -> dict[tuple[str, str], _Amounts]:
    lines: dict[tuple[str, str], _Amounts] = defaultdict(_Amounts)
    for one in reader.sums(Report.COST, ("currency",), cost, lambda day: day):
        line = lines[_time(time, one.part), one.values[0]]
        line.cost += one.sums[0]
        line.credits += one.sums[1]
    for one in reader.sums(Report.ANALYTICS_COST, ("currency",), analytics, lambda day: day):
        lines[_time(time, one.part), one.values[0]].analytics += one.sums[0]
    unsettled = {_time(time, day) for day in (*cost, *analytics) if day.rank < _SETTLED}
    have_money = {when for when, _ in lines}
    for when in {_time(time, day) for day in cost} - have_money:
        lines[when, "USD"] = _Amounts()  # a day without cost has no currency
    for (when, _), line in lines.items():
        line.is_settled = when not in unsettled
    return lines


def _add_products(
    reader: ArchiveReader,
    time: str,
    by_product: Sequence[Day],
    without: Iterable[int],
    lines: dict[tuple[str, str], _Amounts],
) -> None:
    for one in reader.sums(Report.ANALYTICS_COST, ("product", "currency"), by_product, lambda day: day):
        product, currency = one.values
        if product not in API_PRODUCTS:
            line = lines[_time(time, one.part), currency]
            line.other_products = (line.other_products or 0) + one.sums[0]
    unknown = {_time(time, start) for start in without}
    for (when, _), line in lines.items():
        if when in unknown:
            line.other_products = None


def _time(time: str, day: Day | int) -> str:
    start = day if isinstance(day, int) else day.start
    return to_text(start)[: len("2026-01") if time == "month" else len("2026-01-01")]


def _row(time: str, identity: tuple[str, str], amounts: _Amounts) -> Row:
    when, currency = identity
    names: dict[str, Any] = {time: when, "currency": currency}
    return names | {
        "cost": amounts.cost,
        "credits": amounts.credits,
        "analytics": amounts.analytics,
        "other_products": amounts.other_products,
        "difference": amounts.difference,
        "state": amounts.state(),
    }


def _table(time: str, rows: Sequence[Row]) -> Table:
    amounts = ("cost", "credits", "analytics", "other_products", "difference")
    columns = [*plain(time, "currency"), *money(*amounts), *plain("state")]
    known = [one for one in amounts if all(row[one] is not None for row in rows)]
    totals: dict[str, Any] = {one: sum_by_currency(rows, one) or {"USD": 0} for one in known}
    return Table(columns, rows, total_row([column.name for column in columns], **totals))
