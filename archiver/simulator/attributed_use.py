"""The invented use and its users, as the analytics reports show them.

Tokens and money are those of the older reports. Charges of code execution have no attribution, and there is use of
products that the older reports do not have.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, NamedTuple

from archiver.simulator.analytics_query import GROUPINGS
from archiver.simulator.clock import DAY, MINUTE
from archiver.simulator.invented_data import FRESHNESS
from archiver.simulator.prices import (
    CODE_EXECUTION_ITEM,
    CREDIT_ITEM,
    FREE_OF_COST,
    MODELS,
    TOKEN_TYPES,
    WEB_SEARCH,
    token_item,
)
from archiver.simulator.usage_patterns import DIMENSIONS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from archiver.simulator.activity import UsageEvent
    from archiver.simulator.invented_data import InventedData
    from archiver.simulator.organization import Record

Values = dict[str, str | None]
_MINUTE_OF_CHARGES = 720
_IDS = ("user_id", "service_account_id", "api_key_id")


class Use(NamedTuple):
    """Use of one identity in one minute.

    `second` is UTC seconds. `values` has the dimensions, `actor` is the object that the API shows or None. `identity`
    distinguishes actors, also those that the API cannot show. `costs` maps cost type and token type to microcents.
    """

    second: int
    values: Values
    actor: Record | None
    identity: str
    counts: tuple[int, ...]
    costs: dict[tuple[str, str | None], int]


class AttributedUse:
    """All use of an organisation, with its people, accounts and keys."""

    def __init__(self, data: InventedData) -> None:
        """Read everything from `data`."""
        self._data = data
        rng = Random(f"{data.settings.seed}:analytics")
        self._users = {user["id"]: user for user in data.organization.users}
        self._principals = {key["id"]: _principal(key) for key in data.organization.api_keys}
        self._deleted = {
            "type": "user_actor",
            "user_id": f"user_01Deleted{rng.getrandbits(60):015x}",
            "email_address": None,
            "name": "Deleted User",
            "deleted": True,
        }
        self._teams = [f"rbac_group_01Invented{rng.getrandbits(40):010x}" for _ in range(2)]

    def of_day(self, day: int, until: int) -> Iterator[Use]:
        """Yield the use of a day that is visible at `until`, in UTC seconds."""
        yield from self._of_events(day, until)
        yield from self._of_charges(day, until)
        yield from self._of_seats(day, until)

    def teams_of(self, use: Use) -> Sequence[str | None]:
        """Return the groups of an identity: None, one, or two of them."""
        number = list(self._users).index(use.identity) if use.identity in self._users else -1
        return [None] if number < 0 else self._teams if number % 3 == 0 else [self._teams[number % 2]]

    def _of_events(self, day: int, until: int) -> Iterator[Use]:
        for event in self._data.visible(day, until):
            values = dict(zip(DIMENSIONS, event.values, strict=True))
            actor = self._actor(values)
            yield self._use(day, event, values, actor, _product(values, self._data.organization.workspaces[4]["id"]))

    def _of_charges(self, day: int, until: int) -> Iterator[Use]:
        second = day * DAY + _MINUTE_OF_CHARGES * MINUTE
        if second + FRESHNESS > until:
            return
        for workspace, item, microcents in self._data.charges(day):
            if item == CREDIT_ITEM:
                continue
            nothing = dict.fromkeys(DIMENSIONS) | {"workspace_id": workspace}
            if item == CODE_EXECUTION_ITEM:
                # Two identities that the API cannot show: each has a row of its own with a null actor.
                parts = (microcents // 3, microcents - microcents // 3)
                for number, part in enumerate(parts):
                    costs: dict[tuple[str, str | None], int] = {("code_execution", None): part}
                    yield Use(second, self._values(nothing, None, None), None, f"hidden {number}", (0,) * 6, costs)
            else:
                role = "arn:aws:iam::000000000000:role/invented"
                provider = {"type": "aws", "account_id": "000000000000", "signed_principal": role}
                actor = {"type": "federated_actor", "provider": provider, "subject": role}
                values = self._values(nothing, "managed_agents_api", "federated_actor")
                yield Use(second, values, actor, role, (0,) * 6, {("session_usage", None): microcents})

    def _of_seats(self, day: int, until: int) -> Iterator[Use]:
        """Yield use of products that the older reports do not have."""
        if self._data.activity.is_quiet(day) or not self._data.amendments.keeps_charges(day):
            return
        rng = Random(f"{self._data.settings.seed}:{day}:seats")
        people = [_user_actor(user) for user in list(self._users.values())[:3]] + [self._deleted]
        for number, actor in enumerate(people):
            minute, output = rng.randrange(1440), 1 + rng.randrange(5000)
            values: Values = dict.fromkeys(DIMENSIONS)
            values |= {"model": MODELS[0].name, "service_tier": "standard", "context_window": "0-200k"}
            values |= {"inference_geo": "global", "speed": "standard"}
            second = day * DAY + minute * MINUTE
            if second + FRESHNESS > until:
                continue
            counts = (rng.randrange(20_000), 0, 0, 0, output, 0)
            product = ("chat", "cowork")[number % 2]
            costs = _token_costs(values, counts)
            yield Use(second, self._values(values, product, "user_actor"), actor, actor["user_id"], counts, costs)

    def _use(self, day: int, event: UsageEvent, values: Values, actor: Record | None, product: str) -> Use:
        shown_actor = actor or {"type": None, "user_id": "hidden without key"}
        identity = next(shown_actor[one] for one in _IDS if one in shown_actor)
        costs = _token_costs(values, event.counts)
        shown = self._values(values, product, shown_actor["type"])
        return Use(day * DAY + event.minute * MINUTE, shown, actor, identity, event.counts, costs)

    def _values(self, values: Values, product: str | None, actor_type: str | None) -> Values:
        geo = values["inference_geo"]
        own = {name: values.get(name) for name in GROUPINGS}
        # The default workspace has its id here, and a region that is not available is null.
        return own | {
            "workspace_id": values["workspace_id"] or self._data.organization.default_workspace["id"],
            "inference_geo": None if geo == "not_available" else geo,
            "product": product,
            "actor_type": actor_type,
        }

    def _actor(self, values: Values) -> Record | None:
        user = values["account_id"] or self._principals.get(values["api_key_id"] or "")
        if user is not None:
            return _user_actor(self._users[user])
        if values["service_account_id"] is not None:
            return {"type": "service_account_actor", "service_account_id": values["service_account_id"]}
        key = values["api_key_id"]
        return None if key is None else {"type": "api_actor", "api_key_id": key}


def _principal(key: Record) -> str | None:
    """Return the user of a personal key."""
    principal = key["principal"] or {}
    found: str | None = principal.get("id") or principal.get("user_id")
    return found


def _user_actor(user: Record) -> Record:
    return {
        "type": "user_actor",
        "user_id": user["id"],
        "email_address": user["email"],
        "name": user["name"],
        "deleted": False,
    }


def _product(values: Values, claude_code: str) -> str:
    if values["account_id"] is not None:
        return "claude_code" if values["workspace_id"] == claude_code else "claude_console"
    return "message_batches_api" if values["service_tier"] == "batch" else "messages_api"


def _token_costs(values: Values, counts: Sequence[int]) -> dict[tuple[str, str | None], int]:
    if values["service_tier"] == FREE_OF_COST:
        return {}
    priced = tuple(values[n] or "" for n in ("context_window", "inference_geo", "model", "service_tier", "speed"))
    costs: dict[tuple[str, str | None], int] = {}
    for token_type, count in zip(TOKEN_TYPES, counts, strict=False):
        if count:
            costs["tokens", token_type] = count * token_item(priced, token_type)[1]
    if counts[5]:
        costs["web_search", None] = counts[5] * WEB_SEARCH
    return costs
