"""Fetch and save the lists of names, and the API's spend limits."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeGuard, TypeVar

from archiver.api.lists import fetch_names
from archiver.api.spend_limits import fetch_spend_limits
from archiver.errors import ApiError, TemporaryError
from archiver.model import NameKind
from archiver.plan.calendar import parse_time

if TYPE_CHECKING:
    from collections.abc import Iterable

    import anyio

    from archiver.api.client import AdminClient
    from archiver.clock import Clock
    from archiver.crawl.summary import Summary
    from archiver.model import NamedObject, SpendLimit
    from archiver.store.archive import Archive
    from archiver.store.plan_reader import PlanReader

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Lists:
    """Fetches the lists of one run and saves them in the archive.

    Attributes:
        people: Whether names and e-mail addresses of people are archived.
        created: The times at which the saved objects were created, in UTC seconds.
    """

    archive: Archive
    client: AdminClient
    clock: Clock
    summary: Summary
    people: bool
    created: list[int] = field(default_factory=list)

    async def save(self, kind: NameKind, identified: anyio.Event) -> None:
        """Fetch one list of names, and save it once `identified` is set.

        Raises:
            TemporaryError: The wait for the API is longer than this run may take.
        """
        names = await read_names(self.client, kind, people=self.people)
        await identified.wait()  # otherwise another organisation's names could reach the archive
        if self._is_usable(names, f"the names of every {kind}"):
            await self.archive.save_names(names, self._now())
            self.created.extend(creation_times(names))

    async def save_spend_limits(self, identified: anyio.Event) -> None:
        """Fetch the spend limits, and save them once `identified` is set.

        Raises:
            TemporaryError: The wait for the API is longer than this run may take.
        """
        limits = await read_spend_limits(self.client)
        await identified.wait()
        if limits is not None and self._is_usable(limits, "the spend limits"):
            await self.archive.save_spend_limits(limits, self._now())

    def _is_usable(self, listed: list[T] | str, what: str) -> TypeGuard[list[T]]:
        """Return whether a list can be saved; add a warning if not.

        `listed` is a list, or the warning for a list that could not be read. `what` names the list in a warning.
        """
        if isinstance(listed, str):
            self.summary.warnings[listed] = None
            return False
        if self.summary.organization is None:
            self.summary.warnings[f"{what} are not kept: the organisation is unknown"] = None
            return False
        return True

    def _now(self) -> int:
        return self.client.server_time or int(self.clock.now())


async def read_names(client: AdminClient, kind: NameKind, *, people: bool = True) -> list[NamedObject] | str:
    """Fetch one list of names; return a warning when it cannot be read.

    Without `people`, users have neither name nor e-mail address.

    Raises:
        TemporaryError: The wait for the API is longer than this run may take.
    """
    try:
        names = await fetch_names(client, kind)
        return names if people or kind is not NameKind.USER else [_without_person(user) for user in names]
    except ApiError as error:
        # Rows matter more than names, so the run goes on without names. But a wait that is longer than the run concerns
        # all other requests too.
        if isinstance(error, TemporaryError) and error.not_before is not None:
            raise
        return f"cannot read the names of every {kind}: {error.message}"


async def read_spend_limits(client: AdminClient) -> list[SpendLimit] | str | None:
    """Fetch the spend limits of the organisation.

    Return a warning when the limits cannot be read, and None when the API refuses them.

    Raises:
        TemporaryError: The wait for the API is longer than this run may take.
    """
    try:
        return await fetch_spend_limits(client)
    except ApiError as error:
        if isinstance(error, TemporaryError) and error.not_before is not None:
            raise
        return f"cannot read the spend limits: {error.message}"


def _without_person(user: NamedObject) -> NamedObject:
    """Return a user without name and e-mail address."""
    details = json.loads(user.details)
    # A list of what is kept: a field that is new in the API may name the person too.
    kept = {name: details[name] for name in ("added_at", "role") if name in details}
    return replace(user, name=None, details=json.dumps(kept, separators=(",", ":")))


def creation_times(objects: Iterable[NamedObject]) -> list[int]:
    """Return the times at which objects were created, in UTC seconds.

    Objects without a valid time are left out.
    """
    times = []
    for named_object in objects:
        details = json.loads(named_object.details)
        # Users have `added_at` instead of `created_at`. Little is documented about these fields, so an invalid time is
        # skipped.
        with suppress(ValueError):
            times.append(int(parse_time(str(details.get("created_at") or details.get("added_at"))).timestamp()))
    return times


async def recall_oldest(reader: PlanReader) -> int | None:
    """Return the creation time of the oldest object that any run has seen.

    The time is in UTC seconds; None before the first run that read a list. It is remembered, because an object that is
    deleted later is missing from the lists.
    """
    remembered = await reader.recall("oldest_object")
    return int(remembered) if remembered and remembered.isdecimal() else None


async def remember_oldest(archive: Archive, created: Iterable[int]) -> None:
    """Remember the oldest time of `created`, if it is older than before."""
    remembered, oldest = await recall_oldest(archive), min(created, default=0)
    # `oldest` is 0 without objects. Without a remembered time, `oldest + 1` makes the comparison true.
    if 0 < oldest < (remembered or oldest + 1):
        await archive.remember("oldest_object", str(oldest))
