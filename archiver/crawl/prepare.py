"""What a run asks before it plans: whose key it is, what time it is, and which names there are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from archiver.api.endpoints import fetch_names, fetch_organization
from archiver.errors import ApiError, ContractError, KeyRefusedError, TemporaryError
from archiver.model import DAY, WORST_CLOCK_SKEW, NameKind, Organization, to_text
from archiver.plan.work import SeriesPlan, plan_series, reopen_suspects

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from archiver.api.client import AdminClient
    from archiver.clock import Clock
    from archiver.crawl.summary import Summary
    from archiver.model import NamedObject, Report, Series, Span
    from archiver.plan.scope import Scope
    from archiver.store.archive import Archive

LONGEST_KEPT_WAIT = 3600


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


async def respect_not_before(known: Known, clock: Clock) -> None:
    """Keep to the time that the API told an earlier run.

    Raises:
        TemporaryError: It has not come yet.
    """
    told = await known.recall("not_before")
    now = int(clock.now())
    if told is not None and told.isdecimal() and now < int(told) <= now + LONGEST_KEPT_WAIT:
        raise TemporaryError(f"the API asked not to be asked again before {to_text(int(told))}")


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
        await archive.bind_organization(organization)


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


async def read_names(client: AdminClient, kind: NameKind) -> list[NamedObject] | str:
    """Read one list of names, or say why it could not be: that is a warning, for numbers matter more than names.

    Raises:
        TemporaryError: The API asked for a longer wait than the run has.
    """
    try:
        return await fetch_names(client, kind)
    except ApiError as error:
        if isinstance(error, TemporaryError) and error.not_before is not None:
            raise
        return f"the names of every {kind} could not be read: {error.message}"


async def drop_future_coverage(archive: Archive, client: AdminClient, clock: Clock, summary: Summary) -> None:
    """Repair coverage that lies ahead of its own reading, or of both clocks: a wrong one shall not undo days."""
    if client.server_time is None:  # one clock alone is not believed
        return
    if await archive.drop_future_coverage(max(client.server_time, int(clock.now())) + WORST_CLOCK_SKEW):
        summary.warnings["the archive said that it covers days to come: that is taken back"] = None


def believed_history(known: tuple[int, int | None] | None, now: int) -> tuple[int, int | None] | None:
    """Take what is remembered of where a report begins, unless it lies in the future."""
    return None if known is None or max(known[0], known[1] or 0) > now + DAY else known


async def known_cap(known: Known, scope: Scope) -> int:
    """Say how many dimensions one request may ask for: what was configured, or less if the API said so once."""
    learnt = await known.recall("group_by_cap")
    return max(1, min(scope.group_by_cap, int(learnt))) if learnt and learnt.isdecimal() else scope.group_by_cap


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
        spans = reopen_suspects(spans, await known.suspects(one), one.bucket_width.seconds)
        plans.append(plan_series(one, (start, end), spans, scope.refresh_from(now), digests))
    return plans
