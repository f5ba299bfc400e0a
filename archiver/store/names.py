"""The names of objects, and the ids of people that are forgotten.

A person is forgotten after `archiver forget`: the archive has no names and addresses of the person, and later syncs
store none. Every function runs within the caller's transaction.
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
"""The key in `_memory` of the ids of forgotten people, which are stored as a JSON array."""


async def insert_names(db: WriteConnection, objects: Sequence[NamedObject], now: int) -> None:
    """Store names that differ from the latest names of their objects.

    Names of forgotten people are left out, also if their address is that of an object with another id.
    """
    if not objects:
        return
    forgotten = await _forgotten(db)
    addresses = {named.id: json.loads(named.details).get("email") or "" for named in objects}
    # A forgotten person can come with an address that is not stored as forgotten yet. This address is then forgotten
    # too, and with it the names of all other ids that have had it.
    of_forgotten = {addresses[named.id] for named in objects if named.id in forgotten} - {""}
    new_addresses = {address for address in of_forgotten if _id_of(address) not in forgotten}
    if new_addresses:
        forgotten |= {_id_of(address) for address in new_addresses}
        await db.execute("delete_names_of_addresses", {"addresses": json.dumps(sorted(new_addresses))})
        await db.execute("upsert_memory", {"key": FORGOTTEN, "value": json.dumps(sorted(forgotten))})
    rows = [
        {"kind": named.kind, "id": named.id, "learnt_at": now, "name": named.name, "details": named.details}
        for named in objects
        if named.id not in forgotten and _id_of(addresses[named.id]) not in forgotten
    ]
    await db.execute_many("insert_name", rows)


async def delete_names(db: WriteConnection, identity: str) -> int:
    """Remove all names and addresses of a person, by an id or an address.

    The ids of the person are stored as forgotten, so that later syncs do not archive names and addresses again.

    Return the number of removed records; 0 if the person was forgotten before.

    Raises:
        ConfigurationError: The archive has no name for this id or address, and it was not forgotten before.
    """
    # One person can have several ids: the Claude Code report has addresses in place of ids, and a user who is invited
    # again gets another id.
    people = await db.fetch("select_people", {"id": identity})
    given_id = _id_of(identity) if "@" in identity else identity
    ids = {given_id, *(stored_id for stored_id, _ in people), *(_id_of(address) for _, address in people if address)}
    before = await _forgotten(db)
    if not people and given_id not in before:
        raise ConfigurationError(
            f"no name and no address of {identity} is archived",
            hint="the ids of people are in the views person and user: archiver query 'SELECT id FROM person'",
        )
    await db.execute("delete_names", {"ids": json.dumps(sorted(ids))})
    await db.execute("upsert_memory", {"key": FORGOTTEN, "value": json.dumps(sorted(before | ids))})
    return len(people)


def _id_of(address: str) -> str:
    """Return the id by which an address is stored as forgotten; upper and lower case give the same id."""
    return pseudonym(address.lower())


async def _forgotten(db: WriteConnection) -> set[str]:
    """Return the ids of forgotten people."""
    remembered = await db.fetch("select_memory", {"key": FORGOTTEN})
    return set(json.loads(remembered[0][0])) if remembered else set()
