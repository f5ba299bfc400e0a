"""Check a FOCUS 1.2 file against the specification's text.

The official validator has rules that this has not, and does not find what this finds: a category or a time that is not
one, a column without its prefix, and a price that is not the cost of its quantity.
"""

from __future__ import annotations

import csv
import json
import re
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, localcontext
from typing import TYPE_CHECKING

from archiver.errors import ConfigurationError
from archiver.offline.export.focus.columns import MANDATORY, MAY_BE_NULL, Kind
from archiver.offline.export.focus.numbers import PRECISION

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_OTHER_COLUMNS = frozenset(
    {
        "AvailabilityZone", "CapacityReservationId", "CapacityReservationStatus", "CommitmentDiscountCategory",
        "CommitmentDiscountId", "CommitmentDiscountName", "CommitmentDiscountQuantity", "CommitmentDiscountType",
        "CommitmentDiscountUnit", "RegionId", "RegionName", "ResourceId", "ResourceName", "ResourceType",
    }
)  # fmt: skip
_VALUES = {
    "ChargeCategory": {"Usage", "Purchase", "Tax", "Credit", "Adjustment"},
    "ChargeClass": {"Correction"},
    "ChargeFrequency": {"One-Time", "Recurring", "Usage-Based"},
    "PricingCategory": {"Standard", "Dynamic", "Committed", "Other"},
    "ServiceCategory": {
        "AI and Machine Learning", "Analytics", "Business Applications", "Compute", "Databases", "Developer Tools",
        "Identity", "Integration", "Internet of Things", "Management and Governance", "Media", "Migration", "Mobile",
        "Multicloud", "Networking", "Other", "Security", "Storage", "Web",
    },
}  # fmt: skip
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_CURRENCY = re.compile(r"[A-Z]{3}")
_PRICES = {"ListUnitPrice": "ListCost", "ContractedUnitPrice": "ContractedCost"}
_TOLERANCE = Decimal("1e-9")
_TOGETHER = (("SubAccountId", "SubAccountType"), ("SkuPriceId", "SkuId"), ("ConsumedQuantity", "ConsumedUnit"),
             ("PricingQuantity", "PricingUnit"))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of a file; the header is line 1."""

    line: int
    column: str
    what: str


@dataclass(slots=True)
class Checked:
    """The result of a check: how many rows there are, and the first faults."""

    rows: int = 0
    faults: list[Fault] = field(default_factory=list)
    billed: dict[str, Decimal] = field(default_factory=dict)


def check_file(path: Path, most: int = 100) -> Checked:
    """Check every row of a CSV file, up to `most` faults.

    Raises:
        ConfigurationError: The file cannot be read.
    """
    found = Checked()
    skus: dict[str, str] = {}
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            found.faults += _header(reader.fieldnames or ())
            for row in reader:
                found.rows += 1
                if len(found.faults) < most:
                    found.faults += (Fault(reader.line_num, *fault) for fault in _faults(row, skus))
                _add(found.billed, row)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or "it is no CSV file in UTF-8"
        raise ConfigurationError(f"cannot read {path}: {reason}") from None
    return found


def _header(names: object) -> Iterator[Fault]:
    given = [str(one) for one in names] if isinstance(names, list | tuple) else []
    for name in MANDATORY:
        if name not in given:
            yield Fault(1, name, "the column is missing")
    for name in given:
        if name not in MANDATORY and name not in _OTHER_COLUMNS and not name.startswith("x_"):
            yield Fault(1, name, "a column of one's own begins with x_")


def _faults(row: Mapping[str, str | None], skus: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Yield column and fault of a row."""
    for name, kind in MANDATORY.items():
        value = row.get(name)
        if value is None:
            continue
        if value == "":
            if name not in MAY_BE_NULL:
                yield name, "it is empty"
        elif kind is Kind.NUMBER and not _NUMBER.fullmatch(value):
            yield name, f"{value!r} is no number"
        elif kind is Kind.TIME and not _TIME.fullmatch(value):
            yield name, f"{value!r} is no time, as 2026-10-01T00:00:00Z"
        elif kind is Kind.JSON and not _is_object(value):
            yield name, f"{value!r} is no JSON object"
        elif name in _VALUES and value not in _VALUES[name]:
            yield name, f"{value!r} is none of {', '.join(sorted(_VALUES[name]))}"
        elif name.endswith("Currency") and not _CURRENCY.fullmatch(value):
            yield name, f"{value!r} is no currency"
    yield from _relations(row, skus)


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


def _relations(row: Mapping[str, str | None], skus: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the faults of values that do not go together."""
    for one, other in _TOGETHER:
        if bool(row.get(one)) != bool(row.get(other)):
            yield one, f"it is empty and {other} is not, or the other way round"
    if row.get("ChargeCategory") == "Usage" and not row.get("ChargeClass"):
        for name in ("ConsumedQuantity", "PricingQuantity"):
            if not row.get(name):
                yield name, "it is empty in a row of usage"
    sku, price = row.get("SkuId") or "", row.get("SkuPriceId") or ""
    if price and skus.setdefault(price, sku) != sku:
        yield "SkuPriceId", f"{price!r} has the SKUs {skus[price]!r} and {sku!r}"
    yield from _periods(row)
    quantity = _number(row.get("PricingQuantity"))
    for name, cost_name in _PRICES.items():
        unit_price, cost = _number(row.get(name)), _number(row.get(cost_name))
        if quantity is None or unit_price is None or cost is None:
            continue
        if abs(unit_price * quantity - cost) > _TOLERANCE * max(abs(cost), Decimal(1)):
            yield name, f"{name} times PricingQuantity is not {cost_name}"


def _periods(row: Mapping[str, str | None]) -> Iterator[tuple[str, str]]:
    names = ("BillingPeriodStart", "ChargePeriodStart", "ChargePeriodEnd", "BillingPeriodEnd")
    texts = [row.get(name) or "" for name in names]
    if not all(map(_TIME.fullmatch, texts)):
        return  # that is a fault of its own
    times = [_time(text) for text in texts]
    if None in times:
        yield "ChargePeriodStart", "a time of the row is no date of the calendar"
        return
    if row.get("ChargeClass") == "Correction":
        texts[0] = min(texts[:2])  # it corrects the charge of an earlier billing period
    # As text they are in order as they are in time.
    if not texts[0] <= texts[1] < texts[2] <= texts[3]:
        yield "ChargePeriodStart", "the charge period is not within the billing period"


def _time(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _number(text: str | None) -> Decimal | None:
    return Decimal(text) if text and _NUMBER.fullmatch(text) else None


def _add(billed: dict[str, Decimal], row: Mapping[str, str | None]) -> None:
    amount, currency = _number(row.get("BilledCost")), row.get("BillingCurrency") or ""
    if amount is not None:
        with localcontext(prec=PRECISION):
            billed[currency] = billed.get(currency, Decimal(0)) + amount
