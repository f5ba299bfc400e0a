"""One run of `sync`: plan windows, fetch them with workers, write them.

Workers fetch windows. They share one thread that decodes the responses. The task that began the crawl writes the
answers through the archive's thread, in one transaction for each window. The rows of at most two windows are in memory,
for any length of history and any number of workers. No other file creates task groups.

A "coarse pass" searches for the first day on which a report has rows, with few requests; see `plan.probe`.
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
from archiver.errors import ApiError, ArchiverError, InterruptedRunError, TimeLimitError, TooWideError
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
        _widths: Series → the largest number of buckets in a window, if an answer to a wider window was too large or
            too slow.
        _probing: Whether the windows that are being fetched belong to a coarse pass. Those do not count as planned.
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

        Windows that are archived stay archived, and the end of the run is recorded, even after a failure.

        Raises:
            ArchiverError: The run could not plan, or the archive cannot be used any more. A signal, the time limit or
                an API error while planned windows are fetched is not raised, but stored in the summary's `stopped`.
        """
        try:
            await self._execute()
        except BaseExceptionGroup as group:
            # Nested task groups wrap an error in nested exception groups. The caller expects a plain error.
            first = _first_error(group)
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
                # A signal sets `stopped` before it cancels. Without `stopped` the deadline has cancelled the work.
                if work.cancelled_caught and self.summary.stopped is None:
                    self.summary.stopped = TimeLimitError("the time limit was reached")
            except BaseException as raised:
                first = _first_error(raised)
                self.summary.stopped = (
                    first if isinstance(first, ArchiverError) else ArchiverError(type(first).__name__)
                )
                raise
            finally:
                self.summary.requests, self.summary.retries = self.client.requests, self.client.retries
                # The end is recorded even if this task is cancelled, and an error here must not replace the first one.
                with suppress(ArchiverError), anyio.CancelScope(shield=True):
                    await self._recorder.finish(run)
            tasks.cancel_scope.cancel()

    async def _watch(
        self, work: anyio.CancelScope, *, task_status: anyio.abc.TaskStatus[None] = anyio.TASK_STATUS_IGNORED
    ) -> None:
        """Cancel the work on SIGINT or SIGTERM; `stopped` names the last signal."""
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
            # Names are for display only, so rows are fetched without waiting for the lists of names. The exception is a
            # first run without `--since`: the same lists decide where its history begins.
            tasks.start_soon(self._save_lists, identified, names_read)
            await prepare.identify(self.archive, self.client, self.summary)
            identified.set()
            now = prepare.server_now(self.client, self.clock, self.summary)
            await prepare.drop_future_coverage(self.archive, self.client, self.clock, self.summary)
            await self.archive.drop_forgotten_gaps(now)
            # `requested` lacks the remembered `--since`, because only a `--since` of this run may be remembered.
            requested, self.scope = self.scope, await prepare.apply_memory(self.archive, self.scope, now)
            await self._recorder.leave_out_known(self.scope.reports, now)
            beginnings = await self._find_beginnings(now, names_read)
            starts = {report: beginning.start for report, beginning in beginnings.items()}
            await self._archive_all(requested, now, starts)
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
        """Return where each report's history begins; {} with a `--since`."""
        if self.scope.since is not None:  # of this run, or remembered from an earlier run
            return {}
        # The lists of names take a few requests and save dozens in the coarse pass. A later run remembers their result.
        if await recall_oldest(self.archive) is None:
            await names_read.wait()
        oldest = await recall_oldest(self.archive)
        beginnings = {}
        for report in self.scope.reports:
            if report in self._recorder.closed:
                continue
            beginning = await prepare.find_beginning(self.archive, report, now, oldest)
            if beginning.start is None:  # the lists of names could not be read or were empty: search in a coarse pass
                probe = Probe.begin(report, now, beginning.checked_until)
                beginning = prepare.Beginning(await self._probe(report, probe, now), probe.empty_until)
            beginnings[report] = beginning
        return beginnings

    async def _archive_all(self, requested: Scope, now: int, starts: Mapping[Report, int | None]) -> None:
        """Plan and crawl all series; repeat if the API allows fewer dimensions."""
        while True:
            wanted = [series for series in self.scope.series() if series.report not in self._recorder.closed]
            plans = await prepare.make_plans(self.archive, self.scope, wanted, now, starts)
            await prepare.remember_since(self.archive, requested)
            await self._crawl_plans(plans, now)
            cap, self._recorder.cap = self._recorder.cap, None
            if cap is None:
                return
            await prepare.remember_cap(self.archive, cap, now)
            self.scope = replace(self.scope, group_by_cap=cap)
            refused = [series for series in wanted if SPECS[series.report].counted(series.group_by) > cap]
            await self.archive.remove_planned(refused)
            self.summary.begin_again()

    async def _crawl_plans(self, plans: Sequence[SeriesPlan], now: int) -> None:
        windows = fetch_order(plans)
        self.summary.plans = [*self.summary.plans, *plans]
        self.summary.planned += len(windows)
        self.client.retry_policy.budget.grow(len(windows))
        # All buckets to fetch are first marked as missing, so that `status` shows gaps after an interrupted run.
        for plan in plans:
            await self.archive.plan(plan, now)
        self.progress.planned(plans)
        await self._crawl(windows, self._recorder.write)

    async def _check_older(self, now: int, beginnings: Mapping[Report, prepare.Beginning]) -> None:
        """Search for rows before the beginning of each report, in a coarse pass.

        Each run searches only a part of that time. If it finds rows, everything from their first day on is archived.
        """
        for report, beginning in beginnings.items():
            probe = beginning.coarse_pass(report, now)
            if beginning.start is None or probe is None or report in self._recorder.closed or self.summary.stopped:
                continue
            found = await self._probe(report, probe, now)
            if probe.guessed:  # a window could not be read, so `found` is not certain
                # A warning and not a failure, because no planned window is missing. The next run repeats this window.
                self.summary.warnings[f"could not check for {report} before {to_text(probe.windows[-1].end)}"] = None
            elif found is not None:
                scope = self.scope.before(beginning.start)
                wanted = [series for series in self.scope.series() if series.report is report]
                plans = await prepare.make_plans(self.archive, scope, wanted, now, {report: found})
                await self._crawl_plans(plans, now)

    async def _probe(self, report: Report, probe: Probe, now: int) -> int | None:
        """Make a coarse pass, and return its first day with rows, or None.

        A day that could not be read counts as a day with rows. The archive remembers up to which day there are no rows,
        even if the pass is interrupted.

        Raises:
            ArchiverError: An error ended the run during the pass.
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

        `consume` is called in this task with each window and its result. The crawl ends when it returns False.
        """
        # Each worker closes its clones of both streams when it ends, so `results` ends with the last worker. `results`
        # has a bounded buffer, so that workers wait for the writer.
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
                if window.series.report not in self._recorder.closed:  # it may be closed after the window was queued
                    await self._fetch(window, deliver, slots)

    async def _fetch(self, window: Window, deliver: MemoryObjectSendStream[Result], slots: DecodeSlots) -> None:
        """Fetch a window, or its halves if it is too wide."""
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
            # Remembered for all windows of the series: windows of this width would fail too, each after a timeout.
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


def _first_error(raised: BaseException) -> BaseException:
    """Return the first plain exception in nested exception groups."""
    return _first_error(raised.exceptions[0]) if isinstance(raised, BaseExceptionGroup) else raised
