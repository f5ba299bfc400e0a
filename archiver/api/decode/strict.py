"""The strict decoder of pages.

It is slower than the fast decoder, and reports the reason for an error and its place in the response.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import msgspec

from archiver.answer import Bucket, DecodedPage, distinguish
from archiver.api.decode.interval import read_interval
from archiver.api.decode.jsontext import read_json, to_json
from archiver.api.decode.structs import known_fields, number_text, refusal, split_struct, with_excerpt
from archiver.api.decode.warn import unknown_in_rows
from archiver.errors import ContractError, excerpt
from archiver.reports import SPECS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from archiver.answer import Buckets
    from archiver.model import DimensionValues, Report, Values, Window
    from archiver.reports import ReportSpec

R = TypeVar("R")


class _Envelope(msgspec.Struct, Generic[R], forbid_unknown_fields=True, gc=False):
    data: list[R]
    has_more: bool
    next_page: str | None = None


class _Bucket(msgspec.Struct, Generic[R], forbid_unknown_fields=True, gc=False):
    starting_at: str
    ending_at: str
    results: list[R]


@dataclass(slots=True)
class _Draft:
    """A page while it is decoded.

    Attributes:
        window: The window that was requested.
        page: The page as an `_Envelope` with checked types; None until it is converted.
        extras: The unknown fields of rows, as JSON text, by (number of the bucket, number of the row).
        warnings: The sentences about unknown fields. The keys of a dict keep their order and do not repeat.
    """

    window: Window
    page: Any = None
    extras: dict[tuple[int, int], str] = field(default_factory=dict)
    warnings: dict[str, None] = field(default_factory=dict)


@cache
def _types(report: Report, group_by: tuple[str, ...]) -> tuple[type[msgspec.Struct], Any]:
    """Return the type of a row and the type of a page of such rows."""
    row: Any = SPECS[report].wire_row(group_by)
    return row, _Envelope[_Bucket[row]]


def read_strict(body: bytes | bytearray, window: Window, after: int) -> DecodedPage:
    """Decode a page, keeping unknown fields of rows as `extra`.

    `after` is the time at which the first bucket may begin.

    Raises:
        DamagedAnswerError: The body is not JSON.
        ContractError: The body is JSON, and breaks the contract.
    """
    raw = read_json(body)
    try:
        draft = _check_types(raw, window)
        buckets = _check_buckets(draft, window, after)
    except ContractError as error:
        raise with_excerpt(error, raw) from None
    if draft.page.has_more and not draft.page.next_page:
        raise ContractError("has_more is true and there is no next_page", place="next_page")
    return DecodedPage(buckets, draft.page.next_page if draft.page.has_more else None, tuple(draft.warnings))


def _check_types(raw: Any, window: Window) -> _Draft:
    """Return the page with checked types, and its unknown fields apart."""
    if not isinstance(raw, dict):
        raise ContractError("Expected an object", place="the answer", append_place=False)
    if raw.get("type") == "error" or "error" in raw:
        raise ContractError(f"an error with status 200: {excerpt(to_json(raw.get('error')))}")
    row_type, page_type = _types(window.series.report, window.series.group_by)
    draft = _Draft(window)
    known = known_fields(raw, ("data", "has_more", "next_page"), "the answer", draft.warnings)
    data = known.get("data")
    if isinstance(data, list):
        known["data"] = [_split_bucket(bucket, i, row_type, draft) for i, bucket in enumerate(data)]
    try:
        draft.page = msgspec.convert(known, type=page_type)
    except msgspec.ValidationError as error:
        raise refusal(error) from None
    return draft


def _split_bucket(raw: Any, i: int, row_type: type[msgspec.Struct], draft: _Draft) -> Any:
    """Return the known fields of bucket `i`, and of its rows."""
    if not isinstance(raw, dict):  # `msgspec.convert` reports the wrong type, here and below
        return raw
    known = known_fields(raw, ("starting_at", "ending_at", "results"), "a bucket", draft.warnings)
    results = known.get("results")
    if isinstance(results, list):
        known["results"] = [_split_row(row, (i, j), row_type, draft) for j, row in enumerate(results)]
    return known


def _split_row(raw: Any, at: tuple[int, int], row_type: type[msgspec.Struct], draft: _Draft) -> Any:
    """Return the known fields of a row, and add its other fields to the draft.

    `at` is the number of the bucket and the number of the row.
    """
    if not isinstance(raw, dict):
        return raw
    spec, group_by = SPECS[draft.window.series.report], draft.window.series.group_by
    known, extra = split_struct(raw, row_type)
    # A dimension that was not requested is null or absent. Any other value is kept in `extra` like an unknown field.
    for name in spec.group_by:
        if name not in group_by and name not in spec.parsed and known.pop(name, None) is not None:
            extra[name] = raw[name]
    # An amount may be a number in JSON instead of a text. Its digits are kept as they were sent.
    known |= {name: number_text(known[name]) for name in spec.texts if name in known}
    if extra:
        draft.extras[at] = to_json(extra)
        draft.warnings[unknown_in_rows(extra)] = None
    return known


def _check_buckets(draft: _Draft, window: Window, after: int) -> Buckets:
    """Check times, rows and amounts of a page, and return its buckets."""
    spec = SPECS[window.series.report]
    buckets = spec.empty_buckets()
    for i, raw in enumerate(draft.page.data):
        start = read_interval(raw.starting_at, raw.ending_at, window, after, f"data[{i}]")
        after = start + window.series.bucket_width.seconds
        buckets.append(Bucket(start, _read_rows(raw.results, i, draft, spec)))
    return buckets


def _read_rows(results: Sequence[Any], i: int, draft: _Draft, spec: ReportSpec) -> dict[DimensionValues, Values]:
    extras = [draft.extras.get((i, j)) for j in range(len(results))]
    keys = distinguish([spec.read_dimensions(result) for result in results], extras)
    rows: dict[DimensionValues, Values] = {}
    for j, (key, result, extra) in enumerate(zip(keys, results, extras, strict=True)):
        if key in rows:
            raise ContractError("two rows of one bucket have the same dimensions", place=f"data[{i}].results[{j}]")
        try:
            values = [read(result) for read in spec.read_measures]
        except ValueError as error:
            raise ContractError(str(error), place=f"data[{i}].results[{j}].amount") from None
        rows[key] = (*values, extra)
    return rows
