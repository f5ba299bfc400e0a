"""The desk at which answers become rows: one answer at a time, from its first bytes until it is written.

So memory does not grow with the number of workers: those who wait for the desk hold only what came over the wire.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    import anyio

    from archiver.api.client import Think

T = TypeVar("T")


@dataclass(slots=True)
class Place:
    """One request's claim to the desk. `think` runs work at the desk; `leave` gives it free, and may come twice."""

    desk: anyio.Semaphore
    elsewhere: Think
    taken: bool = False

    async def think(self, work: Callable[[], T]) -> T:
        """Take the desk, if it is not ours yet, and work there; what fails leaves it, for a retry may be far away."""
        if not self.taken:
            await self.desk.acquire()
            self.taken = True
        try:
            return await self.elsewhere(work)
        except BaseException:
            self.leave()
            raise

    def leave(self) -> None:
        """Let the next one work."""
        if self.taken:
            self.taken = False
            self.desk.release()
