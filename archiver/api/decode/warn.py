"""The warnings about fields that are new in the API's format."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archiver.errors import excerpt

if TYPE_CHECKING:
    from collections.abc import Iterable


def unknown_in_rows(names: Iterable[str]) -> str:
    """Return the warning about unknown fields of rows."""
    return f"unknown fields of a row are kept in extra: {', '.join(excerpt(name, 40) for name in sorted(names))}"


def unknown_around(name: str, what: str) -> str:
    """Return the warning about an unknown field outside of rows.

    `what` names the object that has the field: the answer or a bucket.
    """
    return f"the unknown field {excerpt(name, 40)!r} of {what} is not kept"


def unknown_values(dimension: str, values: Iterable[str]) -> str:
    """Return the warning about values of a dimension that are new in the API."""
    return f"values of {dimension} that are new in the API are archived: {', '.join(excerpt(v, 40) for v in values)}"
