"""Map cost rows to FOCUS rows."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from archiver.offline.export.focus.columns import COLUMNS
from archiver.offline.export.focus.numbers import divided, shifted, to_text
from archiver.offline.export.focus.quantities import NONE, Quantity
from archiver.offline.periods import month_of

if TYPE_CHECKING:
    from archiver.model import Organization

_PROVIDER = "Anthropic"
_DEFAULT_WORKSPACE = ("default", "(default workspace)")
"""The id and name of the default workspace, which has no id in the cost report. No id of the API is equal."""
_METERS = {
    "uncached_input_tokens": "Input Tokens",
    "cache_creation.ephemeral_1h_input_tokens": "Cache Write 1h Input Tokens",
    "cache_creation.ephemeral_5m_input_tokens": "Cache Write 5m Input Tokens",
    "cache_read_input_tokens": "Cache Read Input Tokens",
    "output_tokens": "Output Tokens",
}
_CACHE = {
    "uncached_input_tokens": {"x_TokenDirection": "Input"},
    "cache_creation.ephemeral_1h_input_tokens": {
        "x_TokenDirection": "Input",
        "x_CacheAction": "Write",
        "x_CacheTtl": "1h",
    },
    "cache_creation.ephemeral_5m_input_tokens": {
        "x_TokenDirection": "Input",
        "x_CacheAction": "Write",
        "x_CacheTtl": "5m",
    },
    "cache_read_input_tokens": {"x_TokenDirection": "Input", "x_CacheAction": "Read"},
    "output_tokens": {"x_TokenDirection": "Output"},
}


@dataclass(frozen=True, slots=True)
class Owner:
    """What a row is of, next to its own values."""

    organization: Organization
    is_settled: bool
    team: str | None = None
    cost_centre: str | None = None


def focus_row(row: dict[str, Any], quantity: Quantity, owner: Owner) -> dict[str, str]:
    """Return the FOCUS row of a cost row; null is an empty text.

    `row` has the columns of the view daily_cost.
    """
    day = date.fromisoformat(row["date"])
    month = month_of(day)
    cost = shifted(row["amount"], -2)
    is_credit = cost < 0 and row["token_type"] is None
    amount, currency = to_text(cost), row["currency"]
    made = dict.fromkeys(COLUMNS, "")
    made |= dict.fromkeys(("BilledCost", "EffectiveCost", "ContractedCost", "ListCost"), amount)
    made |= {
        "BillingAccountId": owner.organization.id,
        "BillingAccountName": owner.organization.name or owner.organization.id,
        "BillingAccountType": "Organization",
        "BillingCurrency": currency,
        "BillingPeriodStart": _start(month.since),
        "BillingPeriodEnd": _start(month.until),
        "ChargeCategory": "Credit" if is_credit else "Usage",
        "ChargeDescription": row["description"] or "",
        "ChargeFrequency": "One-Time" if is_credit else "Usage-Based",
        "ChargePeriodStart": _start(day),
        "ChargePeriodEnd": _start(day + timedelta(days=1)),
        "InvoiceIssuerName": _PROVIDER,
        "ProviderName": _PROVIDER,
        "PublisherName": _PROVIDER,
        "PricingCurrency": currency,
        "PricingCurrencyEffectiveCost": amount,
        "ServiceCategory": "AI and Machine Learning",
        "ServiceSubcategory": "Generative AI",
        "ServiceName": "Claude API",
        "Tags": "{}",
        "x_CostCentre": owner.cost_centre or "",
        "x_QuantityMethod": quantity.method,
        "x_State": "settled" if owner.is_settled else "provisional",
        "x_Team": owner.team or "",
    }
    made |= _sub_account(row)
    for name, column in (("x_ContextWindow", "context_window"), ("x_CostType", "cost_type"), ("x_Model", "model"),
                         ("x_InferenceGeo", "inference_geo"), ("x_ServiceTier", "service_tier"),
                         ("x_TokenType", "token_type")):  # fmt: skip
        made[name] = row[column] or ""
    return made if is_credit else made | _sku(row) | _quantity(row, quantity, cost)


def _start(day: date) -> str:
    return f"{day}T00:00:00Z"


def _sub_account(row: dict[str, Any]) -> dict[str, str]:
    """Return the workspace; nothing where the days are not grouped by it."""
    if row["workspace"] == "(not grouped)":
        return {}
    if row["workspace_id"] is None:
        identity, name = _DEFAULT_WORKSPACE
    else:
        identity, name = row["workspace_id"], row["workspace"]
    return {"SubAccountId": identity, "SubAccountName": name, "SubAccountType": "Workspace"}


def _sku(row: dict[str, Any]) -> dict[str, str]:
    """Return the SKU and its price: a SKU is a model and token type, a price also has tier, window and region."""
    token_type = row["token_type"]
    if row["model"] is None or token_type is None:
        kind = row["cost_type"] or "other"
        return {
            "SkuId": kind,
            "SkuMeter": kind.replace("_", " ").title(),
            "SkuPriceId": kind,
            "SkuPriceDetails": json.dumps({"x_CostType": kind}),
            "PricingCategory": "Standard",
        }
    price = (row["service_tier"], row["context_window"], row["inference_geo"])
    details = {
        "x_ModelId": row["model"],
        **_CACHE.get(token_type, {}),
        "x_ServiceTier": row["service_tier"],
        "x_ContextWindow": row["context_window"],
        "x_InferenceGeo": row["inference_geo"],
    }
    sku = f"{row['model']}/{token_type}"
    return {
        "SkuId": sku,
        "SkuMeter": _METERS.get(token_type, token_type.replace("_", " ").title()),
        "SkuPriceId": "/".join((sku, *(one or "none" for one in price))),
        "SkuPriceDetails": json.dumps({name: value for name, value in details.items() if value is not None}),
        "PricingCategory": "Standard",
    }


def _quantity(row: dict[str, Any], quantity: Quantity, cost: Decimal) -> dict[str, str]:
    """Return consumed and pricing quantity, and the price that they imply.

    What has no number in any report, such as code execution, is one charge.
    """
    if quantity.method == NONE or quantity.number is None:
        number, consumed_unit, priced, pricing_unit = Decimal(1), "Charges", Decimal(1), "Charges"
    elif row["cost_type"] == "web_search":
        number, consumed_unit = Decimal(quantity.number), "Requests"
        priced, pricing_unit = shifted(str(quantity.number), -3), "1000 Requests"
    else:
        number, consumed_unit = Decimal(quantity.number), "Tokens"
        priced, pricing_unit = shifted(str(quantity.number), -6), "1000000 Tokens"
    price = to_text(divided(cost, priced))
    prices = (
        "ListUnitPrice",
        "ContractedUnitPrice",
        "PricingCurrencyListUnitPrice",
        "PricingCurrencyContractedUnitPrice",
    )
    return dict.fromkeys(prices, price) | {
        "ConsumedQuantity": to_text(number),
        "ConsumedUnit": consumed_unit,
        "PricingQuantity": to_text(priced),
        "PricingUnit": pricing_unit,
    }
