"""Random outages on a virtual clock: no request before retry-after, few retries, and an end in bounded time."""

from __future__ import annotations

import json
import os
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from archiver.api.client import AdminClient
from archiver.api.key import AdminKey
from archiver.api.rate_limit import DEFAULT_BURST, Rate, RateLimiter
from archiver.api.response import Response, TransportError, TransportErrorKind
from archiver.api.retry import RetryPolicy
from archiver.errors import ApiError
from tests.support import INVENTED_KEY
from tests.virtual_loop import run_virtually, virtual_clock

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Pairs = Sequence[tuple[str, str]]


SCHEDULES = int(os.environ.get("ARCHIVER_TEST_OUTAGES", "100"))
EPOCH = 1_768_480_200.0
WINDOWS = 100


@dataclass
class Weather:
    """The failures of the API by time: random ranges of failures of one kind, with good ranges between."""

    chance: random.Random
    stretches: list[tuple[float, float, str]] = field(default_factory=list)
    closed_until: float = 0.0
    early: list[float] = field(default_factory=list)
    moments: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        at = self.chance.uniform(0, 120)
        for _ in range(self.chance.randint(1, 4)):
            length = self.chance.choice([5, 30, 120, 600, 3600]) * self.chance.uniform(0.2, 1.5)
            kind = self.chance.choice(["503", "429", "retry-after", "broken", "slow", "html", "flaky"])
            self.stretches.append((at, at + length, kind))
            at += length + self.chance.uniform(20, 400)

    def now(self, time: float) -> str:
        return next((kind for start, end, kind in self.stretches if start <= time < end), "good")

    async def exchange(
        self, _session: Any, url: str, _query: Sequence[tuple[str, str]], _headers: Mapping[str, str]
    ) -> Response:
        time = anyio.current_time()
        self.moments.append(time)
        if time < self.closed_until - 1e-6:
            self.early.append(self.closed_until - time)
        kind = self.now(time)
        await anyio.sleep(self.chance.uniform(0.05, 0.4))
        if kind == "flaky":
            kind = "503" if self.chance.random() < 0.3 else "good"
        return self._answer(kind, url)

    def _answer(self, kind: str, url: str) -> Response:
        if kind == "broken":
            raise TransportError(TransportErrorKind.NETWORK, "the connection broke")
        if kind == "slow":
            raise TransportError(TransportErrorKind.TIMEOUT, "the API did not answer in time")
        if kind == "html":
            return Response(502, {"content-type": "text/html"}, b"<html>")
        if kind == "retry-after":
            wait = self.chance.choice([1, 7, 45, 120])
            self.closed_until = max(self.closed_until, anyio.current_time() + wait)
            return Response(429, {"retry-after": str(wait)}, b"{}")
        if kind in {"503", "429"}:
            return Response(int(kind), {}, b"{}")
        return Response(200, {"content-type": "application/json"}, json.dumps({"url": url}).encode())


async def crawl(weather: Weather) -> tuple[int, int, int, float, bool]:
    """Fetch a hundred windows with four workers.

    Return the requests, successes, failures and seconds, and whether an error ended the run."""
    clock = virtual_clock(EPOCH)
    limiter = RateLimiter(Rate.parse("50/min"), 4, clock)
    retry_policy = RetryPolicy(limiter, clock, chance=weather.chance.random)
    client = AdminClient(
        None, "http://x", AdminKey(INVENTED_KEY, "a test"), limiter, clock, retry_policy, weather.exchange
    )
    retry_policy.budget.grow(WINDOWS)
    good, failed = 0, 0
    ends: list[bool] = []
    windows = list(range(WINDOWS))

    async def work() -> None:
        nonlocal good, failed
        while windows and not any(ends):
            number = windows.pop(0)
            try:
                await client.get(f"/{number}", (), lambda reply: reply.status, splittable=False)
                good += 1
            except ApiError as error:
                failed += 1
                ends.append(error.ends_run)

    async with anyio.create_task_group() as tasks:
        for _ in range(4):
            tasks.start_soon(work)
    return client.requests, good, failed, anyio.current_time(), any(ends)


@pytest.mark.parametrize("seed", range(SCHEDULES))
def test_retries_during_an_outage_are_bounded(seed: int) -> None:
    weather = Weather(random.Random(seed))  # noqa: S311  # repeatable chance
    requests, good, failed, seconds, ended = run_virtually(crawl(weather))
    assert not weather.early, f"{len(weather.early)} requests were early, by up to {max(weather.early):.1f} s"
    assert requests <= 1.2 * WINDOWS
    assert good + failed <= WINDOWS
    assert ended or good + failed == WINDOWS
    assert seconds <= 3600
    moments = weather.moments
    busiest = max(sum(1 for moment in moments if start <= moment < start + 60) for start in moments)
    assert busiest <= 50 + DEFAULT_BURST


def test_the_schedules_differ_in_outcome_and_have_every_kind_of_failure() -> None:
    """Some crawls succeed, some are ended by an error, and every kind of failure occurs."""
    ends = set()
    kinds: set[str] = set()
    for seed in range(60):
        weather = Weather(random.Random(seed))  # noqa: S311  # repeatable chance
        kinds |= {kind for _, _, kind in weather.stretches}
        ends.add(run_virtually(crawl(weather))[4])
    assert ends == {True, False}
    assert len(kinds) == 7
