"""Steps before the plan: organisation, server time, names, and what earlier runs remembered."""

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

# A longer one is the mark of a clock that was wrong when it was remembered.
LONGEST_KEPT_WAIT = 3600


class ArchiveReader(Protocol):
    """The reads of an archive that planning needs."""

    async def spans(self, series: Series, start: int = ..., end: int = ...) -> list[Span]:
        """Read the coverage of a series."""

    async def digests(self, series: Series) -> dict[tuple[int, int], bytes]:
        """Read the digests of the last answers that are still valid, by window."""

    async def suspects(self, series: Series) -> list[int]:
        """Read the starts of settled buckets whose last answer was held back."""

    async def history(self, report: Report) -> tuple[int, int | None] | None:
        """Read how far a report is known to be empty, and its first bucket with rows."""

    async def recall(self, key: str) -> str | None:
        """Read a value that an earlier run remembered."""


async def respect_not_before(reader: ArchiveReader, clock: Clock) -> None:
    """Raise while the wait that the API asked of an earlier run lasts.

    Raises:
        TemporaryError: The wait is not over.
    """
    remembered = await reader.recall("not_before")
    now = int(clock.now())
    if remembered is not None and remembered.isdecimal() and now < int(remembered) <= now + LONGEST_KEPT_WAIT:
        raise TemporaryError(
            f"the API asked not to be asked again before {to_text(int(remembered))} (retry-after)",
            hint="run the same command again after that time",
        )


async def identify(archive: Archive | None, client: AdminClient, summary: Summary) -> None:
    """Fetch the organisation of the key, and bind the archive to it.

    Raises:
        KeyRefusedError, TemporaryError: As the API returns.
        OrganizationMismatchError: The archive is another organisation's.
    """
    try:
        organization = await fetch_organization(client)
    except (KeyRefusedError, TemporaryError):
        raise
    except ContractError as error:
        # The name is for display only; the id also stands in a header of every response.
        summary.warnings[f"cannot read the organisation's name: {error.message}"] = None
        if client.organization_id is None:
            return
        organization = Organization(client.organization_id, None)
    summary.organization = organization.name or organization.id
    if archive is not None:
        await archive.bind_organization(organization)


def server_now(client: AdminClient, clock: Clock, summary: Summary) -> int:
    """Return the server's time; warn when the local clock differs much, or there is no Date header."""
    local = int(clock.now())
    if client.server_time is None:
        summary.warnings["the response has no Date header; no bucket is marked settled"] = None
        return local
    if abs(client.server_time - local) > WORST_CLOCK_SKEW:
        shown = to_text(client.server_time)
        summary.warnings[
            f"the local clock shows {to_text(local)}, the API's Date header {shown}: the API's time is used"
        ] = None
    return client.server_time


async def read_names(client: AdminClient, kind: NameKind) -> list[NamedObject] | str:
    """Fetch one list of names; return a warning when it cannot be read, for numbers matter more than names.

    Raises:
        TemporaryError: The API asked for a longer wait than the run has.
    """
    try:
        return await fetch_names(client, kind)
    except ApiError as error:
        if isinstance(error, TemporaryError) and error.not_before is not None:
            raise
        return f"cannot read the names of every {kind}: {error.message}"


async def drop_future_coverage(archive: Archive, client: AdminClient, clock: Clock, summary: Summary) -> None:
    """Remove coverage of days that both clocks place in the future."""
    # One clock alone is not trusted: a wrong one would remove days that are archived.
    if client.server_time is None:
        return
    if await archive.drop_future_coverage(max(client.server_time, int(clock.now())) + WORST_CLOCK_SKEW):
        summary.warnings["removed coverage recorded for future days"] = None


def believed_history(remembered: tuple[int, int | None] | None, now: int) -> tuple[int, int | None] | None:
    """Return the remembered beginning of a report, unless it lies in the future."""
    if remembered is None or max(remembered[0], remembered[1] or 0) > now + DAY:
        return None
    return remembered


async def known_cap(reader: ArchiveReader, scope: Scope) -> int:
    """Return how many dimensions one request may have: as configured, or less if the API once said so."""
    learnt = await reader.recall("group_by_cap")
    return max(1, min(scope.group_by_cap, int(learnt))) if learnt and learnt.isdecimal() else scope.group_by_cap


async def make_plans(
    reader: ArchiveReader, scope: Scope, series: Sequence[Series], now: int, histories: Mapping[Report, int | None]
) -> list[SeriesPlan]:
    """Plan every series from its coverage in the archive.

    Raises:
        ConfigurationError: The range contains no bucket.
    """
    plans = []
    for one in series:
        start, end = scope.range_of(one, now, histories.get(one.report))
        spans, digests = await reader.spans(one, start, end), await reader.digests(one)
        spans = reopen_suspects(spans, await reader.suspects(one), one.bucket_width.seconds)
        plans.append(plan_series(one, (start, end), spans, scope.refresh_from(now), digests))
    return plans
