"""The rules of teams: in order, and the first that matches wins.

A rule matches by workspace, API key and person, each by its id or its name, where `*` stands for any text. It gives the
cost to one team, to several by shares, or splits it among all others. What no rule matches is `(no team)`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from archiver.reports.dimensions import BY_NAME, Label

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import date

NO_TEAM = "(no team)"
FIELDS = ("workspace", "api_key", "person")
"""The dimensions that a rule can match by."""
PROPORTIONAL, EVEN = "proportional", "even"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule.

    Attributes:
        number: Its place in the file, from 1.
        shares: Team → weight; one team has all. Empty for a split among all other teams.
        split: `proportional` to the cost that teams have by other rules in the same month, `even`, or None.
        patterns: Field → patterns, of which one has to match; a field that is left out matches everything.
        since: The first day that the rule is for; None: no bound.
        until: The day after the last one; None: no bound.
    """

    number: int
    shares: Mapping[str, int]
    split: str | None = None
    patterns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    since: date | None = None
    until: date | None = None

    def is_for(self, day: date) -> bool:
        """Return whether a day is within the bounds of the rule."""
        return (self.since is None or day >= self.since) and (self.until is None or day < self.until)

    def matches(self, values: Mapping[str, Any]) -> bool:
        """Return whether a row matches, by the columns of its ids and labels."""
        return all(_matches(name, patterns, values) for name, patterns in self.patterns.items())

    def lacks(self, values: Mapping[str, Any]) -> bool:
        """Return whether a row's days are not grouped by a field of the rule."""
        return any(values.get(BY_NAME[name].column) is Label.NOT_GROUPED for name in self.patterns)


def _matches(name: str, patterns: Iterable[str], values: Mapping[str, Any]) -> bool:
    dimension = BY_NAME[name]
    identity = values.get(dimension.column)
    if isinstance(identity, Label):  # such as cost that is allocated to no key
        return False
    assert dimension.label_column is not None
    label = values[dimension.label_column]
    return any(pattern == identity or _has_form(str(label), pattern) for pattern in patterns)


def _has_form(text: str, pattern: str) -> bool:
    """Return whether a text is a pattern, where `*` stands for any text."""
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), text, re.DOTALL) is not None


@dataclass(frozen=True, slots=True)
class Teams:
    """All rules, and the cost centre of each team that has one."""

    rules: tuple[Rule, ...]
    cost_centres: Mapping[str, str] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """The teams, in the order of the rules."""
        return list(dict.fromkeys(team for rule in self.rules for team in rule.shares))

    @property
    def has_split(self) -> bool:
        """Whether some rule splits cost among all teams."""
        return any(rule.split is not None for rule in self.rules)

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that some rule matches by."""
        return tuple(name for name in FIELDS if any(name in rule.patterns for rule in self.rules))

    def rule_of(self, values: Mapping[str, Any], day: date) -> Rule | Label | None:
        """Return the first rule that matches a row.

        None if there is none. Label.NOT_GROUPED if that is not known, as the row has no value for a field of a rule.
        """
        for rule in self.rules:
            if not rule.is_for(day):
                continue
            if rule.lacks(values):
                return Label.NOT_GROUPED
            if rule.matches(values):
                return rule
        return None
