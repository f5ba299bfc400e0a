"""A cache of encoded pages that can no longer change.

With it a benchmark measures its client and not the simulator.
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
    """Encoded pages of final ranges by query; emptied by every amendment."""

    def __init__(self, data: InventedData, reports: Reports) -> None:
        """Begin empty."""
        self._data = data
        self._reports = reports
        self._cache: OrderedDict[Query, bytes] = OrderedDict()
        self._size = 0
        self._version = 0

    def body(self, query: Query) -> bytes:
        """Return the page as JSON."""
        # A range without an end grows with time, and days that are not final change by themselves.
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
    # Level 1 and no time: fast, and equal bodies stay equal bytes.
    return gzip.compress(body, 1, mtime=0)
