"""The cost report: money, as decimal text in cents."""

from __future__ import annotations

import re
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

MEASURES = ("amount", "amount_microcents", "amount_remainder")

_AMOUNT = re.compile(r"(-?)([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]{1,3}))?")
_LONGEST_AMOUNT = 100
_MICROCENT_DIGITS, _EXACT_DIGITS = 6, 18
REMAINDERS_A_MICROCENT = 10 ** (_EXACT_DIGITS - _MICROCENT_DIGITS)


def split_amount(amount: str) -> tuple[int, int]:
    """Return an amount of cents as microcents and a remainder in 1e-18 cents.

    Microcents are rounded half to even; the remainder, negative where they were rounded up, makes the pair exact for up
    to 18 fractional digits. Further digits are rounded half to even.

    Raises:
        ValueError: Not a decimal number, or too large for 64 bits.
    """
    match = _AMOUNT.fullmatch(amount) if len(amount) <= _LONGEST_AMOUNT else None
    if match is None:
        raise ValueError("Expected a decimal amount of cents")
    sign, whole, fraction = match[1], match[2], match[3] or ""
    shift = int(match[4] or 0) - len(fraction)  # the amount is whole + fraction, an integer, times 10 ** shift
    digits = int(whole + fraction)
    exact = _scaled(digits, shift + _EXACT_DIGITS)
    microcents = _scaled(digits, shift + _MICROCENT_DIGITS)
    if microcents > LARGEST_INTEGER:
        raise ValueError("Expected an amount that fits 64 bits in microcents")
    remainder = exact - microcents * REMAINDERS_A_MICROCENT
    return (-microcents, -remainder) if sign else (microcents, remainder)


def _scaled(digits: int, shift: int) -> int:
    """Return digits * 10 ** shift, rounded half to even."""
    scale: int = 10 ** abs(shift)
    if shift >= 0:
        return digits * scale
    whole, rest = divmod(digits, scale)
    half = scale // 2
    return whole + (rest > half or (rest == half and whole % 2 == 1))


def _amount(result: Any) -> str:
    """Return the amount as it was sent: a text, or a number in JSON."""
    amount = result.amount
    if type(amount) is str:
        return amount
    if type(amount) is int:  # a bool is no number
        return str(amount)
    if isinstance(amount, JsonNumber):
        return amount.text
    raise ValueError("Expected a decimal amount of cents")


def _microcents(result: Any) -> int:
    return split_amount(_amount(result))[0]


def _remainder(result: Any) -> int:
    # Nearly every amount has at most six fractional digits and no exponent: the regular expression is for the rest.
    amount = _amount(result)
    return split_amount(amount)[1] if len(amount.partition(".")[2]) > _MICROCENT_DIGITS or "e" in amount.lower() else 0


COST = ReportSpec(
    report=Report.COST,
    path="/v1/organizations/cost_report",
    limits={BucketWidth.DAY: 31},
    group_by=("workspace_id", "description"),
    default_dimensions=("workspace_id", "description"),
    columns=COLUMNS,
    measures=MEASURES,
    wire_measures={"amount": str, "currency": str},
    read_dimensions=attrgetter(*COLUMNS),
    read_measures=(_amount, _microcents, _remainder),
    lag_seconds=DAY,
    texts=("amount",),
    parsed=COLUMNS[2:-1],
)
