"""Divide an amount by weights without losing a digit. Pure function."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping

K = TypeVar("K")


def allocate(amount: int, weights: Mapping[K, int]) -> dict[K, int]:
    """Return the shares of an amount by weights; their sum is the amount.

    The method is that of the largest remainder: every share is rounded down, and the units left over go one each to the
    shares that lost most. Equal remainders are ordered by the text of their keys, so that results repeat. `amount` may
    be negative, a credit. Without any weight there are no shares.
    """
    total = sum(weights.values())
    if total <= 0:
        return {}
    if len(weights) == 1:
        return dict.fromkeys(weights, amount)
    # A credit is shared by its absolute value: rounding down a negative share would round away from zero.
    sign = -1 if amount < 0 else 1
    left = whole = abs(amount)
    shares: dict[K, int] = {}
    rests: list[tuple[int, str, K]] = []
    for key, weight in weights.items():
        share, rest = divmod(whole * weight, total)
        shares[key] = sign * share
        left -= share
        if rest:
            rests.append((-rest, str(key), key))
    if left:
        # Fewer units are left than shares lost a fraction, so no share gets two.
        rests.sort(key=itemgetter(0, 1))
        for _, _, key in rests[:left]:
            shares[key] += sign
    return shares
