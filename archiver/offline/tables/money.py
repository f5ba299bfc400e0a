"""Amounts of money as exact integers of 1e-18 cents, and as text.

Pure functions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from decimal import Decimal

ATTOCENTS = 10**18
"""How many units of an amount are one cent. Texts of the API with up to 18 fractional digits fit exactly."""
# An amount has 18 digits below the cent, and so two more below the dollar.
_FRACTION_DIGITS = {"usd": 20, "cents": 18}
_LEAST_FRACTION_DIGITS = 2


class Estimate(int):
    """An amount that is computed and not billed.

    It is written to the cent in every unit, because more digits would claim too much.
    """

    __slots__ = ()


def from_dollars(amount: Decimal) -> int:
    """Return dollars as an amount in 1e-18 cents."""
    return int(amount * 100 * ATTOCENTS)


def to_microcents(amount: int) -> int:
    """Return an amount in 1e-6 cents, rounded half to even.

    An estimate is rounded to the cent.
    """
    # divmod rounds down, for credits too, so the rest is never negative and only rounding up is left to decide.
    whole, rest = divmod(_shown(amount), 10**12)
    return whole + (rest > 5 * 10**11 or (rest == 5 * 10**11 and whole % 2 == 1))


def to_exact(amount: int, unit: str) -> str:
    """Return the decimal text of an amount, every digit of it.

    It has at least two fractional digits. An estimate is rounded to the cent.
    """
    amount = _shown(amount)
    # Padded with zeros, so that at least one digit stands before the point.
    digits = f"{abs(amount):0{_FRACTION_DIGITS[unit] + 1}d}"
    whole, fraction = digits[: -_FRACTION_DIGITS[unit]], digits[-_FRACTION_DIGITS[unit] :].rstrip("0")
    return f"{'-' if amount < 0 else ''}{whole}.{fraction.ljust(_LEAST_FRACTION_DIGITS, '0')}"


def to_rounded(amount: int, unit: str) -> str:
    """Return an amount for people, as `1,234.50`.

    It is rounded half away from zero to two fractional digits; an estimate to the cent.
    """
    amount = _shown(amount)
    scale = 10 ** (_FRACTION_DIGITS[unit] - _LEAST_FRACTION_DIGITS)
    hundredths = (abs(amount) + scale // 2) // scale
    sign = "-" if amount < 0 and hundredths else ""  # a credit that rounds to zero is no -0.00
    return f"{sign}{hundredths // 100:,}.{hundredths % 100:02d}"


def _shown(amount: int) -> int:
    """Return an estimate rounded to the cent, any other amount as it is.

    Half a cent is rounded away from zero.
    """
    if not isinstance(amount, Estimate):
        return amount
    cents = (abs(int(amount)) + ATTOCENTS // 2) // ATTOCENTS * ATTOCENTS
    return -cents if amount < 0 else cents
