"""Money: exact integers of 1e-18 cents, and their one way to text. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from decimal import Decimal

ATTOCENTS = 10**18
"""How many units of an amount are one cent; exact for every text of up to 18 fractional digits."""
UNITS = ("usd", "cents")
_FRACTION_DIGITS = {"usd": 20, "cents": 18}
_LEAST_FRACTION_DIGITS = 2


class Estimate(int):
    """An amount that is computed and not billed.

    It is written to the cent, for more digits would claim too much.
    """

    __slots__ = ()


def from_dollars(amount: Decimal) -> int:
    """Return dollars as an amount."""
    return int(amount * 100 * ATTOCENTS)


def to_microcents(amount: int) -> int:
    """Return an amount in 1e-6 cents, rounded half to even."""
    if isinstance(amount, Estimate):
        return int(to_rounded(amount, "cents").replace(",", "").replace(".", "")) * 10**4
    whole, rest = divmod(amount, 10**12)
    return whole + (rest > 5 * 10**11 or (rest == 5 * 10**11 and whole % 2 == 1))


def to_exact(amount: int, unit: str) -> str:
    """Return the exact decimal text of an amount.

    With at least two fractional digits; of an estimate, exactly two.
    """
    if isinstance(amount, Estimate):
        return to_rounded(amount, unit).replace(",", "")
    digits = f"{abs(amount):0{_FRACTION_DIGITS[unit] + 1}d}"
    whole, fraction = digits[: -_FRACTION_DIGITS[unit]], digits[-_FRACTION_DIGITS[unit] :].rstrip("0")
    return f"{'-' if amount < 0 else ''}{whole}.{fraction.ljust(_LEAST_FRACTION_DIGITS, '0')}"


def to_rounded(amount: int, unit: str) -> str:
    """Return an amount for people.

    Two fractional digits, rounded half away from zero, with thousands.
    """
    scale = 10 ** (_FRACTION_DIGITS[unit] - _LEAST_FRACTION_DIGITS)
    hundredths = (abs(int(amount)) + scale // 2) // scale
    sign = "-" if amount < 0 and hundredths else ""
    return f"{sign}{hundredths // 100:,}.{hundredths % 100:02d}"
