"""The days that a period is compared with, and its expected cost."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from typing import TYPE_CHECKING

from archiver.offline.reports.known_days import count

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from typing import TypeVar

    from archiver.offline.periods import Period

    K = TypeVar("K")

_WEEKS = 4
_WEEK = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Baseline:
    """Two sets of days to compare.

    Attributes:
        now: The days of the period.
        then: The days that the expected amount is taken from.
        divisor: The expected amount is the sum over `then`, divided by this.
        words: The expected amount in words, as `the mean of 4 Thursdays before`.
    """

    now: tuple[date, ...]
    then: tuple[date, ...]
    divisor: int
    words: str


def baseline(period: Period, whole: Collection[date]) -> Baseline | None:
    """Return what to compare a period with, of the days archived whole.

    A single day is expected to be the mean of the same weekday in the four weeks before. A longer period is expected to
    be as the one before, over the days that are archived in both. None if there is nothing to compare.
    """
    if period.days == 1:
        before = tuple(day for day in (period.since - _WEEK * n for n in range(_WEEKS, 0, -1)) if day in whole)
        if period.since not in whole or not before:
            return None
        weekday = f"{period.since:%A}"
        words = f"the mean of {count(len(before), weekday)} before" if len(before) > 1 else f"the {weekday} {before[0]}"
        return Baseline((period.since,), before, len(before), words)
    other = period.before()
    numbers = [
        number
        for number in range(min(period.days, other.days))
        if period.since + timedelta(days=number) in whole and other.since + timedelta(days=number) in whole
    ]
    if not numbers:
        return None
    now, then = (tuple(one.since + timedelta(days=number) for number in numbers) for one in (period, other))
    return Baseline(now, then, 1, f"the same {count(len(numbers), 'day')} of {other}")


def divided(amounts: Mapping[K, int], divisor: int) -> dict[K, int]:
    """Divide amounts; the results add up to their sum divided, rounded down.

    The units that rounding down loses go one each to the amounts that lost most.
    """
    parts = {key: divmod(amount, divisor) for key, amount in amounts.items()}
    whole = {key: part for key, (part, _) in parts.items()}
    lost = sum(amounts.values()) // divisor - sum(whole.values())
    for key in sorted(parts, key=lambda key: (-parts[key][1], str(key)))[:lost]:
        whole[key] += 1
    return whole


def rounded(parts: Mapping[K, Fraction], total: int) -> dict[K, int]:
    """Round parts to whole units that add up to a total near their sum."""
    whole = {key: part.numerator // part.denominator for key, part in parts.items()}
    left = total - sum(whole.values())
    for key in sorted(parts, key=lambda key: (whole[key] - parts[key], str(key)))[:left]:
        whole[key] += 1
    return whole


def rounded_units(amounts: Mapping[K, int], unit: int) -> dict[K, int]:
    """Round amounts to whole units that add up to their rounded sum.

    The sum is rounded half away from zero. The units that rounding down loses go to the amounts that lost most.
    """
    total = sum(amounts.values())
    whole = (abs(total) + unit // 2) // unit * (-1 if total < 0 else 1)
    return rounded({key: Fraction(amount, unit) for key, amount in amounts.items()}, whole)
