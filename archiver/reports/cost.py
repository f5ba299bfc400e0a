"""The cost report: money, as decimal text in cents."""

from __future__ import annotations

import re
from operator import attrgetter
from typing import Any

from archiver.model import BucketWidth, Report
from archiver.reports.spec import LARGEST_INTEGER, ReportSpec

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

_AMOUNT = re.compile(r"(-?)([0-9]+)(?:\.([0-9]+))?")
_LONGEST_AMOUNT = 100


def to_microcents(amount: str) -> int:
    """Convert decimal cents to whole microcents, without a binary float.

    The result is exact for up to six fractional digits; further ones are rounded half to even.

    Raises:
        ValueError: Not a plain decimal number, or too large for 64 bits.
    """
    match = _AMOUNT.fullmatch(amount) if len(amount) <= _LONGEST_AMOUNT else None
    if match is None:
        raise ValueError("Expected a plain decimal amount of cents")
    sign, whole, fraction = match[1], match[2], match[3] or ""
    microcents = int(whole + fraction[:6].ljust(6, "0"))
    rest = fraction[6:].rstrip("0")
    if rest > "5" or (rest == "5" and microcents % 2 == 1):
        microcents += 1
    if microcents > LARGEST_INTEGER:
        raise ValueError("Expected an amount that fits 64 bits in microcents")
    return -microcents if sign else microcents


def _microcents(result: Any) -> int:
    return to_microcents(result.amount)


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
    read_measures=(attrgetter("amount"), _microcents),
    texts=("amount",),
    parsed=COLUMNS[2:-1],
)
