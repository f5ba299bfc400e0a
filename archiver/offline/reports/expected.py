"""Compare a period with earlier days; divide and round amounts exactly."""

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
        words: The expected amount in words, for example `the mean of 4 Thursdays before`.
    """

    now: tuple[date, ...]
    then: tuple[date, ...]
    divisor: int
    words: str


def baseline(period: Period, whole_days: Collection[date]) -> Baseline | None:
    """Return the days to compare a period with.

    `whole_days` are the archived days that were read after they had ended. Only they are compared.

    A single day is expected to cost the mean of the same weekday in the four weeks before. None is returned if the day
    is not whole, or none of these four days is.

    A longer period is expected to cost as much as the period before it. The first days of both are a pair, then the
    second days, and so on; only pairs of whole days are compared. None is returned if there is no such pair.
    """
    if period.days == 1:
        same_weekdays = (period.since - _WEEK * weeks for weeks in range(_WEEKS, 0, -1))  # the oldest first
        before = tuple(day for day in same_weekdays if day in whole_days)
        if period.since not in whole_days or not before:
            return None
        weekday = f"{period.since:%A}"
        words = f"the mean of {count(len(before), weekday)} before" if len(before) > 1 else f"the {weekday} {before[0]}"
        return Baseline((period.since,), before, len(before), words)
    earlier = period.before()
    # Two months, for example, differ in length: days that only the longer one has are not compared.
    offsets = [timedelta(days=days) for days in range(min(period.days, earlier.days))]
    common = [one for one in offsets if period.since + one in whole_days and earlier.since + one in whole_days]
    if not common:
        return None
    now, then = (tuple(compared.since + offset for offset in common) for compared in (period, earlier))
    return Baseline(now, then, 1, f"the same {count(len(common), 'day')} of {earlier}")


def divided(amounts: Mapping[K, int], divisor: int) -> dict[K, int]:
    """Divide each amount, so that the results add up to the divided sum.

    The sum is divided and rounded down, and so is each amount. The units that rounding the amounts loses go one each to
    the amounts with the largest remainders.
    """
    parts = {key: divmod(amount, divisor) for key, amount in amounts.items()}
    quotients = {key: quotient for key, (quotient, _) in parts.items()}
    lost = sum(amounts.values()) // divisor - sum(quotients.values())
    # The key as text decides between equal remainders, so that the result never depends on the order of `amounts`.
    for key in sorted(parts, key=lambda key: (-parts[key][1], str(key)))[:lost]:
        quotients[key] += 1
    return quotients


def rounded(parts: Mapping[K, Fraction], total: int) -> dict[K, int]:
    """Round parts to whole units that add up to `total`.

    `total` is the sum of the parts, rounded up or down. Each part is rounded down. The units that are then missing go
    one each to the parts with the largest fractions.
    """
    rounded_down = {key: part.numerator // part.denominator for key, part in parts.items()}
    missing = total - sum(rounded_down.values())
    # A part rounded down, less the part, is its fraction with a minus sign: the largest fraction comes first.
    for key in sorted(parts, key=lambda key: (rounded_down[key] - parts[key], str(key)))[:missing]:
        rounded_down[key] += 1
    return rounded_down


def rounded_units(amounts: Mapping[K, int], unit: int) -> dict[K, int]:
    """Return amounts in whole units that add up to their rounded sum.

    The sum is rounded to the nearest unit, and an exact half away from zero. See `rounded` for the amounts.
    """
    total = sum(amounts.values())
    # `//` rounds down, which is away from zero for a negative sum. So the sum is rounded without its sign.
    rounded_total = (abs(total) + unit // 2) // unit * (-1 if total < 0 else 1)
    return rounded({key: Fraction(amount, unit) for key, amount in amounts.items()}, rounded_total)
