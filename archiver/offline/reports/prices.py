"""`report prices`: prices computed from the archived cost and tokens.

There is no price list: a price is the cost of a kind of tokens on some days, divided by the number of these tokens. So
it is exactly their mean price on these days, over all regions and speeds. The bill of a day is its cost in the cost
report.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction
from typing import TYPE_CHECKING

from archiver.errors import ConfigurationError
from archiver.model import Report
from archiver.offline.reports.grouped import COUNT_OF_TOKEN_TYPE, WEB_SEARCHES
from archiver.offline.reports.known_days import count
from archiver.offline.reports.priced_days import PRICED_BY, kind_of, priced_days
from archiver.offline.reports.request import COST_NOTE
from archiver.offline.tables.table import Table, counts, money, plain

if TYPE_CHECKING:
    from collections.abc import Callable

    from archiver.offline.reports.drivers import Kind
    from archiver.offline.reports.request import ReportRequest
    from archiver.offline.tables.table import Row
    from archiver.store.read.daily_sums import Day
    from archiver.store.read.reader import ArchiveReader

_A_MILLION = 1_000_000


@dataclass(slots=True)
class Price:
    """The cost of some tokens, or of web searches.

    Attributes:
        quantity: The number of tokens or searches.
        amount: Their cost in 1e-18 cents.
        first, last: The first and the last day of the tokens and their cost, if `learn_prices` was called with `dated`.
    """

    quantity: int = 0
    amount: int = 0
    first: date = date.max
    last: date = date.min

    def of(self, quantity: int) -> Fraction:
        """Return the cost of a quantity at this price, in 1e-18 cents."""
        return Fraction(quantity * self.amount, self.quantity)


@dataclass(frozen=True, slots=True)
class Prices:
    """The prices of some days, in one currency.

    Attributes:
        currency: The currency; "" if the days have no bills.
        days: The days that the prices are computed from.
        of_tokens: Kind of tokens → price.
        of_searches: The price of web searches; without a price, its quantity is 0.
    """

    currency: str
    days: list[Day]
    of_tokens: dict[Kind, Price]
    of_searches: Price = field(default_factory=Price)

    def or_else(self, other: Prices) -> Prices:
        """Return these prices, and those of `other` for kinds without a price.

        `days` stay those of these prices, unless there are none.
        """
        searches = self.of_searches if self.of_searches.quantity else other.of_searches
        return Prices(
            self.currency or other.currency, self.days or other.days, other.of_tokens | self.of_tokens, searches
        )


def newest_currency(reader: ArchiveReader, wanted: Callable[[date], bool]) -> str:
    """Return the currency of the newest wanted bill; "" if there is none."""
    days = priced_days(reader, wanted)[Report.COST]
    newest = max(reader.lines(Report.COST, ("day",), days), key=lambda line: line.values["date"], default=None)
    return newest.values["currency"] if newest is not None else ""


def learn_prices(
    reader: ArchiveReader, wanted: Callable[[date], bool], *, dated: bool = False, currency: str = ""
) -> Prices:
    """Compute prices from the tokens and the bills of the wanted days.

    With `dated`, each price has the first and the last day that it is computed from. With a `currency`, days that have
    bills in another currency are left out.

    Raises:
        ConfigurationError: No `currency` is given, and the bills are in several currencies.
    """
    days = _of_currency(reader, priced_days(reader, wanted), currency)
    prices: dict[Kind, Price] = defaultdict(Price)
    searches = Price()
    time = ("day",) if dated else ()
    for line in reader.lines(Report.USAGE, (*time, *PRICED_BY), days[Report.USAGE]):
        for token_type, index in COUNT_OF_TOKEN_TYPE.items():
            if line.sums[index]:
                _add(prices[kind_of(line.values, token_type)], line.values, quantity=line.sums[index])
        if line.sums[WEB_SEARCHES]:
            _add(searches, line.values, quantity=line.sums[WEB_SEARCHES])
    currencies = set()
    for line in reader.lines(Report.COST, (*time, *PRICED_BY, "token_type", "cost_type"), days[Report.COST]):
        currencies.add(line.values["currency"])
        if line.values["cost_type"] == "web_search":
            _add(searches, line.values, amount=line.sums[0])
        elif line.values["cost_type"] == "tokens" and line.values["token_type"] in COUNT_OF_TOKEN_TYPE:
            _add(prices[kind_of(line.values, line.values["token_type"])], line.values, amount=line.sums[0])
    if len(currencies) > 1:
        raise ConfigurationError(
            f"the bills are in {' and '.join(sorted(currencies))}: no price can be learnt from several currencies",
            hint="choose days of one currency with --since and --until",
        )
    # Tokens without cost, such as those of priority tier, have no price. Nor has cost without tokens.
    with_price = {kind: price for kind, price in prices.items() if price.quantity and price.amount}
    if not searches.amount:
        searches = Price()
    return Prices(currencies.pop() if currencies else "", days[Report.COST], with_price, searches)


def _of_currency(reader: ArchiveReader, days: dict[Report, list[Day]], currency: str) -> dict[Report, list[Day]]:
    """Return the days with bills in `currency` only; all days for ""."""
    if not currency:
        return days
    lines = reader.lines(Report.COST, ("day",), days[Report.COST])
    dates = {line.values["date"] for line in lines if line.values["currency"] != currency}
    return {report: [day for day in report_days if f"{day.date}" not in dates] for report, report_days in days.items()}


def _add(price: Price, values: Row, *, quantity: int = 0, amount: int = 0) -> None:
    """Add a quantity or an amount to a price, and the day if rows have it."""
    price.quantity += quantity
    price.amount += amount
    if "date" in values:
        day = date.fromisoformat(values["date"])
        price.first, price.last = min(price.first, day), max(price.last, day)


def prices(reader: ArchiveReader, request: ReportRequest) -> Table:
    """Return each kind's price of a million tokens, with tokens and cost."""
    learnt = learn_prices(reader, request.selects, dated=True)
    if not learnt.days:
        return Table([], [], notes=(NO_PRICES,), is_known=False)
    rows = [
        {
            **dict(zip(("model", "service_tier", "context_window", "token_type"), kind, strict=True)),
            "currency": learnt.currency,
            "price": price.amount * _A_MILLION // price.quantity,
            "tokens": price.quantity,
            "amount": price.amount,
            "first_day": f"{price.first}",
            "last_day": f"{price.last}",
        }
        for kind, price in sorted(learnt.of_tokens.items(), key=lambda item: tuple(map(str, item[0])))
    ]
    columns = [*plain("model", "service_tier", "context_window", "token_type", "currency"), *money("price")]
    columns += [*counts("tokens"), *money("amount"), *plain("first_day", "last_day")]
    first, last = learnt.days[0].date, learnt.days[-1].date
    return Table(columns, rows, period=f"{first} to {last}, {count(len(learnt.days), 'day')} of usage and cost").noting(
        "price is for a million tokens: their cost divided by their number, the mean over regions and speeds", COST_NOTE
    )


NO_PRICES = (
    "no price can be learnt: no day of both usage and cost is archived by model, service tier and context window"
)


def unpriced_note(tokens: int, what: str) -> str:
    """Return the note on tokens without a price; "" for 0 tokens.

    `what` continues the sentence after the number of tokens.
    """
    return f"{count(tokens, 'token')} {what}: not in these numbers" if tokens else ""
