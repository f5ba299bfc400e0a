"""Split JSON objects into known and unknown fields, and name wrong values."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from archiver.api.decode.jsontext import to_json
from archiver.api.decode.warn import unknown_around
from archiver.errors import ContractError, excerpt
from archiver.reports.spec import JsonNumber

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_PLACE = re.compile(r"\[(\d+)\]|\.?([^.\[\]]+)")
_LONGEST_VALUE_SHOWN = 60


def known_fields(raw: Mapping[str, Any], names: Sequence[str], what: str, warnings: dict[str, None]) -> dict[str, Any]:
    """Return the known fields of an object, and warn of the others."""
    for name in raw.keys() - set(names):
        warnings[unknown_around(name, what)] = None
    return {name: value for name, value in raw.items() if name in names}


def split_struct(raw: Mapping[str, Any], struct: type[msgspec.Struct]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Split an object, and its objects, into known and unknown fields."""
    fields = {one.name: one.type for one in msgspec.structs.fields(struct)}
    known = {name: value for name, value in raw.items() if name in fields}
    extra = {name: value for name, value in raw.items() if name not in fields}
    for name, value in known.items():
        nested = fields[name]
        if isinstance(value, dict) and isinstance(nested, type) and issubclass(nested, msgspec.Struct):
            known[name], rest = split_struct(value, nested)
            extra |= {name: rest} if rest else {}
    return known, extra


def number_text(value: Any) -> Any:
    """Return the text of a JSON number, and any other value as it is."""
    if isinstance(value, JsonNumber):
        return value.text
    return str(value) if type(value) is int else value


def refusal(error: msgspec.ValidationError) -> ContractError:
    """Return the error for a value of a wrong type, from msgspec's message."""
    message, _, place = str(error).partition(" - at `$.")
    message = message.replace("`", "").replace("JsonNumber", "another number")
    return ContractError(message, place=place.rstrip("`") or None)


def with_excerpt(error: ContractError, raw: Any) -> ContractError:
    """Add the value at the place of an error, short and escaped."""
    found = raw
    try:
        for index, name in _PLACE.findall(error.place or ""):
            found = found[int(index)] if index else found[name]
    except (KeyError, IndexError, TypeError):
        return error
    if not error.place:
        return error
    shown = excerpt(to_json(found), _LONGEST_VALUE_SHOWN)
    return ContractError(f"{error.message}: {shown}", place=error.place, append_place=False)
