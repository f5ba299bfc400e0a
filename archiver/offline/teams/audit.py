"""The cost in an archive that each team rule matches, and the rest.

Also suggests rules for the rest.
"""

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
# The end of a key's name that counts keys, such as ` 2`, `-03` or ` key 4`.
_NUMBERED = re.compile(r"[\s_.-]*(key[\s_.-]*)?[0-9]+$", re.IGNORECASE)


@dataclass(slots=True)
class _Use:
    """The cost that a rule matches, or that no rule matches.

    Attributes:
        days: The days with such cost.
        amounts: Currency → amount in 1e-18 cents.
        earlier: The numbers of the earlier rules that got cost which this rule matches too.
    """

    days: set[date] = field(default_factory=set)
    amounts: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    earlier: set[int] = field(default_factory=set)


def check_teams(reader: ArchiveReader, request: ReportRequest, teams: Teams) -> Table:
    """Return a row for each rule and its cost, then rows for the other cost.

    The state of a rule is `used`, `matches nothing`, or `shadowed by rule` with the numbers of the earlier rules that
    match all of its cost. The table needs attention if a rule is not `used`, or if cost has no team.
    """
    read = read_daily_money(reader, request, teams.fields, request.selects)
    selected = select_of(read.archived, read.what, request)
    if selected.known is None:
        return selected.unknown()
    uses = {rule.number: _Use() for rule in teams.rules}
    # By state, names and ids: workspaces or keys that share a name have a row each.
    rest: dict[tuple[str, str, str], _Use] = defaultdict(_Use)
    for group in read.groups:
        for day, amount in group.amounts.items():
            values = _named(reader, group.values, day)
            found, currency = teams.rule_of(values, day), group.values["currency"]
            if isinstance(found, Rule):
                _add(uses[found.number], day, currency, amount)
                for later in teams.rules:
                    if later.number > found.number and later.is_for(day) and later.matches(values):
                        uses[later.number].earlier.add(found.number)
            # `found` is None, or the label `(not grouped)` where it is unknown which rule matches.
            elif amount:
                _add(rest[str(found or NO_TEAM), *_names_and_ids(values, teams)], day, currency, amount)
    rows: list[Row] = []
    for rule in teams.rules:
        rows += _rows(str(rule.number), _payers(rule), _condition(rule), uses[rule.number])
    for (state, names, _), use in sorted(rest.items(), key=lambda item: -max(item[1].amounts.values())):
        rows += [row | {"state": state} for row in _rows("", NO_TEAM, names, use)]
    columns = [*plain("rule", "team", "matches", "currency"), *money("amount"), *counts("days"), *plain("state")]
    attention = any(row["state"] != USED for row in rows)
    return Table(columns, rows, period=selected.known.title(), needs_attention=attention).noting(
        selected.known.sentence(), *read.notes
    )


def _named(reader: ArchiveReader, values: Mapping[str, Any], day: date) -> dict[str, Any]:
    """Return the ids that rules match by, with their names on a day."""
    columns = {BY_NAME[field_name].column for field_name in FIELDS}
    ids = {column: value for column, value in values.items() if column in columns}
    return reader.with_labels(ids, int(datetime.combine(day, time.min, UTC).timestamp()))


def _add(use: _Use, day: date, currency: str, amount: int) -> None:
    use.days.add(day)
    use.amounts[currency] += amount


def _names_and_ids(values: Mapping[str, Any], teams: Teams) -> tuple[str, str]:
    """Return two texts: the names that rules match by in a row, and their ids."""
    labels = [BY_NAME[name].label_column or name for name in teams.fields]
    ids = [values[BY_NAME[name].column] for name in teams.fields]
    return " / ".join(str(values[label]) for label in labels), repr(ids)


def _payers(rule: Rule) -> str:
    """Return the teams that a rule assigns cost to, as text."""
    return f"(split, {rule.split})" if rule.split else ", ".join(rule.shares)


def _condition(rule: Rule) -> str:
    """Return the patterns and bounds of a rule, as text."""
    parts = [f"{name} {' or '.join(patterns)}" for name, patterns in rule.patterns.items()]
    parts += [f"since {rule.since}"] if rule.since else []
    parts += [f"until {rule.until}"] if rule.until else []
    return ", ".join(parts) or "everything"


def _rows(number: str, team: str, condition: str, use: _Use) -> list[Row]:
    """Return a row for each currency; a row of zero without cost."""
    state = USED if use.days else DEAD
    if not use.days and use.earlier:
        state = f"{SHADOWED} {', '.join(map(str, sorted(use.earlier)))}"
    return [
        {
            "rule": number,
            "team": team,
            "matches": condition,
            "currency": currency,
            "amount": amount,
            "days": len(use.days),
            "state": state,
        }
        for currency, amount in (sorted(use.amounts.items()) or [("USD", 0)])
    ]


def suggest_teams(reader: ArchiveReader, request: ReportRequest, teams: Teams | None) -> str:
    """Return TOML with rules for the cost that no rule matches yet.

    There is a rule for each workspace. The default workspace has a rule for each group of keys with names that differ
    only in a number at the end. Rules for keys come first, and within each kind the most expensive rule.
    """
    teams = teams or Teams(())
    dimensions = tuple(name for name in FIELDS if name in {*teams.fields, "workspace", "api_key"})
    read = read_daily_money(reader, request, dimensions, request.selects)
    amounts: dict[tuple[str, tuple[tuple[str, str], ...]], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for group in read.groups:
        for day, amount in group.amounts.items():
            values = _named(reader, group.values, day)
            if teams.rule_of(values, day) is None:
                amounts[_proposal(values)][group.values["currency"]] += amount
    lines = ["# Rules for cost without a team, from the names of workspaces and keys. Check each before you use it."]
    # The first rule that matches wins: rules for keys, which have two patterns, come before rules for workspaces.
    in_order = sorted(amounts.items(), key=lambda item: (-len(item[0][1]), -max(item[1].values())))
    for (team, patterns), by_currency in in_order:
        sums = ", ".join(f"{to_rounded(amount, 'usd')} {currency}" for currency, amount in sorted(by_currency.items()))
        lines += ["", f"# {sums}", "[[rule]]", f"team = {_quoted(team)}"]
        lines += [f"{name} = {_quoted(pattern)}" for name, pattern in patterns]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """Return a text as a TOML string."""
    # A JSON string is a TOML string, with two exceptions. `ensure_ascii` would write a character beyond 16 bits as two
    # surrogates, which TOML does not allow. JSON does not escape U+007F, which is a control character in TOML.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _proposal(values: Mapping[str, Any]) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Return the team to suggest for a row, and the fields' patterns.

    For a key in the default workspace the team is the name of the key without a number at its end.
    """
    workspace, key = str(values["workspace"]), values.get("api_key_id")
    if values["workspace_id"] is None and isinstance(key, str):
        name = str(values["api_key"])
        stem = _NUMBERED.sub("", name) or name
        return stem, (("workspace", workspace), ("api-key", stem if stem == name else f"{stem}*"))
    return workspace, (("workspace", workspace),)
