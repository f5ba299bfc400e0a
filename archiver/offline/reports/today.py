"""`report today`: what a day has cost so far, by the hour, as an estimate."""

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
_RECENT = timedelta(days=28)
_DAY = timedelta(days=1)
_HINT = "run archiver sync --report usage --bucket-width 1h --since today"
_ID = {"workspace": "workspace_id", "api_key": "api_key_id", "model": "model"}


@dataclass(slots=True)
class _Sum:
    """Tokens and their estimated cost, in 1e-18 cents; None: unknown."""

    tokens: int = 0
    cost: Fraction | None = None
    unpriced: int = 0
    unpriced_searches: int = 0

    def add(self, values: Row, sums: list[int], known: Prices) -> None:
        """Add the counts of one model, tier and window."""
        for token_type, at in COUNT_OF_TOKEN_TYPE.items():
            price = known.of_tokens.get(kind_of(values, token_type))
            self.tokens += sums[at]
            if price is None:
                self.unpriced += sums[at]
            elif sums[at]:
                self.cost = (self.cost or Fraction()) + price.of(sums[at])
        if sums[WEB_SEARCHES] and not known.of_searches.quantity:
            self.unpriced_searches += sums[WEB_SEARCHES]
        elif sums[WEB_SEARCHES]:
            self.cost = (self.cost or Fraction()) + known.of_searches.of(sums[WEB_SEARCHES])


@dataclass(slots=True)
class _Estimated:
    """The estimate of a day, by group."""

    groups: dict[tuple[Any, ...], _Sum] = field(default_factory=lambda: defaultdict(_Sum))

    @property
    def cost(self) -> Fraction:
        """The estimated cost of all groups with a known price."""
        return sum((one.cost for one in self.groups.values() if one.cost is not None), Fraction())


def today(reader: ArchiveReader, request: ReportRequest) -> Table:
    """Return tokens and estimated cost of the current UTC day, by hour.

    The estimate is the tokens of each kind at their price in the bills of the 28 days before, or of all days before.
    Cost that is not of tokens or web searches, such as code execution, is not in it. The note has the error that the
    same estimate has for the last day that is billed.
    """
    now = datetime.now(UTC) if request.as_of is None else datetime.fromtimestamp(request.as_of, UTC)
    day = request.period.since if request.period is not None else now.date()
    daily = next(
        (one for one in reader.days(Report.USAGE, f"{day}", f"{day + _DAY}") if has_all(Report.USAGE, one)), None
    )
    # Of earlier times it is not known which hours were archived.
    hourly = next((one for one in reader.hourly_days(day) if has_all(Report.USAGE, one.day)), None)
    hourly = None if request.as_of is not None else hourly
    if daily is None and hourly is None:
        return Table([], [], notes=(f"no usage of {day} is archived: {_HINT}",), is_known=False)
    by = request.grouped(BY, ("hour",) if hourly else ("model",), "today")
    if "hour" in by and hourly is None:
        return Table([], [], notes=(f"usage of {day} is not archived by the hour: {_HINT}",), is_known=False)
    known = _known_prices(reader, day)
    if not known.of_tokens:
        return Table([], [], notes=(NO_PRICES,), is_known=False)
    chosen = hourly.day if hourly is not None and ("hour" in by or daily is None) else daily
    assert chosen is not None
    found = _estimate(reader, chosen, by, known)
    rows = [_row(reader, request, by, key, one, chosen) for key, one in found.groups.items()]
    rows.sort(key=lambda row: row["hour"] if "hour" in by else -(row["estimate"] or 0))
    names = [*rows[0]][:-2] if rows else [*by, "currency"]
    total = total_row(
        [*names, "tokens", "estimate"],
        tokens=sum(one.tokens for one in found.groups.values()),
        estimate={known.currency: Estimate(round(found.cost))},
    )
    rows = [row | {"currency": known.currency} for row in rows]
    columns = [*plain(*names), *counts("tokens"), *money("estimate")]
    state = "" if chosen.is_whole else ", in progress"
    return Table(columns, rows, total, period=f"{day}{state}").noting(
        f"an estimate of tokens and web searches, from bills of {known.days[0].date} to {known.days[-1].date}",
        unpriced_note(sum(one.unpriced for one in found.groups.values()), "have no known price, such as priority tier"),
        _searches_note(sum(one.unpriced_searches for one in found.groups.values())),
        _error_note(reader, day),
        _hours_note(hourly, request.timezone) if hourly is not None and chosen is hourly.day else "",
    )


