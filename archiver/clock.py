"""Clock and sleep as an argument, so that tests need not wait.

Imports nothing of the project.
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

    `now` returns UTC seconds since the epoch and may jump; `monotonic` returns seconds that only measure differences.
    `sleep` waits for seconds.
    """

    now: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
