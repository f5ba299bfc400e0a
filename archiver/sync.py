"""The crawl: plan → workers → one writer. The only file with task groups.

Workers fetch and decode windows; the task that began the crawl writes them, one transaction a window. The bounded
stream between is the back-pressure, so memory does not grow with history.
"""

from __future__ import annotations

import signal
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import anyio

from archiver.api.fetch import fetch_names, fetch_organization, fetch_window
from archiver.errors import (
    ApiError,
    ArchiverError,
    ContractError,
    InterruptedRunError,
    KeyRefusedError,
    NotReadyError,
    TemporaryError,
    TimeLimitError,
)
from archiver.model import Answer, NameKind, Organization, Window, to_text
from archiver.plan.probe import Probe
from archiver.plan.work import SeriesPlan, plan_series
from archiver.store.history import Moment
from archiver.summary import Failure, Summary

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

    from archiver.api.client import AdminClient
    from archiver.clock import Clock
    from archiver.model import Report, RowCounts, Series, Span
    from archiver.plan.scope import Scope
    from archiver.store.archive import Archive

WORST_CLOCK_SKEW = 300

Result = tuple[Window, Answer | ApiError]


class Known(Protocol):
    """What planning reads of an archive."""

    async def spans(self, series: Series, start: int = ..., end: int = ...) -> list[Span]:
        """Read the coverage of a series."""

    async def digests(self, series: Series) -> dict[tuple[int, int], bytes]:
        """Read the digests of answers that still hold."""

    async def history(self, report: Report) -> tuple[int, int | None] | None:
        """Read where a report begins."""


class Progress:
    """What a run tells while it goes on; this one tells nobody."""

    def probing(self, report: Report, done: int, of: int) -> None:
        """The beginning of a report's history is looked for."""

    def planned(self, plans: Sequence[SeriesPlan]) -> None:
        """The windows are known."""

    def done(self, window: Window, rows: RowCounts) -> None:
        """A window was archived."""

    def failed(self, window: Window, error: ApiError) -> None:
        """A window could not be archived."""

    def waiting(self, seconds: float, reason: str) -> None:
        """The API is given time."""


