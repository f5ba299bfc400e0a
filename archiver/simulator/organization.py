"""The invented organisation: workspaces, users, keys, service accounts.

The records have the fields of `/v1/organizations/{me,workspaces,users,api_keys,service_accounts}`. The usage and cost
reports show the default workspace as null, although it has an id in the list of workspaces.

The same seed always leads to the same ids. Another order of the draws from `Random` would change them.
"""

from __future__ import annotations

import string
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from typing import TYPE_CHECKING, Any

from archiver.simulator.clock import DAY, HOUR, day_number, stamp

if TYPE_CHECKING:
    from datetime import date

    from archiver.simulator.settings import Settings

Record = dict[str, Any]

NAME = "Invented Organisation (simulated data)"
_WORKSPACES = ("Research", "Support Desk", "Data Platform", "Batch Jobs", "Claude Code", "Sandbox")
# An API key is named after a team and its number.
_TEAMS = ("search", "support", "nightly", "notebook", "review", "translation", "gateway", "prototype")
_ROLES = ("admin", "developer", "developer", "user", "billing", "claude_code_user")
_COLORS = ("#6C5BB9", "#D97757", "#2E7D6B", "#B0893E", "#3E6FB0", "#8A8A8A")
_LETTERS = string.ascii_letters + string.digits


@dataclass(frozen=True, slots=True)
class Organization:
    """The objects of an organisation, as the API returns them.

    `workspaces` does not contain the default workspace. The API lists it only if `include_default` is requested.
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
        """Return the id of an API key's workspace; None for the default one."""
        # A key has `workspace_id`, which is null for the default workspace. In the newer shape (see `_scoped`) it has
        # `scope` instead, with a `workspace_id` that is never null.
        workspace: str | None = api_key.get("scope", api_key)["workspace_id"]
        return None if workspace == self.default_workspace["id"] else workspace


def invent_organization(settings: Settings, first_day: date) -> Organization:
    """Return an organisation; equal arguments always lead to the same one.

    Each object is created before its first use. The oldest object is created 12 days before `first_day`.
    """
    rng = Random(f"{settings.seed}:organization")
    # In the form of a UUID: the 4 and the 8 are its version and its variant.
    org_id = f"{rng.getrandbits(32):08x}-{rng.getrandbits(16):04x}-4000-8000-{rng.getrandbits(48):012x}"
    workspaces = tuple(_workspace(rng, index, first_day) for index in range(len(_WORKSPACES)))
    users = tuple(_user(rng, index, first_day) for index in range(9))
    key_count = max(6, round(24 * settings.size))
    keys = tuple(_api_key(rng, index, first_day, workspaces, users) for index in range(key_count))
    accounts = tuple(_service_account(rng, index, first_day) for index in range(3))
    # The default workspace is drawn last, so that its draw does not change the ids of the other objects.
    default = _default_workspace(rng, first_day)
    if settings.key_scope:
        keys = tuple(_scoped(key, default) for key in keys)
    return Organization(org_id, default, workspaces, users, keys, accounts)


def _invent_id(rng: Random, prefix: str) -> str:
    # Ids of the real API have this form too: `_01` and 22 letters or digits after the prefix.
    return f"{prefix}_01" + "".join(rng.choices(_LETTERS, k=22))


def _at_nine(first_day: date, days: int) -> str:
    """Return 09:00 UTC on the day that is `days` days after `first_day`."""
    whole_seconds = stamp(day_number(first_day + timedelta(days=days)) * DAY + 9 * HOUR)
    # Times in the lists have microseconds, unlike times in the reports.
    return whole_seconds.replace("Z", ".427722Z")


