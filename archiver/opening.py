"""What a run asks before it plans: whose key it is, what time it is, and which names there are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from archiver.api.fetch import fetch_names, fetch_organization
from archiver.errors import ApiError, ContractError, KeyRefusedError, TemporaryError
from archiver.model import NameKind, Organization, to_text
from archiver.plan.work import SeriesPlan, doubt, plan_series

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from archiver.api.client import AdminClient
    from archiver.clock import Clock
    from archiver.model import NamedObject, Report, Series, Span
    from archiver.plan.scope import Scope
    from archiver.store.archive import Archive
    from archiver.summary import Summary

WORST_CLOCK_SKEW = 300


class Known(Protocol):
    """What planning reads of an archive."""

    async def spans(self, series: Series, start: int = ..., end: int = ...) -> list[Span]:
        """Read the coverage of a series."""

    async def digests(self, series: Series) -> dict[tuple[int, int], bytes]:
        """Read the digests of answers that still hold."""

    async def suspects(self, series: Series) -> list[int]:
        """Read the settled buckets whose last answer was not believed yet."""

    async def history(self, report: Report) -> tuple[int, int | None] | None:
        """Read where a report begins."""

    async def recall(self, key: str) -> str | None:
        """Read what an earlier run learnt."""


async def identify(archive: Archive | None, client: AdminClient, summary: Summary) -> None:
    """Ask whose key it is, and make sure that the archive is theirs.

    Raises:
        KeyRefusedError, TemporaryError: As the API answers.
        OrganizationMismatchError: The archive is another organisation's.
    """
    try:
        organization = await fetch_organization(client)
    except (KeyRefusedError, TemporaryError):
        raise
    except ContractError as error:
        summary.warnings[f"the organisation's name could not be read: {error.message}"] = None
        if client.organization_id is None:
            return
        organization = Organization(client.organization_id, None)
    summary.organization = organization.name or organization.id
    if archive is not None:
        await archive.claim_for(organization)


def server_now(client: AdminClient, clock: Clock, summary: Summary) -> int:
    """Take the time from the server; warn when the local clock is far from it, or there is none to take."""
    local = int(clock.now())
    if client.server_time is None:
        summary.warnings["the API shows no Date, so nothing it says is taken as settled"] = None
        return local
    if abs(client.server_time - local) > WORST_CLOCK_SKEW:
        shown = to_text(client.server_time)
        summary.warnings[f"the local clock says {to_text(local)}, the API's {shown}: the API's is used"] = None
    return client.server_time


async def read_names(
    client: AdminClient, kind: NameKind, summary: Summary, save: Callable[[Sequence[NamedObject]], Awaitable[None]]
) -> None:
    """Read one list of names; that it cannot be read is a warning, for numbers matter more than names.

    Raises:
        TemporaryError: The API asked for a longer wait than the run has.
    """
    try:
        names = await fetch_names(client, kind)
    except ApiError as error:
        if isinstance(error, TemporaryError) and error.not_before is not None:
            raise
        summary.warnings[f"the names of every {kind} could not be read: {error.message}"] = None
    else:
        await save(names)


async def known_cap(known: Known, scope: Scope) -> int:
    """Say how many dimensions one request may ask for: what was configured, or less if the API said so once."""
    learnt = await known.recall("group_by_cap")
    return min(scope.group_by_cap, int(learnt)) if learnt and learnt.isdecimal() else scope.group_by_cap


async def make_plans(
    known: Known, scope: Scope, series: Sequence[Series], now: int, histories: Mapping[Report, int | None]
) -> list[SeriesPlan]:
    """Plan every series from what the archive knows of it.

    Raises:
        ConfigurationError: The range holds no bucket.
    """
    plans = []
    for one in series:
        start, end = scope.range_of(one, now, histories.get(one.report))
        spans, digests = await known.spans(one, start, end), await known.digests(one)
        spans = doubt(spans, await known.suspects(one), one.bucket_width.seconds)
        plans.append(plan_series(one, (start, end), spans, scope.refresh_from(now), digests))
    return plans
