"""Bytes to buckets, and mark_damaged: the gate every report page passes before anything is written.

The quick way decodes a page bucket by bucket with types that demand exactly the documented fields. A page that does not
fit in any way goes the careful way, which finds out what is odd about it: unknown fields are kept as `extra`, anything
else is refused with its place in the answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import msgspec

from archiver.answer import DecodedPage
from archiver.api.decode.interval import read_interval
from archiver.api.decode.strict import PageEnvelope
from archiver.errors import ContractError
from archiver.reports import SPECS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from archiver.answer import Buckets
    from archiver.model import Dimensions, Report, Window

_ENVELOPE_KEYS = 3
_BUCKET_KEYS = 3
_TIME_COLONS = 4


class _RawBucket(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    starting_at: msgspec.Raw
    ending_at: msgspec.Raw
    results: msgspec.Raw


@dataclass(frozen=True, slots=True)
class _Types:
    """How the rows of one series are read; every documented field is demanded, so their keys can be counted.

    `read_named` reads the dimensions that may have a value, as a tuple; `columns` says where each stands among all of
    them, None where there is none.
    """

    rows: msgspec.json.Decoder[Any]
    keys_a_row: int
    read_named: Callable[[Any], tuple[str | None, ...]]
    columns: tuple[int | None, ...]


def _plain(raw: msgspec.Raw) -> str:
    """Read a string as it is spelled. With an escape in it it is no time: a colon that hides in one is not counted."""
    return bytes(raw)[1:-1].decode()


class _Places(dict["Dimensions", int]):
    """The values of the named dimensions → the place of those of all of them."""

    def __init__(self, columns: tuple[int | None, ...], buckets: Buckets) -> None:
        self._columns = columns
        self._buckets = buckets

    def __missing__(self, named: Dimensions) -> int:
        """Make a set known."""
        whole = tuple(None if column is None else named[column] for column in self._columns)
        self[named] = place = self._buckets.key_index(whole)
        return place


@cache
def _types(report: Report, group_by: tuple[str, ...]) -> _Types:
    spec = SPECS[report]
    complete: Any = spec.wire_row(group_by, complete=True)
    named = [column for column in spec.columns if column in {*group_by, *spec.parsed, *spec.wire_measures}]
    columns = tuple(named.index(column) if column in named else None for column in spec.columns)
    return _Types(msgspec.json.Decoder(list[complete]), _count_keys(complete), _tuple_of(named), columns)


def _tuple_of(names: Sequence[str]) -> Callable[[Any], tuple[Any, ...]]:
    """Read attributes as a tuple, also when there is none or only one."""
    if len(names) > 1:
        return attrgetter(*names)
    return lambda row: tuple(getattr(row, name) for name in names)


def _count_keys(row: type[msgspec.Struct]) -> int:
    count = 0
    for one in msgspec.structs.fields(row):
        if one.required:
            nested = isinstance(one.type, type) and issubclass(one.type, msgspec.Struct)
            count += 1 + (_count_keys(one.type) if nested else 0)
    return count


_decode_envelope = msgspec.json.Decoder(PageEnvelope[_RawBucket]).decode


def read_fast(body: bytes | bytearray, window: Window, after: int) -> DecodedPage | None:
    """Read a page that is in every way as documented; None for any other, whatever is odd about it."""
    types = _types(window.series.report, window.series.group_by)
    try:
        page = _decode_envelope(body)
        buckets = _read_buckets(page.data, types, window, after)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError, ContractError):
        return None
    if page.has_more and not page.next_page:
        return None
    keys = _ENVELOPE_KEYS + _BUCKET_KEYS * len(buckets) + types.keys_a_row * buckets.rows
    # Every key that is demanded has a colon, and every time two at least. So a repeated key, of which the decoder keeps
    # the last, makes one too many, and so does text with a colon in it, which goes the careful way as well.
    regular = body.count(b":") == keys + _TIME_COLONS * len(buckets)
    return DecodedPage(buckets, page.next_page if page.has_more else None) if regular else None


def _read_buckets(data: Sequence[_RawBucket], types: _Types, window: Window, after: int) -> Buckets:
    """Read raw buckets, one at a time: what is decoded of one is gone before the next.

    Raises:
        ValueError: Two rows of a bucket have the same dimensions.
        ContractError, msgspec.MsgspecError, UnicodeDecodeError: As it is.
    """
    spec = SPECS[window.series.report]
    width = window.series.bucket_width.seconds
    buckets = spec.empty_buckets()
    places = _Places(types.columns, buckets)
    at = after
    for raw in data:
        start = read_interval(_plain(raw.starting_at), _plain(raw.ending_at), window, at, "")
        at = start + width
        results = types.rows.decode(raw.results)
        rows = [places[named] for named in map(types.read_named, results)]
        if len(set(rows)) != len(rows):
            raise ValueError
        buckets.add(start, rows, [map(read, results) for read in spec.read_measures])
    return buckets
