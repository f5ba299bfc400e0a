"""Plan the requests that a sync would send, for `sync --dry-run`.

Only the organisation, the lists of names and the spend limits are fetched. The archive is not changed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from archiver.crawl.names import creation_times, read_names, read_spend_limits, recall_oldest
from archiver.crawl.prepare import (
    apply_memory,
    find_beginning,
    identify,
    make_plans,
    recall_unavailable,
    respect_not_before,
    server_now,
)
from archiver.crawl.summary import Summary
from archiver.model import LISTED_NAMES, Report, to_text
from archiver.plan.probe import Probe
from archiver.reports import SPECS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from archiver.api.client import AdminClient
    from archiver.clock import Clock
    from archiver.plan.scope import Scope
    from archiver.plan.work import SeriesPlan
    from archiver.store.plan_reader import PlanReader


@dataclass(frozen=True, slots=True)
class RequestPlan:
    """The requests of a sync.

    The numbers are exact if `exact` is true, no request has to be retried or split, and the search for older rows finds
    none. For reports that are paged by rows they are the least numbers: one request for each window.

    Attributes:
        plans: The plans of all series.
        before_rows: The number of requests for the organisation, the lists of names and the spend limits.
        probes: The largest number of requests of the coarse pass, which searches for the first day with rows.
        exact: False if a report's history decides where the range begins and no sync has recorded that history, or if
            the number of rows decides how many pages a window has.
        warnings: Sentences about what could not be read.
    """

    plans: Sequence[SeriesPlan]
    before_rows: int
    probes: int
    exact: bool
    warnings: Sequence[str]

    @property
    def is_paged_by_rows(self) -> bool:
        """Whether the number of rows decides how many requests a window takes."""
        return any(SPECS[plan.series.report].rows is not None for plan in self.plans)

    @property
    def windows(self) -> int:
        """The number of windows, with one request for each, to fetch rows."""
        return sum(len(plan.windows) for plan in self.plans)

    @property
    def requests(self) -> int:
        """The number of all requests; the least number if not `exact`."""
        return self.before_rows + self.probes + self.windows

    def to_json(self) -> dict[str, Any]:
        """Return the object that `sync --dry-run --json` prints.

        It has the fields of `sync --json` too, so that programs can read both in the same way.
        """
        summary = Summary(
            plans=self.plans, planned=self.windows, requests=self.requests, warnings=dict.fromkeys(self.warnings)
        )
        plans = [
            {
                "report": plan.series.report,
                "bucket_width": plan.series.bucket_width,
                "group_by": plan.series.group_by_text,
                "filters": plan.series.filters_text,
                "start": to_text(plan.start),
                "end": to_text(plan.end),
                "windows": len(plan.windows),
            }
            for plan in self.plans
        ]
        dry_run_fields = {"dry_run": True, "exact": self.exact, "probes": self.probes, "plan": plans}
        return summary.to_json() | dry_run_fields


async def plan_requests(reader: PlanReader, client: AdminClient, scope: Scope, clock: Clock) -> RequestPlan:
    """Plan a sync.

    The organisation, the lists of names and the spend limits are fetched, and the server's time is taken from the
    responses.

    Raises:
        ConfigurationError: The range contains no bucket, or a list of dimensions or a filter fits no report.
        KeyRefusedError: The API refuses the key.
        TemporaryError: The API cannot be reached or is overloaded, or the wait that an earlier run remembered is not
            over.
    """
    await respect_not_before(reader, clock)
    scope.series()  # raises before the first request
    summary = Summary()
    await identify(None, client, summary)
    now = server_now(client, clock, summary)
    # A dry run writes nothing, so the times from the lists are joined here with the time that earlier runs remembered.
    created = await _read_lists(client, summary)
    if remembered := await recall_oldest(reader):
        created.append(remembered)
    before_rows = client.requests - client.retries  # a sync sends the same requests before those for rows
    scope = await apply_memory(reader, scope, now)
    starts: dict[Report, int | None] = {}
    probes, exact = 0, True
    # With a `--since`, the range does not depend on the history.
    for report in scope.reports if scope.since is None else ():
        beginning = await find_beginning(reader, report, now, min(created, default=None))
        probe = beginning.coarse_pass(report, now)
        if beginning.start is None:
            probe = Probe.begin(report, now, beginning.checked_until)
        probes += len(probe.windows) if probe else 0
        # Without a beginning the longest possible history is planned: all time that is not checked yet.
        starts[report] = beginning.checked_until if beginning.start is None else beginning.start
        exact = exact and (SPECS[report].rows is not None or await reader.history(report) is not None)
    series = [wanted for wanted in scope.series() if await recall_unavailable(reader, wanted.report, now) is None]
    plans = await make_plans(reader, scope, series, now, starts)
    # The number of rows, and so the number of pages, is not known before they are fetched.
    plan = RequestPlan(plans, before_rows, probes, exact, tuple(summary.warnings))
    return replace(plan, exact=exact and not plan.is_paged_by_rows)


async def _read_lists(client: AdminClient, summary: Summary) -> list[int]:
    """Fetch the lists of a sync, and return when their objects were created."""
    created: list[int] = []
    for kind in LISTED_NAMES:
        names = await read_names(client, kind)
        if isinstance(names, str):
            summary.warnings[names] = None
        else:
            created += creation_times(names)
    limits = await read_spend_limits(client)
    if isinstance(limits, str):
        summary.warnings[limits] = None
    return created
