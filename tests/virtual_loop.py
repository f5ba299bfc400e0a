"""An event loop with virtual time: hours of pauses take milliseconds, in their true order."""

from __future__ import annotations

import asyncio
import selectors
from typing import TYPE_CHECKING, Any, TypeVar

from archiver.clock import Clock

if TYPE_CHECKING:
    from collections.abc import Coroutine

T = TypeVar("T")


class _Impatient(selectors.DefaultSelector):
    """Advances the time to the next timer instead of waiting for it."""

    skipped = 0.0

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if not ready and timeout:
            self.skipped += timeout
        elif not ready and timeout is None:
            return super().select(1.0)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop with a time that begins at 0 and stands still while any task runs."""

    def __init__(self) -> None:
        self.impatient = _Impatient()
        super().__init__(self.impatient)

    def time(self) -> float:
        return self.impatient.skipped


def run_virtually(main: Coroutine[Any, Any, T]) -> T:
    """Run to the end in virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)


def virtual_clock(epoch: float) -> Clock:
    """Return a clock on the running loop; `epoch` is its time at the beginning, in UTC seconds."""
    time = asyncio.get_running_loop().time
    return Clock(now=lambda: epoch + time(), monotonic=time, sleep=asyncio.sleep)
