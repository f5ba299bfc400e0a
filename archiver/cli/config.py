"""The configuration file, in TOML, with the names of options as keys."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Any

from archiver.cli.command import suggest
from archiver.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

_LARGEST_BUDGET = 10**10  # dollars; above it is a mistake, or TOML's `inf`

OPTION_KEYS = frozenset(
    {
        "account_id",
        "actor_id",
        "admin_key_command",
        "admin_key_file",
        "allow_host",
        "api_key_id",
        "api_url",
        "bucket_width",
        "concurrency",
        "context_window",
        "db",
        "focus",
        "group_by",
        "host",
        "inference_geo",
        "max_age",
        "max_memory",
        "max_runtime",
        "model",
        "no_people",
        "port",
        "product",
        "quiet",
        "rate",
        "refresh",
        "report",
        "service_account_id",
        "service_tier",
        "since",
        "speed",
        "teams",
        "timeout",
        "until",
        "wait",
        "workspace_id",
    }
)
BUDGET_TABLES = {"workspaces": "workspace", "keys": "api_key", "models": "model", "teams": "team"}
"""The tables of budgets in the configuration, and the dimensions that they are of."""
LONG_UNITS = ("quarter", "year")
"""The periods of budgets next to the month."""
OWN_KEYS = frozenset({"budgets", "check", "dimensions", "group_by_cap"})
_PROFILES = "profiles"
_PROFILE_NAME = re.compile(r"[A-Za-z0-9_-]+")


def default_config() -> Path:
    """Return the path of the configuration, unless `--config` is given."""
    from platformdirs import user_config_path  # noqa: PLC0415  # only when the default is needed

    return user_config_path("archiver") / "config.toml"


def default_teams() -> Path:
    """Return the path of the rules of teams, unless `--teams` is given."""
    return default_config().parent / "teams.toml"


def default_queries() -> Path:
    """Return the folder of the user's saved queries."""
    return default_config().parent / "queries"


def load_config(path: Path | None) -> dict[str, Any]:
    """Read the configuration as a mapping, with underscores in its keys.

    Without `path` the default file is read, and a missing file is empty.

    Raises:
        ConfigurationError: The file cannot be read, is not TOML, or has a key or a value that is not allowed.
    """
    given = path is not None
    path = path or default_config()
    try:
        raw = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        if given:
            raise ConfigurationError(f"no such configuration file: {path}", hint="check --config") from None
        return {}
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise ConfigurationError(f"cannot read the configuration {path}: {reason}") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"the configuration {path} is not TOML: {error}") from None
    profiles = _check_profiles(raw.pop(_PROFILES, {}), path)
    config = _check_keys(raw, path)
    if profiles:
        config[_PROFILES] = profiles
    return config


def _check_profiles(raw: Any, path: Path) -> dict[str, Any]:
    if not isinstance(raw, dict) or not all(isinstance(one, dict) for one in raw.values()):
        raise ConfigurationError(f"`profiles` in {path} is not as expected", hint="write [profiles.NAME]")
    archives: dict[str, str] = {}
    for name, of in raw.items():
        if _PROFILE_NAME.fullmatch(name) is None:
            raise ConfigurationError(f"{name!r} in {path} cannot name a profile", hint="use letters, digits, - and _")
        if "db" not in of:
            hint = "name the archive of each profile"
            raise ConfigurationError(f"[profiles.{name}] in {path} has no `db`", hint=hint)
        other = archives.setdefault(str(of["db"]), name)
        if other != name:
            both = f"[profiles.{other}] and [profiles.{name}] in {path}"
            raise ConfigurationError(f"{both} have the same `db`", hint="an archive is of one organisation")
    return {name: _check_keys(of, path) for name, of in raw.items()}


def _check_keys(raw: dict[str, Any], path: Path) -> dict[str, Any]:
    config = {name.replace("-", "_"): value for name, value in raw.items()}
    for name in sorted(config.keys() - OPTION_KEYS - OWN_KEYS):
        raise _unknown_key(name.replace("_", "-"), path)
    return {name: _check(name, value, path) for name, value in config.items()}


def _unknown_key(name: str, path: Path) -> ConfigurationError:
    known = sorted(one.replace("_", "-") for one in OPTION_KEYS | OWN_KEYS)
    message = f"the configuration {path} has an unknown key {name!r}{suggest(name, known)}"
    return ConfigurationError(message, hint=f"the keys are {', '.join(known)}")


def _check(name: str, value: Any, path: Path) -> Any:
    if name == "dimensions" and not (isinstance(value, list) and value and all(isinstance(d, str) for d in value)):
        raise ConfigurationError(f"`dimensions` in {path} is not a list of names", hint='write ["model", "speed"]')
    if name == "group_by_cap" and not (type(value) is int and value >= 1):
        raise ConfigurationError(f"`group-by-cap` in {path} is {value!r}", hint="write a whole number of at least 1")
    if name == "teams" and not isinstance(value, str):
        raise ConfigurationError(f"`teams` in {path} is {value!r}", hint="write the path of a file")
    if name == "check":
        return value  # see `check.settings`
    if name == "budgets":
        return _check_budgets(value, path)
    if isinstance(value, dict):
        raise ConfigurationError(f"{name!r} in {path} is a table", hint="write one value")
    return value


def _check_budgets(value: Any, path: Path) -> Any:
    of_units = [value, *(value[unit] for unit in LONG_UNITS if unit in value)] if isinstance(value, dict) else [value]
    for level, entries in enumerate(of_units):
        known = {"total", *BUDGET_TABLES, *(LONG_UNITS if level == 0 else ())}
        if not isinstance(entries, dict) or entries.keys() - known:
            raise _faulty_budgets(path)
        tables = [entries.get(word, {}) for word in BUDGET_TABLES]
        if not all(isinstance(table, dict) for table in tables):
            raise _faulty_budgets(path)
        limits = [limit for table in tables for limit in table.values()]
        for limit in (*limits, *([entries["total"]] if "total" in entries else [])):
            # No isinstance: a bool is an int in Python. TOML's `nan` fails the comparison.
            if type(limit) not in {int, float} or not 0 <= limit < _LARGEST_BUDGET:
                raise ConfigurationError(f"a budget in {path} is {limit!r}", hint="write an amount in dollars, as 5000")
    return value


def _faulty_budgets(path: Path) -> ConfigurationError:
    tables = ", ".join(f"[budgets.{word}]" for word in BUDGET_TABLES)
    return ConfigurationError(
        f"[budgets] in {path} is not as expected",
        hint=f"write `total`, {tables}, and the same below [budgets.quarter] and [budgets.year]",
    )
