"""Response headers: invalid values are ignored."""

from __future__ import annotations

import time

import pytest

from archiver.api.headers import retry_after, server_time
from tests.unit.api.virtual import NOW


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after-ms": "0", "retry-after": "7"}, 7.0),
        ({"retry-after": "0", "anthropic-ratelimit-requests-reset": "2026-01-15T12:30:05Z"}, 5.0),
        ({"retry-after-ms": "250", "retry-after": "7"}, 0.25),
        ({"retry-after": "Thu, 15 Jan 2026 12:30:20 GMT"}, 20.0),
        ({"anthropic-ratelimit-requests-reset": "2026-01-15T12:30:05Z"}, 5.0),
        ({"retry-after": "soon", "anthropic-ratelimit-requests-reset": "2026-01-15T12:30:05Z"}, 5.0),
    ],
)
def test_advised_waits_are_read(headers: dict[str, str], wait: float) -> None:
    assert retry_after(headers, NOW) == pytest.approx(wait)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"retry-after": "soon"},
        {"retry-after": "0"},
        {"retry-after-ms": "0"},
        {"retry-after": "0.0", "retry-after-ms": "-0"},
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


@pytest.mark.parametrize("text", ["Thu, 15 Jan 2026 12:30:00", "Thu, 15 Jan 2026 12:30:00 -0000"])
def test_a_date_without_a_zone_is_utc(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert server_time({"date": text}) == NOW
    finally:
        monkeypatch.undo()
        time.tzset()


def test_the_servers_clock_is_read_from_date() -> None:
    assert server_time({"date": "Thu, 15 Jan 2026 12:30:00 GMT"}) == NOW
    assert server_time({"date": "noon"}) is None
    assert server_time({}) is None