@dataclass(slots=True)
class Run:
    """One run of `sync` over an open archive and an open client."""

    archive: Archive
    client: AdminClient
    scope: Scope
    clock: Clock
    concurrency: int = 4
    max_runtime: float | None = None
    progress: Progress = field(default_factory=Progress)
    summary: Summary = field(default_factory=Summary)

    async def execute(self) -> Summary:
        """Bring the archive up to date; whatever ends the run, what was done is kept and the run is noted.

        Raises:
            ArchiverError: Before there was anything to plan, or when the file cannot be used any more.
        """
        series = self.scope.series()
        run = await self.archive.begin_run(int(self.clock.now()))
        try:
            with anyio.move_on_after(self.max_runtime) as time_limit:
                await self._watched(series)
            if time_limit.cancelled_caught:
                self.summary.stopped = TimeLimitError("the time limit was reached", hint="run it again to go on")
        except (ArchiverError, ExceptionGroup) as raised:
            first = _first_of(raised)
            self.summary.stopped = first if isinstance(first, ArchiverError) else ArchiverError(type(first).__name__)
            raise first from raised
        finally:
            self.summary.requests, self.summary.retries = self.client.requests, self.client.retries
            with suppress(ArchiverError), anyio.CancelScope(shield=True):
                await self._note_end(run)
        return self.summary

    async def _note_end(self, run: int) -> None:
        summary = self.summary
        await self.archive.finish_run(
            run,
            now=int(self.clock.now()),
            outcome=summary.outcome,
            exit_code=summary.exit_code,
            requests=summary.requests,
            retries=summary.retries,
            rows=summary.rows,
        )

    async def _watched(self, series: Sequence[Series]) -> None:
        """Run until done, or until SIGINT or SIGTERM ask to stop."""
        async with anyio.create_task_group() as tasks:

            async def watch() -> None:
                with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
                    async for number in signals:
                        name = signal.Signals(number).name
                        self.summary.stopped = InterruptedRunError(f"stopped by {name}", signal_number=number)
                        tasks.cancel_scope.cancel()

            tasks.start_soon(watch)
            await self._sync(series)
            tasks.cancel_scope.cancel()

    async def _sync(self, series: Sequence[Series]) -> None:
        self.client.on_wait = self.progress.waiting
        await identify(self.archive, self.client, self.summary)
        now = server_now(self.client, self.clock, self.summary)
        await self._save_names(now)
        histories = await self._find_histories(now) if self.scope.since is None else {}
        self.summary.plans = await make_plans(self.archive, self.scope, series, now, histories)
        self.client.budget.grow(self.summary.planned)
        for plan in self.summary.plans:
            await self.archive.plan(plan.windows, now)
        self.progress.planned(self.summary.plans)
        await self._crawl([w for plan in self.summary.plans for w in plan.windows], self._write)

    async def _save_names(self, now: int) -> None:
        for kind in NameKind:
            try:
                names = await fetch_names(self.client, kind)
            except ApiError as error:
                if error.ends_run and isinstance(error, TemporaryError):
                    raise
                self.summary.warnings[f"the names of every {kind} could not be read: {error.message}"] = None
            else:
                await self.archive.save_names(names, now)

    async def _find_histories(self, now: int) -> dict[Report, int | None]:
        """Find the first bucket with rows of each report, asking only for what earlier runs did not."""
        return {report: await self._find_history(report, now) for report in self.scope.reports}

    async def _find_history(self, report: Report, now: int) -> int | None:
        known = await self.archive.history(report)
        if known and known[1] is not None:
            return known[1]
        probe = Probe.begin(report, now, known[0] if known else None)

        async def consume(window: Window, result: Answer | ApiError) -> bool:
            if isinstance(result, ApiError) and not isinstance(result, NotReadyError):
                raise result
            probe.learn(window, None if isinstance(result, ApiError) else result)
            self.progress.probing(report, probe.answered, len(probe.windows))
            return probe.first_bucket is None

        try:
            await self._crawl(probe.windows, consume)
        finally:
            await self.archive.save_history(report, *probe.certain(self.scope.refresh_from(now)))
        return probe.first_bucket

    async def _write(self, window: Window, result: Answer | ApiError) -> bool:
        """Write one result; False ends the crawl."""
        summary = self.summary
        now = self._now()
        if isinstance(result, NotReadyError):
            await self.archive.record_not_ready(window)
            summary.fetched += 1
        elif isinstance(result, ApiError):
            summary.failures.append(Failure.of(window, result))
            if result.ends_run:
                summary.stopped = result
                return False
            await self.archive.record_failure(window, now)
            summary.failed += 1
            self.progress.failed(window, result)
        else:
            await self._record(result)
        return True

    async def _record(self, answer: Answer) -> None:
        now = answer.server_time or self._now()
        # Without the server's clock nothing is settled: the local one alone is not believed.
        settled_until = 0 if answer.server_time is None else self.scope.refresh_from(now)
        rows = await self.archive.record(answer, Moment(now, settled_until))
        summary = self.summary
        summary.rows += rows
        summary.fetched += 1
        summary.unchanged += not rows.changed
        summary.warnings |= dict.fromkeys(answer.warnings)
        holes = _holes(answer, now)
        if holes:
            message = f"the API left out {holes} of {answer.window.buckets} buckets"
            summary.failures.append(Failure(answer.window, "missing", message, 3, answer.request_id))
        self.progress.done(answer.window, rows)

    def _now(self) -> int:
        return self.client.server_time or int(self.clock.now())

    async def _crawl(
        self, windows: Sequence[Window], consume: Callable[[Window, Answer | ApiError], Awaitable[bool]]
    ) -> None:
        """Fetch windows with all workers; `consume` gets every result in this task, until it says False."""
        feed, work = anyio.create_memory_object_stream[Window]()
        deliver, results = anyio.create_memory_object_stream[Result](self.concurrency)
        async with anyio.create_task_group() as tasks, work, results:
            tasks.start_soon(_feed, windows, feed)
            async with deliver:
                for _ in range(min(self.concurrency, max(1, len(windows)))):
                    tasks.start_soon(_work, self.client, work.clone(), deliver.clone())
            async for window, result in results:
                if not await consume(window, result):
                    tasks.cancel_scope.cancel()
                    break


async def _feed(windows: Sequence[Window], feed: MemoryObjectSendStream[Window]) -> None:
    async with feed:
        for window in windows:
            await feed.send(window)


async def _work(
    client: AdminClient, work: MemoryObjectReceiveStream[Window], deliver: MemoryObjectSendStream[Result]
) -> None:
    async with work, deliver:
        async for window in work:
            try:
                result: Answer | ApiError = await fetch_window(client, window)
            except ApiError as error:
                result = error
            await deliver.send((window, result))


def _holes(answer: Answer, now: int) -> int:
    """Count the buckets that had ended and were not listed."""
    if answer.buckets is None:
        return 0
    width = answer.window.series.bucket_width.seconds
    ended = range(answer.window.start, min(answer.window.end, now - now % width), width)
    return len(set(ended) - {bucket.start for bucket in answer.buckets})


def _first_of(raised: BaseException) -> BaseException:
    return _first_of(raised.exceptions[0]) if isinstance(raised, BaseExceptionGroup) else raised


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


async def make_plans(
    known: Known, scope: Scope, series: Sequence[Series], now: int, histories: dict[Report, int | None]
) -> list[SeriesPlan]:
    """Plan every series from what the archive knows of it.

    Raises:
        ConfigurationError: The range holds no bucket.
    """
    plans = []
    for one in series:
        start, end = scope.range_of(one, now, histories.get(one.report))
        spans, digests = await known.spans(one, start, end), await known.digests(one)
        plans.append(plan_series(one, (start, end), spans, scope.refresh_from(now), digests))
    return plans
