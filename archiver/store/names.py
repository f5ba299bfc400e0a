"""The names of objects, and the ids of people that are forgotten.

Every function is a part of a transaction of its caller.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from archiver.errors import ConfigurationError
from archiver.reports.people import pseudonym

if TYPE_CHECKING:
    from collections.abc import Sequence

    from archiver.model import NamedObject
    from archiver.store.connection import WriteConnection

FORGOTTEN = "forgotten"
"""The name of the fact that lists the ids of forgotten people, as a JSON array."""


async def insert_names(db: WriteConnection, objects: Sequence[NamedObject], now: int) -> None:
    """Store names that differ from the latest of their objects.

    Names of forgotten people are left out, also if their address comes under another id.
    """
    if not objects:
        return
    forgotten = await _forgotten(db)
    addresses = {one.id: json.loads(one.details).get("email") or "" for one in objects}
    # A forgotten person can have an address that is new here. It is forgotten too, under all of its ids.
    new = {addresses[one.id] for one in objects if one.id in forgotten} - {""}
    new = {address for address in new if _id_of(address) not in forgotten}
    if new:
        forgotten |= {_id_of(address) for address in new}
        await db.execute("delete_names_of_addresses", {"addresses": json.dumps(sorted(new))})
        await db.execute("upsert_memory", {"key": FORGOTTEN, "value": json.dumps(sorted(forgotten))})
    rows = [
        {"kind": one.kind, "id": one.id, "learnt_at": now, "name": one.name, "details": one.details}
        for one in objects
        if one.id not in forgotten and _id_of(addresses[one.id]) not in forgotten
    ]
    await db.execute_many("insert_name", rows)


async def delete_names(db: WriteConnection, identity: str) -> int:
    """Remove all names and addresses of a person, by an id or an address.

    The id is noted, so that later syncs archive none of them.

    Return the number of removed records.

    Raises:
        ConfigurationError: The archive has no name of this id, and it was not forgotten before.
    """
    # One person can have several ids: the Claude Code report has addresses in place of ids, and a user who is invited
    # again gets another id.
    people = await db.fetch("select_people", {"id": identity})
    own = _id_of(identity) if "@" in identity else identity
    ids = {own, *(one for one, _ in people), *(_id_of(address) for _, address in people if address)}
    before = await _forgotten(db)
    if not people and own not in before:
        raise ConfigurationError(
            f"no name and no address of {identity} is archived",
            hint="the ids of people are in the views person and user: archiver query 'SELECT id FROM person'",
        )
    await db.execute("delete_names", {"ids": json.dumps(sorted(ids))})
    await db.execute("upsert_memory", {"key": FORGOTTEN, "value": json.dumps(sorted(before | ids))})
    return len(people)


def _id_of(address: str) -> str:
    """Return the id under which an address is noted as forgotten, in upper and lower case alike."""
    return pseudonym(address.lower())


async def _forgotten(db: WriteConnection) -> set[str]:
    remembered = await db.fetch("select_memory", {"key": FORGOTTEN})
    return set(json.loads(remembered[0][0])) if remembered else set()