def _workspace(rng: Random, index: int, first_day: date) -> Record:
    is_archived = index == len(_WORKSPACES) - 1
    return {
        "id": _invent_id(rng, "wrkspc"),
        "type": "workspace",
        "name": f"Invented {_WORKSPACES[index]}",
        "created_at": _at_nine(first_day, index - 9),
        "archived_at": _at_nine(first_day, 200) if is_archived else None,
        "compartment_id": None,
        # The API returns the allowed regions either as a list or as the text "unrestricted": both occur here.
        "data_residency": {
            "allowed_inference_geos": ["us", "global"] if index % 2 else "unrestricted",
            "default_inference_geo": "global",
            "workspace_geo": "us",
        },
        "display_color": _COLORS[index],
        "external_key_id": None,
        "user_profile_id": None,
        "tags": {"cost_center": f"invented-{100 + index}"},
    }


def _default_workspace(rng: Random, first_day: date) -> Record:
    # "Default" is the name that the real API returns. The first user was added on the same day, -12.
    return _workspace(rng, 0, first_day) | {"name": "Default", "created_at": _at_nine(first_day, -12), "tags": {}}


def _user(rng: Random, index: int, first_day: date) -> Record:
    return {
        "id": _invent_id(rng, "user"),
        "type": "user",
        "email": f"person{index + 1}@invented.example",
        "name": f"Invented Person {index + 1}",
        "role": _ROLES[index % len(_ROLES)],
        "added_at": _at_nine(first_day, index - 12),
    }


def _api_key(
    rng: Random, index: int, first_day: date, workspaces: tuple[Record, ...], users: tuple[Record, ...]
) -> Record:
    # The keys take turns through the workspaces. One place after the last workspace stands for the default workspace.
    workspace_index = index % (len(workspaces) + 1)
    creator = {"id": users[index % len(users)]["id"], "type": "user"}
    return {
        "id": _invent_id(rng, "apikey"),
        "type": "api_key",
        "name": f"Invented {_TEAMS[index % len(_TEAMS)]} key {index + 1:02d}",
        "workspace_id": workspaces[workspace_index]["id"] if workspace_index < len(workspaces) else None,
        # Three days before the first use, which is `index % 24 * 7` days after `first_day` in `usage_patterns`.
        "created_at": _at_nine(first_day, index % 24 * 7 - 3),
        "created_by": None if index % 5 == 4 else creator,
        "partial_key_hint": f"sk-ant-api03-inv...{rng.getrandbits(16):04x}",
        "status": _key_status(index),
        "expires_at": _at_nine(first_day, 300) if _key_status(index) == "expired" else None,
        "principal": creator if index % 3 == 0 else None,
    }


def _scoped(api_key: Record, default: Record) -> Record:
    """Return an API key in the shape of anthropic-version 2026-10-21.

    `scope` replaces `workspace_id`, and `principal` has other fields. `default` is the default workspace.
    """
    # In this shape the id of the default workspace stands in place of null.
    workspace_id = api_key["workspace_id"] or default["id"]
    # A key without a principal keeps null.
    principal = api_key["principal"] and {"type": "user_actor", "user_id": api_key["principal"]["id"]}
    unchanged = {name: value for name, value in api_key.items() if name != "workspace_id"}
    return unchanged | {"principal": principal, "scope": {"type": "workspace", "workspace_id": workspace_id}}


def _key_status(index: int) -> str:
    # Three of every 24 keys are not active, so that each status occurs at the default size.
    return {7: "inactive", 12: "archived", 17: "expired"}.get(index % 24, "active")


def _service_account(rng: Random, index: int, first_day: date) -> Record:
    return {
        "id": _invent_id(rng, "svac"),
        "type": "service_account",
        "name": f"Invented federation account {index + 1}",
        "description": "Invented",
        "organization_role": "developer",
        # One day before the first use, which is `30 * index` days after `first_day` in `usage_patterns`.
        "created_at": _at_nine(first_day, 30 * index - 1),
        "created_by_actor_id": None,
        "updated_at": _at_nine(first_day, 30 * index),
        "updated_by_actor_id": None,
        "archived_at": _at_nine(first_day, 250) if index == 2 else None,
        "archived_by_actor_id": None,
    }
