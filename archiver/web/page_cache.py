"""The last pages that were made, until the archive changes."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import os
    from collections.abc import Awaitable, Callable, Hashable
    from pathlib import Path

_MOST_PAGES = 48  # of one to two megabytes; half of them are made ahead


@dataclass(slots=True)
class PageCache:
    """Pages by what they were asked for.

    A page is made anew after a write to the archive and on the next day, as most pages tell which day is in progress.
    """

    db: Path
    _pages: OrderedDict[Hashable, tuple[Any, str]] = field(default_factory=OrderedDict)
    _in_the_making: dict[Hashable, asyncio.Future[str]] = field(default_factory=dict)

    async def get(self, key: Hashable, make: Callable[[], Awaitable[str]]) -> str:
        """Return a page, made now unless it is there and up to date.

        Two who ask for the same page at once wait for the same one.
        """
        state = self.state()
        if key in self._pages and self._pages[key][0] == state:
            self._pages.move_to_end(key)
            return self._pages[key][1]
        if (key, state) not in self._in_the_making:
            work = self._in_the_making[key, state] = asyncio.ensure_future(self._make(key, state, make))
            work.add_done_callback(partial(self._end, (key, state)))
        # A reader who leaves must not end the work of others.
        return await asyncio.shield(self._in_the_making[key, state])

    def _end(self, key: Hashable, work: asyncio.Future[str]) -> None:
        del self._in_the_making[key]
        if not work.cancelled():
            work.exception()  # its readers raise it; asyncio would report it if all of them have left

    async def _make(self, key: Hashable, state: Hashable, make: Callable[[], Awaitable[str]]) -> str:
        page = await make()
        # Its state is that before it was read: a write in between is seen by the next request.
        self._pages[key] = (state, page)
        self._pages.move_to_end(key)
        while len(self._pages) > _MOST_PAGES:
            self._pages.popitem(last=False)
        return page

    def state(self) -> Hashable:
        """Return what differs after a write: the times and sizes of the files."""
        # To close a file of the archive would drop SQLite's locks of the whole process.
        files = [self.db, self.db.with_name(f"{self.db.name}-wal")]
        found = [_stat(file) for file in files]
        return datetime.now(UTC).date(), *(one and (one.st_ino, one.st_mtime_ns, one.st_size) for one in found)


def _stat(file: Path) -> os.stat_result | None:
    """Return what is known of a file; None without it. SQLite removes the -wal when its last connection ends."""
    try:
        return file.stat()
    except FileNotFoundError:
        return None
