"""What a sync would ask, without asking for report rows and without touching the archive."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from archiver.crawl.prepare import (
    believed_history,
    identify,
    known_cap,
    make_plans,
    read_names,
    respect_not_before,
    server_now,
)
from archiver.crawl.summary import Summary
from archiver.model import NameKind, Report, to_text
from archiver.plan.calendar import EARLIEST_HISTORY
from archiver.plan.probe import Probe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from archiver.api.client import AdminClient
    from archiver.clock import Clock
    from archiver.crawl.prepare import ArchiveReader
    from archiver.plan.scope import Scope
    from archiver.plan.work import SeriesPlan


@dataclass(frozen=True, slots=True)
class RequestPlan:
    """The requests that a sync would send if every answer were good.

    `exact` is False when the beginning of history is not known yet: then the numbers are the most it can be.
    """

    plans: Sequence[SeriesPlan]
    organization_and_names: int
    probes: int
    exact: bool
    warnings: Sequence[str]

    @property
    def windows(self) -> int:
        """The requests for report rows that are archived."""
        return sum(len(plan.windows) for plan in self.plans)

    @property
    def requests(self) -> int:
        """All requests."""
        return self.organization_and_names + self.probes + self.windows

    def to_json(self) -> dict[str, Any]:
        """Give the object that `sync --dry-run --json` prints: that of `sync`, with the plan."""
        summary = Summary(
            plans=self.plans, planned=self.windows, requests=self.requests, warnings=dict.fromkeys(self.warnings)
        )
        plan = [
            {
                "report": one.series.report,
                "bucket_width": one.series.bucket_width,
                "group_by": one.series.group_by_text,
                "filters": one.series.filters_text,
                "start": to_text(one.start),
                "end": to_text(one.end),
                "windows": len(one.windows),
            }
            for one in self.plans
        ]
        own = {"dry_run": True, "exact": self.exact, "probes": self.probes, "plan": plan}
        return summary.to_json() | own


async def forecast(reader: ArchiveReader, client: AdminClient, scope: Scope, clock: Clock) -> RequestPlan:
    """Plan a sync. It asks for the organisation and its names, which also shows the API's clock.

    Raises:
        ConfigurationError: The scope makes no sense.
        KeyRefusedError, TemporaryError: As the API answers.
    """
    await respect_not_before(reader, clock)
    scope = replace(scope, group_by_cap=await known_cap(reader, scope))
    series = scope.series()
    summary = Summary()
    await identify(None, client, summary)
    now = server_now(client, clock, summary)
    for kind in NameKind:
        unread = await read_names(client, kind)
        if isinstance(unread, str):
            summary.warnings[unread] = None
    names = client.requests - client.retries
    histories: dict[Report, int | None] = {}
    probes = 0
    for report in dict.fromkeys(one.report for one in series) if scope.since is None else ():
        found = believed_history(await reader.history(report), now)
        if found is not None and found[1] is not None:
            histories[report] = found[1]
            continue
        probe = Probe.begin(report, now, found[0] if found else None)
        probes += len(probe.windows)
        histories[report] = found[0] if found else EARLIEST_HISTORY
    plans = await make_plans(reader, scope, series, now, histories)
    return RequestPlan(plans, names, probes, exact=not probes, warnings=tuple(summary.warnings))
