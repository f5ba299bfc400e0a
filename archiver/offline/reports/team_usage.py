"""Usage by team or cost centre."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from archiver.errors import ConfigurationError
from archiver.model import Report
from archiver.offline.allocation import allocate
from archiver.offline.reports.daily_money import TEAM_WORDS, team_columns, teams_of
from archiver.offline.reports.grouped import COUNTS, Grouped
from archiver.offline.reports.request import select_days
from archiver.offline.teams.split import TeamSplit
from archiver.reports.dimensions import BY_NAME, TIMES, dimensions_of
from archiver.store.read.daily_sums import Line

if TYPE_CHECKING:
    from collections.abc import Iterable

    from archiver.offline.reports.request import ReportRequest
    from archiver.offline.teams.rules import Teams
    from archiver.store.read.reader import ArchiveReader

_COUNT = "count"  # which of COUNTS an amount is: each is split by itself
_PARTS = 10**12
"""The parts of a token that are split: shares are rounded once, for a line, and not in every row of every day."""
_TEAM_COLUMNS = frozenset(word.replace("-", "_") for word in TEAM_WORDS)


def read_team_usage(reader: ArchiveReader, request: ReportRequest, by: tuple[str, ...]) -> Grouped:
    """Read the lines of a grouping by team or cost centre.

    They are of the selected days, and have no sparklines.

    A rule that splits cost in proportion splits tokens in proportion to the tokens of the same kind that the other
    rules give each team in the month.

    Raises:
        ConfigurationError: There are no rules of teams, or they match by people, whom the usage report does not have.
    """
    teams = teams_of(request)
    if not set(teams.fields) <= set(dimensions_of(Report.USAGE)):
        raise ConfigurationError(
            "the usage report has no people, by which a rule of teams matches",
            hint="report spend --by team shows their money",
        )
    selected = select_days(reader, Report.USAGE, request)
    if selected.known is None:
        return Grouped(selected, by, [], None)
    dates = {day.date for day in selected.days}
    # A split is among the teams of a month, so all of its days are needed.
    months = {f"{day:%Y-%m}" for day in dates} if teams.has_split else set()
    days = [day for day in reader.days(Report.USAGE) if day.date in dates or f"{day.date:%Y-%m}" in months]
    others = tuple(one for one in by if one not in {*TIMES, *TEAM_WORDS})
    words = tuple(one for one in BY_NAME if one in {*others, *teams.fields})
    split = TeamSplit(reader, teams, [*(BY_NAME[one].column for one in others), _COUNT], apart_by=_COUNT)
    for line in reader.lines(Report.USAGE, ("day", *words), days):
        day = date.fromisoformat(line.values["date"])
        for i, count in enumerate(line.sums):
            split.add(line.values | {_COUNT: i}, {day: count * _PARTS})
    lines = _lines(split, teams, by, dates)
    _round(lines.values())
    found = [lines[key] for key in sorted(lines, key=lambda key: tuple(map(str, key)))]
    for line in found:
        line.values = reader.with_labels(line.values, selected.days[-1].start)
    return Grouped(selected, by, found, None)


def _lines(split: TeamSplit, teams: Teams, by: tuple[str, ...], dates: set[date]) -> dict[tuple[Any, ...], Line]:
    """Add up the parts of days by the values of a line."""
    lines: dict[tuple[Any, ...], Line] = {}
    for (team, key), counts in split.sums().items():
        kept = dict(key)
        at = kept.pop(_COUNT)
        for day, count in counts.items():
            if day in dates:
                times = {"day": ("date", f"{day}"), "month": ("month", f"{day:%Y-%m}")}
                values = dict(times[one] for one in TIMES if one in by) | team_columns(teams, team, by) | kept
                line = lines.setdefault(tuple(values.values()), Line(values, [0] * len(COUNTS), 0))
                line.sums[at] += count
    return lines


def _round(lines: Iterable[Line]) -> None:
    """Make the parts of each line whole counts, which add up to those of the lines that differ by team alone."""
    groups: dict[tuple[Any, ...], list[Line]] = {}
    for line in lines:
        others = tuple(value for name, value in line.values.items() if name not in _TEAM_COLUMNS)
        groups.setdefault(others, []).append(line)
    for group in groups.values():
        for at in range(len(COUNTS)):
            parts = {i: line.sums[at] for i, line in enumerate(group)}
            whole = allocate(sum(parts.values()) // _PARTS, parts)
            for i, line in enumerate(group):
                line.sums[at] = whole.get(i, 0)
