"""Exact decimal text, as FOCUS wants it. Pure functions."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal, localcontext

PRECISION = 1100
"""The digits of exact arithmetic: an amount of the archive can have a thousand."""
_PRICE_DIGITS = 18


def to_text(number: Decimal) -> str:
    """Return a number without an exponent and with a point.

    It ends with no zero, but for the first one after the point.
    """
    with localcontext(prec=PRECISION):
        text = f"{number:f}"
    if "." not in text:
        return f"{text}.0"
    text = text.rstrip("0")
    return f"{text}0" if text.endswith(".") else text


def shifted(text: str, places: int) -> Decimal:
    """Return the number of a text with its point moved, exactly."""
    with localcontext(prec=PRECISION):
        return Decimal(text).scaleb(places)


def divided(amount: Decimal, by: Decimal) -> Decimal:
    """Return a quotient rounded to 18 fractional digits."""
    with localcontext(prec=PRECISION):
        return (amount / by).quantize(Decimal(1).scaleb(-_PRICE_DIGITS), rounding=ROUND_HALF_EVEN)
