"""`report reconcile --by source`: compare the two reports with money.

These are the cost report and the analytics cost report.
"""

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
_SETTLED = 2  # `Day.rank` of a settled day
# The default dimensions and the product, for the sync that a note recommends. If a day were archived by product alone,
# all reports could use that series for the day (the canonical one), and would show no keys and people.
_WITH_PRODUCT = "workspace_id,api_key_id,actor,model,product,cost_type,token_type"


@dataclass(slots=True)
class _Amounts:
    """The amounts for one day or month and one currency, in 1e-18 cents.

    Attributes:
        cost: The amount in the cost report.
        credits: The credits in `cost`, which the analytics report lacks.
        analytics: The amount in the analytics cost report.
        other_products: The part of `analytics` for products that the cost report lacks. None if it is unknown, because
            one of the days is not archived by product.
        is_settled: Whether all of the days are settled in both reports.
    """

    cost: int = 0
    credits: int = 0
    analytics: int = 0
    other_products: int | None = 0
    is_settled: bool = True

    @property
    def difference(self) -> int:
        """The difference after credits, and after other products if known."""
        return (self.cost - self.credits) - (self.analytics - (self.other_products or 0))

    def state(self) -> str:
        """Return whether the sources are equal, and what is unknown if not."""
        if not self.difference:
            return "equal"
        if not self.is_settled:
            return "not settled yet"
        return "differs" if self.other_products is not None else "differs, products unknown"


def sources(reader: ArchiveReader, request: ReportRequest) -> Table:
    """Return the money in both sources, by day or month and currency.

    Only the cost report has credits, and only the analytics cost report has products other than the API. Days that are
    archived from only one of the reports are left out. If a report has no selected day at all, the table has no rows,
    and its note names that report. With neither `day` nor `month` in the grouping, or with both, rows are by day.

    Raises:
        ConfigurationError: The grouping has a dimension other than source, day and month, or `top` is given.
    """
    unsupported = [dimension for dimension in request.by if dimension not in {SOURCE, *TIMES}]
    if unsupported:
        raise ConfigurationError(
            f"cannot group sources by {unsupported[0]!r}", hint="with --by source, add only day or month"
        )
    if request.top is not None:
        raise ConfigurationError("--top has no meaning with --by source", hint="leave out --top")
    time = "month" if "month" in request.by and "day" not in request.by else "date"
    cost, analytics = (select_days(reader, report, request) for report in (Report.COST, Report.ANALYTICS_COST))
    for selected in (cost, analytics):
        if selected.known is None:
            return selected.unknown()
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
        f"{count(len(left_out), 'day')} left out: not archived from both reports" if left_out else "",
        f"{count(unknown, 'day')} not archived by product: "
        f"archiver sync --report analytics-cost --group-by {_WITH_PRODUCT}"
        if unknown and any(row["difference"] for row in rows)
        else "",
        "two sources of the same money, never to be added up; the difference is after credits and other products",
    )


def _by_product(reader: ArchiveReader, request: ReportRequest, both: set[int]) -> list[Day]:
    """Return the common days that are archived by product.

    `both` are the starts of the days that are archived from both reports.
    """
    days = reader.days(Report.ANALYTICS_COST, *request.bounds, dimension="product")
    # A day without a series by product comes with another series. A day that was read before it ended lacks money.
    return [day for day in days if day.start in both and day.is_whole and "product" in day.group_by]


def _amounts(
    reader: ArchiveReader, time: str, cost: Sequence[Day], analytics: Sequence[Day]
) -> dict[tuple[str, str], _Amounts]:
    """Return the amounts by time and currency, without other products.

    Time is a month (`2026-01`) or date (`2026-01-01`), as `time` demands.
    """
    lines: dict[tuple[str, str], _Amounts] = defaultdict(_Amounts)
    # `lambda day: day` keeps the sums of each day apart; `_time` assigns them to a line.
    for daily in reader.sums(Report.COST, ("currency",), cost, lambda day: day):
        (currency,), (amount, credit) = daily.values, daily.sums
        line = lines[_time(time, daily.part), currency]
        line.cost += amount
        line.credits += credit
    for daily in reader.sums(Report.ANALYTICS_COST, ("currency",), analytics, lambda day: day):
        (currency,), (amount, _) = daily.values, daily.sums
        lines[_time(time, daily.part), currency].analytics += amount
    unsettled = {_time(time, day) for day in (*cost, *analytics) if day.rank < _SETTLED}
    have_money = {when for when, _ in lines}
    for when in {_time(time, day) for day in cost} - have_money:
        # A day or month without money has no currency, and is shown with zeros in US dollars.
        lines[when, "USD"] = _Amounts()
    for (when, _), line in lines.items():
        line.is_settled = when not in unsettled
    return lines


def _add_products(
    reader: ArchiveReader,
    time: str,
    by_product: Sequence[Day],
    not_by_product: Iterable[int],
    lines: dict[tuple[str, str], _Amounts],
) -> None:
    """Set `other_products` of the lines; `not_by_product` are the starts of the days without products."""
    for daily in reader.sums(Report.ANALYTICS_COST, ("product", "currency"), by_product, lambda day: day):
        product, currency = daily.values
        if product not in API_PRODUCTS:
            line = lines[_time(time, daily.part), currency]
            line.other_products = (line.other_products or 0) + daily.sums[0]
    # Last, because one day without products makes the amount of its whole month unknown.
    unknown = {_time(time, start) for start in not_by_product}
    for (when, _), line in lines.items():
        if when in unknown:
            line.other_products = None


def _time(time: str, day: Day | int) -> str:
    """Return the month or the date of a day, or of the start of a day."""
    start = day if isinstance(day, int) else day.start
    # A time as text begins with its date, and the date with its month.
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
    # A sum without the unknown amounts would be too small, so such a column has no total.
    complete = [column for column in amounts if all(row[column] is not None for row in rows)]
    # Without rows, every total is zero.
    totals: dict[str, Any] = {column: sum_by_currency(rows, column) or {"USD": 0} for column in complete}
    return Table(columns, rows, total_row([column.name for column in columns], **totals))
