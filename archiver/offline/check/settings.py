"""The rules of `archiver check`, and their settings with defaults."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from decimal import Decimal
from typing import Any

from archiver.errors import ConfigurationError

RULES = ("budget", "pace", "limit", "jump", "new", "cache", "stale", "restated")
SUBJECTS = ("total", "workspace", "model", "api_key")


@dataclass(frozen=True, slots=True)
class Jump:
    """A day costs much more than the same weekdays before.

    Attributes:
        by: What is watched, of SUBJECTS without keys.
        factor: How many times the median, of a workspace or model.
        total_factor: The same of all cost, which varies less.
        amount: And how many dollars more; None: 10 % of the usual day of the organisation, at least 10.
    """

    by: tuple[str, ...] = ("total", "workspace", "model")
    factor: float = 3.0
    total_factor: float = 2.0
    amount: Decimal | None = None


@dataclass(frozen=True, slots=True)
class New:
    """A key, model or workspace costs something for the first time.

    Attributes:
        amount: From how many dollars a day on.
        after_days: How many archived days there have to be before, as everything is new at the beginning.
    """

    by: tuple[str, ...] = ("workspace", "model", "api_key")
    amount: Decimal = Decimal(1)
    after_days: int = 28


@dataclass(frozen=True, slots=True)
class Cache:
    """The part of the input that is read from the cache collapses.

    Attributes:
        drop: By how much the cache hit rate is below its median of 14 days; 0.2 is twenty percentage points.
        tokens: From how many input tokens a day on.
    """

    by: tuple[str, ...] = ("total", "workspace", "model")
    drop: float = 0.2
    tokens: int = 1_000_000


@dataclass(frozen=True, slots=True)
class Limit:
    """A spend limit of the API is nearly used.

    Attributes:
        used: From which part of the limit on.
    """

    used: float = 0.9


@dataclass(frozen=True, slots=True)
class Stale:
    """A report was not archived lately.

    Attributes:
        hours: How long after the end of the last day that is archived whole.
    """

    hours: int = 60


@dataclass(frozen=True, slots=True)
class Restated:
    """The API changed cost that was settled.

    Attributes:
        amount: From how many dollars in all on.
    """

    amount: Decimal = Decimal(1)


@dataclass(frozen=True, slots=True)
class Settings:
    """The rules to apply, and the settings of each."""

    rules: tuple[str, ...] = RULES
    jump: Jump = field(default_factory=Jump)
    new: New = field(default_factory=New)
    cache: Cache = field(default_factory=Cache)
    limit: Limit = field(default_factory=Limit)
    stale: Stale = field(default_factory=Stale)
    restated: Restated = field(default_factory=Restated)


def read_settings(table: Any) -> Settings:
    """Return the settings of the table `[check]` of a configuration.

    Raises:
        ConfigurationError: It has an unknown rule or setting, or a value of another type.
    """
    if not isinstance(table, dict):
        raise ConfigurationError("[check] in the configuration is no table", hint='write [check] rules = ["jump"]')
    settings = Settings()
    for name, value in table.items():
        if name == "rules":
            settings = replace(settings, rules=_words(value, RULES, "rules of [check]"))
        elif name in RULES and hasattr(settings, name):
            settings = replace(settings, **{name: _rule(name, getattr(settings, name), value)})
        else:
            known = ("rules", *(one.name for one in fields(Settings) if one.name != "rules"))
            raise ConfigurationError(f"[check] has an unknown key {name!r}", hint=f"the keys are {', '.join(known)}")
    return settings


def _rule(name: str, defaults: Any, value: Any) -> Any:
    where = f"[check.{name}]"
    known = [one.name for one in fields(defaults)]
    if not isinstance(value, dict):
        raise ConfigurationError(f"{where} is no table", hint=f"its keys are {', '.join(known)}")
    changed: dict[str, Any] = {}
    for raw, given in value.items():
        key = raw.replace("-", "_")
        if key not in known:
            raise ConfigurationError(f"{where} has an unknown key {raw!r}", hint=f"the keys are {', '.join(known)}")
        if key == "by":
            allowed = SUBJECTS if name == "new" else SUBJECTS[:-1]
            changed[key] = _words(given, allowed, f"by of {where}")
        else:
            changed[key] = _number(given, f"{raw} of {where}", like=getattr(defaults, key))
    return replace(defaults, **changed)


def _words(value: Any, known: tuple[str, ...], where: str) -> tuple[str, ...]:
    values = value if isinstance(value, list) else [value]
    for one in values:
        if one not in known:
            raise ConfigurationError(f"{where} has {one!r}", hint=f"write some of {', '.join(known)}")
    return tuple(values)


def _number(value: Any, where: str, like: Any) -> Any:
    # No isinstance: a bool is an int in Python. TOML's `nan` fails the comparison.
    if type(value) not in {int, float} or not 0 <= value < 10**12:
        raise ConfigurationError(f"{where} is {value!r}", hint="write a number of at least 0")
    if isinstance(like, int) and type(value) is not int:
        raise ConfigurationError(f"{where} is {value!r}", hint="write a whole number")
    # By way of the text that was written: a float of TOML is not exactly that decimal number.
    return value if isinstance(like, int | float) else Decimal(str(value))
