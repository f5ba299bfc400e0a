"""Fetch the spend limits that the API lists for the organisation.

Fields and values here are from the types and docstrings of the vendor's Python SDK, version 2.14.0
(`resources/beta/organization/spend_limits`). The list is in an early access preview, and most keys may not read it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from archiver.api.lists import read_next_page, read_object
from archiver.errors import ContractError, KeyRefusedError, RequestRefusedError
from archiver.model import SpendLimit

if TYPE_CHECKING:
    from archiver.api.client import AdminClient
    from archiver.api.response import Response

_PATH = "/v1/organizations/spend_limits"
_BETA = "spend-limit-reads-2026-09-26"
# More pages than any organisation has. The limit ends the reading of a list with tokens that form a circle.
_MOST_PAGES = 1_000
# A whole number of cents.
_AMOUNT = re.compile(r"[0-9]{1,30}")


async def fetch_spend_limits(client: AdminClient) -> list[SpendLimit] | None:
    """Fetch all spend limits of the organisation.

    Return None when the API refuses the list, as it does for keys and organisations without access.

    Raises:
        ApiError: There is no answer, or it is not as documented.
    """
    limits: list[SpendLimit] = []
    token: str | None = None
    try:
        for _ in range(_MOST_PAGES):
            query = [("limit", "1000"), *([("page", token)] if token else [])]
            page, next_token = await client.get(_PATH, query, _read_page, beta=_BETA)
            limits += page
            if next_token is None or next_token == token:
                break
            token = next_token
    except KeyRefusedError as error:
        if error.ends_run:  # a 401, which concerns the key and not this list alone
            raise
        return None
    except RequestRefusedError:
        return None
    return limits


def _read_page(response: Response) -> tuple[list[SpendLimit], str | None]:
    """Return the limits of one page, and the token of the next page or None."""
    raw = read_object(response.body)
    data = raw.get("data")
    if not isinstance(data, list):
        raise ContractError("Expected a list", place="data")
    return [_read_limit(item, f"data[{i}]") for i, item in enumerate(data)], read_next_page(raw)


def _read_limit(raw: Any, place: str) -> SpendLimit:
    scope = raw.get("scope") if isinstance(raw, dict) else None
    if not isinstance(scope, dict) or not isinstance(scope.get("type"), str) or not isinstance(raw.get("id"), str):
        raise ContractError("Expected a limit with id and scope", place=place)
    amount, currency, period = (raw.get(name) for name in ("amount", "currency", "period"))
    if amount is not None and not (isinstance(amount, str) and _AMOUNT.fullmatch(amount)):
        raise ContractError("Expected a number of cents as text, or null", place=f"{place}.amount")
    if not isinstance(currency, str) or not isinstance(period, str):
        raise ContractError("Expected a currency and a period", place=place)
    # A scope has one more field besides its type: the id of the limited object. The organisation's scope has no id.
    scope_id = next((value for name, value in scope.items() if name != "type" and isinstance(value, str)), None)
    return SpendLimit(raw["id"], scope["type"], scope_id, amount, currency, period, raw.get("is_enabled") is not False)
