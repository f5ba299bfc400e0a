"""All faults by name, and the choice of the fault of a request."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

from archiver.simulator.body_faults import BODY_FAULTS
from archiver.simulator.lists import LISTS
from archiver.simulator.payload_faults import LIST_FAULTS, PAYLOAD_FAULTS
from archiver.simulator.response_faults import ERROR_DESCRIPTIONS, RESPONSE_FAULTS

if TYPE_CHECKING:
    from collections.abc import Mapping

# Faults of a field that only one of the two reports has.
_COST_ONLY = frozenset(
    {
        "nan_amount",
        "exponent_amount",
        "huge_exponent_amount",
        "long_amount",
        "number_amount",
        "unknown_currency",
    }
)
_USAGE_ONLY = frozenset({"float_tokens", "negative_tokens", "text_tokens", "huge_tokens", "flat_cache_field"})

_FUNCTIONS: dict[str, object] = {**RESPONSE_FAULTS, **PAYLOAD_FAULTS, **LIST_FAULTS, **BODY_FAULTS}


def _description(function: object) -> str:
    return (function.__doc__ or "").strip().splitlines()[0].rstrip(".")


FAULTS: dict[str, str] = {
    name: ERROR_DESCRIPTIONS.get(name) or _description(function) for name, function in _FUNCTIONS.items()
}
"""The name of every fault, and its description in one line."""


# Compared by identity, so that a rule for once is removed itself and not an equal one.
@dataclass(frozen=True, slots=True, eq=False)
class _Rule:
    name: str
    chance: float
    match: str


class Faults:
    """The faults that are set, and the choice among them for each request.

    Faults set with `once` come before those set with `set`, each in the order of the calls. Chances are drawn from
    the seed, so the same requests meet the same faults in every run.
    """

    def __init__(self, seed: int, chances: Mapping[str, float]) -> None:
        """Set a fault for each name with its chance.

        Raises:
            ValueError: There is no such fault, or a chance is not from 0 to 1.
        """
        self._rng = Random(f"{seed}:faults")
        self._once: list[_Rule] = []
        self._set: list[_Rule] = []
        for name, chance in chances.items():
            self.set(name, chance)

    def set(self, name: str, chance: float = 1.0, *, match: str = "") -> None:
        """Set a fault for all requests with `match` in `path?decoded query`."""
        self._set.append(_rule(name, chance, match))

    def once(self, name: str, *, times: int = 1, match: str = "") -> None:
        """Set a fault for the next `times` requests with `match` in their target."""
        self._once += [_rule(name, 1.0, match) for _ in range(times)]

    def clear(self) -> None:
        """Remove all faults."""
        self._once.clear()
        self._set.clear()

    def choose(self, target: str) -> str | None:
        """Return the fault of a request, None without one.

        `target` is the path and the decoded query: `path?name=value&name=value`.
        """
        # A chance is drawn only for rules that apply, so that requests of other kinds do not shift the draws.
        for rule in (*self._once, *self._set):
            if rule.match in target and _applies(rule.name, target) and self._rng.random() < rule.chance:
                if rule in self._once:
                    self._once.remove(rule)
                return rule.name
        return None


def _rule(name: str, chance: float, match: str) -> _Rule:
    if name not in FAULTS:
        raise ValueError(f"there is no fault named {name}")
    if not 0 <= chance <= 1:
        raise ValueError(f"the chance of {name} must be from 0 to 1, not {chance}")
    return _Rule(name, chance, match)


def _applies(name: str, target: str) -> bool:
    """Return whether the response to this target has what the fault changes."""
    if name in RESPONSE_FAULTS:
        return True
    if name in LIST_FAULTS:
        return target.startswith(tuple(f"/v1/organizations/{listed}?" for listed in LISTS))
    if name in _COST_ONLY:
        return "/cost_report" in target
    return "/usage_report/" in target if name in _USAGE_ONLY else "_report" in target
