"""Record each result of a crawl in archive, summary and display."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from archiver.answer import Answer
from archiver.crawl.prepare import recall_unavailable, remember_unavailable
from archiver.crawl.summary import Failure, count
from archiver.errors import (
    PARTIAL_EXIT,
    ApiError,
    GroupByCapError,
    KeyRefusedError,
    NotReadyError,
    ReportUnavailableError,
    TemporaryError,
)
from archiver.model import Organization, Report, Window, to_text
from archiver.plan.work import newest_range
from archiver.reports import SPECS
from archiver.store.history import AnswerTime

if TYPE_CHECKING:
    from collections.abc import Sequence

    from archiver.api.client import AdminClient
    from archiver.clock import Clock
    from archiver.crawl.progress import Progress
    from archiver.crawl.summary import Summary
    from archiver.plan.probe import Probe
    from archiver.store.archive import Archive

_ANALYTICS_HINT = "use a key with the scope read:analytics, or an Admin API key"
# The most suspects that a message lists by their time. The others become "and more", to keep the message short.
_MOST_SUSPECTS_SHOWN = 3


@dataclass(slots=True)
class Recorder:
    """The recorder of one run, which receives the results one after the other.

    Attributes:
        refresh: The seconds after the end of a bucket from which it counts as settled.
        accept_restatements: Whether a large loss in a settled bucket is accepted without a second confirmation.
        closed: The reports of which no more windows are fetched: the key may not read them, or they are unavailable.
        cap: The number of dimensions that the API allows in one request; None unless it refused more in this plan.
        people: Whether names and e-mail addresses of people are archived.
        unavailable: The reports that the key or the organisation does not have → the reason.
        bound: Whether the archive was bound to the organisation in the response headers.
    """

    archive: Archive
    client: AdminClient
    clock: Clock
    summary: Summary
    progress: Progress
    refresh: int
    accept_restatements: bool = False
    closed: set[Report] = field(default_factory=set)
    cap: int | None = None
    bound: bool = False
    people: bool = True
    unavailable: dict[Report, str] = field(default_factory=dict)

    async def write(self, window: Window, result: Answer | ApiError) -> bool:
        """Write one result; return False to end the crawl."""
        summary = self.summary
        if isinstance(result, Answer):
            await self._record(result)
        elif isinstance(result, NotReadyError):
            # "No complete bucket yet" is a valid answer, unless the API should have one of the buckets by now.
            summary.fetched += 1
            summary.not_ready += 1
            self._note_missing(window, _due(window, self._now()), result.request_id)
        # The cap has to be smaller than the refused number of dimensions, or planning again would lead to the same
        # request without end. A cap that is not smaller is a failure of the window, below.
        elif isinstance(result, GroupByCapError) and result.cap < _dimension_count(window):
            # Several workers can be refused: the smallest cap counts.
            self.cap = min(result.cap, self.cap or result.cap)
            return False
        elif isinstance(result, ReportUnavailableError):
            await self._leave_out(window.series.report, result)
        elif isinstance(result, KeyRefusedError) or result.ends_run:
            self._refuse(window, result)
            return not result.ends_run
        else:
            summary.failures.append(Failure.of(window, result))
            summary.failed += 1
            await self.archive.record_failure(window, self._now())
            self.progress.failed(window, result)
        return True

    async def learn(self, probe: Probe, window: Window, result: Answer | ApiError) -> bool:
        """Add a result of a coarse pass to `probe`; return False to end the pass."""
        if isinstance(result, KeyRefusedError) or (isinstance(result, ApiError) and result.ends_run):
            self._refuse(window, result)
            return False
        # A window without a complete day yet counts as empty. A window that could not be read may have rows.
        failed = isinstance(result, ApiError) and not isinstance(result, NotReadyError)
        probe.learn(window, result if isinstance(result, Answer) else None, failed=failed)
        self.progress.probing(window.series.report, probe.answered, len(probe.windows))
        return probe.first_bucket is None

    def _refuse(self, window: Window, error: ApiError) -> None:
        """Note an error that ends the run, or that closes one report (403)."""
        report = window.series.report
        # Other workers may be fetching windows of the same report, and one failure is enough to show the reason.
        if report not in self.closed:
            self.summary.failures.append(Failure.of(window, error))
        if error.ends_run:
            self.summary.stopped = error
        else:
            self.closed.add(report)

    async def _leave_out(self, report: Report, error: ReportUnavailableError) -> None:
        """Go on without a report that the key or the organisation does not have."""
        if report in self.closed:
            return
        self.closed.add(report)
        await remember_unavailable(self.archive, report, error.message, self._now())
        self.leave_out(report, error.message)
        # The buckets of the report must not stay marked as gaps, because no sync can fill them.
        removed = [plan for plan in self.summary.plans if plan.series.report is report]
        await self.archive.remove_planned([plan.series for plan in removed])
        self.summary.plans = [plan for plan in self.summary.plans if plan.series.report is not report]
        self.summary.planned -= sum(len(plan.windows) for plan in removed)

    def leave_out(self, report: Report, reason: str) -> None:
        """Note why a report is not archived, and fetch no more of its windows."""
        self.closed.add(report)
        self.unavailable[report] = reason
        self.summary.warnings[f"{report} is not available, and is requested again after a week: {reason}"] = None

    async def leave_out_known(self, reports: Sequence[Report], now: int) -> None:
        """Leave out the reports that were not available within the last week.

        If that is true of all `reports`, none is left out, and all are requested again.
        """
        reasons = {report: await recall_unavailable(self.archive, report, now) for report in reports}
        if not all(reasons.values()):
            for report, reason in reasons.items():
                if reason is not None:
                    self.leave_out(report, reason)

    def check_available(self, reports: Sequence[Report]) -> None:
        """Set `stopped` to an error if no report of the run is available."""
        reasons = [self.unavailable.get(report) for report in reports]
        if all(reasons) and self.summary.stopped is None:
            self.summary.stopped = KeyRefusedError(str(reasons[0]), hint=_ANALYTICS_HINT)

    async def _bind(self) -> None:
        """Bind the archive to the organisation of the response headers."""
        # `identify` may have found no organisation: its response was not as documented, and had no such header. Then
        # only this check keeps the rows of two organisations from being mixed.
        if not self.bound and self.client.organization_id is not None:
            await self.archive.bind_organization(Organization(self.client.organization_id, None))
            self.bound = True

    async def _record(self, answer: Answer) -> None:
        """Write an answer to the archive, and count its rows in the summary."""
        await self._bind()
        now = answer.server_time or self._now()
        complete_until = now if answer.complete_until is None else answer.complete_until
        # Without the server's time nothing becomes settled, because the local clock alone is not trusted.
        settled_until = 0 if answer.server_time is None else max(0, complete_until - self.refresh)
        times = AnswerTime(now, settled_until, self.accept_restatements, answer.complete_until)
        answer = answer if self.people else replace(answer, people=())
        written = await self.archive.record(answer, times)
        rows, summary = written.rows, self.summary
        summary.rows += rows
        summary.fetched += 1
        summary.unchanged += not rows.changed
        summary.warnings |= dict.fromkeys(answer.warnings)
        self._note_suspects(answer, written.suspects)
        summary.note_rewritten(answer.window.series, written.rewritten, complete_until)
        if answer.buckets is not None:  # an unchanged answer has a digest, and so has all buckets
            self._note_missing(answer.window, _due(answer.window, now) - set(answer.buckets.starts), answer.request_id)
        self.progress.done(answer.window, rows)

    def _note_suspects(self, answer: Answer, suspects: Sequence[int]) -> None:
        if suspects:
            days = ", ".join(to_text(start) for start in suspects[:_MOST_SUSPECTS_SHOWN])
            more = " and more" if len(suspects) > _MOST_SUSPECTS_SHOWN else ""
            message = (
                f"{count(len(suspects), 'settled bucket')} came back with less than half of the tokens or money, or "
                f"empty: {days}{more}; the archived rows are kept until a sync at least six hours later gets the same "
                "rows again, or runs with --accept-restatements"
            )
            failure = Failure(answer.window, "suspect", message, PARTIAL_EXIT, answer.request_id)
            self.summary.failures.append(failure)

    def _note_missing(self, window: Window, missing: set[int], request_id: str | None) -> None:
        """Note the buckets that the API should have returned and left out, if any."""
        if missing:
            message = f"the API left out {len(missing):,} of {count(window.buckets, 'bucket')}"
            self.summary.failures.append(Failure(window, "missing", message, PARTIAL_EXIT, request_id))

    async def finish(self, run: int) -> None:
        """Record how the run ended, and the facts that later commands need."""
        summary, now = self.summary, int(self.clock.now())
        # A collapse is a loss of more than a fifth in three days or more: see `find_collapses`.
        collapses = summary.add_collapses()
        # `status` shows the collapses of the last run, so a run without a collapse clears the remembered collapses.
        if collapses or await self.archive.recall("collapse"):
            value = {"time": to_text(now), "collapses": [collapse.to_json() for collapse in collapses]}
            await self.archive.remember("collapse", json.dumps(value))
        if isinstance(summary.stopped, TemporaryError) and summary.stopped.not_before is not None:
            await self.archive.remember("not_before", str(summary.stopped.not_before))
        await self.archive.finish_run(
            run,
            now=now,
            outcome=summary.outcome,
            exit_code=summary.exit_code,
            requests=summary.requests,
            retries=summary.retries,
            rows=summary.rows,
        )
        for plan in summary.plans:
            newest = newest_range(await self.archive.spans(plan.series))
            if newest is not None:
                summary.archived[plan.series] = newest

    def _now(self) -> int:
        return self.client.server_time or int(self.clock.now())


def _dimension_count(window: Window) -> int:
    """Return how many dimensions of a window count toward the cap."""
    return SPECS[window.series.report].counted(window.series.group_by)


def _due(window: Window, now: int) -> set[int]:
    """Return the starts of the buckets that the API should have by now.

    These buckets have ended at least the lag of their report ago.
    """
    width = window.series.bucket_width.seconds
    now -= SPECS[window.series.report].lag_seconds
    return set(range(window.start, min(window.end, now - now % width), width))
