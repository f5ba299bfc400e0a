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
    """A limit of cost in US dollars.

    Attributes:
        unit: month, quarter or year.
        dimension: workspace, api_key, model or team; "" for all cost.
        name: The name or id of one value of the dimension.
    """

    amount: Decimal
    unit: str = "month"
    dimension: str = ""
    name: str = "total"


_LATEST_YEAR = 2200


@dataclass(frozen=True, slots=True)
class ReportRequest:
    """The options of one report.

    Attributes:
        since: First day; None: the first archived day.
        until: Day after the last one; None: the day after the last archived day.
        by: Words of `--by`; empty: the default of the report.
        top: The number of rows before the others are folded into one; None: all rows.
        as_of: The moment that the archive is read at, in UTC seconds; None: now.
        unit: The unit of amounts, usd or cents.
        period: The period of a report that is about one; None: the month of the last archived day.
        against: The period that it is compared with; None: the one before.
        against_file: The log of another program to compare with; None: none.
        tolerance: By how many percent numbers may differ and still match.
        sort: The column that a comparison is ordered by; None: the default.
        first_seen: Bounds of the time that a change was first seen, as text, for reports of changes.
        sparklines: Whether rows get sparklines.
        teams: The rules of teams; None: none are given.
        days: A number of days, of a report that asks for one; None: its default.
        timezone: The timezone that hours are shown in; days are of UTC in any case.
        warn: Whether a limit that is projected to be exceeded needs attention too.
        today: The current UTC day.
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
        """Refuse days after which Python has none.

        Raises:
            ConfigurationError: A day is after the year 2200.
        """
        for day in (self.since, self.until):
            if day is not None and day.year > _LATEST_YEAR:
                raise ConfigurationError(f"{day} is long after today", hint="write it as 2026-10-05")

    def grouped(self, dimensions: Sequence[str], default: Sequence[str], name: str) -> tuple[str, ...]:
        """Return the words to group by, in the order of `dimensions`.

        Raises:
            ConfigurationError: The report cannot be grouped by one of them.
        """
        for one in self.by:
            if one not in dimensions:
                raise ConfigurationError(
                    f"cannot group {name} by {one!r}", hint=f"the dimensions of {name} are {', '.join(dimensions)}"
                )
        return tuple(one for one in dimensions if one in (self.by or default))

    def selects(self, day: date) -> bool:
        """Return whether a day is within the bounds."""
        return (self.since is None or day >= self.since) and (self.until is None or day < self.until)

    @property
    def bounds(self) -> tuple[str | None, str | None]:
        """The first day and the day after the last as text; None: no bound."""
        since, until = (None if one is None else one.isoformat() for one in (self.since, self.until))
        return since, until


@dataclass(frozen=True, slots=True)
class SelectedDays:
    """The archived days that a request selects.

    Attributes:
        days: The days in order.
        known: The selected period and which of its days are archived; None: none is.
        sentence: The note for that case, else empty.
    """

    days: list[Day]
    known: KnownDays | None
    sentence: str = ""

    def unknown(self) -> Table:
        """Return the table of a report without any archived day."""
        return Table([], [], notes=(self.sentence,), is_known=False)


def select_days(reader: ArchiveReader, report: Report, request: ReportRequest, dimension: str = "") -> SelectedDays:
    """Return the archived days of a report that a request selects.

    `dimension` is as in `ArchiveReader.days`.
    """
    return select_of(reader.days(report, dimension=dimension), str(report), request)


def select_of(archived: Sequence[Day], what: str, request: ReportRequest) -> SelectedDays:
    """Return those of some archived days that a request selects.

    `what` names the report in the note on days that are not archived.
    """
    days = [day for day in archived if request.selects(day.date)]
    if not days:
        # The note names the days asked for; an open end is that of the archive.
        asked = None
        if archived and (request.since or request.until):
            since = request.since or archived[0].date
            asked = Period(since, request.until or max(archived[-1].date, since) + timedelta(days=1))
        as_of = None if request.as_of is None else to_text(request.as_of)
        return SelectedDays([], None, not_archived(what, asked, archived, as_of))
    # Without a bound the period ends with the archive: days that it never reached are not missing.
    period = Period(request.since or days[0].date, request.until or days[-1].date + timedelta(days=1))
    return SelectedDays(days, KnownDays.of(period, days))


def period_of(reader: ArchiveReader, request: ReportRequest) -> Period:
    """Return the period of a report about one.

    It is that of `--month` or `--period`, else the month of the last archived day of cost that is not after today or
    `as_of`.
    """
    if request.period is not None:
        return request.period
    # The month of the last archived day has numbers, also if the archive has not been synced since.
    today = request.today
    if request.as_of is not None:
        today = min(today, datetime.fromtimestamp(request.as_of, UTC).date())
    days = [day.date for day in reader.days(Report.COST, until=(today + timedelta(days=1)).isoformat())]
    return month_of(days[-1] if days else today)


def within(request: ReportRequest, period: Period) -> ReportRequest:
    """Return a request with the days of a period."""
    return replace(request, since=period.since, until=period.until)
