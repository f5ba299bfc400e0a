"""The steps of a run before its plan, and the plan.

The steps find out the organisation, the time, the beginning of each report's history, and what earlier runs remembered.
The coarse pass is a search for the first day with rows, in wide windows: see `archiver.plan.probe`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from archiver.api.lists import fetch_organization
from archiver.errors import ContractError, TemporaryError
from archiver.model import DAY, WORST_CLOCK_SKEW, Organization, to_text
from archiver.plan.calendar import EARLIEST_HISTORY, floor, parse_time
from archiver.plan.probe import Probe
from archiver.plan.scope import no_bucket
from archiver.plan.work import SeriesPlan, plan_series, reopen_suspects
from archiver.reports import SPECS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from archiver.api.client import AdminClient
    from archiver.clock import Clock
    from archiver.crawl.summary import Summary
    from archiver.model import Report, Series
    from archiver.plan.scope import Scope
    from archiver.store.archive import Archive
    from archiver.store.plan_reader import PlanReader

# The waits that the API asks for are shorter than an hour. A longer wait was remembered while the clock was wrong.
LONGEST_KEPT_WAIT = 3600
# The API may raise the cap of dimensions at any time. After a week the configured cap is tried again, which costs one
# request.
CAP_SECONDS = 7 * DAY
UNAVAILABLE_SECONDS = 7 * DAY
"""The seconds for which a report that was not available is not requested again."""
COARSE_WINDOWS = 6
"""The largest number of windows of the coarse pass that one run fetches for a report, after its rows.

