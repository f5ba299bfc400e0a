"""The crawl: plan → workers → one writer. The only file with task groups.

Workers fetch windows and decode them in a thread of its own; the task that began the crawl writes them through the
archive's thread, one transaction a window. At most two answers are decoded at a time, so memory does not grow with
history or workers.
"""

from __future__ import annotations

import math
import signal
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import anyio

from archiver.answer import Answer
from archiver.api.endpoints import fetch_window
from archiver.crawl.decoding import DecodeSlots, Slot
from archiver.crawl.prepare import (
    believed_history,
    drop_future_coverage,
    identify,
    known_cap,
    make_plans,
    read_names,
    respect_not_before,
    server_now,
)
from archiver.crawl.progress import Progress
from archiver.crawl.recorder import Recorder
from archiver.crawl.summary import Summary
from archiver.errors import (
    ApiError,
    ArchiverError,
    InterruptedRunError,
    KeyRefusedError,
    NotReadyError,
    TemporaryError,
    TimeLimitError,
    TooWideError,
)
from archiver.model import DAY, NameKind, Report, Window
from archiver.plan.probe import Probe
from archiver.plan.windows import halve

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

    from archiver.api.client import AdminClient
    from archiver.clock import Clock
    from archiver.model import Series
    from archiver.plan.scope import Scope
    from archiver.store.archive import Archive

Result = tuple[Window, Answer | ApiError, Slot]


