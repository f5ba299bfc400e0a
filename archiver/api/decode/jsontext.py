"""Read and write JSON without losing a digit or a repeated key."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec

from archiver.errors import ContractError, DamagedAnswerError, excerpt
from archiver.reports.spec import JsonNumber

if TYPE_CHECKING:
    from collections.abc import Sequence

# Integers of up to 18 digits fit 64 bits, so that any library decodes them exactly.
_SAFE_DIGITS = 18


def read_json(body: bytes | bytearray) -> Any:
    """Decode JSON without loss.

    Numbers with a fraction or an exponent, and integers of more than 18 digits, become JsonNumber.

    Raises:
        DamagedAnswerError: The body is not JSON, or not UTF-8.
        ContractError: The body has repeated keys or lone surrogates, or is nested too deeply.
    """
    try:
        raw = json.loads(
            body.decode("utf-8"),
            object_pairs_hook=_no_repeats,
            parse_constant=_no_constants,
            parse_float=JsonNumber,
            parse_int=_read_integer,
        )
        # A lone surrogate can only come from an escape. It cannot be encoded as UTF-8, so it could not be stored.
        if b"\\u" in body:
            to_json(raw).encode()
    except UnicodeEncodeError:
        raise ContractError("the response contains a lone UTF-16 surrogate") from None
    except UnicodeDecodeError:
        raise DamagedAnswerError("the response is not UTF-8") from None
    except RecursionError:
        raise ContractError("the response is nested too deeply") from None
    except ValueError as error:
        shown = excerpt(body[:200].decode("utf-8", "replace"), 80)
        problem = str(error).partition(":")[0]  # without the position
        raise DamagedAnswerError(f"the response is not JSON ({problem}): {shown!r}") from None
    return raw


def to_json(value: Any) -> str:
    """Return a decoded value as canonical JSON.

    Keys are sorted, and there is no white space.
    """
    try:
        return _encode(value).decode()
    except OverflowError:  # an integer of more than 64 bits
        return _encode(_as_numbers(value)).decode()


def _raw_number(value: Any) -> Any:
    if isinstance(value, JsonNumber):
        return msgspec.Raw(value.text.encode())
    raise TypeError(f"{type(value).__name__} is not a JSON value")


_encode = msgspec.json.Encoder(order="deterministic", enc_hook=_raw_number).encode


def _as_numbers(value: Any) -> Any:
    """Replace integers by JsonNumber, which has no largest value."""
    if isinstance(value, dict):
        return {name: _as_numbers(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_as_numbers(item) for item in value]
    # The exact type is compared, because a bool is an int too.
    return JsonNumber(str(value)) if type(value) is int else value


def _read_integer(text: str) -> int | JsonNumber:
    # As an int, "-0" would become "0". int() also raises for texts of thousands of digits.
    return int(text) if len(text) <= _SAFE_DIGITS and text != "-0" else JsonNumber(text)


def _no_repeats(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object of these fields; raise an error for a repeated key."""
    unique = dict(pairs)
    if len(unique) != len(pairs):
        names = [name for name, _ in pairs]
        repeated = next(name for name in names if names.count(name) > 1)
        raise ContractError(f"the field {excerpt(repeated, 40)!r} is repeated in one object")
    return unique


def _no_constants(name: str) -> Any:
    # The json module accepts NaN, Infinity and -Infinity, which are not JSON.
    raise ValueError(f"{name} is not JSON")
