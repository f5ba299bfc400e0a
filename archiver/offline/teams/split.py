"""Money by day and team."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, Any

from archiver.offline.allocation import allocate
from archiver.offline.teams.rules import EVEN, NO_TEAM, Rule
from archiver.reports.dimensions import BY_NAME

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from archiver.offline.teams.rules import Teams
    from archiver.reports.dimensions import Label
    from archiver.store.read.reader import ArchiveReader

Key = tuple[tuple[str, Any], ...]
"""The values of a row that are kept next to its team, with its currency."""


class TeamSplit:
    """Adds up the amounts of days by team, in 1e-18 cents; or counts.

    A split among all teams is by month: in proportion to what the other rules give each team in that month. So it needs
    every day of a month, and is known only after all amounts were added.
    """

    def __init__(self, reader: ArchiveReader, teams: Teams, kept: Sequence[str], apart_by: str = "currency") -> None:
        """Begin without amounts; `kept` are the columns of a row to keep next to its team.

        Amounts that differ in the column `apart_by` are never split in proportion to each other.
        """
        self._reader, self._teams, self._kept, self._apart_by = reader, teams, kept, apart_by
        self._rules: dict[tuple[Any, ...], Rule | Label | None] = {}
        self._sums: dict[tuple[str, Key], dict[date, int]] = defaultdict(lambda: defaultdict(int))
        self._left: list[tuple[Rule, date, Key, int]] = []

    def add(self, values: Mapping[str, Any], amounts: Mapping[date, int]) -> None:
        """Add the amounts of a row by day; `values` has the ids of the fields."""
        key: Key = tuple((name, values[name]) for name in self._kept)
        columns = {BY_NAME[name].column for name in self._teams.fields}
        ids = {name: value for name, value in values.items() if name in columns}
        for day, amount in amounts.items():
            # Names are those of the day, as a rule may be for a name that was given to another workspace later.
            identity = (day, *ids.values())
            if identity not in self._rules:
                start = int(datetime.combine(day, time.min, UTC).timestamp())
                self._rules[identity] = self._teams.rule_of(self._reader.with_labels(ids, start), day)
            rule = self._rules[identity]
            if isinstance(rule, Rule) and rule.split is not None:
                self._left.append((rule, day, key, amount))
            elif isinstance(rule, Rule):
                self._give(allocate(amount, rule.shares), key, day)
            else:
                self._give({NO_TEAM if rule is None else str(rule): amount}, key, day)

    def sums(self) -> dict[tuple[str, Key], dict[date, int]]:
        """Return the amounts by team and kept values, and by day."""
        weights = self._weights()
        left, self._left = self._left, []
        for rule, day, key, amount in left:
            of_month = weights[f"{day:%Y-%m}", dict(key).get(self._apart_by)]
            shares = dict.fromkeys(of_month, 1) if rule.split == EVEN else of_month
            # Without a team that has cost in the month there is no one to split it among.
            self._give(allocate(amount, shares) or {NO_TEAM: amount}, key, day)
        return self._sums

    def _weights(self) -> dict[tuple[str, Any], dict[str, int]]:
        """Return what each team has of a month and currency by other rules, not below zero."""
        direct: dict[tuple[str, Any], dict[str, int]] = defaultdict(lambda: dict.fromkeys(self._teams.names, 0))
        for (team, key), amounts in self._sums.items():
            for day, amount in amounts.items():
                of_month = direct[f"{day:%Y-%m}", dict(key).get(self._apart_by)]
                if team in of_month:
                    of_month[team] += amount
        weights: dict[tuple[str, Any], dict[str, int]] = defaultdict(lambda: dict.fromkeys(self._teams.names, 0))
        return weights | {month: {team: max(0, one) for team, one in of.items()} for month, of in direct.items()}

    def _give(self, shares: Mapping[str, int], key: Key, day: date) -> None:
        for team, amount in shares.items():
            if amount:
                self._sums[team, key][day] += amount
