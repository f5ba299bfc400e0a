"""The rate limiter on a clock that only sleeping moves: no test here waits."""

from __future__ import annotations

import pytest

from archiver.api.rate_limit import Rate, RateLimiter
from archiver.errors import ConfigurationError
from tests.unit.api.virtual import Virtual


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
    limiter = RateLimiter(Rate.parse("60/min"), 4, virtual.clock(), burst=10)
    moments = []
    for _ in range(130):
        await limiter.acquire()
        moments.append(virtual.time)
    assert moments[8] == moments[0]
    busiest = max(sum(1 for m in moments if start <= m < start + 60) for start in moments)
    assert busiest <= 60 + 10
    assert moments[-1] - moments[0] == pytest.approx(120, rel=0.05)


async def test_without_a_rate_there_is_no_wait() -> None:
    virtual = Virtual()
    limiter = RateLimiter(Rate(None), 4, virtual.clock())
    for _ in range(1000):
        await limiter.acquire()
    assert virtual.slept == []


async def test_a_closed_gate_holds_all_workers() -> None:
    virtual = Virtual()
    limiter = RateLimiter(Rate(None), 4, virtual.clock())
    limiter.close(45)
    await limiter.acquire()
    assert virtual.time == pytest.approx(1045)


async def test_a_refusal_halves_the_rate_spends_the_burst_and_takes_a_worker() -> None:
    virtual = Virtual()
    limiter = RateLimiter(Rate.parse("60/min"), 4, virtual.clock(), burst=10)
    limiter.reject()
    assert limiter.per_minute == 30
    assert limiter.slots.total_tokens == 3
    began = virtual.time
    await limiter.acquire()
    assert virtual.time - began == pytest.approx(2, abs=0.1)


async def test_a_refusal_of_the_burst_takes_the_burst_and_keeps_the_rate() -> None:
    virtual = Virtual()
    limiter = RateLimiter(Rate.parse("60/min"), 4, virtual.clock(), burst=10)
    for _ in range(5):
        await limiter.acquire()
        limiter.accept()
    limiter.reject()
    limiter.close(15)
    assert limiter.per_minute == 60
    assert limiter.slots.total_tokens == 3
    began = virtual.time
    moments = []
    for _ in range(10):
        await limiter.acquire()
        moments.append(virtual.time - began)
    assert sum(1 for moment in moments if moment < 15.5) == 4
    assert moments[-1] == pytest.approx(15 + 6.3, abs=0.2)


async def test_a_second_refusal_soon_after_the_burst_halves_the_rate() -> None:
    virtual = Virtual()
    limiter = RateLimiter(Rate.parse("60/min"), 4, virtual.clock(), burst=2)
    for _ in range(2):
        await limiter.acquire()
        limiter.accept()
    limiter.reject()
    for _ in range(3):
        await limiter.acquire()
        limiter.accept()
    limiter.reject()
    assert limiter.per_minute == 30


async def test_refusals_of_one_moment_count_once() -> None:
    limiter = RateLimiter(Rate.parse("60/min"), 4, Virtual().clock())
    for _ in range(5):
        limiter.reject()
    assert limiter.per_minute == 30


async def test_quiet_minutes_give_back_what_a_refusal_took() -> None:
    virtual = Virtual()
    limiter = RateLimiter(Rate.parse("60/min"), 4, virtual.clock())
    limiter.reject()
    for _ in range(400):
        await limiter.acquire()
    assert limiter.per_minute == 60
    assert limiter.slots.total_tokens == 4


async def test_the_rate_never_falls_to_nothing() -> None:
    virtual = Virtual()
    limiter = RateLimiter(Rate.parse("64/min"), 4, virtual.clock())
    for _ in range(20):
        virtual.time += 2
        limiter.reject()
    assert limiter.per_minute == 4
    assert limiter.slots.total_tokens == 1
