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

_COUNT = "count"  # a column with the index of an amount in COUNTS, because each count is split by itself
_PARTS = 10**12
"""Parts of a token. Parts are split, not tokens, so that shares are rounded once for a line and not for each day."""
_TEAM_COLUMNS = frozenset(name.replace("-", "_") for name in TEAM_WORDS)


def read_team_usage(reader: ArchiveReader, request: ReportRequest, by: tuple[str, ...]) -> Grouped:
    """Read the usage of the selected days, grouped by team or cost centre.

    Lines have no sparklines.

    A rule with a proportional split splits each count, such as the output tokens, in proportion to the same count that
    the other rules assign to each team in the same month.

    Raises:
        ConfigurationError: There are no team rules, or they match by person, which the usage report does not have.
    """
    teams = teams_of(request)
    if not set(teams.fields) <= set(dimensions_of(Report.USAGE)):
        raise ConfigurationError(
            "the usage report has no people, but a team rule matches by person",
            hint="report spend --by team shows their money",
        )
    selected = select_days(reader, Report.USAGE, request)
    if selected.known is None:
        return Grouped(selected, by, [], None)
    dates = {day.date for day in selected.days}
    # A split depends on the counts of the teams in a month, so all days of the month are needed.
    months = {f"{day:%Y-%m}" for day in dates} if teams.has_split else set()
    days = [day for day in reader.days(Report.USAGE) if day.date in dates or f"{day.date:%Y-%m}" in months]
    others = tuple(name for name in by if name not in {*TIMES, *TEAM_WORDS})
    read_by = tuple(name for name in BY_NAME if name in {*others, *teams.fields})
    split = TeamSplit(reader, teams, [*(BY_NAME[name].column for name in others), _COUNT], apart_by=_COUNT)
    for line in reader.lines(Report.USAGE, ("day", *read_by), days):
        day = date.fromisoformat(line.values["date"])
        for index, count in enumerate(line.sums):
            split.add(line.values | {_COUNT: index}, {day: count * _PARTS})
    lines = _lines(split, teams, by, dates)
    _round(lines.values())
    found = [lines[key] for key in sorted(lines, key=lambda key: tuple(map(str, key)))]
    for line in found:
        line.values = reader.with_labels(line.values, selected.days[-1].start)
    return Grouped(selected, by, found, None)


def _lines(split: TeamSplit, teams: Teams, by: tuple[str, ...], dates: set[date]) -> dict[tuple[Any, ...], Line]:
    """Return lines by the values of their columns; sums are parts of tokens.

    Only the days in `dates` are added.
    """
    lines: dict[tuple[Any, ...], Line] = {}
    for (team, key), counts in split.sums().items():
        kept = dict(key)
        index = kept.pop(_COUNT)
        for day, count in counts.items():
            if day in dates:
                # Dimension of `--by` → its column, and the value of the day in this column.
                times = {"day": ("date", f"{day}"), "month": ("month", f"{day:%Y-%m}")}
                values = dict(times[name] for name in TIMES if name in by) | team_columns(teams, team, by) | kept
                line = lines.setdefault(tuple(values.values()), Line(values, [0] * len(COUNTS), 0))
                line.sums[index] += count
    return lines


def _round(lines: Iterable[Line]) -> None:
    """Replace the parts in each line by whole counts.

    The sums over lines that differ only by team stay the same.
    """
    groups: dict[tuple[Any, ...], list[Line]] = {}
    for line in lines:
        other_values = tuple(value for name, value in line.values.items() if name not in _TEAM_COLUMNS)
        groups.setdefault(other_values, []).append(line)
    for group in groups.values():
        for index in range(len(COUNTS)):
            parts = {position: line.sums[index] for position, line in enumerate(group)}
            tokens = allocate(sum(parts.values()) // _PARTS, parts)
            for position, line in enumerate(group):
                line.sums[index] = tokens.get(position, 0)
