"""The cost report: amounts of money, as decimal text in cents."""

from __future__ import annotations

import re
from decimal import Context
from operator import attrgetter
from typing import Any

from archiver.model import DAY, BucketWidth, Report
from archiver.reports.spec import LARGEST_INTEGER, JsonNumber, ReportSpec

COLUMNS = (
    "workspace_id",
    "description",
    "cost_type",
    "model",
    "service_tier",
    "context_window",
    "token_type",
    "inference_geo",
    "currency",
)

# The columns between the two dimensions and the currency: the API derives them from `description`.
_PARSED = COLUMNS[2:-1]

MEASURES = ("amount", "amount_microcents", "amount_remainder")

# The limits of the exponent (three digits) and of the length bound the integers below to some 1,100 digits. Without
# limits a text of ten characters, `1e99999999`, would take minutes and much memory.
_AMOUNT = re.compile(r"(-?)([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]{1,3}))?")
_LONGEST_AMOUNT = 100
_MICROCENT_DIGITS, _EXACT_DIGITS = 6, 18
# Sums are exact up to 1,000 digits. `split_amount` accepts texts of at most 100 characters.
_exact = Context(prec=1000)
REMAINDER_UNITS_PER_MICROCENT = 10 ** (_EXACT_DIGITS - _MICROCENT_DIGITS)


def add_amount_texts(first: str, second: str) -> str:
    """Return the exact sum of two amounts that `split_amount` accepts."""
    # The format `f` writes no exponent.
    return f"{_exact.add(_exact.create_decimal(first), _exact.create_decimal(second)):f}"


def split_amount(amount: str) -> tuple[int, int]:
    """Return an amount of cents as microcents and a remainder in 1e-18 cents.

    Microcents (1e-6 cents) are rounded half to even. The remainder makes the pair exact for up to 18 fractional digits;
    further digits are rounded half to even. If the microcents were rounded away from zero, the remainder has the
    opposite sign.

    Raises:
        ValueError: Not a decimal number, or too large for 64 bits.
    """
    match = _AMOUNT.fullmatch(amount) if len(amount) <= _LONGEST_AMOUNT else None
    if match is None:
        raise ValueError("Expected a decimal amount of cents")
    sign, integer_part, fraction = match[1], match[2], match[3] or ""
    # The amount becomes an integer times a power of ten, so that only `_scaled` rounds.
    digits = int(integer_part + fraction)
    shift = int(match[4] or 0) - len(fraction)
    exact = _scaled(digits, shift + _EXACT_DIGITS)
    microcents = _scaled(digits, shift + _MICROCENT_DIGITS)
    if microcents > LARGEST_INTEGER:
        raise ValueError("Expected an amount that fits 64 bits in microcents")
    remainder = exact - microcents * REMAINDER_UNITS_PER_MICROCENT
    return (-microcents, -remainder) if sign else (microcents, remainder)


def _scaled(digits: int, shift: int) -> int:
    """Return digits * 10 ** shift, rounded half to even."""
    scale: int = 10 ** abs(shift)
    if shift >= 0:
        return digits * scale
    quotient, remainder = divmod(digits, scale)
    half = scale // 2
    # The condition counts as 1 if it is true.
    return quotient + (remainder > half or (remainder == half and quotient % 2 == 1))


def amount_text(amount: Any) -> str:
    """Return the text of an amount that was sent as text or as a JSON number.

    Raises:
        ValueError: The amount is neither a text nor a number.
    """
    if type(amount) is str:
        return amount
    if type(amount) is int:  # not isinstance: a bool is an int in Python
        return str(amount)
    if isinstance(amount, JsonNumber):
        return amount.text
    raise ValueError("Expected a decimal amount of cents")


def _amount(result: Any) -> str:
    return amount_text(result.amount)


def _microcents(result: Any) -> int:
    return split_amount(_amount(result))[0]


def _remainder(result: Any) -> int:
    # An amount with at most six fractional digits and without an exponent is a whole number of microcents, so its
    # remainder is 0. Nearly every amount has this form, and is not parsed a second time.
    amount = _amount(result)
    fraction = amount.partition(".")[2]
    return split_amount(amount)[1] if len(fraction) > _MICROCENT_DIGITS or "e" in amount.lower() else 0


COST = ReportSpec(
    report=Report.COST,
    path="/v1/organizations/cost_report",
    limits={BucketWidth.DAY: 31},
    group_by=("workspace_id", "description"),
    default_dimensions=("workspace_id", "description"),
    columns=COLUMNS,
    measures=MEASURES,
    # The currency is a column that identifies a row. It is listed here because requests cannot group by it: every row
    # has it, like the amount.
    wire_measures={"amount": str, "currency": str},
    read_dimensions=attrgetter(*COLUMNS),
    read_measures=(_amount, _microcents, _remainder),
    # The vendor publishes the cost of a day some hours after its end. A lag of one day is a safe bound.
    lag_seconds=DAY,
    texts=("amount",),
    parsed=_PARSED,
    is_money=True,
)
