"""The figures at the top of the page."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from archiver.offline.page.html import Card
from archiver.offline.page.tables import unit_name
from archiver.offline.periods import month_of
from archiver.offline.reports.months import today_in
from archiver.offline.reports.registry import REPORTS
from archiver.offline.tables.write import dollars
from archiver.store.read.reads import read_billed_days

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from archiver.offline.page.figures import Days
    from archiver.offline.reports.registry import Asked
    from archiver.offline.tables.table import Table
    from archiver.store.read.reads import Overview

_SEE_COVERAGE = "see coverage below"
_SIZES = ((10**12, "trillion"), (10**9, "billion"), (10**6, "million"))


def cards_of(  # noqa: PLR0913, PLR0917  # what a card can show
    path: Path, asked: Asked, totals: Table, about: Overview, days: Days, unit: str, money: Sequence[str]
) -> list[Card]:
    """Return the totals of the days, the month to date with its projection, and the coverage.

    Amounts of several currencies have no sum: a dash is in its place.
    """
    assert totals.total is not None
    _, _, billed, used, rate, _ = totals.total
    period = f"{days.dates[0]} to {days.dates[-1]}" if days.dates else "no day is archived"
    number, word = ("\u2013", "") if used is None else compact(used)
    named = unit_name(money, unit)
    return [
        Card("Spend", _money(billed, unit), named, period, "spend" if days.dates else ""),
        _month_to_date(path, asked, unit, money),
        Card("Tokens", number, word, period, "tokens" if days.dates else ""),
        Card("Cache hit rate", "\u2013" if rate is None else f"{rate:.1%}", "", period, "cache" if days.dates else ""),
        _coverage(about, days),
    ]


def _month_to_date(path: Path, asked: Asked, unit: str, money: Sequence[str]) -> Card:
    forecast = REPORTS["forecast"][1](path, replace(asked, question=replace(asked.question, by=())))
    assert forecast.total is not None
    month = asked.month.since if asked.month else today_in(path, asked.today, asked.question.as_of)
    billed, _ = read_billed_days(path, month_of(month), asked.question.as_of)
    to_date, projected = forecast.total[-2:] if billed and len(money) == 1 else (None, None)
    aside = f"projected {_money(projected, unit)}" if billed else "not archived"
    return Card(f"{month:%Y-%m} to date", _money(to_date, unit), unit_name(money, unit), aside)


def _coverage(about: Overview, days: Days) -> Card:
    missing = sum("-" in letters for letters in zip(*days.states.values(), strict=True))
    gaps = sum(one.is_gap for one in about.coverage)
    if missing:
        return Card(
            "Coverage", str(missing), "day missing" if missing == 1 else "days missing", _SEE_COVERAGE, warns=True
        )
    if gaps:
        return Card("Coverage", str(gaps), "gap" if gaps == 1 else "gaps", _SEE_COVERAGE, warns=True)
    letters = [set(one) for one in zip(*days.states.values(), strict=True)]
    if not letters:
        return Card("Coverage", "\u2013", "", "no day is archived")
    if any("k" in one for one in letters):
        return Card("Coverage", "no gaps", "", "as it was known then")
    provisional = sum("p" in one for one in letters)
    changing = "1 day may still change" if provisional == 1 else f"{provisional} days may still change"
    return Card("Coverage", "no gaps", "", changing if provisional else "all settled")


def _money(microcents: int | None, unit: str) -> str:
    if microcents is None:
        return "\u2013"
    return dollars(microcents if unit == "usd" else microcents * 100)


def compact(count: int) -> tuple[str, str]:
    """Return a count cut after two decimals, and the word for its size: never more than there is."""
    for size, word in _SIZES:
        if count >= size:
            return f"{count // size}.{count % size * 100 // size:02d}", word
    return f"{count:,}", ""
