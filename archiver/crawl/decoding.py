"""Decode responses in a thread of its own, two answers at most.

Workers hold compressed bytes; only a worker with a slot holds rows. So memory does not grow with concurrency.
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

# One answer is decoded while another is written; a third would only wait, and cost its memory.
SLOT_COUNT = 2


@dataclass(slots=True)
class DecodeSlots:
    """The slots of one run; create it inside the event loop."""

    free: anyio.Semaphore = field(default_factory=partial(anyio.Semaphore, SLOT_COUNT))
    # A second decoding thread made a run slower: both fight for the interpreter's lock.
    _thread: anyio.CapacityLimiter = field(default_factory=partial(anyio.CapacityLimiter, 1))

    async def decode(self, decode: Callable[[Response], T], response: Response) -> T:
        """Run `decode` in the decoding thread; raises what it raises."""
        return await to_thread.run_sync(decode, response, limiter=self._thread)


@dataclass(slots=True)
class Slot:
    """The slot of one window.

    It is held from its first decoded page until its answer is written.
    """

    slots: DecodeSlots
    acquired: bool = False

    async def decode(self, decode: Callable[[Response], T], response: Response) -> T:
        """Acquire a slot, if this window has none, and decode.

        Raises what `decode` raises.
        """
        if not self.acquired:
            await self.slots.free.acquire()
            self.acquired = True
        try:
            return await self.slots.decode(decode, response)
        except BaseException:
            # A retry may be minutes away, and other windows could use the slot until then.
            self.release()
            raise

    def release(self) -> None:
        """Return the slot; a second call does nothing."""
        if self.acquired:
            self.acquired = False
            self.slots.free.release()
