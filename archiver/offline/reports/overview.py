"""Everything by month in one table: the totals of the page that shows everything."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from archiver.errors import ConfigurationError
from archiver.offline.reports.breakdowns import COUNTS, cache, spend, tokens
from archiver.offline.tables.table import Column, Kind, Table
from archiver.store.read.reads import read_canonical_days

if TYPE_CHECKING:
    from pathlib import Path

    from archiver.offline.reports.breakdowns import Question

_TOKENS = len(COUNTS) - 1  # the last count is that of web searches


def check(asked: Question) -> None:
    """Refuse dimensions.

    Raises:
        ConfigurationError: There is one.
    """
    if asked.by:
        raise ConfigurationError(
            "the report overview is by month alone",
            hint="leave --by out, or give it to another report, such as spend, tokens or keys",
        )


def overview(path: Path, asked: Question) -> Table:
    """Tell money, tokens, cache hit rate and billed days by month; what a month has nothing of is an empty cell."""
    check(asked)
    asked = replace(asked, by=("month",), top=None, trends=False)
    money = spend(path, asked, ("month",), ranked=False)
    used = {row[0]: sum(row[1 : 1 + _TOKENS]) for row in tokens(path, asked).rows}
    hits = {row[0]: row[1:] for row in cache(path, asked).rows}
    bounds = asked.since, asked.until, asked.as_of
    days = Counter(day[:7] for day, _ in read_canonical_days(path, "cost", *bounds))
    billed = {row[0] for row in money.rows}
    lines = [*money.rows, *((month, None, None) for month in {*used, *days} - billed)]
    rows = [
        (month, currency, amount, used.get(month), hits[month][-1] if month in hits else None, days[month])
        for month, currency, amount in sorted(lines, key=lambda line: (line[0], line[1] or ""))
    ]
    read, whole = sum(row[2] for row in hits.values()), sum(sum(row[:3]) for row in hits.values())
    alone = len({row[1] for row in money.rows}) <= 1  # amounts of several currencies have no sum
    rate = round(read / whole, 4) if whole else None
    # what is not archived is not zero
    billed_sum = sum(row[-1] for row in money.rows) if alone and days else None
    used_sum = sum(used.values()) if read_canonical_days(path, "usage", *bounds) else None
    total = ("total", None, billed_sum, used_sum, rate, sum(days.values()))
    columns = [
        Column("month"),
        Column("currency"),
        Column("amount", Kind.MONEY),
        Column("tokens", Kind.COUNT),
        Column("cache_hit_rate", Kind.SHARE),
        Column("billed_days", Kind.COUNT),
    ]
    return Table(columns, rows, money.note, total)
