"""Decode responses in a separate thread, with slots that bound memory.

One response is decoded at a time. A window needs one of two slots to be decoded, so the rows of at most two windows are
in memory. Workers without a slot hold compressed bytes only, so memory hardly grows with concurrency.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import anyio
from anyio import to_thread

if TYPE_CHECKING:
    from collections.abc import Callable

    from archiver.api.response import Response

T = TypeVar("T")

# One answer is decoded while another is written. A third would wait in memory for the writer.
SLOT_COUNT = 2


@dataclass(slots=True)
class DecodeSlots:
    """The slots of one crawl; to be created inside the event loop.

    `semaphore` counts the free slots.
    """

    semaphore: anyio.Semaphore = field(default_factory=partial(anyio.Semaphore, SLOT_COUNT))
    # A second decoding thread was measured and made a run slower, because the threads compete for the interpreter lock.
    _thread: anyio.CapacityLimiter = field(default_factory=partial(anyio.CapacityLimiter, 1))

    async def decode(self, decode: Callable[[Response], T], response: Response) -> T:
        """Run `decode` in the decoding thread, and raise what it raises."""
        return await to_thread.run_sync(decode, response, limiter=self._thread)


@dataclass(slots=True)
class Slot:
    """The slot of one window.

    It is acquired before a page is decoded, and held until the answer is written. It is released earlier when decoding
    fails, and while a further page is fetched.
    """

    slots: DecodeSlots
    acquired: bool = False

    async def decode(self, decode: Callable[[Response], T], response: Response) -> T:
        """Acquire a slot, if this window has none, and decode.

        An error of `decode` is raised, after the slot is released.
        """
        if not self.acquired:
            await self.slots.semaphore.acquire()
            self.acquired = True
        try:
            return await self.slots.decode(decode, response)
        except BaseException:
            # A retry may come minutes later, and other windows can use the slot until then.
            self.release()
            raise

    def release(self) -> None:
        """Return the slot; a second call does nothing."""
        if self.acquired:
            self.acquired = False
            self.slots.semaphore.release()
