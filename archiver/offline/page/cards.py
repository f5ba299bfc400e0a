"""The cards with the main figures, at the top of the page."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from archiver.model import DEFAULT_REPORTS, Report
from archiver.offline.page.html import Card
from archiver.offline.page.tables import unit_name
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

_DASH = "\u2013"
_SEE_COVERAGE = "see coverage below"
_SIZES = ((10**12, "trillion"), (10**9, "billion"), (10**6, "million"))


def cards_of(  # noqa: PLR0913, PLR0917  # what a card can show
    reader: ArchiveReader,
    request: ReportRequest,
    totals: Table,
    status: ArchiveStatus,
    days: PageDays,
    currencies: Sequence[str],
) -> list[Card]:
    """Return the cards: totals, the month to date with projection, coverage.

    A dash stands for a number that does not exist: nothing is archived, or amounts are of several
    currencies, or a rate is of no input.
    """
    total = totals.total or {}
    used, rate = total.get("tokens"), total.get("cache_hit_rate")
    number, word = (_DASH, "") if used is None else compact(used)
    charted = bool(days.dates)
    cost, usage = (_period(reader, report, request) for report in (Report.COST, Report.USAGE))
    unit = unit_name(currencies, request.unit)
    return [
        Card("Spend", _only(total.get("amount"), request.unit), unit, cost, "spend" if charted else ""),
        _month_to_date(reader, request, unit),
        Card("Tokens", number, word, usage, "tokens" if charted else ""),
        Card("Cache hit rate", _DASH if rate is None else f"{rate:.1%}", "", usage, "cache" if charted else ""),
        *_attributed(reader, request),
        _coverage(status, days),
    ]


def _period(reader: ArchiveReader, report: Report, request: ReportRequest) -> str:
    """Return the days that a number is of, and how many of them are missing."""
    selected = select_days(reader, report, request)
    if selected.known is None:
        return "no day is archived"
    missing = f"; {count(selected.known.missing, 'day')} not archived" if selected.known.missing else ""
    return f"{selected.days[0].date} to {selected.days[-1].date}{missing}"


def _month_to_date(reader: ArchiveReader, request: ReportRequest, unit: str) -> Card:
    month = period_of(reader, request)
    table = forecast(reader, replace(request, by=(), period=month, top=None))
    title = f"{month.since:%Y-%m} to date"
    if not table.is_known or table.total is None:
        return Card(title, _DASH, unit, "not archived")
    known = select_days(reader, Report.COST, within(request, month)).known
    holes = known.holes() if known else 0
    missing = f"; {count(holes, 'day')} not archived" if holes else ""
    ratio = (compare(reader, replace(request, by=(), period=month, top=None)).total or {}).get("change_ratio")
    change = "" if ratio is None else f"{ratio:+.1%} on the same days of {month.before()}; "
    note = f"{change}projected {_only(table.total['projected'], request.unit)}{missing}"
    return Card(title, _only(table.total["to_date"], request.unit), unit, note)


def _attributed(reader: ArchiveReader, request: ReportRequest) -> list[Card]:
    """Return the card of how much of the cost the API attributes to somebody; none without the analytics report."""
    selected = select_days(reader, Report.ANALYTICS_COST, request)
    if selected.known is None:
        return []
    lines = reader.lines(Report.ANALYTICS_COST, ("person",), selected.days)
    whole = sum(line.sums[0] for line in lines)
    known = sum(line.sums[0] for line in lines if isinstance(line.values["actor_id"], str))
    is_one_currency = len({line.values["currency"] for line in lines}) == 1
    share = f"{known / whole:.1%}" if whole and is_one_currency else _DASH
    holes = selected.known.holes()
    missing = f"; {count(holes, 'day')} not archived" if holes else ""
    return [Card("Attributed cost", share, "", f"{selected.days[0].date} to {selected.days[-1].date}{missing}")]


def _only(amounts: dict[str, int] | None, unit: str) -> str:
    """Return the amount, or a dash without any or with several currencies."""
    if not amounts or len(amounts) > 1:
        return _DASH
    return to_rounded(next(iter(amounts.values())), unit)


def _coverage(status: ArchiveStatus, days: PageDays) -> Card:
    """Return the card of coverage: the first of the returns below."""
    # A day counts once, whichever of the two reports lacks it. The analytics reports need not be archived at all.
    states = [days.states[report] for report in DEFAULT_REPORTS]
    missing = sum("-" in letters for letters in zip(*states, strict=True))
    suspects = count(len(status.suspects), "bucket") + " to confirm" if status.suspects else ""
    note = "; ".join(filter(None, (_SEE_COVERAGE, suspects)))
    if missing:
        unit = "day missing" if missing == 1 else "days missing"
        return Card("Coverage", str(missing), unit, note, warns=True)
    # Gaps outside the selected days, or in series that no report of the page uses, have no missing day.
    if status.gaps:
        unit = "gap" if len(status.gaps) == 1 else "gaps"
        return Card("Coverage", str(len(status.gaps)), unit, note, warns=True)
    letters = [set(one) for one in zip(*states, strict=True)]
    if not letters:
        return Card("Coverage", _DASH, "", "no day is archived")
    if suspects:
        # Such a bucket lost more than half of its tokens or money. Its older rows stay until that is confirmed.
        return Card("Coverage", "no gaps", "", f"{suspects}: see archiver status", warns=True)
    if any("k" in one for one in letters):
        return Card("Coverage", "no gaps", "", "as it was known then")
    provisional = sum("p" in one for one in letters)
    changing = f"{count(provisional, 'day')} may still change"
    return Card("Coverage", "no gaps", "", changing if provisional else "all settled")


def compact(number: int) -> tuple[str, str]:
    """Return a count as a number and a word, as `1.23` and `million`.

    It is rounded half up to two decimals, as page.js does. Below a million the word is empty.
    """
    for size, word in _SIZES:
        hundredths = (number * 100 + size // 2) // size
        if hundredths >= 100:  # noqa: PLR2004  # one of this size
            return f"{hundredths // 100}.{hundredths % 100:02d}", word
    return f"{number:,}", ""
