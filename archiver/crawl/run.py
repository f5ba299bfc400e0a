"""One run of `sync`: plan windows, fetch them with workers, write them.

Workers fetch windows, and decode the responses in one thread of their own. The task that began the crawl writes the
answers through the archive's thread, in one transaction for each window. The rows of at most two windows are in memory,
whatever the history and the number of workers. This is the only file with task groups.
"""

from __future__ import annotations

import math
import signal
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

import anyio

from archiver.answer import Answer
from archiver.api.endpoints import fetch_window
from archiver.crawl import prepare
from archiver.crawl.decoding import DecodeSlots, Slot
from archiver.crawl.names import Lists, recall_oldest, remember_oldest
from archiver.crawl.progress import Progress
from archiver.crawl.recorder import Recorder
from archiver.crawl.summary import Summary
from archiver.errors import (
    ApiError,
    ArchiverError,
    InterruptedRunError,
    TimeLimitError,
    TooWideError,
)
from archiver.model import DAY, LISTED_NAMES, Report, Window, to_text
from archiver.plan.probe import Probe
from archiver.plan.windows import halve
from archiver.plan.work import fetch_order
from archiver.reports import SPECS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

    from archiver.api.client import AdminClient
    from archiver.clock import Clock
    from archiver.model import Series
    from archiver.plan.scope import Scope
    from archiver.plan.work import SeriesPlan
    from archiver.store.archive import Archive

Result = tuple[Window, Answer | ApiError, Slot]


