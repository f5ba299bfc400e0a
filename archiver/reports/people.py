"""Ids in place of e-mail addresses, which are personal data."""

from __future__ import annotations

import hashlib
from typing import Any


def pseudonym(address: str) -> str:
    """Return the id that stands for an e-mail address."""
    return f"email_{hashlib.sha256(address.encode()).hexdigest()[:24]}"


def without_addresses(value: Any) -> Any:
    """Return a JSON value with an id in place of each text with an `@`."""
    if isinstance(value, dict):
        return {name: without_addresses(one) for name, one in value.items()}
    if isinstance(value, list):
        return [without_addresses(one) for one in value]
    return pseudonym(value) if isinstance(value, str) and "@" in value else value


def first_address(value: Any) -> str | None:
    """Return the first text with an `@` in a JSON value, or None."""
    inner = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    if isinstance(value, str):
        return value if "@" in value else None
    return next(filter(None, map(first_address, inner)), None)