@dataclass(slots=True)
class Run:
    """One run of `sync` over an open archive and an open client."""

    archive: Archive
    client: AdminClient
    scope: Scope
    clock: Clock
    concurrency: int = 4
    max_runtime: float | None = None
    accept_restatements: bool = False
    progress: Progress = field(default_factory=Progress)
    summary: Summary = field(default_factory=Summary)
    _recorder: Recorder = field(init=False)
    _widths: dict[Series, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Wire the recorder to what the run was given."""
        self._recorder = Recorder(
            self.archive,
            self.client,
            self.clock,
            self.summary,
            self.progress,
            refresh=self.scope.refresh_days * DAY,
            accept_restatements=self.accept_restatements,
        )

    async def execute(self) -> Summary:
        """Bring the archive up to date; whatever ends the run, what was done is kept and the run is noted.

        Raises:
            ArchiverError: Before there was anything to plan, or when the file cannot be used any more.
        """
        try:
            await self._execute()
        except BaseExceptionGroup as group:
            first = _first_of(group)
            raise first from first.__cause__
        return self.summary

    async def _execute(self) -> None:
        run = await self.archive.begin_run(int(self.clock.now()))
        async with anyio.create_task_group() as tasks:
            limit = math.inf if self.max_runtime is None else anyio.current_time() + self.max_runtime
            work = anyio.CancelScope(deadline=limit)
            await tasks.start(self._watch, work)
            try:
                with work:
                    await self._sync()
                if work.cancelled_caught and self.summary.stopped is None:
                    self.summary.stopped = TimeLimitError("the time limit was reached")
            except BaseException as raised:
                first = _first_of(raised)
                self.summary.stopped = (
                    first if isinstance(first, ArchiverError) else ArchiverError(type(first).__name__)
                )
                raise
            finally:
                self.summary.requests, self.summary.retries = self.client.requests, self.client.retries
                with suppress(ArchiverError), anyio.CancelScope(shield=True):
                    await self._note_end(run)
            tasks.cancel_scope.cancel()

    async def _watch(
        self, work: anyio.CancelScope, *, task_status: anyio.abc.TaskStatus[None] = anyio.TASK_STATUS_IGNORED
    ) -> None:
        """Stop the work on SIGINT or SIGTERM; further ones change nothing."""
        with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            task_status.started()
            async for number in signals:
                name = signal.Signals(number).name
                self.summary.stopped = InterruptedRunError(f"stopped by {name}", signal_number=number)
                work.cancel()

    async def _note_end(self, run: int) -> None:
        summary = self.summary
        if isinstance(summary.stopped, TemporaryError) and summary.stopped.not_before is not None:
            await self.archive.remember("not_before", str(summary.stopped.not_before))
        await self.archive.finish_run(
            run,
            now=int(self.clock.now()),
            outcome=summary.outcome,
            exit_code=summary.exit_code,
            requests=summary.requests,
            retries=summary.retries,
            rows=summary.rows,
        )

    async def _sync(self) -> None:
        self.client.on_wait = self.progress.waiting
        if self.max_runtime is not None:
            self.client.retry_policy.deadline = self.clock.monotonic() + self.max_runtime
        await respect_not_before(self.archive, self.clock)
        self.scope = replace(self.scope, group_by_cap=await known_cap(self.archive, self.scope))
        series = self.scope.series()
        identified = anyio.Event()
        async with anyio.create_task_group() as tasks:
            for kind in NameKind:
                tasks.start_soon(self._save_names, kind, identified)
            await identify(self.archive, self.client, self.summary)
            identified.set()
            now = server_now(self.client, self.clock, self.summary)
            await drop_future_coverage(self.archive, self.client, self.clock, self.summary)
            await self._archive_all(series, now)

    async def _save_names(self, kind: NameKind, identified: anyio.Event) -> None:
        """Read one list of names beside everything else; nothing of it is told or kept before its owner is known."""
        names = await read_names(self.client, kind)
        await identified.wait()
        if isinstance(names, str):
            self.summary.warnings[names] = None
        elif self.summary.organization is None:
            self.summary.warnings[f"the names of every {kind} are not kept: nobody knows whose they are"] = None
        else:
            await self.archive.save_names(names, self.client.server_time or int(self.clock.now()))

    async def _archive_all(self, series: Sequence[Series], now: int) -> None:
        """Plan and crawl, and plan anew where the API turns out to allow fewer dimensions at once."""
        histories = await self._find_histories(series, now)
        while True:
            await self._plan_and_crawl(series, now, histories)
            if self._recorder.cap is None:
                return
            await self.archive.remember("group_by_cap", str(self._recorder.cap))
            self.scope = replace(self.scope, group_by_cap=self._recorder.cap)
            await self.archive.remove_planned([one for one in series if len(one.group_by) > self._recorder.cap])
            self._recorder.cap = None
            self.summary.begin_again()
            series = self.scope.series()

    async def _plan_and_crawl(self, series: Sequence[Series], now: int, histories: dict[Report, int | None]) -> None:
        summary = self.summary
        asked = [one for one in series if one.report not in self._recorder.closed]
        summary.plans = await make_plans(self.archive, self.scope, asked, now, histories)
        windows = [window for plan in summary.plans for window in plan.windows]
        summary.planned = summary.fetched + summary.failed + len(windows)
        self.client.retry_policy.budget.grow(len(windows))
        for plan in summary.plans:
            await self.archive.plan(plan, now)
        self.progress.planned(summary.plans)
        await self._crawl(sorted(windows, key=lambda window: window.failed_before), self._recorder.write)

    async def _find_histories(self, series: Sequence[Series], now: int) -> dict[Report, int | None]:
        """Find the first bucket with rows of each report, asking only for what earlier runs did not."""
        reports = dict.fromkeys(one.report for one in series) if self.scope.since is None else ()
        return {report: await self._find_history(report, now) for report in reports}

    async def _find_history(self, report: Report, now: int) -> int | None:
        known = believed_history(await self.archive.history(report), now)
        if known and known[1] is not None:
            return known[1]
        probe = Probe.begin(report, now, known[0] if known else None)

        async def consume(window: Window, result: Answer | ApiError) -> bool:
            if isinstance(result, KeyRefusedError) or (isinstance(result, ApiError) and result.ends_run):
                self._recorder.refuse(window, result)
                return False
            failed = isinstance(result, ApiError) and not isinstance(result, NotReadyError)
            probe.learn(window, result if isinstance(result, Answer) else None, failed=failed)
            self.progress.probing(report, probe.answered, len(probe.windows))
            return probe.first_bucket is None

        try:
            await self._crawl(probe.windows, consume)
            if self.summary.stopped is not None:
                raise self.summary.stopped
        finally:
            await self.archive.save_history(report, *probe.certain(self.scope.refresh_from(now)))
        return probe.first_bucket

    async def _crawl(
        self, windows: Sequence[Window], consume: Callable[[Window, Answer | ApiError], Awaitable[bool]]
    ) -> None:
        """Fetch windows with all workers; `consume` gets every result in this task, until it says False."""
        feed, work = anyio.create_memory_object_stream[Window]()
        deliver, results = anyio.create_memory_object_stream[Result](self.concurrency)
        slots = DecodeSlots()
        async with anyio.create_task_group() as tasks, work, results:
            tasks.start_soon(_feed, windows, feed)
            async with deliver:
                for _ in range(min(self.concurrency, max(1, len(windows)))):
                    tasks.start_soon(self._work, work.clone(), deliver.clone(), slots)
            async for window, result, slot in results:
                goes_on = await consume(window, result)
                slot.release()
                if not goes_on:
                    tasks.cancel_scope.cancel()
                    break

    async def _work(
        self,
        work: MemoryObjectReceiveStream[Window],
        deliver: MemoryObjectSendStream[Result],
        slots: DecodeSlots,
    ) -> None:
        async with work, deliver:
            async for window in work:
                if window.series.report not in self._recorder.closed:
                    await self._fetch(window, deliver, slots)

    async def _fetch(self, window: Window, deliver: MemoryObjectSendStream[Result], slots: DecodeSlots) -> None:
        """Fetch a window, in halves where the whole has been too much for the API."""
        if window.buckets <= self._widths.get(window.series, window.buckets):
            slot = Slot(slots)
            try:
                result: Answer | ApiError = await fetch_window(self.client, window, slot.decode, slot.release)
            except ApiError as error:
                slot.release()
                result = error
            if not isinstance(result, TooWideError):
                await deliver.send((window, result, slot))
                return
            self._widths[window.series] = max(1, window.buckets // 2)
        self.summary.planned += 1
        self.progress.split(window)
        for half in halve(window):
            await self._fetch(half, deliver, slots)


async def _feed(windows: Sequence[Window], feed: MemoryObjectSendStream[Window]) -> None:
    async with feed:
        for window in windows:
            await feed.send(window)


def _first_of(raised: BaseException) -> BaseException:
    return _first_of(raised.exceptions[0]) if isinstance(raised, BaseExceptionGroup) else raised
