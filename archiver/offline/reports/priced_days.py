"""Days on which prices can be computed from tokens and their cost.

Both reports have to be archived by the dimensions that a price depends on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from archiver.model import Report
from archiver.offline.reports.drivers import Kind, Used
from archiver.offline.reports.grouped import COUNT_OF_TOKEN_TYPE
from archiver.reports.dimensions import missing_columns
from archiver.store.read.daily_sums import group_columns

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import date

    from archiver.offline.tables.table import Row
    from archiver.store.read.daily_sums import Day
    from archiver.store.read.reader import ArchiveReader

PRICED_BY = ("model", "service_tier", "context_window")
"""The dimensions that a price depends on, and by which both reports are archived by default.

Prices also depend on the region and the speed, but the reports are not grouped by these by default.
"""


def has_all(report: Report, day: Day) -> bool:
    """Return whether the series of a day is grouped by all of `PRICED_BY`."""
    return not missing_columns(report, tuple(group_columns(report, PRICED_BY)), day.group_by)


def priced_days(reader: ArchiveReader, wanted: Callable[[date], bool]) -> dict[Report, list[Day]]:
    """Return the wanted days that both reports have by all of `PRICED_BY`.

    The two lists have the same days in the same order. All were read after the day had ended.
    """
    found = {
        report: {
            day.start: day for day in reader.days(report) if wanted(day.date) and day.is_whole and has_all(report, day)
        }
        for report in (Report.USAGE, Report.COST)
    }
    common = sorted(found[Report.USAGE].keys() & found[Report.COST].keys())
    return {report: [days[start] for start in common] for report, days in found.items()}


def read_used(reader: ArchiveReader, usage: Sequence[Day], cost: Sequence[Day], currency: str) -> Used:
    """Read the tokens on `usage` days, and cost on `cost` days, in a currency."""
    used = Used()
    for line in reader.lines(Report.USAGE, PRICED_BY, usage):
        for token_type, index in COUNT_OF_TOKEN_TYPE.items():
            if line.sums[index]:
                used.tokens[kind_of(line.values, token_type)] += line.sums[index]
    for line in reader.lines(Report.COST, (*PRICED_BY, "token_type", "cost_type"), cost):
        if line.values["currency"] != currency:
            continue
        if line.values["cost_type"] == "tokens" and line.values["token_type"] in COUNT_OF_TOKEN_TYPE:
            used.amounts[kind_of(line.values, line.values["token_type"])] += line.sums[0]
        else:
            used.other += line.sums[0]
    return used


def kind_of(values: Row, token_type: str) -> Kind:
    """Return the kind of tokens that a row has of a token type."""
    model, service_tier, context_window = (values[name] for name in PRICED_BY)
    return Kind(model, service_tier, context_window, token_type)
