"""Bytes to buckets, and distrust: the gate every report page passes before anything is written.

The quick way decodes a page in one go with types that demand exactly the documented fields. A page that does not fit
goes the careful way, which finds out what is odd about it: unknown fields are kept as `extra`, anything else is refused
with its place in the answer.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import msgspec

from archiver.api.text import excerpt
from archiver.errors import ContractError, DamagedAnswerError
from archiver.model import Bucket, Row, to_text
from archiver.reports import SPECS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from archiver.model import Report, Window
    from archiver.reports import ReportSpec

R = TypeVar("R")

_encode = msgspec.json.Encoder(decimal_format="number", order="deterministic").encode

_TIME = re.compile(r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d{1,6})?([Zz]|[+-]\d{2}:\d{2})", re.ASCII)
_PLACE = re.compile(r"\[(\d+)\]|\.?([^.\[\]]+)")
_LONGEST_VALUE_SHOWN = 60
_ENVELOPE_KEYS = 3
_BUCKET_KEYS = 3
_TIME_COLONS = 4


class _Bucket(msgspec.Struct, Generic[R], forbid_unknown_fields=True, gc=False):
    starting_at: str
    ending_at: str
    results: list[R]


class _Page(msgspec.Struct, Generic[R], forbid_unknown_fields=True, gc=False):
    data: list[_Bucket[R]]
    has_more: bool
    next_page: str | None


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a report, believed: buckets oldest first, the token of the next page if there is one."""

    buckets: tuple[Bucket, ...]
    next_page: str | None
    warnings: tuple[str, ...] = ()


