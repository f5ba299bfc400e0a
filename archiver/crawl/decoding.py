"""The desk at which answers become rows: one is read while another is written, and no more are there in rows.

So memory does not grow with the number of workers: those who wait for the desk hold only what came over the wire.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import anyio

from archiver.api.decode.page import PageReader
from archiver.crawl.beside import Beside

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from archiver.api.response import Response

T = TypeVar("T")

PLACES = 2
LARGE = 64 * 1024
"""From this size on, in bytes on the wire, an answer is worth being sent to another process."""
MANY = 1024 * 1024
"""So many bytes of large answers are read before another process is begun: most runs never need it."""


class Think(Protocol):
    """Runs a piece of work in the thread that writes."""

    def __call__(self, work: Callable[[], T], /) -> Awaitable[T]:
        """Run the work."""


class DecodeSlots:
    """Reads answers one after the other: in the thread that writes, or beside it when there is much to read."""

    def __init__(self, think: Think, beside: Beside) -> None:
        self.places = anyio.Semaphore(PLACES)
        self._think = think
        self._beside = beside
        self._one = anyio.CapacityLimiter(1)
        self._large = 0

    async def read(self, read: Callable[[Response], T], reply: Response) -> T:
        """Let a reply be read; raises what `read` does."""
        async with self._one:
            told: Any = None
            if isinstance(read, PageReader) and self._is_much(read, reply):
                told = await self._beside.read(read, reply)
            return await self._think(partial(read, reply)) if told is None else told

    def _is_much(self, read: PageReader, reply: Response) -> bool:
        size = read.size(reply) if len(reply.wire) >= LARGE else 0
        self._large += size
        return size > 0 and self._large > MANY and not self._beside.broken


@asynccontextmanager
async def open_decode_slots(think: Think) -> AsyncIterator[DecodeSlots]:
    """Open a desk; the process beside it, if one was begun, ends with it."""
    beside = Beside()
    try:
        yield DecodeSlots(think, beside)
    finally:
        await beside.close()


@dataclass(slots=True)
class Slot:
    """One request's claim to the desk. `think` has a reply read there; `leave` gives it free, and may come twice."""

    desk: DecodeSlots
    taken: bool = False

    async def think(self, read: Callable[[Response], T], reply: Response) -> T:
        """Take a place, if there is none yet, and read there; what fails leaves it, for a retry may be far away."""
        if not self.taken:
            await self.desk.places.acquire()
            self.taken = True
        try:
            return await self.desk.read(read, reply)
        except BaseException:
            self.leave()
            raise

    def leave(self) -> None:
        """Let the next one come."""
        if self.taken:
            self.taken = False
            self.desk.places.release()
