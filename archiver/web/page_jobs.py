"""The jobs that make pages, and that of health, which waits for none."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

from datasette.views.base import DatasetteError

from archiver.web.jobs import newest_day
from archiver.web.query_worker import Bounds

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from archiver.web.query_worker import QueryWorkers

_BOUNDS = Bounds(30.0, 1024)
_MOST_AT_ONCE, _MOST_WAITING = 3, 12


class PageJobs:
    """Runs jobs on the archive in query workers."""

    def __init__(self, db: Path, workers: QueryWorkers) -> None:
        """Begin without jobs."""
        self._db, self._workers = str(db), workers
        self._pages, self._health = ThreadPoolExecutor(_MOST_AT_ONCE), ThreadPoolExecutor(1)
        self._begun = 0

    async def run(self, job: Callable[..., Any], *arguments: Any) -> Any:
        """Return the result of a job on the archive.

        Raises:
            ArchiverError: The archive cannot be read.
            DatasetteError: Too many jobs wait already.
        """
        # A job runs on when its reader has left, so a queue without an end would keep all others waiting.
        if self._begun >= _MOST_AT_ONCE + _MOST_WAITING:
            raise DatasetteError("too many pages are asked for at once: try again in a while", status=503)
        self._begun += 1
        try:
            return await self._in(self._pages, job, *arguments)
        finally:
            self._begun -= 1

    async def health(self) -> str | None:
        """Return the newest whole day of cost, whatever else is asked for.

        Raises:
            ArchiverError: The archive cannot be read.
        """
        found: str | None = await self._in(self._health, newest_day)
        return found

    async def _in(self, pool: ThreadPoolExecutor, job: Callable[..., Any], *arguments: Any) -> Any:
        work = partial(self._workers.run, job, _BOUNDS, self._db, *arguments)
        return await asyncio.get_running_loop().run_in_executor(pool, work)
