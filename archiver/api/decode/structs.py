"""Split JSON objects into known and unknown fields, and show wrong values.

A field is known if the API documents it, and unknown otherwise.
"""

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
# One step of a path such as `data[3].results`: an index in brackets, or the name of a field.
_PLACE_STEP = re.compile(r"\[(\d+)\]|\.?([^.\[\]]+)")
_LONGEST_VALUE_SHOWN = 60


def known_fields(raw: Mapping[str, Any], names: Sequence[str], what: str, warnings: dict[str, None]) -> dict[str, Any]:
    """Return the fields of an object in `names`, and warn of other fields.

    `what` names the object in the warnings.
    """
    for name in raw.keys() - set(names):
        warnings[unknown_around(name, what)] = None
    return {name: value for name, value in raw.items() if name in names}


def read_envelope(
    raw: Any, names: Sequence[str], warnings: dict[str, None]
) -> tuple[list[Any], str | None, dict[str, Any]]:
    """Return the rows of a page, the next page's token, and all known fields.

    The token is None on the last page. `names` are the known fields. For each unknown field a warning is added to
    `warnings`.

    Raises:
        ContractError: The page is an error with status 200, or its fields are not as documented.
    """
    if not isinstance(raw, dict):
        raise ContractError("Expected an object", place="the answer", append_place=False)
    if raw.get("type") == "error" or "error" in raw:
        raise ContractError(f"an error with status 200: {excerpt(to_json(raw.get('error')))}")
    known = known_fields(raw, names, "the answer", warnings)
    data, has_more, next_page = known.get("data"), known.get("has_more"), known.get("next_page")
    if not isinstance(data, list):
        raise ContractError("Expected a list", place="data")
    if not isinstance(has_more, bool):
        raise ContractError("Expected true or false", place="has_more")
    if not isinstance(next_page, str | None) or (has_more and not next_page):
        raise ContractError("has_more is true and there is no next_page", place="next_page")
    return data, next_page if has_more else None, known


def split_struct(raw: Mapping[str, Any], struct: type[msgspec.Struct]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Split an object, and the objects in it, into known and unknown fields.

    The fields of `struct` are the known ones. The unknown fields of an inner object stand under its name.
    """
    fields = {field.name: field.type for field in msgspec.structs.fields(struct)}
    known = {name: value for name, value in raw.items() if name in fields}
    extra = {name: value for name, value in raw.items() if name not in fields}
    for name, value in known.items():
        inner = fields[name]
        # Types such as `str | None` are not classes, and `issubclass` would raise for them.
        if isinstance(value, dict) and isinstance(inner, type) and issubclass(inner, msgspec.Struct):
            known[name], unknown = split_struct(value, inner)
            extra |= {name: unknown} if unknown else {}
    return known, extra


def number_text(value: Any) -> Any:
    """Return the text of a JSON number, and any other value as it is."""
    if isinstance(value, JsonNumber):
        return value.text
    # The exact type is compared, because a bool is an int too.
    return str(value) if type(value) is int else value


def refusal(error: msgspec.ValidationError) -> ContractError:
    """Return the error for a value of a wrong type, from msgspec's message."""
    # Such a message reads: Expected `int`, got `str` - at `$.data[0].results`.
    message, _, place = str(error).partition(" - at `$.")
    message = message.replace("`", "").replace("JsonNumber", "another number")
    return ContractError(message, place=place.rstrip("`") or None)


def convert(raw: Any, struct: type[T], place: str) -> T:
    """Return a JSON object as a struct.

    `place` is its path in the answer, for errors.

    Raises:
        ContractError: A field is missing, or of a wrong type.
    """
    try:
        return msgspec.convert(raw, type=struct)
    except msgspec.ValidationError as error:
        # The place in msgspec's message begins at this object, so `place` is put in front.
        refused = refusal(error)
        full_place = f"{place}.{refused.place}" if refused.place else place
        raise ContractError(refused.message.partition(", at ")[0], place=full_place) from None


def with_excerpt(error: ContractError, raw: Any) -> ContractError:
    """Add the value at the place of an error to its message.

    Return a new error. The value, from `raw`, is shortened and escaped. Return the same error if it has no place, or if
    `raw` has nothing at its place.
    """
    value = raw
    try:
        for index, name in _PLACE_STEP.findall(error.place or ""):
            value = value[int(index)] if index else value[name]
    except (KeyError, IndexError, TypeError):
        return error
    if not error.place:
        return error
    shown = excerpt(to_json(value), _LONGEST_VALUE_SHOWN)
    return ContractError(f"{error.message}: {shown}", place=error.place, append_place=False)
