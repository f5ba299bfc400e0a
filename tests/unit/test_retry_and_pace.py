"""Waiting is arithmetic: no test here waits."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from archiver.api.rate import Rate
from archiver.api.rate_limit import RateLimiter
from archiver.api.retry import backoff, is_retried, is_spend_limit, retry_after, server_time, unadvised_wait
from archiver.clock import Clock
from archiver.errors import ConfigurationError

NOW = 1_768_480_200.0  # 2026-01-15T12:30:00Z


@dataclass
class Virtual:
    """A clock that stands still until somebody sleeps."""

    time: float = 1000.0
    slept: list[float] = field(default_factory=list)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds

    def clock(self) -> Clock:
        return Clock(now=lambda: NOW + self.time, monotonic=lambda: self.time, sleep=self.sleep)


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 504, 529, 599])
def test_what_may_pass_is_retried(status: int) -> None:
    assert is_retried(status, {})


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 405, 413, 422])
def test_what_will_not_change_is_not_retried(status: int) -> None:
    assert not is_retried(status, {})


def test_the_server_says_whether_to_retry() -> None:
    assert not is_retried(503, {"x-should-retry": "false"})
    assert is_retried(400, {"x-should-retry": "true"})


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after-ms": "250", "retry-after": "7"}, 0.25),
        ({"retry-after": "Thu, 15 Jan 2026 12:30:20 GMT"}, 20.0),
        ({"anthropic-ratelimit-requests-reset": "2026-01-15T12:30:05Z"}, 5.0),
        ({"retry-after": "soon", "anthropic-ratelimit-requests-reset": "2026-01-15T12:30:05Z"}, 5.0),
    ],
)
def test_a_told_wait_is_obeyed(headers: dict[str, str], wait: float) -> None:
    assert retry_after(headers, NOW) == pytest.approx(wait)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"retry-after": "soon"},
        {"retry-after": "nan"},
        {"retry-after": "inf"},
        {"retry-after": "-3"},
        {"retry-after": "99999"},
        {"retry-after": ""},
        {"retry-after": "Thu, 15 Jan 2026 12:29:00 GMT"},
        {"anthropic-ratelimit-requests-reset": "2026-01-15T12:29:59Z"},
        {"anthropic-ratelimit-requests-reset": "2026-01-15T18:30:00Z"},
    ],
)
def test_an_odd_wait_is_as_good_as_none(headers: dict[str, str]) -> None:
    assert retry_after(headers, NOW) is None


def test_a_silent_refusal_waits_15_seconds_doubling_to_five_minutes() -> None:
    assert [unadvised_wait(n, lambda: 0.0) for n in range(7)] == [15, 30, 60, 120, 240, 300, 300]
    assert unadvised_wait(0, lambda: 1.0) == pytest.approx(18)


def test_backoff_has_full_jitter_and_a_bound() -> None:
    assert backoff(0, lambda: 1.0, 30.0) == 0.5
    assert backoff(50, lambda: 1.0, 30.0) == 30.0
    assert backoff(3, lambda: 0.0, 30.0) == 0.0


@pytest.mark.parametrize(
    ("message", "spent"),
    [
        ("You have reached your specified API usage limits. You will regain access on 2026-02-01.", True),
        ("Your credit balance is too low", True),
        ("This request would exceed the rate limit for your organization", False),
    ],
)
def test_a_spent_limit_is_told_from_a_pace(message: str, spent: bool) -> None:  # noqa: FBT001  # the expected answer
    assert is_spend_limit(message) is spent


def test_the_servers_clock_is_read_from_date() -> None:
    assert server_time({"date": "Thu, 15 Jan 2026 12:30:00 GMT"}) == NOW
    assert server_time({"date": "noon"}) is None
    assert server_time({}) is None


@pytest.mark.parametrize(
    ("text", "per_second"),
    [("50/min", 50 / 60), ("60", 1.0), ("5/s", 5.0), ("3600/h", 1.0), ("0.5/s", 0.5), ("none", None)],
)
def test_a_rate_is_read(text: str, per_second: float | None) -> None:
    assert Rate.parse(text).per_second == per_second


@pytest.mark.parametrize("text", ["", "0", "0/min", "-5/min", "fast", "5/day", "1e3/s", "inf/s"])
def test_what_is_no_rate_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="not a rate"):
        Rate.parse(text)


async def test_a_fresh_start_has_a_burst_and_then_keeps_the_rate() -> None:
    virtual = Virtual()
    pace = RateLimiter(Rate.parse("60/min"), 4, virtual.clock(), burst=10)
    moments = []
    for _ in range(130):
        await pace.turn()
        moments.append(virtual.time)
    assert moments[8] == moments[0]
    busiest = max(sum(1 for m in moments if start <= m < start + 60) for start in moments)
    assert busiest <= 60 + 10
    assert moments[-1] - moments[0] == pytest.approx(120, rel=0.05)


async def test_without_a_rate_nobody_waits() -> None:
    virtual = Virtual()
    pace = RateLimiter(Rate(None), 4, virtual.clock())
    for _ in range(1000):
        await pace.turn()
    assert virtual.slept == []


async def test_a_closed_gate_holds_everybody() -> None:
    virtual = Virtual()
    pace = RateLimiter(Rate(None), 4, virtual.clock())
    pace.close(45)
    await pace.turn()
    assert virtual.time == pytest.approx(1045)


async def test_a_refusal_halves_the_rate_spends_the_burst_and_takes_a_worker() -> None:
    virtual = Virtual()
    pace = RateLimiter(Rate.parse("60/min"), 4, virtual.clock(), burst=10)
    pace.refused()
    assert pace.per_minute == 30
    assert pace.places.total_tokens == 3
    began = virtual.time
    await pace.turn()
    assert virtual.time - began == pytest.approx(2, abs=0.1)


async def test_a_refusal_of_the_burst_takes_the_burst_and_keeps_the_rate() -> None:
    virtual = Virtual()
    pace = RateLimiter(Rate.parse("60/min"), 4, virtual.clock(), burst=10)
    for _ in range(5):
        await pace.turn()
        pace.accepted()
    pace.refused()
    pace.close(15)
    assert pace.per_minute == 60
    assert pace.places.total_tokens == 3
    began = virtual.time
    moments = []
    for _ in range(10):
        await pace.turn()
        moments.append(virtual.time - began)
    assert sum(1 for moment in moments if moment < 15.5) == 4
    assert moments[-1] == pytest.approx(15 + 6.3, abs=0.2)


async def test_a_second_refusal_soon_after_the_burst_halves_the_rate() -> None:
    virtual = Virtual()
    pace = RateLimiter(Rate.parse("60/min"), 4, virtual.clock(), burst=2)
    for _ in range(2):
        await pace.turn()
        pace.accepted()
    pace.refused()
    for _ in range(3):
        await pace.turn()
        pace.accepted()
    pace.refused()
    assert pace.per_minute == 30


async def test_refusals_of_one_moment_count_once() -> None:
    pace = RateLimiter(Rate.parse("60/min"), 4, Virtual().clock())
    for _ in range(5):
        pace.refused()
    assert pace.per_minute == 30


async def test_quiet_minutes_give_back_what_a_refusal_took() -> None:
    virtual = Virtual()
    pace = RateLimiter(Rate.parse("60/min"), 4, virtual.clock())
    pace.refused()
    for _ in range(400):
        await pace.turn()
    assert pace.per_minute == 60
    assert pace.places.total_tokens == 4


async def test_the_rate_never_falls_to_nothing() -> None:
    virtual = Virtual()
    pace = RateLimiter(Rate.parse("64/min"), 4, virtual.clock())
    for _ in range(20):
        virtual.time += 2
        pace.refused()
    assert pace.per_minute == 4
    assert pace.places.total_tokens == 1
