"""Cost by day and group, from a report that has the requested dimensions.

Amounts include credits, which are negative.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING, Any

from archiver.errors import ConfigurationError
from archiver.model import Report
from archiver.offline.reports.key_days import Method, choose_days, method_notes, read_key_days
from archiver.offline.reports.request import ANALYTICS_NOTE, COST_NOTE
from archiver.offline.tables.money import Estimate
from archiver.offline.teams.split import TeamSplit
from archiver.reports.dimensions import BY_NAME, TIMES, dimensions_of, missing_columns
from archiver.store.read.daily_sums import group_columns

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from archiver.offline.reports.request import ReportRequest
    from archiver.offline.tables.table import Row
    from archiver.offline.teams.rules import Teams
    from archiver.store.read.daily_sums import Day
    from archiver.store.read.reader import ArchiveReader

_LABEL_COLUMNS = frozenset({one.label_column for one in BY_NAME.values() if one.label_column is not None})
# The dimensions of `--by` that each source of money has. The third source is cost by API key, as in `report keys`.
_COST_DIMENSIONS = tuple(name for name in dimensions_of(Report.COST) if name not in TIMES)
_ANALYTICS_DIMENSIONS = tuple(name for name in dimensions_of(Report.ANALYTICS_COST) if name not in TIMES)
_KEY_DIMENSIONS = ("workspace", "api_key")
TEAM_WORDS = ("team", "cost-centre")
"""The dimensions of `--by` that need the file of team rules."""
DIMENSIONS = (*TEAM_WORDS, *(name for name in BY_NAME if name in {*_COST_DIMENSIONS, *_ANALYTICS_DIMENSIONS}))
"""All dimensions of `--by` that money can be grouped by."""
_NO_COST_CENTRE = "(no cost centre)"
_FLAGS = ("is_credit", "is_estimate")
"""Columns that are added to rows before they are split among teams.

