"""Amounts as text: exact, rounded, and of estimates."""

from __future__ import annotations

import pytest

from archiver.offline.tables.money import ATTOCENTS, Estimate, to_exact, to_microcents, to_rounded

DOLLAR = 100 * ATTOCENTS


@pytest.mark.parametrize(
    ("amount", "usd", "cents"),
    [
        (DOLLAR, "1.00", "100.00"),
        (1_234_567 * DOLLAR, "1,234,567.00", "123,456,700.00"),
        (ATTOCENTS // 2, "0.01", "0.50"),
        (ATTOCENTS // 2 - 1, "0.00", "0.50"),
        (-ATTOCENTS // 2, "-0.01", "-0.50"),
        (-ATTOCENTS // 4, "0.00", "-0.25"),
        (ATTOCENTS // 200, "0.00", "0.01"),
    ],
)
def test_text_has_two_digits_rounded_half_away_from_zero(amount: int, usd: str, cents: str) -> None:
    assert (to_rounded(amount, "usd"), to_rounded(amount, "cents")) == (usd, cents)


@pytest.mark.parametrize(
    ("amount", "usd", "cents"),
    [
        (1, "0.00000000000000000001", "0.000000000000000001"),
        (-DOLLAR - 1, "-1.00000000000000000001", "-100.000000000000000001"),
        (Estimate(-DOLLAR - 1), "-1.00", "-100.00"),
        (Estimate(1234 * DOLLAR + ATTOCENTS // 2), "1234.01", "123401.00"),
    ],
)
def test_formats_for_programs_have_every_digit_but_of_an_estimate(amount: int, usd: str, cents: str) -> None:
    assert (to_exact(amount, "usd"), to_exact(amount, "cents")) == (usd, cents)


@pytest.mark.parametrize(
    ("amount", "microcents"),
    [
        (5 * 10**11, 0),  # half to even
        (15 * 10**11, 2),
        (25 * 10**11, 2),
        (25 * 10**11 + 1, 3),
        (-15 * 10**11, -2),
        (Estimate(1_234_567_890_123_456_789), 1_000_000),
    ],
)
def test_microcents_are_rounded_half_to_even(amount: int, microcents: int) -> None:
    assert to_microcents(amount) == microcents
