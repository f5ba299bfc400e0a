"""Sharing out billed money by use, to the last digit. Pure."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping

K = TypeVar("K")


def allocate(amount: int, weights: Mapping[K, int]) -> dict[K, int]:
    """Share an amount by weights; the shares add up to it exactly.

    By the largest remainder; empty without weight.

    `amount` may be negative, a credit. Equal remainders go to the first in order of the keys' text.
    """
    total = sum(weights.values())
    if total <= 0:
        return {}
    if len(weights) == 1:
        return dict.fromkeys(weights, amount)
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
        rests.sort(key=itemgetter(0, 1))
        for _, _, key in rests[:left]:
            shares[key] += sign
    return shares
