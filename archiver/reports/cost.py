"""The cost report: money, as decimal text in cents."""

from __future__ import annotations

import re
from operator import attrgetter
from typing import Any

from archiver.model import BucketWidth, Report
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

MEASURES = ("amount", "amount_microcents")

_AMOUNT = re.compile(r"(-?)([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]+))?")
_LONGEST_AMOUNT = 100
_LARGEST_EXPONENT = 100
_MICRO_DIGITS = 6


def to_microcents(amount: str) -> int:
    """Convert decimal cents to whole microcents, without a binary float.

    The result is exact for up to six fractional digits; further ones are rounded half to even.

    Raises:
        ValueError: Not a decimal number, with an exponent beyond 100, or too large for 64 bits.
    """
    match = _AMOUNT.fullmatch(amount) if len(amount) <= _LONGEST_AMOUNT else None
    if match is None or (match[4] and abs(int(match[4])) > _LARGEST_EXPONENT):
        raise ValueError("Expected a decimal amount of cents")
    sign, whole, fraction = match[1], match[2], match[3] or ""
    if match[4]:  # move the point by the exponent, and drop the zeros that would hide the length
        whole, fraction = _move_point(whole, fraction, int(match[4]))
    microcents = int(whole + fraction[:_MICRO_DIGITS].ljust(_MICRO_DIGITS, "0"))
    rest = fraction[_MICRO_DIGITS:].rstrip("0")
    if rest > "5" or (rest == "5" and microcents % 2 == 1):
        microcents += 1
    if microcents > LARGEST_INTEGER:
        raise ValueError("Expected an amount that fits 64 bits in microcents")
    return -microcents if sign else microcents


def _move_point(whole: str, fraction: str, exponent: int) -> tuple[str, str]:
    if exponent >= 0:
        return whole + fraction[:exponent].ljust(exponent, "0"), fraction[exponent:]
    whole = whole.rjust(1 - exponent, "0")
    return whole[:exponent], whole[exponent:] + fraction


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
    return to_microcents(_amount(result))


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
    read_measures=(_amount, _microcents),
    texts=("amount",),
    parsed=COLUMNS[2:-1],
)
