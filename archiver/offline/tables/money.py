"""Amounts of money as exact integers of 1e-18 cents, and as text.

All functions are pure. An amount is such an integer; `unit` is the unit of its text, usd or cents.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from decimal import Decimal

ATTOCENTS = 10**18
"""The number of units of an amount in one cent. Cents of the API with up to 18 fractional digits are exact in them."""
_UNITS_PER_MICROCENT = 10**12  # a microcent is 1e-6 cents
# An amount has 18 digits below the cent, and 20 below the dollar, which is a hundred cents.
_FRACTION_DIGITS = {"usd": 20, "cents": 18}
_LEAST_FRACTION_DIGITS = 2


class Estimate(int):
    """An amount that is computed, not billed.

    Its text is rounded to the cent in every unit, because more digits would suggest too much precision.
    """

    __slots__ = ()


def from_dollars(amount: Decimal) -> int:
    """Return dollars as an amount in 1e-18 cents.

    A result of more than 28 digits, the default precision of `decimal`, is rounded. Digits below 1e-18 cents are cut
    off.
    """
    return int(amount * 100 * ATTOCENTS)


def to_microcents(amount: int) -> int:
    """Return an amount in 1e-6 cents, rounded half to even.

    An estimate is first rounded to the cent.
    """
    # divmod rounds down, also for credits, which are negative. The rest is never negative, so that the result is either
    # `microcents` or one more: one more if the rest is above half, or if it is half and `microcents` is odd.
    microcents, rest = divmod(_rounded_if_estimate(amount), _UNITS_PER_MICROCENT)
    half = _UNITS_PER_MICROCENT // 2
    return microcents + (rest > half or (rest == half and microcents % 2 == 1))


def to_exact(amount: int, unit: str) -> str:
    """Return an amount as decimal text, with all of its digits.

    The text has at least two fractional digits. An estimate is first rounded to the cent.
    """
    amount = _rounded_if_estimate(amount)
    # Padded with zeros on the left, so that at least one digit stands before the point.
    digits = f"{abs(amount):0{_FRACTION_DIGITS[unit] + 1}d}"
    whole, fraction = digits[: -_FRACTION_DIGITS[unit]], digits[-_FRACTION_DIGITS[unit] :].rstrip("0")
    return f"{'-' if amount < 0 else ''}{whole}.{fraction.ljust(_LEAST_FRACTION_DIGITS, '0')}"


def to_rounded(amount: int, unit: str) -> str:
    """Return an amount as text for people, for example `1,234.50`.

    The text has two fractional digits, and half is rounded away from zero. An estimate is first rounded to the cent.
    """
    amount = _rounded_if_estimate(amount)
    scale = 10 ** (_FRACTION_DIGITS[unit] - _LEAST_FRACTION_DIGITS)
    hundredths = (abs(amount) + scale // 2) // scale  # half of the divisor is added, because `//` rounds down
    sign = "-" if amount < 0 and hundredths else ""  # a credit that rounds to zero is 0.00, not -0.00
    return f"{sign}{hundredths // 100:,}.{hundredths % 100:02d}"


def _rounded_if_estimate(amount: int) -> int:
    """Return an estimate rounded to the cent, and any other amount unchanged.

    Half a cent is rounded away from zero.
    """
    if not isinstance(amount, Estimate):
        return amount
    cents = (abs(int(amount)) + ATTOCENTS // 2) // ATTOCENTS * ATTOCENTS
    return -cents if amount < 0 else cents
