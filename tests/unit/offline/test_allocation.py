"""Shares of an amount add up to it."""

from __future__ import annotations

import pytest

from archiver.offline.allocation import allocate


@pytest.mark.parametrize(
    ("amount", "weights", "shares"),
    [
        (100, {"a": 1, "b": 1, "c": 1}, {"a": 34, "b": 33, "c": 33}),
        (-100, {"a": 1, "b": 1, "c": 1}, {"a": -34, "b": -33, "c": -33}),
        (10, {"a": 1, "b": 5, "c": 9}, {"a": 1, "b": 3, "c": 6}),  # 0.67, 3.33, 6
        (7, {"a": 0, "b": 3}, {"a": 0, "b": 7}),
        (7, {"a": 0}, {}),
    ],
)
def test_the_largest_remainders_get_the_rest(amount: int, weights: dict[str, int], shares: dict[str, int]) -> None:
    assert allocate(amount, weights) == shares
