"""The clock and the sleep as one argument, so that tests need not wait.

This module imports nothing from the project.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


@dataclass(frozen=True, slots=True)
class Clock:
    """The local clock.

    `now` returns UTC seconds since the epoch, and may jump. `monotonic` returns seconds since an arbitrary time, and
    never jumps. `sleep` waits for a number of seconds.
    """

    now: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
