"""Usage patterns: combinations of dimension values, when and how often.

Usage events are drawn from patterns. As documented, an account occurs only in use of the Console and of OAuth, which
has no API key, and a service account only in federated use.
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
_PATTERNS_A_CALLER = 9

DimensionValues = tuple[str | None, ...]


class Caller(NamedTuple):
    """A sender of requests.

    `since` is the first day on which it may send any, in days after the first day of use.
    """

    account_id: str | None
    api_key_id: str | None
    service_account_id: str | None
    workspace_id: str | None
    since: int


class UsagePattern(NamedTuple):
    """One combination of dimension values, in the order of `DIMENSIONS`.

    It is used from day `since` to before day `until`, in days after the first day of use. The chance of an event to
    have this pattern is `weight`, relative to the weights of the other patterns in use on that day.
    """

    values: DimensionValues
    weight: float
    since: int
    until: int


def invent_usage_patterns(organization: Organization, seed: int) -> tuple[UsagePattern, ...]:
    """Return the patterns of all callers."""
    # The word is a part of the seed: another word would change all invented use.
    rng = Random(f"{seed}:habits")
    patterns = []
    for rank, caller in enumerate(_callers(organization)):
        patterns += [_pattern(rng, caller, rank, number) for number in range(_PATTERNS_A_CALLER)]
    return tuple(patterns)


def _callers(organization: Organization) -> list[Caller]:
    # The days have to agree with `organization`, which creates each object before its first use here.
    workspaces = [workspace["id"] for workspace in organization.workspaces]
    keys = [
        Caller(None, key["id"], None, organization.workspace_of(key), number % 24 * 7)
        for number, key in enumerate(organization.api_keys)
    ]
    people = [
        Caller(user["id"], None, None, (workspaces[4], None, workspaces[0])[number % 3], 5 * number)
        for number, user in enumerate(organization.users)
    ]
    federated = [
        Caller(None, None, account["id"], workspaces[number + 1], 30 * number)
        for number, account in enumerate(organization.service_accounts)
    ]
    # The first callers have the most use. Keys and people alternate, so that both are among them.
    mixed = [caller for pair in zip(keys, people, strict=False) for caller in pair]
    return [*mixed, *keys[len(people) :], *people[len(keys) :], *federated]


def _pattern(rng: Random, caller: Caller, rank: int, number: int) -> UsagePattern:
    # The first pattern of each caller is standard use of the first model, so that every seed has such use.
    model = MODELS[0] if number == 0 else rng.choice(MODELS)
    # Only models with a trait draw for it. Each draw shifts those after it, so the order of the fields and conditions
    # has to stay for a seed to keep its use.
    is_long = "long" in model.traits and rng.random() < 0.25
    values = (
        caller.account_id,
        caller.api_key_id,
        CONTEXT_WINDOWS[1] if is_long else CONTEXT_WINDOWS[0],
        rng.choices(GEOS[:2], (7, 3))[0] if "geo" in model.traits else GEOS[2],
        model.name,
        caller.service_account_id,
        TIERS[0] if number == 0 else rng.choices(TIERS, _TIER_WEIGHTS)[0],
        SPEEDS[1] if "fast" in model.traits and rng.random() < 0.2 else SPEEDS[0],
        caller.workspace_id,
    )
    # A power law over callers and over their patterns: a few of both make most of the use, as in real organisations.
    # Exponents below 1 and the 3 flatten it, so that the last callers still appear. The rank starts again every 40
    # callers, so that large organisations have several large ones.
    weight = (0.5 + rng.random()) / (3 + rank % 40) ** 0.6 / (1 + number) ** 0.4
    return UsagePattern(values, weight, max(caller.since, model.since), model.until)
