"""Money by day and group, from the report that has the dimensions."""

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

_LABELS = frozenset({one.label_column for one in BY_NAME.values() if one.label_column is not None})
_OF_COST = tuple(one for one in dimensions_of(Report.COST) if one not in TIMES)
_OF_KEYS = ("workspace", "api_key")
_OF_ANALYTICS = tuple(one for one in dimensions_of(Report.ANALYTICS_COST) if one not in TIMES)
TEAM_WORDS = ("team", "cost-centre")
"""The words that money can be grouped by with the rules of teams."""
DIMENSIONS = (*TEAM_WORDS, *(one for one in BY_NAME if one in {*_OF_COST, *_OF_ANALYTICS}))
"""The words that money can be grouped by."""
_NO_COST_CENTRE = "(no cost centre)"
_MARKS = ("is_credit", "is_estimate")  # kept apart within a team until its amounts are added up


@dataclass(slots=True)
class DailyAmounts:
    """The amounts of one group by day, in 1e-18 cents.

    Attributes:
        values: The values of its dimensions, with labels, and its currency.
        amounts: Day → amount.
        credits: Day → the negative amounts, which `amounts` include.
        is_estimate: Whether some amount is an estimate.
    """

    values: Row
    amounts: dict[date, int] = field(default_factory=lambda: defaultdict(int))
    credits: dict[date, int] = field(default_factory=lambda: defaultdict(int))
    is_estimate: bool = False

    def total(self, days: Iterable[date]) -> int:
        """Add up the amounts of some days."""
        total = sum(self.amounts.get(day, 0) for day in days)
        return Estimate(total) if self.is_estimate else total

    def without_credits(self, day: date) -> int:
        """Return the amount of a day without its credits, which do not recur."""
        return self.amounts.get(day, 0) - self.credits.get(day, 0)