They keep credits and estimates apart in the sums of a team, which otherwise are one number.
"""


@dataclass(slots=True)
class DailyAmounts:
    """The amounts of one group by day, in 1e-18 cents.

    Attributes:
        values: The values of the group's dimensions, with labels, and its currency.
        amounts: Day → amount, credits included.
        credits: Day → the sum of the negative amounts alone.
        is_estimate: Whether at least one amount is an estimate.
    """

    values: Row
    amounts: dict[date, int] = field(default_factory=lambda: defaultdict(int))
    credits: dict[date, int] = field(default_factory=lambda: defaultdict(int))
    is_estimate: bool = False

    def total(self, days: Iterable[date]) -> int:
        """Return the sum of the amounts of days; an `Estimate` for estimates."""
        total = sum(self.amounts.get(day, 0) for day in days)
        return Estimate(total) if self.is_estimate else total

    def without_credits(self, day: date) -> int:
        """Return the amount of a day without its credits, which do not recur."""
        return self.amounts.get(day, 0) - self.credits.get(day, 0)


@dataclass(frozen=True, slots=True)
class DailyMoney:
    """Money by day and group.

    Attributes:
        what: The name of the report, for the note on a range without archived days.
        archived: All archived days of the report.
        days: The archived days that were wanted, and so read.
        grouped: The dates in `days` on which the archived series is grouped by all requested dimensions. On the other
            days at least one dimension is `(not grouped)`.
        groups: The amounts of each group.
        notes: Sentences that a reader needs to interpret the amounts.
    """

    what: str
    archived: list[Day]
    days: list[Day]
    grouped: frozenset[date]
    groups: list[DailyAmounts]
    notes: tuple[str, ...]


def read_daily_money(
    reader: ArchiveReader, request: ReportRequest, by: tuple[str, ...], wanted: Callable[[date], bool]
) -> DailyMoney:
    """Read the money of the wanted days, grouped by some of `DIMENSIONS`.

    The first source that fits `by` is used:

    1. For `team` or `cost-centre`: see `_read_teams`.
    2. The cost report, if it has all dimensions.
    3. For API keys, alone or with workspaces: billed or allocated cost, as in `report keys`.
    4. The analytics cost report.

    `wanted` returns whether a day is to be read.

    Raises:
        ConfigurationError: No report has all of the dimensions, or a dimension needs team rules and there are none.
    """
    if set(by) & set(TEAM_WORDS):
        return _read_teams(reader, request, by, wanted)
    if set(by) <= set(_COST_DIMENSIONS):
        archived = reader.days(Report.COST)
        days = [day for day in archived if wanted(day.date)]
        return DailyMoney(
            "cost",
            archived,
            days,
            _grouped_dates(Report.COST, by, days),
            read_daily_amounts(reader, by, days),
            (COST_NOTE,),
        )
    if set(by) <= set(_KEY_DIMENSIONS):
        return _read_keys(reader, request, by, wanted)
    not_in_cost = next(name for name in by if name not in _COST_DIMENSIONS)
    if not set(by) <= set(_ANALYTICS_DIMENSIONS):
        not_in_analytics = next(name for name in by if name not in _ANALYTICS_DIMENSIONS)
        names = f"{not_in_analytics!r} and {not_in_cost!r}"
        raise ConfigurationError(f"cannot group by {names} at once: no report has both", hint="give one of them")
    # Several series can cover a day. With `dimension` the reader prefers a series that is grouped by it.
    dimension = BY_NAME[not_in_cost].grouped_by[Report.ANALYTICS_COST]
    archived = reader.days(Report.ANALYTICS_COST, dimension=dimension)
    days = [day for day in archived if wanted(day.date)]
    groups = read_daily_amounts(reader, by, days, Report.ANALYTICS_COST)
    grouped = _grouped_dates(Report.ANALYTICS_COST, by, days)
    return DailyMoney("analytics-cost", archived, days, grouped, groups, (ANALYTICS_NOTE,))


def _grouped_dates(report: Report, by: tuple[str, ...], days: Iterable[Day]) -> frozenset[date]:
    """Return the dates on which the archived series is grouped by all of `by`."""
    columns = tuple(group_columns(report, by))
    return frozenset(day.date for day in days if not missing_columns(report, columns, day.group_by))


def read_daily_amounts(
    reader: ArchiveReader, by: tuple[str, ...], days: Sequence[Day], report: Report = Report.COST
) -> list[DailyAmounts]:
    """Read the amounts of each group by day, from one report.

    A group is identified by its ids, because names can change. Its label is its latest name.
    """
    groups: dict[tuple[Any, ...], DailyAmounts] = {}
    for line in reader.lines(report, ("day", *by), days):
        values = {name: value for name, value in line.values.items() if name != "date"}
        key = tuple(value for name, value in values.items() if name not in _LABEL_COLUMNS)
        group = groups.setdefault(key, DailyAmounts(values))
        group.values = values  # lines are in order of time, so the last assignment has the latest name
        day = date.fromisoformat(line.values["date"])
        amount, credit = line.sums
        group.amounts[day] += amount
        group.credits[day] += credit
    return list(groups.values())


def _read_keys(
    reader: ArchiveReader, request: ReportRequest, by: tuple[str, ...], wanted: Callable[[date], bool]
) -> DailyMoney:
    """Read billed or allocated money by API key, alone or with workspace."""
    archived_days = choose_days(reader)
    wanted_days = {start: (report, day) for start, (report, day) in archived_days.items() if wanted(day.date)}
    # `since` and `until` would limit the usage that cost is allocated by, but wanted days can lie outside of them.
    key_days = read_key_days(reader, replace(request, since=None, until=None), wanted_days)
    groups: dict[tuple[Any, ...], DailyAmounts] = {}
    for key_day in key_days:
        for share in key_day.shares():
            values = {
                **({"workspace_id": share.workspace} if "workspace" in by else {}),
                **({"api_key_id": share.key} if "api_key" in by else {}),
                "currency": share.currency,
            }
            group = groups.setdefault(tuple(values.values()), DailyAmounts(values))
            group.values = reader.with_labels(values, key_day.day.start)
            group.amounts[key_day.day.date] += share.amount
            group.credits[key_day.day.date] += share.credit
            # An estimate concerns the shares of keys. Their sum, the cost of a workspace, is exact.
            group.is_estimate |= share.method is Method.ESTIMATED and "api_key" in by
    has_estimates = any(group.is_estimate for group in groups.values())
    notes = method_notes(key_days, has_estimates=has_estimates)
    days = [day for _, day in wanted_days.values()]
    grouped = frozenset(key_day.day.date for key_day in key_days if key_day.is_grouped(by))
    archived = [day for _, day in archived_days.values()]
    return DailyMoney("cost", archived, days, grouped, list(groups.values()), tuple(notes))


def _read_teams(
    reader: ArchiveReader, request: ReportRequest, by: tuple[str, ...], wanted: Callable[[date], bool]
) -> DailyMoney:
    """Read money by team, and by the other dimensions of `by`.

    It is read by the other dimensions and those that the team rules match by, and then split among the teams.
    """
    teams = teams_of(request)
    others = tuple(name for name in by if name not in TEAM_WORDS)
    read_by = tuple(name for name in BY_NAME if name in {*others, *teams.fields})
    months: set[tuple[int, int]] = set()
    # A rule can split cost by what each team has in a month: then all days of the months are read.
    if teams.has_split:
        archived = read_daily_money(reader, request, read_by, lambda _: False).archived  # days only, without amounts
        months = {(day.date.year, day.date.month) for day in archived if wanted(day.date)}
    read = read_daily_money(reader, request, read_by, lambda day: wanted(day) or (day.year, day.month) in months)
    kept = [BY_NAME[name].column for name in others]
    split = TeamSplit(reader, teams, [*kept, "currency", *_FLAGS])
    for group in read.groups:
        charges = {day: group.without_credits(day) for day in group.amounts}
        for is_credit, amounts in ((False, charges), (True, group.credits)):
            split.add(group.values | dict(zip(_FLAGS, (is_credit, group.is_estimate), strict=True)), amounts)
    groups: dict[tuple[Any, ...], DailyAmounts] = {}
    for (team, key), amounts in split.sums().items():
        values = dict(key)
        is_credit, is_estimate = (values.pop(flag) for flag in _FLAGS)
        team_values = team_columns(teams, team, by)
        group = groups.setdefault((*team_values.values(), *values.values()), DailyAmounts(team_values | values))
        for day, amount in amounts.items():
            if wanted(day):
                group.amounts[day] += amount
                group.credits[day] += amount if is_credit else 0
        group.is_estimate |= is_estimate
    days = [day for day in read.days if wanted(day.date)]
    # Names are those at the end of the last archived day.
    last_day = max((day.start for day in read.archived), default=0)
    for group in groups.values():
        group.values = reader.with_labels(group.values, last_day)
    # A group without amounts has cost only on days that were read for a split, and are not wanted.
    wanted_groups = [group for group in groups.values() if group.amounts]
    return DailyMoney(read.what, read.archived, days, read.grouped, wanted_groups, read.notes)


def teams_of(request: ReportRequest) -> Teams:
    """Return the team rules that a request was given.

    Raises:
        ConfigurationError: The request has no team rules.
    """
    if request.teams is None:
        raise ConfigurationError(
            "there are no teams", hint="write rules to teams.toml, and pass that file with --teams FILE"
        )
    return request.teams


def team_columns(teams: Teams, team: str, by: Collection[str]) -> dict[str, str]:
    """Return the columns of a line for a team: its name and its cost centre.

    Each of them is returned only if it is in `by`.
    """
    values = {"team": team, "cost-centre": teams.cost_centres.get(team, _NO_COST_CENTRE)}
    # A dimension is written with a hyphen, its column with an underscore.
    return {name.replace("-", "_"): values[name] for name in TEAM_WORDS if name in by}
