"""Days with tokens and money archived by all that a price depends on."""

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
"""The dimensions that a price depends on and that both reports have by default. Region and speed are not among them."""


def has_all(report: Report, day: Day) -> bool:
    """Return whether a day is archived by all that a price depends on."""
    return not missing_columns(report, tuple(group_columns(report, PRICED_BY)), day.group_by)


def priced_days(reader: ArchiveReader, wanted: Callable[[date], bool]) -> dict[Report, list[Day]]:
    """Return the wanted days that both reports have by all dimensions.

    Both were read after the day had ended.
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
    """Read the tokens of days and their cost in one currency."""
    used = Used()
    for line in reader.lines(Report.USAGE, PRICED_BY, usage):
        for token_type, count in COUNT_OF_TOKEN_TYPE.items():
            if line.sums[count]:
                used.tokens[kind_of(line.values, token_type)] += line.sums[count]
    for line in reader.lines(Report.COST, (*PRICED_BY, "token_type", "cost_type"), cost):
        if line.values["currency"] != currency:
            continue
        if line.values["cost_type"] == "tokens" and line.values["token_type"] in COUNT_OF_TOKEN_TYPE:
            used.amounts[kind_of(line.values, line.values["token_type"])] += line.sums[0]
        else:
            used.other += line.sums[0]
    return used


def kind_of(values: Row, token_type: str) -> Kind:
    """Return the kind of tokens of a line."""
    model, service_tier, context_window = (values[one] for one in PRICED_BY)
    return Kind(model, service_tier, context_window, token_type)
