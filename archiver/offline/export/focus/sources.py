"""The reports that a FOCUS file can be made from, and their rows by day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import groupby
from typing import TYPE_CHECKING, Any

from archiver.errors import ConfigurationError
from archiver.model import Report
from archiver.offline.export.focus.columns import BY_KEY_COLUMNS, COLUMNS
from archiver.store.statements import sql

if TYPE_CHECKING:
    from collections.abc import Mapping

    from archiver.offline.export.focus.columns import Kind
    from archiver.offline.periods import Period
    from archiver.store.read.daily_sums import Day
    from archiver.store.read.reader import ArchiveReader

Rows = dict[date, list[dict[str, Any]]]
"""Day → its cost rows, in one order."""


@dataclass(frozen=True, slots=True)
class Source:
    """A report with costs.

    Attributes:
        what: What it has, for notes.
        about: Where its costs are from, for the metadata.
        sync: The command that archives it.
        columns: The columns of its files.
        dimension: The dimension that a day has to be grouped by; "" for none.
        statement: The statement that reads a month.
        team_fields: What rules of teams can match by.
    """

    report: Report
    what: str
    about: str
    sync: str
    columns: Mapping[str, Kind]
    dimension: str
    statement: str
    team_fields: frozenset[str]

    def days(self, reader: ArchiveReader, since: date | None, until: date) -> list[Day]:
        """Return the archived days of a range that are grouped by the dimension."""
        days = reader.days(self.report, None if since is None else f"{since}", f"{until}", dimension=self.dimension)
        return [day for day in days if not self.dimension or self.dimension in day.group_by]

    def rows(self, reader: ArchiveReader, month: Period) -> Rows:
        """Return the cost rows of each day of a month.

        They have `is_credit`, and `has_workspace` and `has_person`: whether their day is grouped by these. A null of a
        day that is not grouped by a dimension is not the API's null.
        """
        group_by = {f"{day.date}": day.group_by for day in self.days(reader, month.since, month.until)}
        found = reader.connection.execute(sql(self.statement), {"month": f"{month.since:%Y-%m}"})
        names = [column[0] for column in found.description]
        rows = [dict(zip(names, row, strict=True)) for row in found]
        for row in rows:
            # The reports have no such field: a negative amount that is not of tokens is a credit.
            row["is_credit"] = Decimal(row["amount"]) < 0 and row["token_type"] is None
            of_day = group_by.get(row["date"], frozenset())
            row["has_workspace"], row["has_person"] = "workspace_id" in of_day, "actor" in of_day
        order = ("date", "workspace_id", "description", *names)
        rows.sort(key=lambda row: tuple(str(row[name]) for name in order if name in row))
        return {date.fromisoformat(day): list(some) for day, some in groupby(rows, key=lambda row: row["date"])}


COST = Source(
    report=Report.COST,
    what="cost",
    about="the cost report, not the invoice",
    sync="archiver sync",
    columns=COLUMNS,
    dimension="",
    statement="daily_cost.select_month",
    team_fields=frozenset({"workspace"}),
)
BY_KEY = Source(
    report=Report.ANALYTICS_COST,
    what="billed cost by API key",
    about="the analytics cost report by API key, not the invoice",
    sync="archiver sync --report analytics-cost",
    columns=BY_KEY_COLUMNS,
    dimension="api_key_id",
    statement="focus.select_month_by_key",
    team_fields=frozenset({"workspace", "api_key", "person"}),
)


def check_currency(rows: Rows, what: str) -> None:
    """Raise ConfigurationError if rows are in several currencies."""
    currencies = {row["currency"] for of_day in rows.values() for row in of_day}
    if len(currencies) > 1:
        raise ConfigurationError(
            f"{what} has bills in {' and '.join(sorted(currencies))}", hint="a FOCUS file is of one currency"
        )