def _known_prices(reader: ArchiveReader, day: date) -> Prices:
    """Return the prices of the four weeks before a day, and of all days before for what these do not have.

    They are in the currency of the newest bills.
    """
    currency = newest_currency(reader, lambda one: one < day)
    recent = learn_prices(reader, lambda one: day - _RECENT <= one < day, currency=currency)
    return recent.or_else(learn_prices(reader, lambda one: one < day, currency=currency))


def _estimate(reader: ArchiveReader, day: Day, by: Iterable[str], known: Prices) -> _Estimated:
    found = _Estimated()
    words = [one for one in BY if one in by]
    if not day.is_daily:
        for hour, values, sums in reader.usage_by_hour(day):
            key = tuple(hour if one == "hour" else values[_ID[one]] for one in words)
            found.groups[key].add(values, sums, known)
        return found
    for line in reader.lines(Report.USAGE, {*words, *PRICED_BY}, [day]):
        found.groups[tuple(line.values[_ID[one]] for one in words)].add(line.values, line.sums, known)
    return found


def _row(  # noqa: PLR0913, PLR0917  # one row's parts
    reader: ArchiveReader, request: ReportRequest, by: Iterable[str], key: tuple[Any, ...], one: _Sum, day: Day
) -> Row:
    values = dict(zip([word if word == "hour" else _ID[word] for word in BY if word in by], key, strict=True))
    if "hour" in values:
        start = datetime.fromtimestamp(values["hour"], UTC).astimezone(request.timezone)
        values["hour"] = f"{start:%Y-%m-%d %H:%M}"
    labelled = reader.with_labels(values, day.start)
    cost = None if one.cost is None else Estimate(round(one.cost))
    return labelled | {"currency": "", "tokens": one.tokens, "estimate": cost}


def _searches_note(number: int) -> str:
    searches = "web search" if number == 1 else "web searches"
    return f"{number:,} {searches} without a known price: not in these numbers" if number else ""


def _hours_note(hourly: HourlyDay, timezone: tzinfo) -> str:
    """Return the note on the hours that are archived."""
    until = datetime.fromtimestamp(hourly.until, UTC).astimezone(timezone)
    missing = hourly.until - hourly.day.start - hourly.seconds
    holes = f", but for {missing / 3600:g} hours" if missing else ""
    return f"usage of the day is archived up to {until:%Y-%m-%d %H:%M}{holes}; hours without use have no line"


def _error_note(reader: ArchiveReader, day: date) -> str:
    """Return the error of the estimate of the last billed day before."""
    days = priced_days(reader, lambda one: day - timedelta(days=8) < one < day)
    if not days[Report.COST]:
        return "no day of the week before is billed: the error of such an estimate is not known"
    used, billed = days[Report.USAGE][-1], days[Report.COST][-1]
    known = _known_prices(reader, billed.date)
    if not known.of_tokens:
        return "no day before is billed: the error of such an estimate is not known"
    estimate = round(_estimate(reader, used, ("model",), known).cost)
    cost = sum(
        line.sums[0]
        for line in reader.lines(Report.COST, ("cost_type",), [billed])
        if line.values["cost_type"] in {"tokens", "web_search"} and line.values["currency"] == known.currency
    )
    ratio = f" ({(estimate - cost) / cost:+.1%})" if cost > 0 else ""
    shown = tuple(to_rounded(Estimate(one), "usd") for one in (estimate, cost))
    return f"the same estimate of {billed.date} is {shown[0]}, and {shown[1]} {known.currency} were billed{ratio}"
