"""Rules that assign cost to teams; the first rule that matches wins.

A rule matches by workspace, API key and person, each by its id or its name, where `*` stands for any text. It assigns
the cost to one team, to several teams by shares, or splits it among all teams. Cost that no rule matches is shown as
`(no team)`.
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
        number: The position of the rule in the file, from 1.
        shares: Team → weight. A single team gets all of the cost. Empty for a rule with a split.
        split: How cost is split among all teams that other rules name: in parts `proportional` to the cost that these
            rules assign to each team in the same month, or in `even` parts. None for a rule with shares.
        patterns: Field → patterns, of which one has to match. A field that is left out matches everything.
        since: The first day that the rule applies to; None: no bound.
        until: The day after the last day that the rule applies to; None: no bound.
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
        """Return whether the ids or labels of a row match; `values` is by column."""
        return all(_matches(name, patterns, values) for name, patterns in self.patterns.items())

    def lacks(self, values: Mapping[str, Any]) -> bool:
        """Return whether the row is not grouped by one of the rule's fields."""
        return any(values.get(BY_NAME[name].column) is Label.NOT_GROUPED for name in self.patterns)


def _matches(name: str, patterns: Iterable[str], values: Mapping[str, Any]) -> bool:
    """Return whether a row's id or name in a field matches a pattern."""
    dimension = BY_NAME[name]
    identity = values.get(dimension.column)
    if isinstance(identity, Label):  # for example `(not allocated)`, cost without a key
        return False
    assert dimension.label_column is not None
    label = values[dimension.label_column]
    return any(pattern == identity or _fits(str(label), pattern) for pattern in patterns)


def _fits(text: str, pattern: str) -> bool:
    """Return whether a text fits a pattern, in which `*` stands for any text."""
    # DOTALL, because names can contain line breaks.
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
        """Whether at least one rule splits cost among all teams."""
        return any(rule.split is not None for rule in self.rules)

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that at least one rule matches by."""
        return tuple(name for name in FIELDS if any(name in rule.patterns for rule in self.rules))

    def rule_of(self, values: Mapping[str, Any], day: date) -> Rule | Label | None:
        """Return the first rule that matches a row.

        None if no rule matches. Label.NOT_GROUPED if it is unknown whether an earlier rule matches, because the row
        is not grouped by a field of that rule.
        """
        for rule in self.rules:
            if not rule.is_for(day):
                continue
            if rule.lacks(values):
                return Label.NOT_GROUPED
            if rule.matches(values):
                return rule
        return None
