"""The columns of a FOCUS 1.2 file, in order, and what they may contain.

Source: the specification at https://focus.finops.org, version 1.2. Columns of our own begin with `x_`.
"""

from __future__ import annotations

from enum import Enum

VERSION = "1.2"


class Kind(Enum):
    """The type of a column."""

    TEXT = "String"
    NUMBER = "Decimal"
    TIME = "Date/Time"
    JSON = "JSON"


MANDATORY = {
    "BilledCost": Kind.NUMBER,
    "BillingAccountId": Kind.TEXT,
    "BillingAccountName": Kind.TEXT,
    "BillingAccountType": Kind.TEXT,
    "BillingCurrency": Kind.TEXT,
    "BillingPeriodEnd": Kind.TIME,
    "BillingPeriodStart": Kind.TIME,
    "ChargeCategory": Kind.TEXT,
    "ChargeClass": Kind.TEXT,
    "ChargeDescription": Kind.TEXT,
    "ChargeFrequency": Kind.TEXT,
    "ChargePeriodEnd": Kind.TIME,
    "ChargePeriodStart": Kind.TIME,
    "CommitmentDiscountStatus": Kind.TEXT,
    "ConsumedQuantity": Kind.NUMBER,
    "ConsumedUnit": Kind.TEXT,
    "ContractedCost": Kind.NUMBER,
    "ContractedUnitPrice": Kind.NUMBER,
    "EffectiveCost": Kind.NUMBER,
    "InvoiceId": Kind.TEXT,
    "InvoiceIssuerName": Kind.TEXT,
    "ListCost": Kind.NUMBER,
    "ListUnitPrice": Kind.NUMBER,
    "PricingCategory": Kind.TEXT,
    "PricingCurrency": Kind.TEXT,
    "PricingCurrencyContractedUnitPrice": Kind.NUMBER,
    "PricingCurrencyEffectiveCost": Kind.NUMBER,
    "PricingCurrencyListUnitPrice": Kind.NUMBER,
    "PricingQuantity": Kind.NUMBER,
    "PricingUnit": Kind.TEXT,
    "ProviderName": Kind.TEXT,
    "PublisherName": Kind.TEXT,
    "ServiceCategory": Kind.TEXT,
    "ServiceName": Kind.TEXT,
    "ServiceSubcategory": Kind.TEXT,
    "SkuId": Kind.TEXT,
    "SkuMeter": Kind.TEXT,
    "SkuPriceDetails": Kind.JSON,
    "SkuPriceId": Kind.TEXT,
    "SubAccountId": Kind.TEXT,
    "SubAccountName": Kind.TEXT,
    "SubAccountType": Kind.TEXT,
    "Tags": Kind.JSON,
}
"""The columns of the specification that are written: the mandatory ones, and those that apply."""
OWN = {
    "x_ContextWindow": Kind.TEXT,
    "x_CostCentre": Kind.TEXT,
    "x_CostType": Kind.TEXT,
    "x_InferenceGeo": Kind.TEXT,
    "x_Model": Kind.TEXT,
    "x_QuantityMethod": Kind.TEXT,
    "x_ServiceTier": Kind.TEXT,
    "x_State": Kind.TEXT,
    "x_Team": Kind.TEXT,
    "x_TokenType": Kind.TEXT,
}
RESOURCE = {"ResourceId": Kind.TEXT, "ResourceName": Kind.TEXT, "ResourceType": Kind.TEXT}
"""The columns that tools group by; only a file by API key has them."""
OWN_BY_KEY = {
    "x_ApiKeyId": Kind.TEXT,
    "x_ApiKeyName": Kind.TEXT,
    "x_PersonId": Kind.TEXT,
    "x_PersonName": Kind.TEXT,
    "x_Product": Kind.TEXT,
}
COLUMNS = MANDATORY | OWN
BY_KEY_COLUMNS = MANDATORY | RESOURCE | OWN | OWN_BY_KEY
MAY_BE_NULL = frozenset(
    {
        "ChargeClass", "ChargeDescription", "CommitmentDiscountStatus", "ConsumedQuantity", "ConsumedUnit",
        "ContractedUnitPrice", "InvoiceId", "ListUnitPrice", "PricingCategory", "PricingCurrencyContractedUnitPrice",
        "PricingCurrencyListUnitPrice", "PricingQuantity", "PricingUnit", "SkuId", "SkuMeter", "SkuPriceDetails",
        "SkuPriceId", "SubAccountId", "SubAccountName", "SubAccountType", *OWN, *OWN_BY_KEY, *RESOURCE,
    }
)  # fmt: skip
ALLOWED = {
    "ChargeCategory": {"Usage", "Credit"},
    "ChargeClass": {"", "Correction"},
    "ChargeFrequency": {"Usage-Based", "One-Time"},
    "PricingCategory": {"", "Standard"},
    "ServiceCategory": {"AI and Machine Learning"},
    "ServiceSubcategory": {"Generative AI"},
    "x_QuantityMethod": {"exact", "shared", "none"},
    "x_State": {"settled", "provisional"},
}
