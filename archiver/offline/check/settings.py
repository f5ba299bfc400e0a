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
        by: The kinds of subjects that are watched; all of SUBJECTS but `api_key`.
        factor: A workspace or model has to cost at least this many times its median.
        total_factor: The same factor for all cost together, which varies less.
        amount: The least increase over the median, in dollars. None: 10 % of what the organisation usually spends in a
            day, and at least 10 dollars.
    """

    by: tuple[str, ...] = ("total", "workspace", "model")
    factor: float = 3.0
    total_factor: float = 2.0
    amount: Decimal | None = None


@dataclass(frozen=True, slots=True)
class New:
    """A key, model or workspace costs something for the first time.

    Attributes:
        by: The kinds of subjects that are watched; all of SUBJECTS but `total`.
        amount: The least cost of a day, in dollars.
        after_days: The least number of archived days before, because at the start of an archive everything is new.
    """

    by: tuple[str, ...] = ("workspace", "model", "api_key")
    amount: Decimal = Decimal(1)
    after_days: int = 28


@dataclass(frozen=True, slots=True)
class Cache:
    """The part of the input that is read from the cache falls suddenly.

    Attributes:
        by: The kinds of subjects that are watched; all of SUBJECTS but `api_key`.
        drop: How far the cache hit rate has to be below its median of 14 days; 0.2 is twenty percentage points.
        tokens: The least number of input tokens of a day.
    """

    by: tuple[str, ...] = ("total", "workspace", "model")
    drop: float = 0.2
    tokens: int = 1_000_000


@dataclass(frozen=True, slots=True)
class Limit:
    """A spend limit of the API is nearly used.

    Attributes:
        used: The least part of the limit that is used; 0.9 is 90 %.
    """

    used: float = 0.9


@dataclass(frozen=True, slots=True)
class Stale:
    """A report was not archived recently.

    Attributes:
        hours: The least number of hours since the end of the newest day that was read after it had ended.
    """

    hours: int = 60


@dataclass(frozen=True, slots=True)
class Restated:
    """The API changed cost that was settled.

    Attributes:
        amount: The least sum of the increases, or of the decreases, in dollars.
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
    """Return the settings in the table `[check]` of a configuration.

    Raises:
        ConfigurationError: The table has an unknown rule or setting, or an invalid value.
    """
    if not isinstance(table, dict):
        raise ConfigurationError("[check] in the configuration is not a table", hint='write [check] rules = ["jump"]')
    settings = Settings()
    for name, value in table.items():
        if name == "rules":
            settings = replace(settings, rules=_names(value, RULES, "rules of [check]"))
        # The rules `budget` and `pace` have no settings: the budgets are elsewhere in the configuration.
        elif name in RULES and hasattr(settings, name):
            settings = replace(settings, **{name: _rule(name, getattr(settings, name), value)})
        else:
            allowed = ", ".join(["rules", *(item.name for item in fields(Settings) if item.name != "rules")])
            raise ConfigurationError(f"[check] has an unknown key {name!r}", hint=f"the keys are {allowed}")
    return settings


def _rule(name: str, defaults: Any, value: Any) -> Any:
    """Return the settings of one rule: its table completed by defaults."""
    where = f"[check.{name}]"
    keys = [item.name for item in fields(defaults)]
    if not isinstance(value, dict):
        raise ConfigurationError(f"{where} is not a table", hint=f"its keys are {', '.join(keys)}")
    changed: dict[str, Any] = {}
    for raw, given in value.items():
        key = raw.replace("-", "_")  # keys of the file may have hyphens
        if key not in keys:
            raise ConfigurationError(f"{where} has an unknown key {raw!r}", hint=f"the keys are {', '.join(keys)}")
        if key == "by":
            # Only the rule `new` can watch API keys, last in SUBJECTS. The total, which is first, is never new.
            allowed = SUBJECTS[1:] if name == "new" else SUBJECTS[:-1]
            changed[key] = _names(given, allowed, f"by of {where}")
        else:
            changed[key] = _number(given, f"{raw} of {where}", like=getattr(defaults, key))
    return replace(defaults, **changed)


def _names(value: Any, allowed: tuple[str, ...], where: str) -> tuple[str, ...]:
    """Return a list of allowed names, or a single one, as a tuple."""
    names = value if isinstance(value, list) else [value]
    for name in names:
        if name not in allowed:
            raise ConfigurationError(f"{where} has {name!r}", hint=f"write one or more of {', '.join(allowed)}")
    return tuple(names)


def _number(value: Any, where: str, like: Any) -> Any:
    """Return a number in the type of the default `like`; Decimal for None."""
    # Not isinstance, because a bool is an int in Python. TOML's `nan` fails the comparison.
    if type(value) not in {int, float} or not 0 <= value < 10**12:
        raise ConfigurationError(f"{where} is {value!r}", hint="write a number of at least 0")
    if isinstance(like, int) and type(value) is not int:
        raise ConfigurationError(f"{where} is {value!r}", hint="write a whole number")
    # From the decimal text, because the binary float that TOML makes of 0.1 is not exactly 0.1.
    return value if isinstance(like, int | float) else Decimal(str(value))
