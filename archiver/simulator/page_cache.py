"""A cache of encoded pages that can no longer change.

It keeps a benchmark from measuring the simulator instead of its client.
"""

from __future__ import annotations

import gzip
from collections import OrderedDict
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from archiver.simulator.invented_data import InventedData
    from archiver.simulator.query import Query
    from archiver.simulator.reports import Reports

_CACHED_BYTES = 64 << 20
encode = msgspec.json.encode


class PageCache:
    """Encoded pages of final ranges by query.

    Every amendment empties the cache.
    """

    def __init__(self, data: InventedData, reports: Reports) -> None:
        """Begin empty."""
        self._data = data
        self._reports = reports
        self._cache: OrderedDict[Query, bytes] = OrderedDict()
        self._size = 0
        self._version = 0

    def body(self, query: Query) -> bytes:
        """Return the page as JSON."""
        # Time alone changes the other pages: a range without an end grows, and late use appears.
        if query.open_ended or not self._reports.is_final(query.selection):
            return encode(self._reports.page(query))
        self._forget_if_amended()
        body = self._cache.get(query)
        if body is None:
            body = encode(self._reports.page(query))
            self._remember(query, body)
        return body

    def _forget_if_amended(self) -> None:
        if self._version != self._data.amendments.version:
            self._version = self._data.amendments.version
            self._cache.clear()
            self._size = 0

    def _remember(self, query: Query, body: bytes) -> None:
        self._cache[query] = body
        self._size += len(body)
        while self._size > _CACHED_BYTES:
            self._size -= len(self._cache.popitem(last=False)[1])


def compress(body: bytes) -> bytes:
    """Return the body as gzip, the same bytes for the same body."""
    # Level 1 is the fastest. Without a time in the header equal bodies become equal bytes, so a digest recognises them.
    return gzip.compress(body, 1, mtime=0)
