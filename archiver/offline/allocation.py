"""Sharing out billed money by use, to the last digit. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping

K = TypeVar("K")


def allocate(amount: int, weights: Mapping[K, int]) -> dict[K, int]:
    """Share an amount by weights so that the shares add up to it exactly (largest remainder); empty without weight.

    `amount` may be negative, a credit. Equal remainders go to the first in order of the keys' text.
    """
    total = sum(weights.values())
    if total <= 0:
        return {}
    if len(weights) == 1:
        return dict.fromkeys(weights, amount)
    sign = -1 if amount < 0 else 1
    shares = {key: divmod(abs(amount) * weight, total) for key, weight in weights.items()}
    left = abs(amount) - sum(whole for whole, _ in shares.values())
    order = sorted(shares, key=lambda key: (-shares[key][1], str(key)))
    more = set(order[:left])
    return {key: sign * (whole + (key in more)) for key, (whole, _) in shares.items()}
