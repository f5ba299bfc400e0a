"""What the API said about a window. Rows are carried as columns: a count takes eight bytes there."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple, overload

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from archiver.model import Dimensions, Values, Window


class Bucket(NamedTuple):
    """The rows of one bucket; none means the API said that nothing was used."""

    start: int
    rows: Mapping[Dimensions, Values]


class Buckets(Sequence[Bucket]):
    """Buckets of one report, oldest first, each with its rows in the order they came.

    `dimensions` are the different sets of dimension values; a row knows the place of its own there. As a sequence it
    makes a `Bucket` of plain values of each, for those who look at few.
    """

    __slots__ = ("_columns", "_ends", "_extras", "_keys", "_places", "dimensions", "starts")

    def __init__(self, texts: Iterable[bool]) -> None:
        """Begin with none; `texts` says of each measure whether it is text, or a whole number of at most 64 bits."""
        self.starts: list[int] = []
        self.dimensions: list[Dimensions] = []
        self._places: dict[Dimensions, int] = {}
        self._ends: list[int] = []
        self._keys = array("q")
        self._columns: tuple[Any, ...] = tuple([] if text else array("q") for text in texts)
        self._extras: dict[int, str] = {}

    def place_of(self, dimensions: Dimensions) -> int:
        """Find the place of a set of dimension values, giving it one."""
        place = self._places.setdefault(dimensions, len(self.dimensions))
        if place == len(self.dimensions):
            self.dimensions.append(dimensions)
        return place

    def add(
        self,
        start: int,
        places: Sequence[int],
        columns: Iterable[Iterable[Any]],
        extras: Mapping[int, str] | None = None,
    ) -> None:
        """Add a bucket: the places of its rows' dimensions, its measures by column, and the `extra` of few rows."""
        first = len(self._keys)
        self._keys.extend(places)
        for column, values in zip(self._columns, columns, strict=True):
            column.extend(values)
        for row, extra in (extras or {}).items():
            self._extras[first + row] = extra
        self.starts.append(start)
        self._ends.append(len(self._keys))

    def append(self, bucket: Bucket) -> None:
        """Add a bucket of plain values."""
        *columns, extras = zip(*bucket.rows.values(), strict=True) if bucket.rows else [()] * (len(self._columns) + 1)
        told = {row: extra for row, extra in enumerate(extras) if extra is not None}
        self.add(bucket.start, [self.place_of(one) for one in bucket.rows], columns, told)

    def extend(self, later: Buckets) -> None:
        """Add all buckets of another page."""
        for bucket in later:
            self.append(bucket)

    def texts(self) -> Iterator[str | None]:
        """Give every text of the rows: dimensions once, measures that are text, and what is extra."""
        columns = (column for column in self._columns if isinstance(column, list))
        return chain(*self.dimensions, *columns, self._extras.values())

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(self._keys)

    def by_key(self, ids: Sequence[int]) -> Iterator[tuple[int, list[tuple[int, Values]]]]:
        """Give the start of each bucket and its rows: the id of the dimensions and the values, in order of the ids.

        `ids` are those of `dimensions`, place by place. Rows are made one bucket at a time.
        """
        first = 0
        for start, end in zip(self.starts, self._ends, strict=True):
            keys = map(ids.__getitem__, self._keys[first:end])
            yield start, sorted(zip(keys, self._values(first, end), strict=True))
            first = end

    def sums(self, start: int, end: int) -> Iterator[tuple[int, list[int]]]:
        """Add up the measures of buckets from `start` to before `end`, by the place of their dimensions."""
        first, last = (bisect_left(self.starts, one) for one in (start, end))
        rows: dict[int, list[int]] = defaultdict(list)
        begin, stop = (self._ends[at - 1] if at else 0 for at in (first, last))
        for row, place in enumerate(self._keys[begin:stop], begin):
            rows[place].append(row)
        for place, wanted in rows.items():
            if len(wanted) == 1:
                yield place, [column[wanted[0]] for column in self._columns]
            else:
                pick = itemgetter(*wanted)
                yield place, [sum(pick(column)) for column in self._columns]

    def _values(self, first: int, end: int) -> Iterator[Values]:
        extras: Iterable[str | None] = repeat(None)
        if self._extras:
            extras = map(self._extras.get, range(first, end))
        return zip(*(column[first:end] for column in self._columns), extras, strict=False)

    def __len__(self) -> int:
        return len(self.starts)

    @overload
    def __getitem__(self, at: int) -> Bucket: ...
    @overload
    def __getitem__(self, at: slice) -> list[Bucket]: ...
    def __getitem__(self, at: int | slice) -> Bucket | list[Bucket]:
        """Make buckets of plain values."""
        if isinstance(at, slice):
            return [self[i] for i in range(*at.indices(len(self)))]
        at = range(len(self))[at]
        first, end = self._ends[at - 1] if at else 0, self._ends[at]
        dimensions = map(self.dimensions.__getitem__, self._keys[first:end])
        return Bucket(self.starts[at], dict(zip(dimensions, self._values(first, end), strict=True)))


@dataclass(frozen=True, slots=True)
class Answer:
    """All the API said about one window.

    `buckets` is None when `digest` equals the digest the window was asked with: nothing changed.
    `digest` is None when the answer came in several pages or left buckets out.
    `server_time` is the `Date` of its first page; None without one.
    """

    window: Window
    buckets: Buckets | None
    digest: bytes | None
    server_time: int | None
    request_id: str | None = None
    warnings: tuple[str, ...] = ()
