"""Split JSON objects into known and unknown fields, and name wrong values."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from archiver.api.decode.jsontext import to_json
from archiver.api.decode.warn import unknown_around
from archiver.errors import ContractError, excerpt
from archiver.reports.spec import JsonNumber

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

T = TypeVar("T")
_PLACE = re.compile(r"\[(\d+)\]|\.?([^.\[\]]+)")
_LONGEST_VALUE_SHOWN = 60


def known_fields(raw: Mapping[str, Any], names: Sequence[str], what: str, warnings: dict[str, None]) -> dict[str, Any]:
    """Return the known fields of an object, and warn of the others."""
    for name in raw.keys() - set(names):
        warnings[unknown_around(name, what)] = None
    return {name: value for name, value in raw.items() if name in names}


def read_envelope(
    raw: Any, names: Sequence[str], warnings: dict[str, None]
) -> tuple[list[Any], str | None, dict[str, Any]]:
    """Return the rows of a page, the next page's token, and all known fields.

    Raises:
        ContractError: It is an error with status 200, or the fields are not as documented.
    """
    if not isinstance(raw, dict):
        raise ContractError("Expected an object", place="the answer", append_place=False)
    if raw.get("type") == "error" or "error" in raw:
        raise ContractError(f"an error with status 200: {excerpt(to_json(raw.get('error')))}")
    known = known_fields(raw, names, "the answer", warnings)
    data, has_more, following = known.get("data"), known.get("has_more"), known.get("next_page")
    if not isinstance(data, list):
        raise ContractError("Expected a list", place="data")
    if not isinstance(has_more, bool):
        raise ContractError("Expected true or false", place="has_more")
    if not isinstance(following, str | None) or (has_more and not following):
        raise ContractError("has_more is true and there is no next_page", place="next_page")
    return data, following if has_more else None, known


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


def convert(raw: Any, struct: type[T], place: str) -> T:
    """Return an object of JSON as a struct.

    Raises:
        ContractError: A field is missing, or of a wrong type.
    """
    try:
        return msgspec.convert(raw, type=struct)
    except msgspec.ValidationError as error:
        found = refusal(error)
        inner = f"{place}.{found.place}" if found.place else place
        raise ContractError(found.message.partition(", at ")[0], place=inner) from None


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