The number is small because the rows matter more. Later runs continue the pass.
"""


async def respect_not_before(reader: PlanReader, clock: Clock) -> None:
    """Check that the wait for the API that ended an earlier run is over.

    Raises:
        TemporaryError: The wait is not over.
    """
    remembered = await reader.recall("not_before")
    now = int(clock.now())
    if remembered is not None and remembered.isdecimal() and now < int(remembered) <= now + LONGEST_KEPT_WAIT:
        raise TemporaryError(
            f"no request before {to_text(int(remembered))}: an earlier run was rate limited or the API overloaded",
            hint="run the same command again after that time",
        )


async def identify(archive: Archive | None, client: AdminClient, summary: Summary) -> None:
    """Fetch the organisation of the key, and bind the archive to it.

    When the response breaks the contract, there is a warning, and the organisation's id is taken from the response
    headers. Without such a header the archive is not bound here. `archive` is None for a run that only plans.

    Raises:
        KeyRefusedError: The API refuses the key.
        TemporaryError: The organisation could not be fetched in time, or a spend limit is reached.
        OrganizationMismatchError: The archive belongs to another organisation.
    """
    try:
        organization = await fetch_organization(client)
    except ContractError as error:
        # The name is for display only, and the id is also in a header of every response.
        summary.warnings[f"cannot read the organisation's name: {error.message}"] = None
        if client.organization_id is None:
            return
        organization = Organization(client.organization_id, None)
    summary.organization = organization.name or organization.id
    if archive is not None:
        await archive.bind_organization(organization)


def server_now(client: AdminClient, clock: Clock, summary: Summary) -> int:
    """Return the server's time, or the local time without a Date header.

    A warning is added without a Date header, and when the two clocks differ by more than `WORST_CLOCK_SKEW`.
    """
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


async def drop_future_coverage(archive: Archive, client: AdminClient, clock: Clock, summary: Summary) -> None:
    """Remove coverage of future days, and add a warning if there was any.

    Such coverage was recorded while a clock was wrong, and would keep the days from being archived when they come.
    """
    # The later of two clocks decides, because one clock that is slow would remove days that are archived.
    if client.server_time is None:
        return
    if await archive.drop_future_coverage(max(client.server_time, int(clock.now())) + WORST_CLOCK_SKEW):
        summary.warnings["removed coverage recorded for future days"] = None


@dataclass(frozen=True, slots=True)
class Beginning:
    """The beginning of a report's history, in UTC seconds.

    Attributes:
        start: The time from which rows are archived; None if it is still to be found by a coarse pass.
        checked_until: The time before which there are certainly no rows. The coarse pass has searched up to this time,
            or the report has nothing earlier.
    """

    start: int | None
    checked_until: int

    def coarse_pass(self, report: Report, now: int) -> Probe | None:
        """Return the part of the coarse pass that one run makes after its rows.

        None is returned when all time before `start` is checked, or when `start` is None.
        """
        if self.start is None or self.checked_until >= self.start:
            return None
        probe = Probe.begin(report, now, self.checked_until, self.start)
        return replace(probe, windows=probe.windows[:COARSE_WINDOWS])


async def find_beginning(reader: PlanReader, report: Report, now: int, oldest_object: int | None) -> Beginning:
    """Return the beginning of a report's history.

    The history begins with the first bucket with rows if an earlier run found it, or else with the day on which the
    oldest object was created. An object is a workspace, key or user: before the first of them, nothing can have been
    used. The coarse pass checks this later, because deleted objects are not listed.

    Reports that are paged by rows begin with the oldest day that the API still has. A search would cost more requests
    than it saves, because one request for such a report covers many days without rows. The Claude Code report is an
    exception, because it needs a request for each day, and the API keeps its days without a known limit. It begins with
    the oldest object too.
    """
    paging = SPECS[report].rows
    if paging is not None:
        oldest = SPECS[report].oldest(now, DAY)
        if paging.retention_days is None and oldest_object is not None:
            oldest = max(oldest, min(floor(oldest_object, DAY), now))
        return Beginning(oldest, oldest)
    checked_until, first_bucket = await reader.history(report) or (EARLIEST_HISTORY, None)
    if max(checked_until, first_bucket or 0) > now + DAY:  # remembered while a clock was wrong
        checked_until, first_bucket = EARLIEST_HISTORY, None
    if first_bucket is not None:
        return Beginning(first_bucket, first_bucket)
    if oldest_object is None:
        return Beginning(None, checked_until)
    # An object can be older than `EARLIEST_HISTORY`, or created after `now` if that clock is slow. The time before
    # `checked_until` has no rows, so it need not be fetched.
    start = max(floor(min(oldest_object, now), DAY), EARLIEST_HISTORY, min(checked_until, floor(now, DAY)))
    return Beginning(start, min(checked_until, start))


async def apply_memory(reader: PlanReader, scope: Scope, now: int) -> Scope:
    """Complete the scope with the remembered `--since` and cap of dimensions."""
    since = scope.since
    # `auto` was remembered by a run for all history, so this run has no start either.
    remembered = await reader.recall("since")
    if since is None and not scope.whole_history and remembered not in {None, "auto"}:
        since = parse_time(str(remembered))
    return replace(scope, since=since, group_by_cap=await known_cap(reader, scope, now))


async def remember_since(archive: Archive, scope: Scope) -> None:
    """Remember the `--since` of a first run as the beginning of the archive.

    Later runs can only make the beginning earlier. `auto` stands for all history, and is the earliest.
    """
    remembered = await archive.recall("since")
    wanted = "auto" if scope.since is None else to_text(int(scope.since.timestamp()))
    # A run without `--since` must not turn a remembered date into `auto`.
    is_choice = scope.since is not None or scope.whole_history
    # Times in this format can be compared as text.
    if remembered is None or (is_choice and remembered != "auto" and (wanted == "auto" or wanted < remembered)):
        await archive.remember("since", wanted)


async def known_cap(reader: PlanReader, scope: Scope, now: int) -> int:
    """Return how many dimensions one request may have.

    The number is the configured cap, or a smaller cap that the API reported within the last week.
    """
    # A cap with a time after `now` was remembered while a clock was wrong, and is ignored.
    cap, _, learnt_at = (await reader.recall("group_by_cap") or "").partition(" ")
    if not (cap.isdecimal() and learnt_at.isdecimal()) or not 0 <= now - int(learnt_at) < CAP_SECONDS:
        return scope.group_by_cap
    return max(1, min(scope.group_by_cap, int(cap)))


async def remember_cap(archive: Archive, cap: int, now: int) -> None:
    """Remember for a week how many dimensions the API allows in one request."""
    await archive.remember("group_by_cap", f"{cap} {now}")


async def recall_unavailable(reader: PlanReader, report: Report, now: int) -> str | None:
    """Return why a report was not available within the last week.

    None is returned if the report was available or was not requested.
    """
    at, _, message = (await reader.recall(f"unavailable {report}") or "").partition(" ")
    return message if at.isdecimal() and 0 <= now - int(at) < UNAVAILABLE_SECONDS else None


async def remember_unavailable(archive: Archive, report: Report, message: str, now: int) -> None:
    """Remember for a week why a report is not available."""
    await archive.remember(f"unavailable {report}", f"{now} {message}")


async def make_plans(
    reader: PlanReader, scope: Scope, series: Sequence[Series], now: int, histories: Mapping[Report, int | None]
) -> list[SeriesPlan]:
    """Plan every series from its coverage in the archive.

    Series without a bucket in the range of the scope are left out. `histories` has the beginning of each report's
    history, for a scope without `--since`.

    Raises:
        ConfigurationError: The scope has a `--since`, and its range contains no bucket of any series.
    """
    plans = []
    for planned in series:
        start, end = scope.range_of(planned, now, histories.get(planned.report))
        if start == end:  # for example cost for a range that begins today
            continue
        spans, digests = await reader.spans(planned, start, end), await reader.digests(planned)
        spans = reopen_suspects(spans, await reader.suspects(planned), planned.bucket_width.seconds)
        plans.append(plan_series(planned, (start, end), spans, scope.refresh_from(now), digests))
    # Without `--since` an empty range is not a mistake of the user.
    if not plans and series and scope.since is not None:
        raise no_bucket(f"of {series[0].report} from {to_text(int(scope.since.timestamp()))}")
    return plans
