"""The API's answer about one window, in memory.

Rows are held in columns: arrays of 64-bit integers, and lists for text. A page of 28,800 rows takes two MiB in columns
and fourteen MiB as tuples.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import repeat
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple, overload

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from archiver.model import DimensionValues, NamedObject, Values, Window


class Bucket(NamedTuple):
    """The rows of one bucket.

    A bucket without rows means that there was no use. There is no `Bucket` for a bucket that the API left out.
    """

    start: int
    rows: Mapping[DimensionValues, Values]


class Buckets(Sequence[Bucket]):
    """Buckets of one report, oldest first.

    Each bucket has its rows in the order of the response.

    `dimensions` holds each distinct set of dimension values once. Each row holds its key index: the index of its set in
    `dimensions`. Access by position builds a new `Bucket` of plain values each time, so it suits callers that read few
    buckets.
    """

    __slots__ = ("_columns", "_ends", "_extras", "_key_indexes", "_row_keys", "dimensions", "starts")

    def __init__(self, texts: Iterable[bool]) -> None:
        """Begin without buckets.

        `texts` has one value for each measure: False if all its values are 64-bit integers, True if they can be text or
        None.
        """
        self.starts: list[int] = []
        self.dimensions: list[DimensionValues] = []
        self._key_indexes: dict[DimensionValues, int] = {}
        # In each column, the rows of bucket i begin at _ends[i - 1] and end before _ends[i].
        self._ends: list[int] = []
        self._row_keys = array("q")
        self._columns: tuple[Any, ...] = tuple([] if text else array("q") for text in texts)
        # Few rows have an `extra`, so it is kept by row number (over all buckets) and not as a column.
        self._extras: dict[int, str] = {}

    def key_index(self, dimensions: DimensionValues) -> int:
        """Return the key index of dimension values; add values that are new."""
        index = self._key_indexes.setdefault(dimensions, len(self.dimensions))
        if index == len(self.dimensions):
            self.dimensions.append(dimensions)
        return index

    def add(
        self,
        start: int,
        key_indexes: Sequence[int],
        columns: Iterable[Iterable[Any]],
        extras: Mapping[int, str] | None = None,
    ) -> None:
        """Add a bucket by columns.

        `columns` has one column for each measure. `key_indexes` and each column have one value for each row. `extras`
        maps the number of a row within the bucket to its `extra`.
        """
        first = len(self._row_keys)
        self._row_keys.extend(key_indexes)
        for column, values in zip(self._columns, columns, strict=True):
            column.extend(values)
        if extras:
            # From row numbers within the bucket to row numbers over all buckets.
            self._extras.update(zip(map(first.__add__, extras), extras.values(), strict=True))
        self.starts.append(start)
        self._ends.append(len(self._row_keys))

    def append(self, bucket: Bucket) -> None:
        """Add a bucket of plain values."""
        # Without rows, zip would yield no columns at all, but each measure and `extra` needs an empty column.
        *columns, extras = zip(*bucket.rows.values(), strict=True) if bucket.rows else [()] * (len(self._columns) + 1)
        extra_by_row = {row: extra for row, extra in enumerate(extras) if extra is not None}
        self.add(bucket.start, [self.key_index(dimensions) for dimensions in bucket.rows], columns, extra_by_row)

    def extend(self, later: Buckets) -> None:
        """Add all buckets of another page."""
        for bucket in later:
            self.append(bucket)

    @property
    def key_indexes(self) -> Sequence[int]:
        """The key index of every row, bucket after bucket."""
        return self._row_keys

    @property
    def rows(self) -> int:
        """The number of rows in all buckets."""
        return len(self._row_keys)

    def by_key(self, ids: Sequence[int]) -> Iterator[tuple[int, list[tuple[int, Values]]]]:
        """Yield the start of each bucket, with (id, values) of its rows.

        `ids` has the archive's id for each entry of `dimensions`. The rows of a bucket are sorted by id, and built only
        when their bucket is yielded.
        """
        first = 0
        for start, end in zip(self.starts, self._ends, strict=True):
            row_ids = map(ids.__getitem__, self._row_keys[first:end])
            yield start, sorted(zip(row_ids, self._values(first, end), strict=True))
            first = end

    def sums(self, start: int, end: int) -> Iterator[tuple[int, list[int]]]:
        """Yield each key index with the sums of its measures.

        The sums are over the buckets from `start` to before `end`. All measures have to be integers.
        """
        positions = (bisect_left(self.starts, time) for time in (start, end))
        # The first row of a bucket is the end of the bucket before it.
        first_row, end_row = (self._ends[position - 1] if position else 0 for position in positions)
        rows_by_key: dict[int, list[int]] = defaultdict(list)
        for row, index in enumerate(self._row_keys[first_row:end_row], first_row):
            rows_by_key[index].append(row)
        for index, rows in rows_by_key.items():
            if len(rows) == 1:  # itemgetter with one index returns the item, not a tuple
                yield index, [column[rows[0]] for column in self._columns]
            else:
                pick = itemgetter(*rows)
                yield index, [sum(pick(column)) for column in self._columns]

    def _values(self, first: int, end: int) -> Iterator[Values]:
        """Yield the values of the rows from `first` to before `end`."""
        extras: Iterable[str | None] = repeat(None)
        if self._extras:
            extras = map(self._extras.get, range(first, end))
        # Not strict, because `repeat(None)` never ends.
        return zip(*(column[first:end] for column in self._columns), extras, strict=False)

    def __len__(self) -> int:
        return len(self.starts)

    @overload
    def __getitem__(self, at: int) -> Bucket: ...
    @overload
    def __getitem__(self, at: slice) -> list[Bucket]: ...
    def __getitem__(self, at: int | slice) -> Bucket | list[Bucket]:
        """Build buckets of plain values."""
        if isinstance(at, slice):
            return [self[i] for i in range(*at.indices(len(self)))]
        # Turns a negative position into a positive one, and raises IndexError for a position outside.
        at = range(len(self))[at]
        first, end = self._ends[at - 1] if at else 0, self._ends[at]
        dimensions = map(self.dimensions.__getitem__, self._row_keys[first:end])
        return Bucket(self.starts[at], dict(zip(dimensions, self._values(first, end), strict=True)))


def distinguish(keys: Sequence[DimensionValues], extras: Sequence[str | None]) -> list[DimensionValues]:
    """Return the keys of a bucket's rows, made distinct where possible.

    `keys` are the dimension values of the rows. To each key that occurs more than once, the `extra` of its row is
    appended. Such a key has one value more than its report has columns.

    The reason: rows that are equal in all requested dimensions can still differ in a field that is new in the API. That
    field then acts as a dimension. Rows that also have the same `extra` keep equal keys.
    """
    count = Counter(keys)
    return [key if count[key] == 1 else (*key, extra) for key, extra in zip(keys, extras, strict=True)]


@dataclass(frozen=True, slots=True)
class DecodedPage:
    """One page of a report, decoded and checked, with facts from its headers.

    Attributes:
        buckets: Its buckets; None when the response equals, byte for byte, the archived response for the same window.
        next_page: The token of the next page; None on the last page.
        warnings: Sentences about fields that are new in the API's format.
        digest: The digest of the response's body as it was sent.
        server_time: The response's `Date`, in UTC seconds.
        request_id: The vendor's id of the request.
    """

    buckets: Buckets | None
    next_page: str | None = None
    warnings: tuple[str, ...] = ()
    digest: bytes = b""
    server_time: int | None = None
    request_id: str | None = None


class Row(NamedTuple):
    """One row of an analytics report.

    `start` is the start of its bucket. `values` are its measures, without `extra`.
    """

    start: int
    dimensions: DimensionValues
    values: tuple[Any, ...]
    extra: str | None


@dataclass(frozen=True, slots=True)
class RowPage:
    """One page of an analytics report, decoded and checked.

    Attributes:
        rows: The rows in the order of the response.
        complete_until: The `data_refreshed_at` of the response, in UTC seconds; None without one.

    The other attributes are as in `DecodedPage` and `Answer`.
    """

    rows: Sequence[Row]
    next_page: str | None = None
    complete_until: int | None = None
    warnings: tuple[str, ...] = ()
    people: tuple[NamedObject, ...] = ()
    server_time: int | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """The whole answer about one window, of one page or several.

    Attributes:
        window: The window that was requested.
        buckets: Its buckets; None when `digest` equals the digest of the window, which means that nothing changed.
        digest: The digest of the only page; None for several pages, for missing buckets, and for reports that are paged
            by rows.
        server_time: The `Date` of the first page, in UTC seconds; None without one.
        request_id: The vendor's id of the first request.
        warnings: Sentences about fields that are new in the API's format.
        complete_until: The time up to which the answer has all use; None for reports that are paged by buckets, which
            have all use up to `server_time`.
        people: The users that occur in the rows, with their names.
    """

    window: Window
    buckets: Buckets | None
    digest: bytes | None
    server_time: int | None
    request_id: str | None = None
    warnings: tuple[str, ...] = ()
    complete_until: int | None = None
    people: tuple[NamedObject, ...] = ()
