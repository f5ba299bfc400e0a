"""The request for a report: its options, and the days that they select."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import TYPE_CHECKING

from archiver.errors import ConfigurationError
from archiver.model import Report, to_text
from archiver.offline.periods import Period, month_of
from archiver.offline.reports.known_days import KnownDays, not_archived
from archiver.offline.tables.table import Table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from archiver.offline.teams.rules import Teams
    from archiver.store.read.daily_sums import Day
    from archiver.store.read.reader import ArchiveReader

COST_NOTE = "amounts are from the cost report, not the invoice; priority tier is not included"
ANALYTICS_NOTE = "amounts are from the analytics cost report, not the invoice; credits are not included"


@dataclass(frozen=True, slots=True)
class Budget:
    """A limit on cost in US dollars.

    Attributes:
        amount: The limit in dollars.
        unit: month, quarter or year.
        dimension: workspace, api_key, model or team; "" for all cost.
        name: The name or id of one value of the dimension.
    """

    amount: Decimal
    unit: str = "month"
    dimension: str = ""
    name: str = "total"


_LATEST_YEAR = 2200  # later years are refused as mistakes


@dataclass(frozen=True, slots=True)
class ReportRequest:
    """The options of one report.

    Attributes:
        since: The first day; None: the first archived day.
        until: The day after the last day; None: the day after the last archived day.
        by: The dimensions of `--by`; empty: the default of the report.
        top: The number of rows to show, before a row that sums the others; None: all rows.
        as_of: The time that the archive is read at, in UTC seconds; None: now.
        unit: The unit of amounts, usd or cents.
        period: The period of a report about a single period; None: the default of the report.
        against: The period that `period` is compared with; None: the period before it.
        against_file: The log of another program that the archive is compared with; None: no log is given.
        tolerance: The largest difference of numbers that match, in percent.
        sort: The column that a comparison is ordered by; None: the default of the report.
        first_seen: The bounds of the time at which a change was first seen, as text, for reports on changes.
        sparklines: Whether rows get sparklines.
        teams: The team rules; None: no rules are given.
        days: The number of days for a report that has such an option; None: its default.
        timezone: The timezone that hours are shown in. Days are UTC days in any timezone.
        warn: Whether a limit that is projected to be exceeded needs attention too.
        today: The current UTC day.
        budgets: The configured budgets.
    """

    since: date | None = None
    until: date | None = None
    by: tuple[str, ...] = ()
    top: int | None = None
    as_of: int | None = None
    unit: str = "usd"
    period: Period | None = None
    against: Period | None = None
    against_file: Path | None = None
    tolerance: Decimal = Decimal(1)
    sort: str | None = None
    first_seen: tuple[str | None, str | None] = (None, None)
    sparklines: bool = False
    teams: Teams | None = None
    days: int | None = None
    timezone: tzinfo = UTC
    warn: bool = False
    today: date = field(default_factory=lambda: datetime.now(UTC).date())
    budgets: tuple[Budget, ...] = ()

    def __post_init__(self) -> None:
        """Refuse days that are too late to calculate with.

        Raises:
            ConfigurationError: A day is after the year 2200.
        """
        for day in (self.since, self.until):
            if day is not None and day.year > _LATEST_YEAR:
                raise ConfigurationError(f"{day} is long after today", hint="write it as 2026-10-05")

    def grouped(self, dimensions: Sequence[str], default: Sequence[str], name: str) -> tuple[str, ...]:
        """Return the dimensions to group by, in the order of `dimensions`.

        They are those of `by`, or else `default`. `name` is the name of the report, for the error message.

        Raises:
            ConfigurationError: `by` has a dimension that is not in `dimensions`.
        """
        for requested in self.by:
            if requested not in dimensions:
                raise ConfigurationError(
                    f"cannot group {name} by {requested!r}",
                    hint=f"the dimensions of {name} are {', '.join(dimensions)}",
                )
        return tuple(dimension for dimension in dimensions if dimension in (self.by or default))

    def selects(self, day: date) -> bool:
        """Return whether a day is within `since` and `until`."""
        return (self.since is None or day >= self.since) and (self.until is None or day < self.until)

    @property
    def bounds(self) -> tuple[str | None, str | None]:
        """`since` and `until` as text; None: no bound."""
        since, until = (None if day is None else day.isoformat() for day in (self.since, self.until))
        return since, until


@dataclass(frozen=True, slots=True)
class SelectedDays:
    """The archived days that a request selects.

    Attributes:
        days: The days in order.
        known: The selected period, and which of its days are archived; None if no day is archived.
        sentence: The note to show if no day is archived, otherwise "".
    """

    days: list[Day]
    known: KnownDays | None
    sentence: str = ""

    def unknown(self) -> Table:
        """Return the table for a selection without archived days: only the note."""
        return Table([], [], notes=(self.sentence,), is_known=False)


def select_days(reader: ArchiveReader, report: Report, request: ReportRequest, dimension: str = "") -> SelectedDays:
    """Return the archived days of a report that a request selects.

    `dimension` selects the series of analytics-cost, see `ArchiveReader.days`.
    """
    return select_of(reader.days(report, dimension=dimension), str(report), request)


def select_of(archived: Sequence[Day], what: str, request: ReportRequest) -> SelectedDays:
    """Return the days of `archived` that a request selects.

    `what` names the report in the note on days that are not archived.
    """
    days = [day for day in archived if request.selects(day.date)]
    if not days:
        # The note names the requested period. A bound that was not requested is that of the archive.
        requested = None
        if archived and (request.since or request.until):
            since = request.since or archived[0].date
            requested = Period(since, request.until or max(archived[-1].date, since) + timedelta(days=1))
        as_of = None if request.as_of is None else to_text(request.as_of)
        return SelectedDays([], None, not_archived(what, requested, archived, as_of))
    # Without a bound the period ends with the archive: days that it never reached are not missing.
    period = Period(request.since or days[0].date, request.until or days[-1].date + timedelta(days=1))
    return SelectedDays(days, KnownDays.of(period, days))


def period_of(reader: ArchiveReader, request: ReportRequest) -> Period:
    """Return the period of a report about a single period.

    It is the period of `--month` or `--period`. Without these it is the month of the last archived day of cost that is
    not after today or `as_of`, or the current month if no such day is archived.
    """
    if request.period is not None:
        return request.period
    # Not simply the current month, which has no numbers if the archive was not synced in it.
    today = request.today
    if request.as_of is not None:
        today = min(today, datetime.fromtimestamp(request.as_of, UTC).date())
    days = [day.date for day in reader.days(Report.COST, until=(today + timedelta(days=1)).isoformat())]
    return month_of(days[-1] if days else today)


def within(request: ReportRequest, period: Period) -> ReportRequest:
    """Return a copy of a request that selects the days of a period."""
    return replace(request, since=period.since, until=period.until)