@dataclass(slots=True)
class Run:
    """One run of `sync` over an open archive and an open client.

    Attributes:
        max_runtime: The seconds after which the run stops; None without a limit.
        people: Whether names and e-mail addresses of people are archived.
        _widths: The largest number of buckets in a window of a series, where a wider one was refused.
        _probing: Whether the windows being fetched are those of the coarse pass, which do not count as planned.
    """

    archive: Archive
    client: AdminClient
    scope: Scope
    clock: Clock
    concurrency: int = 4
    max_runtime: float | None = None
    accept_restatements: bool = False
    people: bool = True
    progress: Progress = field(default_factory=Progress)
    summary: Summary = field(default_factory=Summary)
    _recorder: Recorder = field(init=False)
    _widths: dict[Series, int] = field(default_factory=dict)
    _probing: bool = False

    def __post_init__(self) -> None:
        """Set up the recorder of this run."""
        self._recorder = Recorder(
            self.archive,
            self.client,
            self.clock,
            self.summary,
            self.progress,
            refresh=self.scope.refresh_days * DAY,
            accept_restatements=self.accept_restatements,
            people=self.people,
        )

    async def execute(self) -> Summary:
        """Bring the archive up to date.

        However the run ends, the windows that it has archived are kept and its end is recorded.

        Raises:
            ArchiverError: The run could not plan, or the archive cannot be used any more. Other ends of a run, such as
                a signal or the time limit, are in the summary's `stopped`.
        """
        try:
            await self._execute()
        except BaseExceptionGroup as group:
            # Task groups wrap errors in groups, within each other; the caller handles one error.
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
                # A signal sets `stopped` before it cancels, so a cancellation without it is that of the deadline.
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
                # The end is recorded even while this task is cancelled. An error of it must not hide the one raised.
                with suppress(ArchiverError), anyio.CancelScope(shield=True):
                    await self._recorder.finish(run)
            tasks.cancel_scope.cancel()

    async def _watch(
        self, work: anyio.CancelScope, *, task_status: anyio.abc.TaskStatus[None] = anyio.TASK_STATUS_IGNORED
    ) -> None:
        """Stop the work on SIGINT or SIGTERM; the last signal is the one named."""
        with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            task_status.started()
            async for number in signals:
                name = signal.Signals(number).name
                self.summary.stopped = InterruptedRunError(f"stopped by {name}", signal_number=number)
                work.cancel()

    async def _sync(self) -> None:
        self.client.on_wait = self.progress.waiting
        if self.max_runtime is not None:
            self.client.retry_policy.deadline = self.clock.monotonic() + self.max_runtime
        await prepare.respect_not_before(self.archive, self.clock)
        self.scope.series()  # raises before the first request
        identified, names_read = anyio.Event(), anyio.Event()
        async with anyio.create_task_group() as tasks:
            # Names are for display only, so rows do not wait for them. The exception is a first run without `--since`,
            # which takes the beginning of history from the same lists.
            tasks.start_soon(self._save_lists, identified, names_read)
            await prepare.identify(self.archive, self.client, self.summary)
            identified.set()
            now = prepare.server_now(self.client, self.clock, self.summary)
            await prepare.drop_future_coverage(self.archive, self.client, self.clock, self.summary)
            await self.archive.drop_forgotten_gaps(now)
            # The scope without the remembered `--since` is kept: only a date chosen now may be remembered.
            chosen, self.scope = self.scope, await prepare.apply_memory(self.archive, self.scope, now)
            await self._recorder.leave_out_known(self.scope.reports, now)
            beginnings = await self._find_beginnings(now, names_read)
            await self._archive_all(chosen, now, {report: one.start for report, one in beginnings.items()})
            await self._check_older(now, beginnings)
            self._recorder.check_available(self.scope.reports)

    async def _save_lists(self, identified: anyio.Event, names_read: anyio.Event) -> None:
        lists = Lists(self.archive, self.client, self.clock, self.summary, self.people)
        async with anyio.create_task_group() as tasks:
            for kind in LISTED_NAMES:
                tasks.start_soon(lists.save, kind, identified)
            tasks.start_soon(lists.save_spend_limits, identified)
        await remember_oldest(self.archive, lists.created)
        names_read.set()

    async def _find_beginnings(self, now: int, names_read: anyio.Event) -> dict[Report, prepare.Beginning]:
        """Find the beginning of each report; none with a `--since`, given or remembered."""
        if self.scope.since is not None:
            return {}
        # The lists of names take a few requests and save dozens of coarse ones. Later runs need not wait for them.
        if await recall_oldest(self.archive) is None:
            await names_read.wait()
        oldest = await recall_oldest(self.archive)
        beginnings = {}
        for report in self.scope.reports:
            if report in self._recorder.closed:
                continue
            known = await prepare.find_beginning(self.archive, report, now, oldest)
            if known.start is None:  # the lists were not read, or empty: only the coarse pass finds the beginning
                probe = Probe.begin(report, now, known.checked_until)
                known = prepare.Beginning(await self._probe(report, probe, now), probe.empty_until)
            beginnings[report] = known
        return beginnings

    async def _archive_all(self, chosen: Scope, now: int, starts: Mapping[Report, int | None]) -> None:
        """Plan and crawl, again when the API allows fewer dimensions."""
        while True:
            series = [one for one in self.scope.series() if one.report not in self._recorder.closed]
            plans = await prepare.make_plans(self.archive, self.scope, series, now, starts)
            await prepare.remember_since(self.archive, chosen)
            await self._crawl_plans(plans, now)
            cap, self._recorder.cap = self._recorder.cap, None
            if cap is None:
                return
            await prepare.remember_cap(self.archive, cap, now)
            self.scope = replace(self.scope, group_by_cap=cap)
            await self.archive.remove_planned([one for one in series if SPECS[one.report].counted(one.group_by) > cap])
            self.summary.begin_again()

    async def _crawl_plans(self, plans: Sequence[SeriesPlan], now: int) -> None:
        windows = fetch_order(plans)
        self.summary.plans = [*self.summary.plans, *plans]
        self.summary.planned += len(windows)
        self.client.retry_policy.budget.grow(len(windows))
        # The buckets to fetch are marked missing first, so that after an interrupted run they are known as gaps.
        for plan in plans:
            await self.archive.plan(plan, now)
        self.progress.planned(plans)
        await self._crawl(windows, self._recorder.write)

    async def _check_older(self, now: int, beginnings: Mapping[Report, prepare.Beginning]) -> None:
        """Check a part of the time before each beginning for rows.

        If there are any, the time from their first day on is archived too.
        """
        for report, beginning in beginnings.items():
            probe = beginning.coarse_pass(report, now)
            if beginning.start is None or probe is None or report in self._recorder.closed or self.summary.stopped:
                continue
            found = await self._probe(report, probe, now)
            if probe.guessed:
                # This is no failure, because nothing that was planned is missing; the next run goes on here.
                self.summary.warnings[f"could not check for {report} before {to_text(probe.windows[-1].end)}"] = None
            elif found is not None:
                scope = self.scope.before(beginning.start)
                series = [one for one in self.scope.series() if one.report is report]
                await self._crawl_plans(
                    await prepare.make_plans(self.archive, scope, series, now, {report: found}), now
                )

    async def _probe(self, report: Report, probe: Probe, now: int) -> int | None:
        """Fetch coarse windows, and return the first day with rows or None.

        The archive remembers how far the range was checked, also when the pass is cut short.

        Raises:
            ArchiverError: The pass met an error that ends the run.
        """
        self._probing = True
        try:
            await self._crawl(probe.windows, partial(self._recorder.learn, probe))
            if self.summary.stopped is not None:
                raise self.summary.stopped
        finally:
            self._probing = False
            await self.archive.save_history(report, *probe.certain(self.scope.refresh_from(now)))
        return probe.first_bucket

    async def _crawl(
        self, windows: Sequence[Window], consume: Callable[[Window, Answer | ApiError], Awaitable[bool]]
    ) -> None:
        """Fetch windows with all workers.

        `consume` gets every result in this task, until it returns False.
        """
        # Each worker owns a clone of both streams, so the results end when the last worker does. The stream of results
        # is bounded, which makes workers wait for the writer.
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
                if window.series.report not in self._recorder.closed:  # refused since the window was queued
                    await self._fetch(window, deliver, slots)

    async def _fetch(self, window: Window, deliver: MemoryObjectSendStream[Result], slots: DecodeSlots) -> None:
        """Fetch a window, in halves if it or one of its width was too wide."""
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
            # The width is remembered for the series, because its other windows would fail too, each after a timeout.
            self._widths[window.series] = max(1, window.buckets // 2)
        if not self._probing:
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
