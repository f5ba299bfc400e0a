"""Read the rules that assign cost to teams, from a TOML or a CSV file."""

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

# In a file, names have hyphens (`api-key`) where the dimensions in FIELDS have underscores (`api_key`).
_KEYS = ("team", "cost-centre", *(name.replace("_", "-") for name in FIELDS), "since", "until", "shares", "split")
_COLUMNS = "team, cost-centre, workspace, api-key, person, since, until, shares, split"


def read_teams(path: Path) -> Teams:
    """Read the rules and the cost centres from a teams file.

    A file with a name that ends with `.csv` is read as CSV, any other file as TOML.

    Raises:
        ConfigurationError: The file cannot be read, has no rule or an invalid one, or has two cost centres for a team.
    """
    text = read_text(path, "the teams file", "--teams")
    centres: dict[str, str] = {}
    if path.suffix.lower() == ".csv":
        entries = _read_csv(text, path)
    else:
        entries, centres = _read_toml(text, path)
    rules = []
    for number, entry in enumerate(entries, 1):
        rules.append(_rule(number, entry, f"rule {number} of {path}"))
        centre = entry.get("cost-centre")
        if centre is not None:
            _set_centre(centres, rules[-1], centre, path)
    if not rules:
        raise ConfigurationError(f"{path} has no rules", hint='write [[rule]], team = "..." and workspace = "..."')
    return Teams(tuple(rules), centres)


def _read_toml(text: str, path: Path) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Return the rules in a TOML file, not yet checked, and the cost centre of each team."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"the teams file {path} is not TOML: {error}") from None
    rules, centres = document.pop("rule", []), document.pop("cost-centres", {})
    # After the two `pop`, the document has only entries that do not belong in the file.
    if document or not isinstance(rules, list) or not all(isinstance(rule, dict) for rule in rules):
        raise ConfigurationError(
            f"{path} has an entry that is not [[rule]] or [cost-centres]",
            hint="write [[rule]] and [cost-centres], nothing else",
        )
    if not isinstance(centres, dict) or not all(isinstance(centre, str | int) for centre in centres.values()):
        raise ConfigurationError(f"[cost-centres] in {path} is not as expected", hint='write Research = "4711"')
    return rules, {team: str(centre) for team, centre in centres.items()}


def _read_csv(text: str, path: Path) -> list[dict[str, Any]]:
    """Return the lines of a CSV file as rules, not yet checked.

    An empty cell counts as a key that is left out.
    """
    lines = lines_of(text, path)
    _, header = next(lines, (0, []))  # an empty file has no header
    names = [name.replace("_", "-") for name in header]  # a CSV header may have underscores
    unknown = [name for name in names if name not in _KEYS]
    if len({*names}) < len(names):
        raise ConfigurationError(f"{path} has a column twice, such as api-key and api_key", hint="leave one out")
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
            # Written as `Research=60;Product=40`. A part without `=` gets an empty weight, which `_weight` rejects.
            parts = (part.partition("=") for part in rule["shares"].split(";"))
            rule["shares"] = {team.strip(): weight.strip() for team, _, weight in parts}
        rules.append(rule)
    return rules


def _rule(number: int, entry: Mapping[str, Any], where: str) -> Rule:
    """Check an entry and return its rule; `where` names the rule in errors."""
    unknown = [name for name in entry if name not in _KEYS]
    if unknown:
        raise ConfigurationError(f"{where} has an unknown key {unknown[0]!r}", hint=f"the keys are {', '.join(_KEYS)}")
    # Each of these keys determines which teams pay.
    payers = [name for name in ("team", "shares", "split") if name in entry]
    if len(payers) != 1:
        raise ConfigurationError(
            f"{where} has {' and '.join(payers) or 'no team'}", hint="write one of team, shares, split"
        )
    split = entry.get("split")
    if split is not None and split not in {PROPORTIONAL, EVEN}:
        raise ConfigurationError(f"split in {where} is {split!r}", hint=f"write {PROPORTIONAL!r} or {EVEN!r}")
    since, until = (_day(entry.get(name), name, where) for name in ("since", "until"))
    if since is not None and until is not None and since >= until:
        raise ConfigurationError(f"since is not before until in {where}", hint="until is exclusive")
    patterns = {
        name: _patterns(entry[name.replace("_", "-")], where) for name in FIELDS if name.replace("_", "-") in entry
    }
    return Rule(number, _shares(entry, where), split, patterns, since, until)


def _patterns(value: Any, where: str) -> tuple[str, ...]:
    values = value if isinstance(value, list) else [value]
    if not values or not all(isinstance(pattern, str) and pattern for pattern in values):
        raise ConfigurationError(f"{value!r} in {where} is not a name", hint="write a name, an id, or a list of them")
    return tuple(values)


def _shares(entry: Mapping[str, Any], where: str) -> dict[str, int]:
    """Return the weight of each team as a whole number; empty for a split."""
    if "team" in entry:
        team = entry["team"]
        if not isinstance(team, str) or not team:
            raise ConfigurationError(f"the team in {where} is {team!r}", hint="write the name of a team")
        return {team: 1}
    shares = entry.get("shares", {})
    if not isinstance(shares, dict) or ("shares" in entry and not shares):
        raise ConfigurationError(f"shares in {where} are {shares!r}", hint="write { Research = 60, Product = 40 }")
    weights = {str(team): _weight(weight, where) for team, weight in shares.items()}
    # Multiplying by the common denominator makes all weights whole numbers and keeps their ratios exact.
    scale = lcm(*(weight.denominator for weight in weights.values())) if weights else 1
    return {team: int(weight * scale) for team, weight in weights.items()}


def _weight(value: Any, where: str) -> Fraction:
    try:
        # From the decimal text, because the binary float that TOML makes of 0.1 is not exactly 0.1. A percent sign is
        # dropped, because only the ratios of the weights matter.
        weight = Fraction(str(value).removesuffix("%"))
    except (ValueError, ZeroDivisionError):
        weight = Fraction(0)  # rejected below
    if weight <= 0 or isinstance(value, bool):
        raise ConfigurationError(f"a share in {where} is {value!r}", hint="write a number above zero, such as 60")
    return weight


def _day(value: Any, name: str, where: str) -> date | None:
    # Not isinstance: a datetime is also a date, but its time of day has no meaning here. It raises a TypeError below.
    if value is None or type(value) is date:
        return value
    try:
        return date.fromisoformat(value)
    except (ValueError, TypeError):
        raise ConfigurationError(f"{name} in {where} is {value!r}", hint="write it as 2026-10-01") from None


def _set_centre(centres: dict[str, str], rule: Rule, centre: Any, path: Path) -> None:
    """Add the cost centre that a rule has for its only team."""
    if len(rule.shares) != 1 or not isinstance(centre, str | int):
        raise ConfigurationError(
            f"rule {rule.number} of {path} needs a single team and a text or number for its cost-centre",
            hint="write cost centres of several teams in [cost-centres]",
        )
    (team,) = rule.shares
    # Other rules and [cost-centres] may name the team again, but with the same cost centre.
    if centres.setdefault(team, str(centre)) != str(centre):
        raise ConfigurationError(
            f"{team!r} has the cost centres {centres[team]!r} and {str(centre)!r} in {path}", hint="write one"
        )
