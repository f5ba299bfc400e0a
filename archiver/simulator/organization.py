"""The invented organisation: workspaces, users, keys, service accounts.

The shapes are those of `/v1/organizations/{me,workspaces,users,api_keys,service_accounts}`. The default workspace is
null in the reports, and only the list of workspaces has its id.

The order of the draws from the `Random` is part of the data: another order changes the ids of a seed.
"""

from __future__ import annotations

import string
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from typing import TYPE_CHECKING, Any

from archiver.simulator.clock import DAY, day_number, stamp

if TYPE_CHECKING:
    from datetime import date

    from archiver.simulator.settings import Settings

Record = dict[str, Any]

NAME = "Invented Organisation (simulated data)"
_WORKSPACES = ("Research", "Support Desk", "Data Platform", "Batch Jobs", "Claude Code", "Sandbox")
_TEAMS = ("search", "support", "nightly", "notebook", "review", "translation", "gateway", "prototype")
_ROLES = ("admin", "developer", "developer", "user", "billing", "claude_code_user")
_COLORS = ("#6C5BB9", "#D97757", "#2E7D6B", "#B0893E", "#3E6FB0", "#8A8A8A")
_LETTERS = string.ascii_letters + string.digits


@dataclass(frozen=True, slots=True)
class Organization:
    """The objects of an organisation, as the API returns them.

    `workspaces` lacks the default workspace, as the API's list does without `include_default`.
    """

    id: str
    default_workspace: Record
    workspaces: tuple[Record, ...]
    users: tuple[Record, ...]
    api_keys: tuple[Record, ...]
    service_accounts: tuple[Record, ...]

    @property
    def me(self) -> Record:
        """The body of the response to `/v1/organizations/me`."""
        return {"id": self.id, "type": "organization", "name": NAME}

    def workspace_of(self, api_key: Record) -> str | None:
        """Return the workspace of an API key, None for the default workspace."""
        # In the newer shape `scope` holds the workspace, and the default workspace has an id.
        workspace: str | None = api_key.get("scope", api_key)["workspace_id"]
        return None if workspace == self.default_workspace["id"] else workspace


def invent_organization(settings: Settings, first_day: date) -> Organization:
    """Return the organisation of these settings, always the same.

    No object is used before it was created, and the oldest one is less than two weeks older than `first_day`.
    """
    rng = Random(f"{settings.seed}:organization")
    org_id = f"{rng.getrandbits(32):08x}-{rng.getrandbits(16):04x}-4000-8000-{rng.getrandbits(48):012x}"
    workspaces = tuple(_workspace(rng, n, first_day) for n in range(len(_WORKSPACES)))
    users = tuple(_user(rng, n, first_day) for n in range(9))
    count = max(6, round(24 * settings.size))
    keys = tuple(_api_key(rng, n, first_day, workspaces, users) for n in range(count))
    accounts = tuple(_service_account(rng, n, first_day) for n in range(3))
    # Drawn last, so that the other ids of a seed are the same as without it.
    default = _default_workspace(rng, first_day)
    if settings.key_scope:
        keys = tuple(_scoped(key, default) for key in keys)
    return Organization(org_id, default, workspaces, users, keys, accounts)


def _invent_id(rng: Random, prefix: str) -> str:
    return f"{prefix}_01" + "".join(rng.choices(_LETTERS, k=22))


def _when(first_day: date, days: int) -> str:
    """Return 09:00 UTC, `days` days after the first day of use."""
    whole = stamp(day_number(first_day + timedelta(days=days)) * DAY + 9 * 3600)
    return whole.replace("Z", ".427722Z")  # times in the lists have microseconds, those in the reports have none


def _workspace(rng: Random, number: int, first_day: date) -> Record:
    archived = number == len(_WORKSPACES) - 1
    return {
        "id": _invent_id(rng, "wrkspc"),
        "type": "workspace",
        "name": f"Invented {_WORKSPACES[number]}",
        "created_at": _when(first_day, number - 9),
        "archived_at": _when(first_day, 200) if archived else None,
        "compartment_id": None,
        # The allowed regions are either a list or the word "unrestricted".
        "data_residency": {
            "allowed_inference_geos": ["us", "global"] if number % 2 else "unrestricted",
            "default_inference_geo": "global",
            "workspace_geo": "us",
        },
        "display_color": _COLORS[number],
        "external_key_id": None,
        "user_profile_id": None,
        "tags": {"cost_center": f"invented-{100 + number}"},
    }


def _default_workspace(rng: Random, first_day: date) -> Record:
    # It is as old as the oldest user, and "Default" is the name that the real API returns.
    return _workspace(rng, 0, first_day) | {"name": "Default", "created_at": _when(first_day, -12), "tags": {}}


def _user(rng: Random, number: int, first_day: date) -> Record:
    return {
        "id": _invent_id(rng, "user"),
        "type": "user",
        "email": f"person{number + 1}@invented.example",
        "name": f"Invented Person {number + 1}",
        "role": _ROLES[number % len(_ROLES)],
        "added_at": _when(first_day, number - 12),
    }


def _api_key(
    rng: Random, number: int, first_day: date, workspaces: tuple[Record, ...], users: tuple[Record, ...]
) -> Record:
    index = number % (len(workspaces) + 1)  # the index after the last is the default workspace
    creator = {"id": users[number % len(users)]["id"], "type": "user"}
    return {
        "id": _invent_id(rng, "apikey"),
        "type": "api_key",
        "name": f"Invented {_TEAMS[number % len(_TEAMS)]} key {number + 1:02d}",
        "workspace_id": workspaces[index]["id"] if index < len(workspaces) else None,
        # Three days before its first use: `usage_patterns` computes that with the same product.
        "created_at": _when(first_day, number % 24 * 7 - 3),
        "created_by": None if number % 5 == 4 else creator,
        "partial_key_hint": f"sk-ant-api03-inv...{rng.getrandbits(16):04x}",
        "status": _status(number),
        "expires_at": _when(first_day, 300) if _status(number) == "expired" else None,
        "principal": creator if number % 3 == 0 else None,
    }


def _scoped(api_key: Record, default: Record) -> Record:
    """Return an API key in the shape of anthropic-version 2026-10-21."""
    # In this shape the default workspace has its id instead of null.
    workspace = api_key["workspace_id"] or default["id"]
    principal = api_key["principal"] and {"type": "user_actor", "user_id": api_key["principal"]["id"]}
    plain = {name: value for name, value in api_key.items() if name != "workspace_id"}
    return plain | {"principal": principal, "scope": {"type": "workspace", "workspace_id": workspace}}


def _status(number: int) -> str:
    return {7: "inactive", 12: "archived", 17: "expired"}.get(number % 24, "active")


def _service_account(rng: Random, number: int, first_day: date) -> Record:
    return {
        "id": _invent_id(rng, "svac"),
        "type": "service_account",
        "name": f"Invented federation account {number + 1}",
        "description": "Invented",
        "organization_role": "developer",
        "created_at": _when(first_day, 30 * number - 1),
        "created_by_actor_id": None,
        "updated_at": _when(first_day, 30 * number),
        "updated_by_actor_id": None,
        "archived_at": _when(first_day, 250) if number == 2 else None,
        "archived_by_actor_id": None,
    }