@dataclass(frozen=True, slots=True)
class DailyMoney:
    """Money by day and group.

    Attributes:
        what: The name of its report, for the note on a range without archived days.
        archived: All days that are archived.
        days: Those of them that were read.
        grouped: The dates of those that are archived by all of the dimensions. On others some group is unknown.
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
    """Read the money of the wanted days, grouped by words of DIMENSIONS.

    By team it is from the report that has what the rules match by. Else it is from the cost report if that has all of
    them. By API key it is billed or allocated, as in `report keys`. All other groupings are from the analytics report.

    Raises:
        ConfigurationError: No report has all of the dimensions, or there are no rules of teams.
    """
    if set(by) & set(TEAM_WORDS):
        return _read_teams(reader, request, by, wanted)
    if set(by) <= set(_OF_COST):
        archived = reader.days(Report.COST)
        days = [day for day in archived if wanted(day.date)]
        return DailyMoney(
            "cost", archived, days, _grouped(Report.COST, by, days), read_daily_amounts(reader, by, days), (COST_NOTE,)
        )
    if set(by) <= set(_OF_KEYS):
        return _read_keys(reader, request, by, wanted)
    if not set(by) <= set(_OF_ANALYTICS):
        known = next(one for one in by if one not in _OF_ANALYTICS)
        other = next(one for one in by if one not in _OF_COST)
        raise ConfigurationError(
            f"cannot group by {known!r} and {other!r} at once: no report has both", hint="give one of them"
        )
    dimension = BY_NAME[next(one for one in by if one not in _OF_COST)].grouped_by[Report.ANALYTICS_COST]
    archived = reader.days(Report.ANALYTICS_COST, dimension=dimension)
    days = [day for day in archived if wanted(day.date)]
    groups = read_daily_amounts(reader, by, days, Report.ANALYTICS_COST)
    grouped = _grouped(Report.ANALYTICS_COST, by, days)
    return DailyMoney("analytics-cost", archived, days, grouped, groups, (ANALYTICS_NOTE,))


def _grouped(report: Report, by: tuple[str, ...], days: Iterable[Day]) -> frozenset[date]:
    columns = tuple(group_columns(report, by))
    return frozenset(day.date for day in days if not missing_columns(report, columns, day.group_by))


def read_daily_amounts(
    reader: ArchiveReader, by: tuple[str, ...], days: Sequence[Day], report: Report = Report.COST
) -> list[DailyAmounts]:
    """Read the amounts of each group by day.

    Groups are identified by ids, as names change; they have their latest name.
    """
    groups: dict[tuple[Any, ...], DailyAmounts] = {}
    for line in reader.lines(report, ("day", *by), days):
        values = {name: value for name, value in line.values.items() if name != "date"}
        key = tuple(value for name, value in values.items() if name not in _LABELS)
        group = groups.setdefault(key, DailyAmounts(values))
        group.values = values  # lines come in order of time, so the latest name stays
        day = date.fromisoformat(line.values["date"])
        group.amounts[day] += line.sums[0]
        group.credits[day] += line.sums[1]
    return list(groups.values())


def _read_keys(
    reader: ArchiveReader, request: ReportRequest, by: tuple[str, ...], wanted: Callable[[date], bool]
) -> DailyMoney:
    chosen = choose_days(reader)
    mine = {start: one for start, one in chosen.items() if wanted(one[1].date)}
    key_days = read_key_days(reader, replace(request, since=None, until=None), mine)
    groups: dict[tuple[Any, ...], DailyAmounts] = {}
    for one in key_days:
        for share in one.shares():
            values = {
                **({"workspace_id": share.workspace} if "workspace" in by else {}),
                **({"api_key_id": share.key} if "api_key" in by else {}),
                "currency": share.currency,
            }
            group = groups.setdefault(tuple(values.values()), DailyAmounts(values))
            group.values = reader.with_labels(values, one.day.start)
            group.amounts[one.day.date] += share.amount
            group.credits[one.day.date] += share.credit
            group.is_estimate |= share.method is Method.ESTIMATED and "api_key" in by
    has_estimates = any(group.is_estimate for group in groups.values())
    notes = method_notes(key_days, has_estimates=has_estimates)
    days = [day for _, day in mine.values()]
    grouped = frozenset(one.day.date for one in key_days if one.is_grouped(by))
    archived = [day for _, day in chosen.values()]
    return DailyMoney("cost", archived, days, grouped, list(groups.values()), tuple(notes))


def _read_teams(
    reader: ArchiveReader, request: ReportRequest, by: tuple[str, ...], wanted: Callable[[date], bool]
) -> DailyMoney:
    """Read money by team, from the report that has the other words and what the rules match by."""
    teams = teams_of(request)
    others = tuple(one for one in by if one not in TEAM_WORDS)
    words = tuple(one for one in BY_NAME if one in {*others, *teams.fields})
    months: set[tuple[int, int]] = set()
    if teams.has_split:  # among the teams of a month, so all of its days are needed
        archived = read_daily_money(reader, request, words, lambda _: False).archived
        months = {(day.date.year, day.date.month) for day in archived if wanted(day.date)}
    read = read_daily_money(reader, request, words, lambda day: wanted(day) or (day.year, day.month) in months)
    kept = [BY_NAME[one].column for one in others]
    split = TeamSplit(reader, teams, [*kept, "currency", *_MARKS])
    for group in read.groups:
        whole = {day: group.without_credits(day) for day in group.amounts}
        for is_credit, amounts in ((False, whole), (True, group.credits)):
            split.add(group.values | dict(zip(_MARKS, (is_credit, group.is_estimate), strict=True)), amounts)
    groups: dict[tuple[Any, ...], DailyAmounts] = {}
    for (team, key), amounts in split.sums().items():
        values = dict(key)
        is_credit, is_estimate = (values.pop(mark) for mark in _MARKS)
        named = team_columns(teams, team, by)
        group = groups.setdefault((*named.values(), *values.values()), DailyAmounts(named | values))
        for day, amount in amounts.items():
            if wanted(day):
                group.amounts[day] += amount
                group.credits[day] += amount if is_credit else 0
        group.is_estimate |= is_estimate
    days = [day for day in read.days if wanted(day.date)]
    last = max((day.start for day in read.archived), default=0)
    for group in groups.values():
        group.values = reader.with_labels(group.values, last)
    found = [one for one in groups.values() if one.amounts]
    return DailyMoney(read.what, read.archived, days, read.grouped, found, read.notes)


def teams_of(request: ReportRequest) -> Teams:
    """Return the rules of teams of a request.

    Raises:
        ConfigurationError: There are none.
    """
    if request.teams is None:
        raise ConfigurationError("there are no teams", hint="write teams.toml, and name it with --teams FILE")
    return request.teams


def team_columns(teams: Teams, team: str, by: Collection[str]) -> dict[str, str]:
    """Return the columns of a team that a grouping has."""
    values = {"team": team, "cost-centre": teams.cost_centres.get(team, _NO_COST_CENTRE)}
    return {word.replace("-", "_"): values[word] for word in TEAM_WORDS if word in by}
