"""What the rules of teams match in an archive, and what none does."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, time
from typing import TYPE_CHECKING, Any

from archiver.offline.reports.daily_money import read_daily_money
from archiver.offline.reports.request import select_of
from archiver.offline.tables.money import to_rounded
from archiver.offline.tables.table import Table, counts, money, plain
from archiver.offline.teams.rules import FIELDS, NO_TEAM, Rule, Teams
from archiver.reports.dimensions import BY_NAME

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from archiver.offline.reports.request import ReportRequest
    from archiver.offline.tables.table import Row
    from archiver.store.read.reader import ArchiveReader

USED, DEAD, SHADOWED = "used", "matches nothing", "shadowed by rule"
_NUMBERED = re.compile(r"[\s_.-]*(key[\s_.-]*)?[0-9]+$", re.IGNORECASE)


@dataclass(slots=True)
class _Use:
    """What a rule matches."""

    days: set[date] = field(default_factory=set)
    amounts: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    earlier: set[int] = field(default_factory=set)


def check_teams(reader: ArchiveReader, request: ReportRequest, teams: Teams) -> Table:
    """Return each rule with what it matches, and then what no rule matches.

    A rule is shadowed if all that it would match is matched by earlier rules. It needs attention if a rule is dead or
    shadowed, or cost is of no team.
    """
    read = read_daily_money(reader, request, teams.fields, request.selects)
    selected = select_of(read.archived, read.what, request)
    if selected.known is None:
        return selected.unknown()
    uses = {rule.number: _Use() for rule in teams.rules}
    rest: dict[tuple[str, str, str], _Use] = defaultdict(_Use)
    for group in read.groups:
        for day, amount in group.amounts.items():
            values = _named(reader, group.values, day)
            found, currency = teams.rule_of(values, day), group.values["currency"]
            if isinstance(found, Rule):
                _add(uses[found.number], day, currency, amount)
                for other in teams.rules:
                    if other.number > found.number and other.is_for(day) and other.matches(values):
                        uses[other.number].earlier.add(found.number)
            elif amount:
                _add(rest[str(found or NO_TEAM), *_who(values, teams)], day, currency, amount)
    rows: list[Row] = []
    for rule in teams.rules:
        rows += _row(str(rule.number), _words(rule), _what(rule), uses[rule.number])
    for (state, who, _), use in sorted(rest.items(), key=lambda one: -max(one[1].amounts.values())):
        rows += [row | {"state": state} for row in _row("", NO_TEAM, who, use)]
    columns = [*plain("rule", "team", "matches", "currency"), *money("amount"), *counts("days"), *plain("state")]
    attention = any(row["state"] != USED for row in rows)
    return Table(columns, rows, period=selected.known.title(), needs_attention=attention).noting(
        selected.known.sentence(), *read.notes
    )


def _named(reader: ArchiveReader, values: Mapping[str, Any], day: date) -> dict[str, Any]:
    ids = {name: value for name, value in values.items() if name in {BY_NAME[one].column for one in FIELDS}}
    return reader.with_labels(ids, int(datetime.combine(day, time.min, UTC).timestamp()))


def _add(use: _Use, day: date, currency: str, amount: int) -> None:
    use.days.add(day)
    use.amounts[currency] += amount


def _who(values: Mapping[str, Any], teams: Teams) -> tuple[str, str]:
    """Return the names of a row, and its ids, as text."""
    labels = [BY_NAME[name].label_column or name for name in teams.fields]
    return " / ".join(str(values[one]) for one in labels), repr([values[BY_NAME[name].column] for name in teams.fields])


def _words(rule: Rule) -> str:
    return f"(split, {rule.split})" if rule.split else ", ".join(rule.shares)


def _what(rule: Rule) -> str:
    parts = [f"{name} {' or '.join(patterns)}" for name, patterns in rule.patterns.items()]
    parts += [f"since {rule.since}"] if rule.since else []
    parts += [f"until {rule.until}"] if rule.until else []
    return ", ".join(parts) or "everything"


def _row(number: str, team: str, what: str, use: _Use) -> list[Row]:
    state = USED if use.days else DEAD
    if not use.days and use.earlier:
        state = f"{SHADOWED} {', '.join(map(str, sorted(use.earlier)))}"
    return [
        {
            "rule": number,
            "team": team,
            "matches": what,
            "currency": currency,
            "amount": amount,
            "days": len(use.days),
            "state": state,
        }
        for currency, amount in (sorted(use.amounts.items()) or [("USD", 0)])
    ]


def suggest_teams(reader: ArchiveReader, request: ReportRequest, teams: Teams | None) -> str:
    """Return TOML with a rule for each name that no rule matches yet.

    The most expensive are first. There is a rule for each workspace, and for the keys of the default workspace by what
    their names begin with.
    """
    teams = teams or Teams(())
    words = tuple(name for name in FIELDS if name in {*teams.fields, "workspace", "api_key"})
    read = read_daily_money(reader, request, words, request.selects)
    amounts: dict[tuple[str, tuple[tuple[str, str], ...]], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for group in read.groups:
        for day, amount in group.amounts.items():
            values = _named(reader, group.values, day)
            if teams.rule_of(values, day) is None:
                amounts[_proposal(values)][group.values["currency"]] += amount
    lines = ["# Rules for cost without a team, from the names of workspaces and keys. Check each before you use it."]
    # Rules of keys are more exact, so they come before those of whole workspaces.
    in_order = sorted(amounts.items(), key=lambda one: (-len(one[0][1]), -max(one[1].values())))
    for (team, patterns), by_currency in in_order:
        sums = ", ".join(f"{to_rounded(amount, 'usd')} {currency}" for currency, amount in sorted(by_currency.items()))
        lines += ["", f"# {sums}", "[[rule]]", f"team = {_quoted(team)}"]
        lines += [f"{name} = {_quoted(pattern)}" for name, pattern in patterns]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """Return a string of TOML."""
    # JSON writes a character beyond 16 bits as two, which TOML does not allow; U+007F is a control of TOML alone.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _proposal(values: Mapping[str, Any]) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Return a team, and what to match by, as field and pattern."""
    workspace, key = str(values["workspace"]), values.get("api_key_id")
    if values["workspace_id"] is None and isinstance(key, str):
        name = str(values["api_key"])
        stem = _NUMBERED.sub("", name) or name
        return stem, (("workspace", workspace), ("api-key", stem if stem == name else f"{stem}*"))
    return workspace, (("workspace", workspace),)