@dataclass(slots=True)
class _Draft:
    """A page whose shape is right; `extras` holds the unknown fields by (bucket, row)."""

    page: Any
    extras: dict[tuple[int, int], str] = field(default_factory=dict)
    warnings: dict[str, None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Types:
    """The types of one series' pages: `decoder` demands all that is documented, `lenient_page` what is needed."""

    decoder: msgspec.json.Decoder[Any]
    keys_a_row: int
    lenient_row: type[msgspec.Struct]
    lenient_page: Any


@cache
def _types(report: Report, group_by: tuple[str, ...]) -> _Types:
    complete: Any = SPECS[report].wire_row(group_by, complete=True)
    lenient: Any = SPECS[report].wire_row(group_by, complete=False)
    return _Types(msgspec.json.Decoder(_Page[complete]), _count_keys(complete), lenient, _Page[lenient])


def _count_keys(row: type[msgspec.Struct]) -> int:
    count = 0
    for one in msgspec.structs.fields(row):
        if one.required:
            nested = isinstance(one.type, type) and issubclass(one.type, msgspec.Struct)
            count += 1 + (_count_keys(one.type) if nested else 0)
    return count


def read_page(body: bytes, window: Window, *, after: int) -> Page:
    """Read a page of the answer to `window`; its buckets may begin at `after`, where earlier pages ended.

    Raises:
        DamagedAnswerError: The body is not JSON.
        ContractError: It is, and breaks the contract.
    """
    draft = _read_quickly(body, window) or _read_carefully(body, window)
    try:
        buckets = _believe(draft, window, after)
    except ContractError as error:
        raise _with_excerpt(error, body) from None
    page = draft.page
    if page.has_more and not page.next_page:
        raise ContractError("has_more is true and there is no next_page", place="next_page")
    return Page(buckets, page.next_page if page.has_more else None, tuple(draft.warnings))


def _read_quickly(body: bytes, window: Window) -> _Draft | None:
    types = _types(window.series.report, window.series.group_by)
    try:
        page = types.decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    rows = sum(len(bucket.results) for bucket in page.data)
    keys = _ENVELOPE_KEYS + _BUCKET_KEYS * len(page.data) + types.keys_a_row * rows
    # A repeated key, of which the decoder keeps the last, makes one too many. All colons are counted too, for a key
    # with space behind it would not be counted and could hide another; text with a colon in it goes the careful way.
    regular = body.count(b'":') == keys and body.count(b":") == keys + _TIME_COLONS * len(page.data)
    return _Draft(page) if regular else None


def _read_carefully(body: bytes, window: Window) -> _Draft:
    raw = _strict_json(body)
    if not isinstance(raw, dict):
        raise ContractError("Expected an object", place="the answer")
    if raw.get("type") == "error" or "error" in raw:
        raise ContractError(f"an error came with status 200: {excerpt(json.dumps(raw.get('error')))}")
    types = _types(window.series.report, window.series.group_by)
    draft = _Draft(None)
    known = _known_fields(raw, ("data", "has_more", "next_page"), "the answer", draft)
    known.setdefault("next_page", None)
    data = known.get("data")
    if isinstance(data, list):
        known["data"] = [_split_bucket(bucket, i, types.lenient_row, draft) for i, bucket in enumerate(data)]
    try:
        draft.page = msgspec.convert(known, type=types.lenient_page)
    except msgspec.ValidationError as error:
        raise _with_excerpt(_refusal(error), body) from None
    return draft


def _strict_json(body: bytes) -> Any:
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


def _with_excerpt(error: ContractError, body: bytes) -> ContractError:
    """Add what stands at the place of an error, short and escaped."""
    found: Any = json.loads(body, parse_float=Decimal)
    try:
        for index, name in _PLACE.findall(error.place or ""):
            found = found[int(index)] if index else found[name]
    except (KeyError, IndexError, TypeError):
        return error
    shown = excerpt(_to_json(found), _LONGEST_VALUE_SHOWN)
    return ContractError(f"{error.message}: {shown}", place=error.place, placed=True)


def _believe(draft: _Draft, window: Window, after: int) -> tuple[Bucket, ...]:
    buckets = []
    at = after
    for i, raw in enumerate(draft.page.data):
        start = _read_interval(raw, window, at, f"data[{i}]")
        at = start + window.series.bucket_width.seconds
        buckets.append(Bucket(start, _read_rows(raw.results, i, draft, SPECS[window.series.report])))
    return tuple(buckets)


def _read_rows(results: Sequence[Any], i: int, draft: _Draft, spec: ReportSpec) -> tuple[Row, ...]:
    dimensions = list(map(spec.read_dimensions, results))
    if len(set(dimensions)) != len(dimensions):
        j = next(j for j, one in enumerate(dimensions) if one in dimensions[:j])
        raise ContractError("two rows of one bucket have the same dimensions", place=f"data[{i}].results[{j}]")
    try:
        measures = list(map(spec.read_measures, results))
    except ValueError:
        raise _bad_measure(results, i, spec) from None
    extras = [draft.extras.get((i, j)) for j in range(len(results))] if draft.extras else [None] * len(results)
    return tuple(map(Row, dimensions, measures, extras))


def _bad_measure(results: Sequence[Any], i: int, spec: ReportSpec) -> ContractError:
    for j, result in enumerate(results):
        try:
            spec.read_measures(result)
        except ValueError as error:
            return ContractError(str(error), place=f"data[{i}].results[{j}].amount")
    raise AssertionError("one of them was bad")


def _read_interval(raw: Any, window: Window, at: int, place: str) -> int:
    width = window.series.bucket_width.seconds
    start = _read_time(raw.starting_at, f"{place}.starting_at")
    end = _read_time(raw.ending_at, f"{place}.ending_at")
    if start % width or end != start + width:
        raise ContractError(f"the bucket is not one whole {window.series.bucket_width}", place=place)
    if start < window.start or end > window.end:
        asked = f"{to_text(window.start)} to {to_text(window.end)}"
        raise ContractError(f"the bucket lies outside of what was asked, {asked}", place=place)
    if start < at:
        raise ContractError("the bucket repeats or precedes the one before it", place=place)
    return start


def _read_time(text: str, place: str) -> int:
    try:
        moment = datetime.fromisoformat(text).astimezone(UTC) if _TIME.fullmatch(text) else None
    except (ValueError, OverflowError):
        moment = None
    if moment is None or moment.microsecond:
        raise ContractError(f"{excerpt(text, 40)!r} is not a time of whole seconds with an offset", place=place)
    return int(moment.timestamp())
