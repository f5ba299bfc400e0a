"""The careful way to read a page: slower, with a reason and a place for everything that is odd."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import msgspec

from archiver.answer import Bucket, DecodedPage
from archiver.api.decode.interval import read_interval
from archiver.errors import ContractError, DamagedAnswerError, excerpt
from archiver.reports import SPECS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from archiver.answer import Buckets
    from archiver.model import Dimensions, Report, Values, Window
    from archiver.reports import ReportSpec

R = TypeVar("R")

_encode = msgspec.json.Encoder(decimal_format="number", order="deterministic").encode

_PLACE = re.compile(r"\[(\d+)\]|\.?([^.\[\]]+)")
_LONGEST_VALUE_SHOWN = 60


class PageEnvelope(msgspec.Struct, Generic[R], forbid_unknown_fields=True, gc=False):
    """The envelope of a page, around buckets of type R."""

    data: list[R]
    has_more: bool
    next_page: str | None


class _Bucket(msgspec.Struct, Generic[R], forbid_unknown_fields=True, gc=False):
    starting_at: str
    ending_at: str
    results: list[R]


@dataclass(slots=True)
class _Draft:
    """A page whose shape is right, read the careful way; `extras` holds the unknown fields by (bucket, row)."""

    page: Any
    extras: dict[tuple[int, int], str] = field(default_factory=dict)
    warnings: dict[str, None] = field(default_factory=dict)


@cache
def _types(report: Report, group_by: tuple[str, ...]) -> tuple[type[msgspec.Struct], Any]:
    """Give the types of a row and a page that demand what is needed, and not all that is documented."""
    row: Any = SPECS[report].wire_row(group_by, complete=False)
    return row, PageEnvelope[_Bucket[row]]


def read_strict(body: bytes | bytearray, window: Window, after: int) -> DecodedPage:
    """Read a page, keeping unknown fields as `extra`.

    Raises:
        DamagedAnswerError: The body is not JSON.
        ContractError: It is, and breaks the contract.
    """
    draft = _draft(body, window)
    try:
        buckets = _believe(draft, window, after)
    except ContractError as error:
        raise _with_excerpt(error, body) from None
    if draft.page.has_more and not draft.page.next_page:
        raise ContractError("has_more is true and there is no next_page", place="next_page")
    return DecodedPage(buckets, draft.page.next_page if draft.page.has_more else None, tuple(draft.warnings))


def _draft(body: bytes | bytearray, window: Window) -> _Draft:
    raw = _strict_json(body)
    if not isinstance(raw, dict):
        raise ContractError("Expected an object", place="the answer")
    if raw.get("type") == "error" or "error" in raw:
        raise ContractError(f"an error came with status 200: {excerpt(json.dumps(raw.get('error')))}")
    row_type, page_type = _types(window.series.report, window.series.group_by)
    draft = _Draft(None)
    known = _known_fields(raw, ("data", "has_more", "next_page"), "the answer", draft)
    known.setdefault("next_page", None)
    data = known.get("data")
    if isinstance(data, list):
        known["data"] = [_split_bucket(bucket, i, row_type, draft) for i, bucket in enumerate(data)]
    try:
        draft.page = msgspec.convert(known, type=page_type)
    except msgspec.ValidationError as error:
        raise _with_excerpt(_refusal(error), body) from None
    return draft


def _strict_json(body: bytes | bytearray) -> Any:
    try:
        raw = json.loads(
            body.decode("utf-8"), object_pairs_hook=_no_repeats, parse_constant=_no_constants, parse_float=Decimal
        )
        if b"\\u" in body:
            json.dumps(raw, default=str, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise ContractError("the answer has half a character (a lone surrogate)") from None
    except UnicodeDecodeError:
        raise DamagedAnswerError("the answer is not UTF-8") from None
    except RecursionError:
        raise ContractError("the answer is nested too deeply") from None
    except ValueError as error:
        shown = excerpt(body[:200].decode("utf-8", "replace"), 80)
        problem = str(error).partition(":")[0]
        raise DamagedAnswerError(f"the answer is not JSON ({problem}): {shown!r}") from None
    return raw


def _to_json(value: Any) -> str:
    """Spell a value in JSON, its numbers digit for digit."""
    try:
        return _encode(value).decode()
    except OverflowError:  # an integer of more than 64 bits
        return json.dumps(value, default=str, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _no_repeats(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    unique = dict(pairs)
    if len(unique) != len(pairs):
        names = [name for name, _ in pairs]
        repeated = next(name for name in names if names.count(name) > 1)
        raise ContractError(f"the field {excerpt(repeated, 40)!r} is there twice in one object")
    return unique


def _no_constants(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _split_bucket(raw: Any, i: int, row_type: type[msgspec.Struct], draft: _Draft) -> Any:
    if not isinstance(raw, dict):
        return raw
    known = _known_fields(raw, ("starting_at", "ending_at", "results"), "a bucket", draft)
    results = known.get("results")
    if isinstance(results, list):
        known["results"] = [_split_row(row, (i, j), row_type, draft) for j, row in enumerate(results)]
    return known


def _split_row(raw: Any, at: tuple[int, int], row_type: type[msgspec.Struct], draft: _Draft) -> Any:
    if not isinstance(raw, dict):
        return raw
    known, extra = _split_struct(raw, row_type)
    if extra:
        draft.extras[at] = _to_json(extra)
        names = ", ".join(excerpt(name, 40) for name in sorted(extra))
        draft.warnings[f"unknown fields of a row are kept in extra: {names}"] = None
    return known


def _split_struct(raw: Mapping[str, Any], struct: type[msgspec.Struct]) -> tuple[dict[str, Any], dict[str, Any]]:
    fields = {one.name: one.type for one in msgspec.structs.fields(struct)}
    known = {name: value for name, value in raw.items() if name in fields}
    extra = {name: value for name, value in raw.items() if name not in fields}
    for name, value in known.items():
        nested = fields[name]
        if isinstance(value, dict) and isinstance(nested, type) and issubclass(nested, msgspec.Struct):
            known[name], rest = _split_struct(value, nested)
            extra |= {name: rest} if rest else {}
    return known, extra


def _known_fields(raw: Mapping[str, Any], names: Sequence[str], what: str, draft: _Draft) -> dict[str, Any]:
    for name in raw.keys() - set(names):
        draft.warnings[f"the unknown field {excerpt(name, 40)!r} of {what} is not kept"] = None
    return {name: value for name, value in raw.items() if name in names}


def _refusal(error: msgspec.ValidationError) -> ContractError:
    message, _, place = str(error).partition(" - at `$.")
    return ContractError(message.replace("`", ""), place=place.rstrip("`") or None)


def _with_excerpt(error: ContractError, body: bytes | bytearray) -> ContractError:
    """Add what stands at the place of an error, short and escaped."""
    found: Any = json.loads(body, parse_float=Decimal)
    try:
        for index, name in _PLACE.findall(error.place or ""):
            found = found[int(index)] if index else found[name]
    except (KeyError, IndexError, TypeError):
        return error
    shown = excerpt(_to_json(found), _LONGEST_VALUE_SHOWN)
    return ContractError(f"{error.message}: {shown}", place=error.place, placed=True)


def _believe(draft: _Draft, window: Window, after: int) -> Buckets:
    buckets = SPECS[window.series.report].empty_buckets()
    at = after
    for i, raw in enumerate(draft.page.data):
        start = read_interval(raw.starting_at, raw.ending_at, window, at, f"data[{i}]")
        at = start + window.series.bucket_width.seconds
        buckets.append(Bucket(start, _read_rows(raw.results, i, draft, SPECS[window.series.report])))
    return buckets


def _read_rows(results: Sequence[Any], i: int, draft: _Draft, spec: ReportSpec) -> dict[Dimensions, Values]:
    rows: dict[Dimensions, Values] = {}
    for j, result in enumerate(results):
        dimensions = spec.read_dimensions(result)
        if dimensions in rows:
            raise ContractError("two rows of one bucket have the same dimensions", place=f"data[{i}].results[{j}]")
        try:
            values = [read(result) for read in spec.read_measures]
        except ValueError as error:
            raise ContractError(str(error), place=f"data[{i}].results[{j}].amount") from None
        rows[dimensions] = (*values, draft.extras.get((i, j)))
    return rows
