"""INVENTED prices, which were never billed to anyone.

Every price is a whole number of microcents (millionths of a cent) a token, for each combination of model, tier,
context window, region and speed. So every product of use and price is an integer, and all groupings have exactly
the same sum.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

MICROCENTS = 1_000_000
WEB_SEARCH = 1 * MICROCENTS  # of one search request
# Prices of a minute that are no round numbers: their sums use all six fractional digits of an amount.
CODE_EXECUTION_MINUTE = 83_333
SESSION_MINUTE = 133_337
CREDIT = -123_456_789
FREE_OF_COST = "priority"  # Priority Tier is in the usage report and never in the cost report (documented)


class Model(NamedTuple):
    """An invented price list entry for a model.

    `price` is that of an uncached input token, in microcents. The model is used from day `since` to before day
    `until`, where day 0 is the first day of use. Traits are words: `long` for both context windows, `geo` for
    regions, `fast` for the fast mode.
    """

    name: str
    title: str
    price: int
    traits: str
    since: int
    until: int


# The first model exists on every day, because each caller has a pattern with it. Of the others one begins later and one
# ends, as real models do.
MODELS = (
    Model("claude-sonnet-4-5-20250929", "Claude Sonnet 4.5", 1200, "long geo", 0, 10**9),
    Model("claude-haiku-4-5-20251001", "Claude Haiku 4.5", 400, "geo", 0, 10**9),
    Model("claude-opus-4-5-20251101", "Claude Opus 4.5", 2000, "long geo fast", 60, 10**9),
    Model("claude-3-5-haiku-20241022", "Claude Haiku 3.5", 800, "", 0, 500),
)
_TITLES = {model.name: model.title for model in MODELS}
_PRICES = {model.name: model.price for model in MODELS}

# token_type → words of the description, then the price as a fraction of the input price. The order is that of
# `activity.COUNTS`.
TOKEN_TYPES = {
    "uncached_input_tokens": ("Input Tokens", 1, 1),
    "cache_creation.ephemeral_1h_input_tokens": ("Input Tokens, Cache Write 1h", 2, 1),
    "cache_creation.ephemeral_5m_input_tokens": ("Input Tokens, Cache Write", 5, 4),
    "cache_read_input_tokens": ("Input Tokens, Cache Read", 1, 10),
    "output_tokens": ("Output Tokens", 5, 1),
}
_HALF_PRICE = ("batch", "flex_discount")


class CostItem(NamedTuple):
    """A cost description and the fields that the API parses from it."""

    description: str | None
    model: str | None = None
    service_tier: str | None = None
    context_window: str | None = None
    token_type: str | None = None
    cost_type: str | None = None
    inference_geo: str | None = None


@cache
def token_item(values: tuple[str, str, str, str, str], token_type: str) -> tuple[CostItem, int]:
    """Return the cost item of a token type, and its microcents a token.

    `values` are context window, region, model, tier and speed.
    """
    window, geo, model, tier, speed = values
    words, times, over = TOKEN_TYPES[token_type]
    price, rest = divmod(_rate(values) * times, over * 20)
    assert rest == 0, "a price must be a whole number of microcents"
    # Like the real description, it has only values that are not the usual ones.
    extras = [f"Long Context ({window})"] if window != "0-200k" else []
    extras += [f"{tier} tier"] if tier != "standard" else []
    extras += ["US only"] if geo == "us" else []
    extras += ["Fast Mode"] if speed == "fast" else []
    title = _TITLES.get(model, model)
    description = ", ".join([f"{title} Usage (invented price) - {words}", *extras])
    return CostItem(description, model, tier, window, token_type, "tokens", geo), price


def _rate(values: tuple[str, str, str, str, str]) -> int:
    """Return the input price in twentieths of a microcent a token."""
    # Twentieths keep it whole after half a price (10 of 20) and a surcharge of a tenth for the US.
    window, geo, model, tier, speed = values
    # 400 is for models that only a test's `add_usage` has.
    rate = _PRICES.get(model, 400) * (10 if tier in _HALF_PRICE else 20)
    rate = rate * 11 // 10 if geo == "us" else rate
    return rate * (2 if window != "0-200k" else 1) * (6 if speed == "fast" else 1)


WEB_SEARCH_ITEM = CostItem("Web Search Usage (invented price)", cost_type="web_search")
CODE_EXECUTION_ITEM = CostItem("Code Execution Usage (invented price)", cost_type="code_execution")
SESSION_ITEM = CostItem("Session Usage (invented price)", cost_type="session_usage")
CREDIT_ITEM = CostItem("Invented goodwill credit")
