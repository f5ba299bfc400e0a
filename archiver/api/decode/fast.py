"""The fast decoder, for pages without faults.

It decodes to typed structs, bucket by bucket. A page that does not fit the structs is left to the strict decoder, which
accepts it or reports its fault.

Colons are counted to find repeated keys, which msgspec accepts without an error: see the end of `read_fast`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Raw

from archiver.answer import DecodedPage, distinguish
from archiver.api.decode.interval import read_interval
from archiver.api.decode.jsontext import read_json
from archiver.api.decode.shape import build, documented, survey
from archiver.api.decode.warn import unknown_around, unknown_in_rows
from archiver.errors import ContractError
from archiver.reports import SPECS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from archiver.answer import Buckets
    from archiver.api.decode.extra import ExtraTexts
    from archiver.api.decode.shape import RowType
    from archiver.model import DimensionValues, Window

# Building a type takes far longer than decoding a bucket, so a page with a new set of fields in every bucket is left to
# the strict decoder.
_MOST_SURVEYS = 8


class _Bucket(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    starting_at: Raw
    ending_at: Raw
    results: Raw


class _Envelope(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    data: list[_Bucket]
    has_more: bool
    next_page: str | None


_decode_envelope = msgspec.json.Decoder(_Envelope).decode
_decode_object = msgspec.json.Decoder(dict[str, Raw]).decode
_decode_objects = msgspec.json.Decoder(list[dict[str, Raw]]).decode


class _Keys(dict["DimensionValues", int]):
    """A map from the dimension values of a decoded row to its key index.

    Decoded rows have only some of the report's columns. The key index belongs to the values of all columns: columns
    that the rows lack have the value None. For each column of the report, `columns` has its position in the values of a
    decoded row, or None.
    """

    def __init__(self, columns: tuple[int | None, ...], buckets: Buckets) -> None:
        self._columns = columns
        self._buckets = buckets

    def __missing__(self, row_values: DimensionValues) -> int:
        """Add the values of a row on their first use."""
        all_values = tuple(None if position is None else row_values[position] for position in self._columns)
        self[row_values] = index = self._buckets.key_index(all_values)
        return index


@dataclass(slots=True)
class _Page:
    """A page while it is decoded.

    Attributes:
        row_type: The type of the rows so far; at first the type of the documented fields.
        colons: The number of colons in the body for the content decoded so far, except those within dimension values.
        surveys: The number of times that `survey` looked for the fields of rows.
    """

    window: Window
    buckets: Buckets
    row_type: RowType
    colons: int = 0
    surveys: int = 0
    warnings: dict[str, None] = field(default_factory=dict)
    _keys: _Keys = field(init=False)
    _extras: ExtraTexts | None = field(init=False)

    def __post_init__(self) -> None:
        """Prepare for the first type of rows."""
        self._use(self.row_type)

    def _use(self, row_type: RowType) -> None:
        self.row_type = row_type
        self._keys = _Keys(row_type.columns, self.buckets)
        self._extras = row_type.extras() if row_type.extras else None

    def decode_rows(self, raw: Raw) -> list[Any]:
        """Decode the rows of a bucket.

        When a row does not fit the row type so far, the fields of all rows of the bucket are surveyed, and a row type
        is built for them.

        Raises:
            msgspec.MsgspecError: The rows fit no type, or too many types were built for this page.
        """
        try:
            return self.row_type.decode(raw)
        except msgspec.ValidationError:
            if self.surveys == _MOST_SURVEYS:
                raise
        series = self.window.series
        shape = survey(series.report, series.group_by, _decode_objects(raw))
        # The first row type is from the documentation, and perhaps no row has its fields. Only surveyed shapes are
        # merged.
        shape = self.row_type.shape.merge(shape) if self.surveys else shape
        self.surveys += 1
        self._use(build(series.report, series.group_by, shape))
        return self.row_type.decode(raw)

    def add(self, start: int, raw: Raw) -> None:
        """Decode and add a bucket.

        Raises:
            ValueError: Two rows have the same dimensions and the same `extra`.
        """
        results = self.decode_rows(raw)
        keys = [self._keys[values] for values in map(self.row_type.read_named, results)]
        extras, colons = self._extras.of(results) if self._extras else ({}, 0)
        self.colons += self.row_type.count_keys(results) + colons
        if len(set(keys)) != len(keys):
            keys = self._distinguish(keys, extras)
        columns = [map(read, results) for read in SPECS[self.window.series.report].read_measures]
        self.buckets.add(start, keys, columns, extras)
        if extras:
            self.warnings[unknown_in_rows(self.row_type.unknown)] = None

    def _distinguish(self, keys: Sequence[int], extras: Mapping[int, str]) -> list[int]:
        """Return key indexes in which `extra` distinguishes equal dimensions."""
        dimensions = [self.buckets.dimensions[key] for key in keys]
        distinct = distinguish(dimensions, [extras.get(row) for row in range(len(keys))])
        if len(set(distinct)) != len(distinct):
            raise ValueError
        return [self.buckets.key_index(values) for values in distinct]

    def colons_of_dimensions(self) -> int:
        """Return the number of colons in the dimensions of all rows."""
        # A key that was made distinct ends with the `extra` of its row. The colons of `extra` are counted already.
        width = len(SPECS[self.window.series.report].columns)
        by_key = [sum(text.count(":") for text in values[:width] if text) for values in self.buckets.dimensions]
        return sum(map(by_key.__getitem__, self.buckets.key_indexes)) if any(by_key) else 0


def read_fast(body: bytes | bytearray, window: Window, after: int) -> DecodedPage | None:
    """Decode a page; return None if anything in it is not as expected.

    `after` is the time at which the first bucket may begin.
    """
    # An escaped colon would be counted in the decoded text and not in the body. The search for a backslash comes first,
    # because most pages have none and it is fifty times faster.
    if b"\\" in body and (b"\\u003a" in body or b"\\u003A" in body):
        return None
    series = window.series
    row_type = build(series.report, series.group_by, documented(series.report, series.group_by))
    page = _Page(window, SPECS[series.report].empty_buckets(), row_type)
    try:
        token = _read_page(body, page, after)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError, KeyError, TypeError, ContractError):
        return None
    # Of repeated keys msgspec keeps the last one, without an error. Every colon in JSON stands behind a key or within a
    # string, so a body with a repeated key has more colons than its decoded content accounts for.
    if body.count(b":") != page.colons + page.colons_of_dimensions():
        return None
    return DecodedPage(page.buckets, token, tuple(page.warnings))


def _read_page(body: bytes | bytearray, page: _Page, after: int) -> str | None:
    """Read all buckets of a page, and return the token of the next page."""
    envelope = _read_envelope(body, page)
    if envelope.has_more and not envelope.next_page:
        raise ValueError
    page.colons += (envelope.next_page or "").count(":")
    width = page.window.series.bucket_width.seconds
    for bucket in envelope.data:
        starting_at, ending_at = _unquote(bucket.starting_at), _unquote(bucket.ending_at)
        page.colons += starting_at.count(":") + ending_at.count(":")
        start = read_interval(starting_at, ending_at, page.window, after, "")
        after = start + width
        page.add(start, bucket.results)
    # A token on the last page is ignored.
    return envelope.next_page if envelope.has_more else None


def _read_envelope(body: bytes | bytearray, page: _Page) -> _Envelope:
    """Read the envelope and the raw buckets, and count their keys."""
    try:
        envelope = _decode_envelope(body)
    except msgspec.ValidationError:  # most likely because of an unknown field
        envelope = _read_new_envelope(body, page)
    else:
        page.colons += len(_Envelope.__struct_fields__) + len(_Bucket.__struct_fields__) * len(envelope.data)
    return envelope


def _read_new_envelope(body: bytes | bytearray, page: _Page) -> _Envelope:
    """Read an envelope or buckets with unknown fields."""
    raw = _decode_object(body)
    if "error" in raw:  # the strict decoder reports its message
        raise ValueError
    raw = _known_fields(raw, _Envelope, "the answer", page)
    buckets = [_known_fields(bucket, _Bucket, "a bucket", page) for bucket in _decode_objects(raw["data"])]
    has_more = msgspec.json.decode(raw["has_more"], type=bool)
    token = msgspec.json.decode(raw.get("next_page", b"null"), type=str | None)
    return _Envelope([_Bucket(**fields) for fields in buckets], has_more, token)


def _known_fields(raw: Mapping[str, Raw], struct: type[msgspec.Struct], what: str, page: _Page) -> dict[str, Raw]:
    """Return the known fields of an object.

    Unknown fields are not kept. For each, there is a warning, its JSON is checked and its colons are counted.
    """
    page.colons += len(raw)  # the colon behind each key
    for name in raw.keys() - set(struct.__struct_fields__):
        value = bytes(raw[name])
        read_json(value)  # only for its errors, for example about repeated keys
        page.colons += name.count(":") + value.count(b":")
        page.warnings[unknown_around(name, what)] = None
    return {name: value for name, value in raw.items() if name in struct.__struct_fields__}


def _unquote(raw: Raw) -> str:
    """Return the characters between the quotes of a JSON string.

    Escapes stay as they are: the callers read times, which have no escapes, and refuse any other text.

    Raises:
        ValueError: The JSON value is not a string.
    """
    text = bytes(raw)
    if text[:1] != b'"':
        raise ValueError
    return text[1:-1].decode()
