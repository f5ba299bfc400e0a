"""A clock that stands still until something sleeps."""

from __future__ import annotations

from dataclasses import dataclass, field

from archiver.clock import Clock

NOW = 1_768_480_200.0  # 2026-01-15T12:30:00Z


@dataclass
class Virtual:
    time: float = 1000.0
    slept: list[float] = field(default_factory=list)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds

    def clock(self) -> Clock:
        return Clock(now=lambda: NOW + self.time, monotonic=lambda: self.time, sleep=self.sleep)
