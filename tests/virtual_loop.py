"""An event loop whose time passes only by waiting: hours of pauses run in milliseconds, in their true order."""

from __future__ import annotations

import asyncio
import selectors
from typing import TYPE_CHECKING, Any, TypeVar

from archiver.clock import Clock

if TYPE_CHECKING:
    from collections.abc import Coroutine

T = TypeVar("T")


class _Impatient(selectors.DefaultSelector):
    """Lets the loop's time jump to where something is due, instead of waiting for it."""

    skipped = 0.0

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if not ready and timeout:
            self.skipped += timeout
        elif not ready and timeout is None:
            return super().select(1.0)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """Time begins at 0 and stands still while anything runs."""

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
    """Give the running loop's time as a clock; `epoch` is what it shows at the beginning."""
    time = asyncio.get_running_loop().time
    return Clock(now=lambda: epoch + time(), monotonic=time, sleep=asyncio.sleep)
