"""Faults by name: when they strike, and what each of them does."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

from archiver.simulator.breakdowns import BREAKDOWNS, DESCRIPTIONS
from archiver.simulator.spoilers import BODY_SPOILERS, PAYLOAD_SPOILERS

if TYPE_CHECKING:
    from collections.abc import Mapping

_COST_ONLY = frozenset({"nan_amount", "exponent_amount", "long_amount", "number_amount", "unknown_currency"})
_USAGE_ONLY = frozenset({"float_tokens", "negative_tokens", "text_tokens", "huge_tokens", "flat_cache_field"})


def _described(name: str, spoiler: object) -> tuple[str, str]:
    return name, (spoiler.__doc__ or "").strip().splitlines()[0].rstrip(".")


FAULTS: dict[str, str] = {
    **DESCRIPTIONS,
    **dict(_described(*item) for item in PAYLOAD_SPOILERS.items()),
    **dict(_described(*item) for item in BODY_SPOILERS.items()),
}
"""Every fault's name and what it does, in one line."""


@dataclass(frozen=True, slots=True, eq=False)
class _Plan:
    name: str
    chance: float
    match: str


class Faults:
    """Which fault a request meets: those for once in their order, then the first that strikes of those set.

    Chance is drawn from the seed, request by request.
    """

    def __init__(self, seed: int, chances: Mapping[str, float]) -> None:
        """Raises ValueError for a name that no fault has and for a chance that is none."""
        self._rng = Random(f"{seed}:faults")
        self._once: list[_Plan] = []
        self._set: list[_Plan] = []
        for name, chance in chances.items():
            self.set(name, chance)

    def set(self, name: str, chance: float = 1.0, *, match: str = "") -> None:
        """From now on, requests whose path and decoded query contain `match` may meet the fault."""
        self._set.append(_plan(name, chance, match))

    def once(self, name: str, *, times: int = 1, match: str = "") -> None:
        """The next `times` requests that contain `match` meet the fault, then no more."""
        self._once += [_plan(name, 1.0, match) for _ in range(times)]

    def clear(self) -> None:
        """No more faults."""
        self._once.clear()
        self._set.clear()

    def strike(self, target: str) -> str | None:
        """The fault that a request for `target` (path?decoded query) meets, if any."""
        for plan in (*self._once, *self._set):
            if plan.match in target and _fits(plan.name, target) and self._rng.random() < plan.chance:
                if plan in self._once:
                    self._once.remove(plan)
                return plan.name
        return None


def _plan(name: str, chance: float, match: str) -> _Plan:
    if name not in FAULTS:
        raise ValueError(f"there is no fault named {name}")
    if not 0 <= chance <= 1:
        raise ValueError(f"the chance of {name} must be from 0 to 1, not {chance}")
    return _Plan(name, chance, match)


def _fits(name: str, target: str) -> bool:
    """Whether a fault can do what it says to this request; those of content concern the reports."""
    if name in BREAKDOWNS:
        return True
    if name in _COST_ONLY:
        return "/cost_report" in target
    return "/usage_report/" in target if name in _USAGE_ONLY else "_report" in target
