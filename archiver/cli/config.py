"""The configuration file: TOML whose keys are the names of options, plus `dimensions`."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any

from archiver.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

_LARGEST_BUDGET = 10**10

OPTION_KEYS = frozenset(
    {
        "account_id",
        "admin_key_command",
        "admin_key_file",
        "allow_host",
        "api_key_id",
        "api_url",
        "bucket_width",
        "concurrency",
        "context_window",
        "db",
        "group_by",
        "host",
        "inference_geo",
        "max_memory",
        "max_runtime",
        "model",
        "port",
        "quiet",
        "rate",
        "refresh",
        "report",
        "service_account_id",
        "service_tier",
        "since",
        "speed",
        "timeout",
        "until",
        "wait",
        "workspace_id",
    }
)
OWN_KEYS = frozenset({"budgets", "dimensions", "group_by_cap"})


def default_config() -> Path:
    """Return the default path of the configuration file."""
    from platformdirs import user_config_path  # noqa: PLC0415  # only when the default is needed

    return user_config_path("archiver") / "config.toml"


def default_queries() -> Path:
    """Return the folder of a user's own saved queries, next to the configuration file."""
    return default_config().parent / "queries"


def load_config(path: Path | None) -> dict[str, Any]:
    """Read the configuration as option names and values; empty when no file was named and the default does not exist.

    Raises:
        ConfigurationError: The file cannot be read, is not TOML, or has an unknown key.
    """
    given = path is not None
    path = path or default_config()
    try:
        raw = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        if given:
            raise ConfigurationError(
                f"the configuration file {path} does not exist", hint="check --config and ARCHIVER_CONFIG"
            ) from None
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"cannot read the configuration {path}: {_reason(error)}", hint="it is a UTF-8 text file in TOML"
        ) from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(
            f"the configuration {path} is not valid TOML: {error}", hint='options are lines such as rate = "50/min"'
        ) from None
    config = {name.replace("-", "_"): value for name, value in raw.items()}
    unknown = sorted(config.keys() - OPTION_KEYS - OWN_KEYS)
    if unknown:
        known = ", ".join(sorted(name.replace("_", "-") for name in OPTION_KEYS | OWN_KEYS))
        raise ConfigurationError(
            f"the configuration {path} has an unknown key {unknown[0]!r}", hint=f"the keys are {known}"
        )
    return {name: _check(name, value, path) for name, value in config.items()}


def _check(name: str, value: Any, path: Path) -> Any:
    if name == "dimensions" and not (isinstance(value, list) and value and all(isinstance(d, str) for d in value)):
        raise ConfigurationError(f"`dimensions` in {path} must be a list of dimensions")
    if name == "group_by_cap" and not (type(value) is int and value >= 1):
        raise ConfigurationError(f"`group-by-cap` in {path} must be an integer of at least 1")
    if name == "budgets":
        return _check_budgets(value, path)
    if isinstance(value, dict):
        raise ConfigurationError(f"{name!r} in {path} must be a value, not a table")
    return value


def _check_budgets(value: Any, path: Path) -> Any:
    workspaces = value.get("workspaces", {}) if isinstance(value, dict) else None
    if not isinstance(workspaces, dict) or value.keys() - {"total", "workspaces"}:
        raise ConfigurationError(f"[budgets] in {path} may contain `total` and the table `workspaces` only")
    for limit in (*workspaces.values(), *([value["total"]] if "total" in value else [])):
        if type(limit) not in {int, float} or not 0 <= limit < _LARGEST_BUDGET:
            raise ConfigurationError(f"a budget in {path} must be an amount in dollars, not {limit!r}")
    return value


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or type(error).__name__
