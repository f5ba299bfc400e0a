"""Wiring the rooms for one run: the lock, the archive, the client and the crawl, or the forecast of one."""

from __future__ import annotations

import time
from contextlib import ExitStack, nullcontext
from typing import TYPE_CHECKING, Any

import anyio

from archiver.api.client import AdminClient
from archiver.api.rate_limit import RateLimiter
from archiver.api.retry import RetryPolicy
from archiver.api.transport import open_session
from archiver.clock import Clock
from archiver.crawl.request_plan import RequestPlan, forecast
from archiver.crawl.run import Run
from archiver.crawl.spot_check import spot_check
from archiver.store.archive import held_archive, open_archive
from archiver.store.files import check_file
from archiver.store.read.reader import ReadOnlyArchive, open_reader
from archiver.store.read.sample import Sample

if TYPE_CHECKING:
    from pathlib import Path

    from archiver.cli.settings import Connect, Settings
    from archiver.crawl.recorder import Progress
    from archiver.crawl.summary import Summary
    from archiver.store.read.verify import Finding


def _client(to: Connect, session: Any, clock: Clock) -> AdminClient:
    pace = RateLimiter(to.rate, to.concurrency, clock)
    return AdminClient(session, to.api_url, to.key, pace, clock, RetryPolicy(pace, clock))


def ask_again(db: Path, connect: Connect, count: int) -> tuple[int, list[Finding]]:
    """Ask the API again about a sample of settled windows; answer how many, and what it says otherwise now.

    Raises:
        ArchiverError: As the API answers or the file is.
    """
    return anyio.run(_reread, db, connect, count)


async def _reread(db: Path, connect: Connect, count: int) -> tuple[int, list[Finding]]:
    with open_reader(db) as connection:
        async with open_session(connect.api_url) as session:
            return await spot_check(_client(connect, session, Clock()), Sample(connection), count)


def synchronise(settings: Settings, progress: Progress, summary: Summary) -> None:
    """Hold the archive and run; `summary` is filled in while it goes on.

    Raises:
        ArchiverError: What ended the run before its plan did.
    """
    settings.scope.series()  # what cannot be asked is said before anything is made
    with held_archive(settings.db, now=int(time.time()), wait=settings.wait):
        anyio.run(_sync, settings, progress, summary)


async def _sync(settings: Settings, progress: Progress, summary: Summary) -> None:
    clock = Clock()
    async with open_session(settings.api_url) as session, open_archive(settings.db) as archive:
        run = Run(
            archive,
            _client(settings, session, clock),
            settings.scope,
            clock,
            concurrency=settings.concurrency,
            max_runtime=settings.max_runtime,
            accept_restatements=settings.accept_restatements,
            progress=progress,
            summary=summary,
        )
        await run.execute()


async def _forecast(settings: Settings) -> RequestPlan:
    clock = Clock()
    with ExitStack() as stack:
        there = check_file(settings.db)
        known = ReadOnlyArchive(stack.enter_context(open_reader(settings.db) if there else nullcontext(None)))
        async with open_session(settings.api_url) as session:
            return await forecast(known, _client(settings, session, clock), settings.scope, clock)


def plan_requests(settings: Settings) -> RequestPlan:
    """Say what a sync would ask; nothing is archived.

    Raises:
        ArchiverError: As the scope is, the API answers or the file is.
    """
    return anyio.run(_forecast, settings)
