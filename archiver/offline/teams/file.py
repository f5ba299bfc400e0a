"""Read the rules of teams from a TOML or a CSV file."""

from __future__ import annotations

import tomllib
from datetime import date
from fractions import Fraction
from math import lcm
from typing import TYPE_CHECKING, Any

from archiver.errors import ConfigurationError
from archiver.offline.csv_file import lines_of, read_text
from archiver.offline.teams.rules import EVEN, FIELDS, PROPORTIONAL, Rule, Teams

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_KEYS = ("team", "cost-centre", *(name.replace("_", "-") for name in FIELDS), "since", "until", "shares", "split")
_COLUMNS = "team, cost-centre, workspace, api-key, person, since, until, shares, split"


def read_teams(path: Path) -> Teams:
    """Read a file of teams; its name ends with `.toml` or `.csv`.

    Raises:
        ConfigurationError: The file cannot be read, or has a rule that is not as expected.
    """
    text = read_text(path, "the teams", "--teams")
    centres: dict[str, str] = {}
    if path.suffix.lower() == ".csv":
        entries = _of_csv(text, path)
    else:
        entries, centres = _of_toml(text, path)
    rules = []
    for number, entry in enumerate(entries, 1):
        rules.append(_rule(number, entry, f"rule {number} of {path}"))
        centre = entry.get("cost-centre")
        if centre is not None:
            _set_centre(centres, rules[-1], centre, path)
    if not rules:
        raise ConfigurationError(f"{path} has no rules", hint='write [[rule]], team = "..." and workspace = "..."')
    return Teams(tuple(rules), centres)


def _of_toml(text: str, path: Path) -> tuple[list[dict[str, Any]], dict[str, str]]:
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"the teams {path} are not TOML: {error}") from None
    rules, centres = raw.pop("rule", []), raw.pop("cost-centres", {})
    if raw or not isinstance(rules, list) or not all(isinstance(one, dict) for one in rules):
        raise ConfigurationError(f"{path} has more than rules", hint="write [[rule]] and [cost-centres], nothing else")
    if not isinstance(centres, dict) or not all(isinstance(one, str | int) for one in centres.values()):
        raise ConfigurationError(f"[cost-centres] in {path} is not as expected", hint='write Research = "4711"')
    return rules, {team: str(centre) for team, centre in centres.items()}


def _of_csv(text: str, path: Path) -> list[dict[str, Any]]:
    """Return the lines of a CSV file as rules; an empty cell is as if the column was left out."""
    lines = lines_of(text, path)
    _, header = next(lines, (0, []))
    names = [name.replace("_", "-") for name in header]
    unknown = [name for name in names if name not in _KEYS]
    if len({*names}) < len(names):
        raise ConfigurationError(f"{path} has a column twice, as api-key and api_key", hint="leave one of them out")
    if not names or unknown:
        raise ConfigurationError(
            f"{path} has {f'an unknown column {unknown[0]!r}' if unknown else 'no header'}",
            hint=f"the columns are {_COLUMNS}",
        )
    rules = []
    for _, line in lines:
        cells = zip(names, (cell.strip() for cell in line), strict=True)
        rule: dict[str, Any] = {name: cell for name, cell in cells if cell}
        if "shares" in rule:
            parts = (part.partition("=") for part in rule["shares"].split(";"))
            rule["shares"] = {team.strip(): weight.strip() for team, _, weight in parts}
        rules.append(rule)
    return rules


def _rule(number: int, entry: Mapping[str, Any], where: str) -> Rule:
    unknown = [name for name in entry if name not in _KEYS]
    if unknown:
        raise ConfigurationError(f"{where} has an unknown key {unknown[0]!r}", hint=f"the keys are {', '.join(_KEYS)}")
    ways = [name for name in ("team", "shares", "split") if name in entry]
    if len(ways) != 1:
        raise ConfigurationError(
            f"{where} has {' and '.join(ways) or 'no team'}", hint="write one of team, shares, split"
        )
    split = entry.get("split")
    if split is not None and split not in {PROPORTIONAL, EVEN}:
        raise ConfigurationError(f"split of {where} is {split!r}", hint=f"write {PROPORTIONAL!r} or {EVEN!r}")
    since, until = (_day(entry.get(name), name, where) for name in ("since", "until"))
    if since is not None and until is not None and since >= until:
        raise ConfigurationError(f"since is not before until in {where}", hint="until is exclusive")
    patterns = {
        name: _patterns(entry[name.replace("_", "-")], where) for name in FIELDS if name.replace("_", "-") in entry
    }
    return Rule(number, _shares(entry, where), split, patterns, since, until)


def _patterns(value: Any, where: str) -> tuple[str, ...]:
    values = value if isinstance(value, list) else [value]
    if not values or not all(isinstance(one, str) and one for one in values):
        raise ConfigurationError(f"{value!r} in {where} is no name", hint="write a name, an id, or a list of them")
    return tuple(values)


def _shares(entry: Mapping[str, Any], where: str) -> dict[str, int]:
    """Return the weights of the teams as whole numbers."""
    if "team" in entry:
        team = entry["team"]
        if not isinstance(team, str) or not team:
            raise ConfigurationError(f"the team of {where} is {team!r}", hint="write its name")
        return {team: 1}
    shares = entry.get("shares", {})
    if not isinstance(shares, dict) or ("shares" in entry and not shares):
        raise ConfigurationError(f"shares of {where} are {shares!r}", hint="write { Research = 60, Product = 40 }")
    weights = {str(team): _weight(weight, where) for team, weight in shares.items()}
    scale = lcm(*(weight.denominator for weight in weights.values())) if weights else 1
    return {team: int(weight * scale) for team, weight in weights.items()}


def _weight(value: Any, where: str) -> Fraction:
    try:
        # By way of the text that was written: a float of TOML is not exactly that decimal number.
        weight = Fraction(str(value).removesuffix("%"))
    except (ValueError, ZeroDivisionError):
        weight = Fraction(0)
    if weight <= 0 or isinstance(value, bool):
        raise ConfigurationError(f"a share of {where} is {value!r}", hint="write a number above zero, as 60")
    return weight


def _day(value: Any, name: str, where: str) -> date | None:
    if value is None or type(value) is date:  # a datetime is a date too, and has a time of day
        return value
    try:
        return date.fromisoformat(value)
    except (ValueError, TypeError):
        raise ConfigurationError(f"{name} of {where} is {value!r}", hint="write it as 2026-10-01") from None


def _set_centre(centres: dict[str, str], rule: Rule, centre: Any, path: Path) -> None:
    if len(rule.shares) != 1 or not isinstance(centre, str | int):
        raise ConfigurationError(
            f"rule {rule.number} of {path} has a cost centre that is of no single team",
            hint="write it in [cost-centres]",
        )
    (team,) = rule.shares
    if centres.setdefault(team, str(centre)) != str(centre):
        raise ConfigurationError(
            f"{team!r} has the cost centres {centres[team]!r} and {str(centre)!r} in {path}", hint="write one"
        )
