"""Ids in place of e-mail addresses, which are personal data."""

from __future__ import annotations

import hashlib
from typing import Any


def pseudonym(address: str) -> str:
    """Return the id that the archive has in place of an e-mail address."""
    # 24 hexadecimal digits are 96 bits: two addresses practically never have the same id.
    return f"email_{hashlib.sha256(address.encode()).hexdigest()[:24]}"


def without_addresses(value: Any) -> Any:
    """Return a JSON value with a pseudonym in place of each text with an `@`.

    Names of fields are not replaced.
    """
    if isinstance(value, dict):
        return {name: without_addresses(field_value) for name, field_value in value.items()}
    if isinstance(value, list):
        return [without_addresses(item) for item in value]
    return pseudonym(value) if isinstance(value, str) and "@" in value else value


def first_address(value: Any) -> str | None:
    """Return the first text with an `@` in a JSON value, or None."""
    if isinstance(value, str):
        return value if "@" in value else None
    if isinstance(value, dict):
        return first_address(list(value.values()))
    if isinstance(value, list):
        return next(filter(None, map(first_address, value)), None)
    return None
