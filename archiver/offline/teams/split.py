"""Amounts of money, or counts of usage, by team and day."""

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
"""The columns of a row that the sums of a team are kept apart by, with their values."""


class TeamSplit:
    """Adds up daily amounts by team: money in 1e-18 cents, or counts.

    A rule can split amounts among all teams, in proportion to the amounts that the other rules assign to each team in
    the same month. So every day of a month has to be added, and the splits are computed last.
    """

    def __init__(self, reader: ArchiveReader, teams: Teams, kept: Sequence[str], apart_by: str = "currency") -> None:
        """Begin without amounts.

        `kept` are the columns that the sums of a team are kept apart by. `apart_by` is one of them: proportions are
        computed for each of its values by itself, because amounts in different currencies cannot be compared.
        """
        self._reader, self._teams, self._kept, self._apart_by = reader, teams, kept, apart_by
        # The rules found so far, by day and ids, because the same ids recur in many rows.
        self._rules: dict[tuple[Any, ...], Rule | Label | None] = {}
        self._sums: dict[tuple[str, Key], dict[date, int]] = defaultdict(lambda: defaultdict(int))
        self._unsplit: list[tuple[Rule, date, Key, int]] = []

    def add(self, values: Mapping[str, Any], amounts: Mapping[date, int]) -> None:
        """Add the daily amounts of a row.

        `values` has the ids that the team rules match by, and the columns to keep.
        """
        key: Key = tuple((name, values[name]) for name in self._kept)
        columns = {BY_NAME[name].column for name in self._teams.fields}
        ids = {name: value for name, value in values.items() if name in columns}
        for day, amount in amounts.items():
            # A name is looked up as of the day, because it can belong to another workspace later.
            identity = (day, *ids.values())
            if identity not in self._rules:
                start = int(datetime.combine(day, time.min, UTC).timestamp())
                self._rules[identity] = self._teams.rule_of(self._reader.with_labels(ids, start), day)
            rule = self._rules[identity]
            if isinstance(rule, Rule) and rule.split is not None:
                self._unsplit.append((rule, day, key, amount))
            elif isinstance(rule, Rule):
                self._assign(allocate(amount, rule.shares), key, day)
            # `rule` is None, or the label `(not grouped)` if it is unknown which rule matches.
            else:
                self._assign({NO_TEAM if rule is None else str(rule): amount}, key, day)

    def sums(self) -> dict[tuple[str, Key], dict[date, int]]:
        """Return the amounts by team and kept columns, and by day."""
        weights = self._weights()
        # Emptied, so that a second call does not split the same amounts again.
        unsplit, self._unsplit = self._unsplit, []
        for rule, day, key, amount in unsplit:
            month_weights = weights[f"{day:%Y-%m}", dict(key).get(self._apart_by)]
            shares = dict.fromkeys(month_weights, 1) if rule.split == EVEN else month_weights
            # There are no shares if no team has an amount in the month, or if no rule names a team.
            self._assign(allocate(amount, shares) or {NO_TEAM: amount}, key, day)
        return self._sums

    def _weights(self) -> dict[tuple[str, Any], dict[str, int]]:
        """Return each team's amount by other rules, by month and `apart_by`.

        A sum below zero, of credits, counts as zero.
        """
        direct: dict[tuple[str, Any], dict[str, int]] = defaultdict(lambda: dict.fromkeys(self._teams.names, 0))
        for (team, key), amounts in self._sums.items():
            for day, amount in amounts.items():
                month_sums = direct[f"{day:%Y-%m}", dict(key).get(self._apart_by)]
                if team in month_sums:  # `(no team)` and `(not grouped)` are not
                    month_sums[team] += amount
        weights: dict[tuple[str, Any], dict[str, int]] = defaultdict(lambda: dict.fromkeys(self._teams.names, 0))
        for key_of_month, month_sums in direct.items():
            weights[key_of_month] = {team: max(0, amount) for team, amount in month_sums.items()}
        return weights

    def _assign(self, shares: Mapping[str, int], key: Key, day: date) -> None:
        for team, amount in shares.items():
            if amount:
                self._sums[team, key][day] += amount
