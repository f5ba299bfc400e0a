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

    UTC seconds since the epoch, monotonic seconds, and an awaitable sleep in seconds.
    """

    now: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
