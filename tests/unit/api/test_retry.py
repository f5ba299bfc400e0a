"""Waits between attempts are arithmetic: no test here waits."""

from __future__ import annotations

import pytest

from archiver.api.retry import backoff, unadvised_wait


def test_a_429_without_advice_waits_15_seconds_doubling_to_five_minutes() -> None:
    assert [unadvised_wait(n, lambda: 0.0) for n in range(7)] == [15, 30, 60, 120, 240, 300, 300]
    assert unadvised_wait(0, lambda: 1.0) == pytest.approx(18)


def test_backoff_has_full_jitter_and_a_bound() -> None:
    assert backoff(0, lambda: 1.0, 30.0) == 0.5
    assert backoff(50, lambda: 1.0, 30.0) == 30.0
    assert backoff(3, lambda: 0.0, 30.0) == 0.0
