"""Habits: which combinations of the nine dimensions this organisation ever uses, from when, and how much.

An atom of use is drawn from a habit. Accounts appear only in Console and OAuth use (which has no API key),
service accounts only in federated use, as documented.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, NamedTuple

from archiver.simulator.prices import MODELS

if TYPE_CHECKING:
    from archiver.simulator.organization import Organization

DIMENSIONS = (
    "account_id",
    "api_key_id",
    "context_window",
    "inference_geo",
    "model",
    "service_account_id",
    "service_tier",
    "speed",
    "workspace_id",
)
CONTEXT_WINDOWS = ("0-200k", "200k-1M")
GEOS = ("global", "us", "not_available")
TIERS = ("standard", "batch", "priority", "priority_on_demand", "flex", "flex_discount")
SPEEDS = ("standard", "fast")
_TIER_WEIGHTS = (60, 16, 8, 5, 6, 5)
_SHAPES_A_CALLER = 9

Dims = tuple[str | None, ...]


class Caller(NamedTuple):
    """Somebody who sends requests, and the day (counted from the first) on which they begin."""

    account_id: str | None
    api_key_id: str | None
    service_account_id: str | None
    workspace_id: str | None
    since: int


class Habit(NamedTuple):
    """One combination in the order of `DIMENSIONS`; `since` and `until` count from the first day."""

    dims: Dims
    weight: float
    since: int
    until: int


def habits_of(organization: Organization, seed: int) -> tuple[Habit, ...]:
    """Every combination in use; the first caller and its plain shape are there from the first day."""
    rng = Random(f"{seed}:habits")
    found = []
    for rank, caller in enumerate(_callers(organization)):
        found += [_habit(rng, caller, rank, shape) for shape in range(_SHAPES_A_CALLER)]
    return tuple(found)


def _callers(organization: Organization) -> list[Caller]:
    spaces = [workspace["id"] for workspace in organization.workspaces]
    keys = [
        Caller(None, key["id"], None, key["workspace_id"], number % 24 * 7)
        for number, key in enumerate(organization.api_keys)
    ]
    people = [
        Caller(user["id"], None, None, (spaces[4], None, spaces[0])[number % 3], 5 * number)
        for number, user in enumerate(organization.users)
    ]
    federated = [
        Caller(None, None, account["id"], spaces[number + 1], 30 * number)
        for number, account in enumerate(organization.service_accounts)
    ]
    mixed = [caller for pair in zip(keys, people, strict=False) for caller in pair]
    return [*mixed, *keys[len(people) :], *people[len(keys) :], *federated]


def _habit(rng: Random, caller: Caller, rank: int, shape: int) -> Habit:
    model = MODELS[0] if shape == 0 else rng.choice(MODELS)
    dims = (
        caller.account_id,
        caller.api_key_id,
        CONTEXT_WINDOWS["long" in model.traits and rng.random() < 0.25],
        rng.choices(GEOS[:2], (7, 3))[0] if "geo" in model.traits else GEOS[2],
        model.name,
        caller.service_account_id,
        TIERS[0] if shape == 0 else rng.choices(TIERS, _TIER_WEIGHTS)[0],
        SPEEDS["fast" in model.traits and rng.random() < 0.2],
        caller.workspace_id,
    )
    weight = (0.5 + rng.random()) / (3 + rank % 40) ** 0.6 / (1 + shape) ** 0.4
    return Habit(dims, weight, max(caller.since, model.since), model.until)
