"""Wire the parts of a run: lock, archive, client and crawl."""

from __future__ import annotations

import time
from contextlib import ExitStack, nullcontext
from typing import TYPE_CHECKING, Any

import anyio

from archiver.api.client import AdminClient
from archiver.api.lists import fetch_organization
from archiver.api.rate_limit import RateLimiter
from archiver.api.retry import RetryPolicy
from archiver.api.transport import open_session
from archiver.clock import Clock
from archiver.crawl import request_plan
from archiver.crawl.run import Run
from archiver.crawl.spot_check import spot_check
from archiver.store.archive import held_archive, open_archive
from archiver.store.files import check_file
from archiver.store.plan_reader import read_only
from archiver.store.read.reader import open_reader
from archiver.store.read.sample import Sample

if TYPE_CHECKING:
    from pathlib import Path

    from archiver.cli.settings import Connect, Settings
    from archiver.crawl.progress import Progress
    from archiver.crawl.request_plan import RequestPlan
    from archiver.crawl.summary import Summary
    from archiver.model import Organization
    from archiver.store.read.verify import Finding


def _client(to: Connect, session: Any, clock: Clock) -> AdminClient:
    limiter = RateLimiter(to.rate, to.concurrency, clock)
    return AdminClient(session, to.api_url, to.key, limiter, clock, RetryPolicy(limiter, clock))


def run_spot_check(db: Path, connect: Connect, count: int) -> tuple[int, list[Finding]]:
    """Fetch a sample of at most `count` settled windows again.

    Returns:
        The number of windows, and their differences from the archive.

    Raises:
        ArchiverError: The API or the archive cannot be read.
    """
    return anyio.run(_spot_check, db, connect, count)


async def _spot_check(db: Path, connect: Connect, count: int) -> tuple[int, list[Finding]]:
    with open_reader(db) as connection:
        async with open_session(connect.api_url) as session:
            return await spot_check(_client(connect, session, Clock()), Sample(connection), count)


def read_organization(connect: Connect) -> tuple[Organization, int | None]:
    """Return the organisation of the key, and the API's time in UTC seconds.

    Raises:
        ArchiverError: The API cannot be reached, or refuses the key.
    """
    return anyio.run(_read_organization, connect)


async def _read_organization(connect: Connect) -> tuple[Organization, int | None]:
    async with open_session(connect.api_url) as session:
        client = _client(connect, session, Clock())
        return await fetch_organization(client), client.server_time


def synchronise(settings: Settings, progress: Progress, summary: Summary) -> None:
    """Lock the archive and sync it.

    `summary` is filled in during the run, so that it has what was done when the run ends with an error.

    Raises:
        ArchiverError: An error that ended the run early.
    """
    settings.scope.check()  # before a file is created
    # The lock is outside of the event loop, so that Ctrl-C ends the wait for another run.
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
            people=settings.people,
            progress=progress,
            summary=summary,
        )
        await run.execute()


def plan_requests(settings: Settings) -> RequestPlan:
    """Return the requests that a sync would send; nothing is archived.

    Raises:
        ArchiverError: The scope contradicts itself, or the API or the archive cannot be read.
    """
    settings.scope.check()
    return anyio.run(_plan_requests, settings)


async def _plan_requests(settings: Settings) -> RequestPlan:
    clock = Clock()
    with ExitStack() as stack:
        # A first sync is planned without an archive, and without creating one.
        exists = check_file(settings.db)
        reader = read_only(stack.enter_context(open_reader(settings.db) if exists else nullcontext(None)))
        async with open_session(settings.api_url) as session:
            client = _client(settings, session, clock)
            return await request_plan.plan_requests(reader, client, settings.scope, clock)
