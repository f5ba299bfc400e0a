"""`report statement`: the amounts to book for a month, by team."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from archiver.offline.reports.daily_money import read_daily_money
from archiver.offline.reports.expected import rounded_units
from archiver.offline.reports.grouped import total_row
from archiver.offline.reports.known_days import KnownDays
from archiver.offline.reports.request import period_of, select_of, within
from archiver.offline.tables.money import ATTOCENTS
from archiver.offline.tables.table import Column, Kind, Table, money, plain, sum_by_currency
from archiver.offline.teams.rules import NO_TEAM

if TYPE_CHECKING:
    from archiver.offline.reports.request import ReportRequest
    from archiver.offline.tables.table import Row
    from archiver.store.read.reader import ArchiveReader


def statement(reader: ArchiveReader, request: ReportRequest) -> Table:
    """Return the cost of a month by team and cost centre.

    `amount` is exact. `booked` is in whole cents: in each currency they add up to the total rounded to the cent,
    because the cents that rounding down loses go to the teams that lost most. The table needs attention, which is exit
    code 3, until every day of the month is settled.

    Raises:
        ConfigurationError: There are no team rules.
    """
    period = period_of(reader, request)
    read = read_daily_money(reader, request, ("team", "cost-centre"), lambda day: period.since <= day < period.until)
    selected = select_of(read.archived, read.what, within(request, period))
    if selected.known is None:
        return selected.unknown()
    known = KnownDays.of(period, read.days)
    rows = [group.values | {"amount": group.total(known.archived)} for group in read.groups]
    _add_booked(rows)
    # USD before other currencies; in each, the largest amount first, and cost without a team last.
    rows.sort(key=lambda row: (row["currency"] != "USD", row["currency"], row["team"] == NO_TEAM, -row["amount"]))
    currency_totals = sum_by_currency(rows, "amount")
    for row in rows:
        total = currency_totals[row["currency"]]
        row["share"] = row["amount"] / total if total else None
    names = ["team", "cost_centre", "currency"]
    totals = {name: sum_by_currency(rows, name) or {"USD": 0} for name in ("amount", "booked")}
    table = Table(
        [*plain(*names), *money("amount", "booked"), Column("share", Kind.SHARE)], rows, total_row(names, **totals)
    )
    unsettled = bool(known.missing or known.in_progress or known.provisional)
    return Table(table.columns, rows, table.total, period=known.title(), needs_attention=unsettled).noting(
        known.sentence(),
        f"not final: the API may still change {len(known.provisional)} of the days" if known.provisional else "",
        "booked is in whole cents that add up to the month",
        *read.notes,
    )


def _add_booked(rows: list[Row]) -> None:
    """Add the column `booked` to rows, rounded for each currency by itself."""
    by_currency: dict[str, dict[int, int]] = defaultdict(dict)
    for index, row in enumerate(rows):
        by_currency[row["currency"]][index] = int(row["amount"])
    for amounts in by_currency.values():
        for index, cents in rounded_units(amounts, ATTOCENTS).items():
            rows[index]["booked"] = cents * ATTOCENTS
