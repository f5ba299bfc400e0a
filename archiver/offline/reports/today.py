"""`report today`: the estimated cost of a day so far, by hour."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, tzinfo
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from archiver.model import Report
from archiver.offline.reports.grouped import COUNT_OF_TOKEN_TYPE, WEB_SEARCHES, total_row
from archiver.offline.reports.priced_days import PRICED_BY, has_all, kind_of, priced_days
from archiver.offline.reports.prices import NO_PRICES, Prices, learn_prices, newest_currency, unpriced_note
from archiver.offline.tables.money import Estimate, to_rounded
from archiver.offline.tables.table import Table, counts, money, plain

if TYPE_CHECKING:
    from collections.abc import Iterable

    from archiver.offline.reports.request import ReportRequest
    from archiver.offline.tables.table import Row
    from archiver.store.read.daily_sums import Day
    from archiver.store.read.reader import ArchiveReader, HourlyDay

BY = ("hour", "workspace", "api_key", "model")
_RECENT = timedelta(days=28)  # prices are taken from these days first
_DAY = timedelta(days=1)
_HINT = "run archiver sync --report usage --bucket-width 1h --since today"
# Dimension → the column of its ids.
_ID = {"workspace": "workspace_id", "api_key": "api_key_id", "model": "model"}


@dataclass(slots=True)
class _Sum:
    """Tokens and their estimated cost.

    Attributes:
        tokens: All tokens, also those without a price.
        cost: The estimated cost in 1e-18 cents; None if nothing has a price.
        unpriced: The tokens without a price.
        unpriced_searches: The web searches without a price.
    """

    tokens: int = 0
    cost: Fraction | None = None
    unpriced: int = 0
    unpriced_searches: int = 0

    def add(self, values: Row, sums: list[int], prices: Prices) -> None:
        """Add the counts of one model, tier and window."""
        for token_type, index in COUNT_OF_TOKEN_TYPE.items():
            price = prices.of_tokens.get(kind_of(values, token_type))
            self.tokens += sums[index]
            if price is None:
                self.unpriced += sums[index]
            elif sums[index]:
                self.cost = (self.cost or Fraction()) + price.of(sums[index])
        searches = sums[WEB_SEARCHES]
        if searches and not prices.of_searches.quantity:  # no quantity: web searches have no price
            self.unpriced_searches += searches
        elif searches:
            self.cost = (self.cost or Fraction()) + prices.of_searches.of(searches)


@dataclass(slots=True)
class _Estimated:
    """The estimate for a day, by the values of dimensions."""

    groups: dict[tuple[Any, ...], _Sum] = field(default_factory=lambda: defaultdict(_Sum))

    @property
    def cost(self) -> Fraction:
        """The estimated cost of all groups with a known price."""
        return sum((group.cost for group in self.groups.values() if group.cost is not None), Fraction())


def today(reader: ArchiveReader, request: ReportRequest) -> Table:
    """Return the tokens and the estimated cost of a UTC day.

    The day is that of `--day`, or else the current day, or the day of `as_of`. Rows are by hour if the day is archived
    by hour, otherwise by model, or by the given dimensions.

    The estimate uses prices that are computed from the archived cost of the 28 days before, or where these have none,
    of all days before. Cost for anything but tokens and web searches, such as code execution, is left out. A note shows
    the error of the same estimate for the last day with archived cost in the week before.
    """
    now = datetime.now(UTC) if request.as_of is None else datetime.fromtimestamp(request.as_of, UTC)
    day = request.period.since if request.period is not None else now.date()
    daily, hourly = _archived_usage(reader, request, day)
    if daily is None and hourly is None:
        return Table([], [], notes=(f"no usage of {day} is archived: {_HINT}",), is_known=False)
    by = request.grouped(BY, ("hour",) if hourly else ("model",), "today")
    if "hour" in by and hourly is None:
        return Table([], [], notes=(f"usage of {day} is not archived by the hour: {_HINT}",), is_known=False)
    prices = _known_prices(reader, day)
    if not prices.of_tokens:
        return Table([], [], notes=(NO_PRICES,), is_known=False)
    chosen = hourly.day if hourly is not None and ("hour" in by or daily is None) else daily
    assert chosen is not None
    estimated = _estimate(reader, chosen, by, prices)
    rows = [_row(reader, request, by, key, group, chosen) for key, group in estimated.groups.items()]
    rows.sort(key=lambda row: row["hour"] if "hour" in by else -(row["estimate"] or 0))
    names = [*rows[0]][:-2] if rows else [*by, "currency"]
    total = total_row(
        [*names, "tokens", "estimate"],
        tokens=sum(group.tokens for group in estimated.groups.values()),
        estimate={prices.currency: Estimate(round(estimated.cost))},
    )
    rows = [row | {"currency": prices.currency} for row in rows]
    columns = [*plain(*names), *counts("tokens"), *money("estimate")]
    state = "" if chosen.is_whole else ", in progress"
    return Table(columns, rows, total, period=f"{day}{state}").noting(
        f"an estimate of tokens and web searches, from bills of {prices.days[0].date} to {prices.days[-1].date}",
        unpriced_note(
            sum(group.unpriced for group in estimated.groups.values()), "have no known price, such as priority tier"
        ),
        _searches_note(sum(group.unpriced_searches for group in estimated.groups.values())),
        _error_note(reader, day),
        _hours_note(hourly, request.timezone) if hourly is not None and chosen is hourly.day else "",
    )


def _archived_usage(reader: ArchiveReader, request: ReportRequest, day: date) -> tuple[Day | None, HourlyDay | None]:
    """Return the usage of a day as daily sums, and by hours or minutes.

    Each is None if it is not archived by all that a price depends on.
    """
    days = reader.days(Report.USAGE, f"{day}", f"{day + _DAY}")
    daily = next((found for found in days if has_all(Report.USAGE, found)), None)
    if request.as_of is not None:  # which hours were archived at an earlier time is unknown
        return daily, None
    return daily, next((found for found in reader.hourly_days(day) if has_all(Report.USAGE, found.day)), None)


def _known_prices(reader: ArchiveReader, day: date) -> Prices:
    """Return the prices of the four weeks before a day.

    Kinds without a price there have the price of all days before. All prices are in the currency of the newest bill
    before the day.
    """
    currency = newest_currency(reader, lambda past: past < day)
    recent = learn_prices(reader, lambda past: day - _RECENT <= past < day, currency=currency)
    return recent.or_else(learn_prices(reader, lambda past: past < day, currency=currency))


def _estimate(reader: ArchiveReader, day: Day, by: Iterable[str], prices: Prices) -> _Estimated:
    """Estimate a day by dimensions; `hour` needs a series of hours or minutes."""
    estimated = _Estimated()
    dimensions = [name for name in BY if name in by]
    if not day.is_daily:
        for hour, values, sums in reader.usage_by_hour(day):
            key = tuple(hour if name == "hour" else values[_ID[name]] for name in dimensions)
            estimated.groups[key].add(values, sums, prices)
        return estimated
    for line in reader.lines(Report.USAGE, {*dimensions, *PRICED_BY}, [day]):
        key = tuple(line.values[_ID[name]] for name in dimensions)
        estimated.groups[key].add(line.values, line.sums, prices)
    return estimated


def _row(  # noqa: PLR0913, PLR0917  # the parts of a row
    reader: ArchiveReader, request: ReportRequest, by: Iterable[str], key: tuple[Any, ...], group: _Sum, day: Day
) -> Row:
    values = dict(zip([name if name == "hour" else _ID[name] for name in BY if name in by], key, strict=True))
    if "hour" in values:
        start = datetime.fromtimestamp(values["hour"], UTC).astimezone(request.timezone)
        values["hour"] = f"{start:%Y-%m-%d %H:%M}"
    labelled = reader.with_labels(values, day.start)
    cost = None if group.cost is None else Estimate(round(group.cost))
    # The caller fills in the currency, which is the same for all rows.
    return labelled | {"currency": "", "tokens": group.tokens, "estimate": cost}


def _searches_note(number: int) -> str:
    """Return the note on web searches without a price; "" for none."""
    searches = "web search" if number == 1 else "web searches"
    return f"{number:,} {searches} without a known price: not in these numbers" if number else ""


def _hours_note(hourly: HourlyDay, timezone: tzinfo) -> str:
    """Return the note on the hours that are archived."""
    until = datetime.fromtimestamp(hourly.until, UTC).astimezone(timezone)
    missing = hourly.until - hourly.day.start - hourly.seconds
    holes = f", but for {missing / 3600:g} hours" if missing else ""
    return f"usage of the day is archived up to {until:%Y-%m-%d %H:%M}{holes}; hours without use have no line"


def _error_note(reader: ArchiveReader, day: date) -> str:
    """Return the note on the error of such an estimate.

    It estimates the last day with archived cost among the seven days before, and compares the result with that cost.
    """
    days = priced_days(reader, lambda past: day - timedelta(days=7) <= past < day)
    if not days[Report.COST]:
        return "no day of the week before is billed: the error of such an estimate is not known"
    used, billed = days[Report.USAGE][-1], days[Report.COST][-1]
    prices = _known_prices(reader, billed.date)
    if not prices.of_tokens:
        return "no day before is billed: the error of such an estimate is not known"
    estimate = round(_estimate(reader, used, ("model",), prices).cost)
    cost = sum(
        line.sums[0]
        for line in reader.lines(Report.COST, ("cost_type",), [billed])
        if line.values["cost_type"] in {"tokens", "web_search"} and line.values["currency"] == prices.currency
    )
    ratio = f" ({(estimate - cost) / cost:+.1%})" if cost > 0 else ""
    shown_estimate, shown_cost = (to_rounded(Estimate(amount), "usd") for amount in (estimate, cost))
    return (
        f"the same estimate of {billed.date} is {shown_estimate}, and {shown_cost} {prices.currency} were billed{ratio}"
    )
