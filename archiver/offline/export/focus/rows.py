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
    from archiver.offline.periods import Period

_PROVIDER = "Anthropic"
_DEFAULT_WORKSPACE = ("default", "(default workspace)")
"""The id and name of the default workspace, which has no id in the cost report. No id of the API is equal."""
_CONSTANTS = {
    "BillingAccountType": "Organization",
    "InvoiceIssuerName": _PROVIDER,
    "ProviderName": _PROVIDER,
    "PublisherName": _PROVIDER,
    "ServiceCategory": "AI and Machine Learning",
    "ServiceSubcategory": "Generative AI",
    "ServiceName": "Claude API",
    "Tags": "{}",
}
_OWN = {
    "x_ContextWindow": "context_window",
    "x_CostType": "cost_type",
    "x_InferenceGeo": "inference_geo",
    "x_Model": "model",
    "x_ServiceTier": "service_tier",
    "x_TokenType": "token_type",
}
"""Columns of our own → the columns of a source that they are equal to."""
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
    """What a row has besides its own values.

    Attributes:
        booked: For a correction the month that it is booked in; None: the row is not one.
    """

    organization: Organization
    is_settled: bool
    team: str | None = None
    cost_centre: str | None = None
    booked: Period | None = None


def focus_row(row: dict[str, Any], quantity: Quantity, owner: Owner) -> dict[str, str]:
    """Return the FOCUS row of a cost row; null is an empty text.

    `row` has the columns of a source and `is_credit`.
    """
    day = date.fromisoformat(row["date"])
    # The cost report has one amount. That of the analytics report is after discounts, and its list amount before them.
    cost, list_cost = shifted(row["amount"], -2), shifted(row.get("list_amount") or row["amount"], -2)
    is_credit, amount = row["is_credit"], to_text(cost)
    made = dict.fromkeys(COLUMNS, "") | _CONSTANTS | _periods(day, owner.booked or month_of(day)) | _sub_account(row)
    made |= dict.fromkeys(("BilledCost", "EffectiveCost", "ContractedCost", "PricingCurrencyEffectiveCost"), amount)
    made |= {
        "ListCost": to_text(list_cost),
        "BillingAccountId": owner.organization.id,
        "BillingAccountName": owner.organization.name or owner.organization.id,
        "BillingCurrency": row["currency"],
        "PricingCurrency": row["currency"],
        "ChargeCategory": "Credit" if is_credit else "Usage",
        "ChargeClass": "" if owner.booked is None else "Correction",
        "ChargeFrequency": "One-Time" if is_credit else "Usage-Based",
        "x_CostCentre": owner.cost_centre or "",
        "x_QuantityMethod": quantity.method,
        "x_State": "settled" if owner.is_settled else "provisional",
        "x_Team": owner.team or "",
    }
    made |= {name: row[column] or "" for name, column in _OWN.items()}
    made |= {} if is_credit else _sku(row)
    made["ChargeDescription"] = _description(row, made)
    made |= _key(row) if "api_key_id" in row else {}
    # Neither a credit nor the correction of a cost has a quantity.
    return made if is_credit or owner.booked is not None else made | _quantity(row, quantity, cost, list_cost)


def _periods(day: date, month: Period) -> dict[str, str]:
    return {
        "BillingPeriodStart": _start(month.since),
        "BillingPeriodEnd": _start(month.until),
        "ChargePeriodStart": _start(day),
        "ChargePeriodEnd": _start(day + timedelta(days=1)),
    }


def _description(row: dict[str, Any], made: dict[str, str]) -> str:
    """Return the description of the cost report, or for the analytics report, which has none, what the row is of."""
    if "description" in row:
        return row["description"] or ""
    return " ".join(filter(None, (row["product"], row["model"], made["SkuMeter"] or made["ChargeCategory"])))


def _start(day: date) -> str:
    return f"{day}T00:00:00Z"


def _sub_account(row: dict[str, Any]) -> dict[str, str]:
    """Return the workspace; nothing where the days are not grouped by it."""
    if not row["has_workspace"]:
        return {}
    if row["workspace_id"] is None:
        identity, name = _DEFAULT_WORKSPACE
    else:
        identity, name = row["workspace_id"], row["workspace"]
    return {"SubAccountId": identity, "SubAccountName": name, "SubAccountType": "Workspace"}


def _key(row: dict[str, Any]) -> dict[str, str]:
    """Return the API key, as a resource too because tools group by those, and the person."""
    key = {"ResourceId": "api_key_id", "x_ApiKeyId": "api_key_id", "ResourceName": "api_key", "x_ApiKeyName": "api_key"}
    person = {"x_PersonId": "actor_id", "x_PersonName": "person_name", "x_Product": "product"}
    made = {name: row[column] or "" for name, column in person.items()}
    if row["api_key_id"] is None:
        return made | dict.fromkeys(key, "")
    return made | {name: row[column] for name, column in key.items()} | {"ResourceType": "API Key"}


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


def _quantity(row: dict[str, Any], quantity: Quantity, cost: Decimal, list_cost: Decimal) -> dict[str, str]:
    """Return consumed and pricing quantity, and the prices that they imply.

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
    price, list_price = to_text(divided(cost, priced)), to_text(divided(list_cost, priced))
    return {
        "ListUnitPrice": list_price,
        "ContractedUnitPrice": price,
        "PricingCurrencyListUnitPrice": list_price,
        "PricingCurrencyContractedUnitPrice": price,
        "ConsumedQuantity": to_text(number),
        "ConsumedUnit": consumed_unit,
        "PricingQuantity": to_text(priced),
        "PricingUnit": pricing_unit,
    }
