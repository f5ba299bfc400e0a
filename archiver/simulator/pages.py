"""Answers that can no longer change are kept as bytes: a benchmark shall measure its client, not this."""

from __future__ import annotations

import gzip
from collections import OrderedDict
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from archiver.simulator.query import Query
    from archiver.simulator.reports import Reports
    from archiver.simulator.world import World

_KEPT_BYTES = 64 << 20
encode = msgspec.json.encode


class Pages:
    """Encoded pages by query; forgotten when the ledger changes or the clock says that they are not final."""

    def __init__(self, world: World, reports: Reports) -> None:
        """Nothing is kept yet."""
        self._world = world
        self._reports = reports
        self._kept: OrderedDict[Query, bytes] = OrderedDict()
        self._kept_bytes = 0
        self._version = 0

    def body(self, query: Query) -> bytes:
        """The page as JSON."""
        if query.open_ended or not self._reports.is_final(query.ask):
            return encode(self._reports.page(query))
        self._forget_if_amended()
        body = self._kept.get(query)
        if body is None:
            body = encode(self._reports.page(query))
            self._keep(query, body)
        return body

    def _forget_if_amended(self) -> None:
        if self._version != self._world.ledger.version:
            self._version = self._world.ledger.version
            self._kept.clear()
            self._kept_bytes = 0

    def _keep(self, query: Query, body: bytes) -> None:
        self._kept[query] = body
        self._kept_bytes += len(body)
        while self._kept_bytes > _KEPT_BYTES:
            self._kept_bytes -= len(self._kept.popitem(last=False)[1])


def pack(body: bytes) -> bytes:
    """The body as gzip, the same bytes for the same body."""
    return gzip.compress(body, 1, mtime=0)
