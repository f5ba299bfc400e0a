"""The cards with the main figures, at the top of the page."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from archiver.model import DEFAULT_REPORTS, Report
from archiver.offline.page.html import Card
from archiver.offline.page.tables import unit_name
from archiver.offline.periods import days_text
from archiver.offline.reports.compare import compare
from archiver.offline.reports.forecast import forecast
from archiver.offline.reports.known_days import count
from archiver.offline.reports.request import period_of, select_days, within
from archiver.offline.tables.money import to_rounded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from archiver.offline.page.figures import PageDays
    from archiver.offline.reports.request import ReportRequest
    from archiver.offline.tables.table import Table
    from archiver.store.read.reader import ArchiveReader
    from archiver.store.read.status import ArchiveStatus

_DASH = "\u2013"  # shown for a number that does not exist
_SEE_COVERAGE = "see coverage below"
# The largest is first: `compact` uses the first size that a count reaches.
_SIZES = ((10**12, "trillion"), (10**9, "billion"), (10**6, "million"))


def cards_of(  # noqa: PLR0913, PLR0917  # what a card can show
    reader: ArchiveReader,
    request: ReportRequest,
    totals: Table,
    status: ArchiveStatus,
    days: PageDays,
    currencies: Sequence[str],
) -> list[Card]:
    """Return the cards at the top of the overview page.

    `totals` is the table of the overview report, and `currencies` are those of the amounts on the page. A card shows a
    dash where nothing is archived, where amounts in several currencies have no sum, and for a rate without input.
    """
    total = totals.total or {}
    used, rate = total.get("tokens"), total.get("cache_hit_rate")
    token_figure, token_unit = (_DASH, "") if used is None else compact(used)
    # The fifth argument of `Card` is the chart that page.js updates the figure from. A page without days has no charts.
    has_charts = bool(days.dates)
    cost_days, usage_days = (_archived_days(reader, report, request) for report in (Report.COST, Report.USAGE))
    unit = unit_name(currencies, request.unit)
    return [
        Card("Spend", _amount_text(total.get("amount"), request.unit), unit, cost_days, "spend" if has_charts else ""),
        _month_to_date(reader, request, unit),
        Card("Tokens", token_figure, token_unit, usage_days, "tokens" if has_charts else ""),
        Card("Cache hit rate", _DASH if rate is None else f"{rate:.1%}", "", usage_days, "cache" if has_charts else ""),
        *_attributed(reader, request),
        _coverage(status, days),
    ]


def _archived_days(reader: ArchiveReader, report: Report, request: ReportRequest) -> str:
    """Return the days that a figure covers, as text.

    The text has the first and the last archived day of the selected period, and the number of days of the period that
    are not archived.
    """
    selected = select_days(reader, report, request)
    if selected.known is None:
        return "no day is archived"
    missing = f"; {count(selected.known.missing, 'day')} not archived" if selected.known.missing else ""
    return f"{days_text(selected.days[0].date, selected.days[-1].date)}{missing}"


def _month_to_date(reader: ArchiveReader, request: ReportRequest, unit: str) -> Card:
    """Return the card of a month: its cost to date, change and projection.

    The figure is a dash if no day of the month is archived.
    """
    month = period_of(reader, request)
    table = forecast(reader, replace(request, by=(), period=month, top=None))
    title = f"{month.since:%Y-%m} to date"
    if not table.is_known or table.total is None:
        return Card(title, _DASH, unit, "not archived")
    month_days = select_days(reader, Report.COST, within(request, month)).known
    # `holes` counts no days after the last archived day, because the month may not have ended.
    holes = month_days.holes() if month_days else 0
    missing = f"; {count(holes, 'day')} not archived" if holes else ""
    comparison = compare(reader, replace(request, by=(), period=month, top=None))
    change_ratio = comparison.total.get("change_ratio") if comparison.total else None
    change = "" if change_ratio is None else f"{change_ratio:+.1%} on the same days of {month.before()}; "
    note = f"{change}projected {_amount_text(table.total['projected'], request.unit)}{missing}"
    return Card(title, _amount_text(table.total["to_date"], request.unit), unit, note)


def _attributed(reader: ArchiveReader, request: ReportRequest) -> list[Card]:
    """Return the card of the share of cost that is attributed to actors.

    The API attributes cost to an actor: a person, a service account or an API key. The list is empty if no selected day
    of the analytics cost report is archived.
    """
    selected = select_days(reader, Report.ANALYTICS_COST, request)
    if selected.known is None:
        return []
    lines = reader.lines(Report.ANALYTICS_COST, ("person",), selected.days)
    # The first sum of a line is its amount. Only an actor has a text as id: cost without an actor has None, and cost of
    # days that are not grouped by actor has `Label.NOT_GROUPED`.
    all_cost = sum(line.sums[0] for line in lines)
    attributed = sum(line.sums[0] for line in lines if isinstance(line.values["actor_id"], str))
    is_one_currency = len({line.values["currency"] for line in lines}) == 1
    share = f"{attributed / all_cost:.1%}" if all_cost and is_one_currency else _DASH
    holes = selected.known.holes()
    missing = f"; {count(holes, 'day')} not archived" if holes else ""
    return [Card("Attributed cost", share, "", f"{days_text(selected.days[0].date, selected.days[-1].date)}{missing}")]


def _amount_text(amounts: dict[str, int] | None, unit: str) -> str:
    """Return the amount as text.

    `amounts` are by currency. The text is a dash if there is no amount, or if there are several currencies.
    """
    if not amounts or len(amounts) > 1:
        return _DASH
    return to_rounded(next(iter(amounts.values())), unit)


def _coverage(status: ArchiveStatus, days: PageDays) -> Card:
    """Return the card of coverage, with the first state below that applies."""
    # Each day has two letters, its states in the usage report and in the cost report; `Chart.states` lists the letters.
    # A day that both reports lack counts once. The analytics reports are optional, so that their days are not counted.
    states_by_day = list(zip(*(days.states[report] for report in DEFAULT_REPORTS), strict=True))
    missing = sum("-" in letters for letters in states_by_day)
    # A suspect is a bucket that lost more than half of its tokens or money in a response. The archive keeps its older
    # rows until a later response confirms the loss.
    suspects = count(len(status.suspects), "bucket") + " to confirm" if status.suspects else ""
    note = "; ".join(filter(None, (_SEE_COVERAGE, suspects)))
    if missing:
        unit = "day missing" if missing == 1 else "days missing"
        return Card("Coverage", str(missing), unit, note, warns=True)
    # A gap need not be a missing day: it can be outside the selected days, or in a series that the page does not use.
    if status.gaps:
        unit = "gap" if len(status.gaps) == 1 else "gaps"
        return Card("Coverage", str(len(status.gaps)), unit, note, warns=True)
    if not states_by_day:
        return Card("Coverage", _DASH, "", "no day is archived")
    if suspects:
        return Card("Coverage", "no gaps", "", f"{suspects}: see archiver status", warns=True)
    # `k`: the page shows the archive as of an earlier time, when it is not known which days were settled.
    if any("k" in letters for letters in states_by_day):
        return Card("Coverage", "no gaps", "", "as of the chosen time")
    provisional = sum("p" in letters for letters in states_by_day)
    changing = f"{count(provisional, 'day')} may still change"
    return Card("Coverage", "no gaps", "", changing if provisional else "all settled")


def compact(number: int) -> tuple[str, str]:
    """Return a count as a figure and a unit, such as `1.23` and `million`.

    The figure has two decimals, and half is rounded up, as in page.js. A count below a million is exact, and its unit
    is empty.
    """
    for size, name in _SIZES:
        # Integers alone, because a float is not exact. Half of the divisor is added, because `//` rounds down.
        hundredths = (number * 100 + size // 2) // size
        if hundredths >= 100:  # noqa: PLR2004  # at least one of this size, after rounding
            return f"{hundredths // 100}.{hundredths % 100:02d}", name
    return f"{number:,}", ""
