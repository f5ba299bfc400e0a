"""The dictionary of a report: the table of its sets of dimension values.

Each entry has an integer id that rows refer to, a unique key, which is the JSON text of the values, and the values
themselves in columns.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from archiver.reports import SPECS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from archiver.model import DimensionValues, Report
    from archiver.store.connection import WriteConnection

_MOST_CACHED = 200_000
"""The largest number of sets of dimension values in the cache, which bounds its memory."""


def key_text(dimensions: DimensionValues) -> str:
    """Return the unique key of a set of dimension values: a JSON array."""
    # A UNIQUE constraint over the columns would allow duplicates: SQLite treats two NULLs as different.
    return json.dumps(dimensions, ensure_ascii=False, separators=(",", ":"))


class KeyDictionary:
    """Ids of the sets of dimension values of one report, with a cache."""

    def __init__(self, db: WriteConnection, report: Report) -> None:
        self._db = db
        self._report = report
        self._ids: dict[DimensionValues, int] = {}

    def clear_cache(self) -> None:
        """Empty the cache, after a rollback.

        The cache may have ids that the transaction inserted and the rollback removed.
        """
        self._ids.clear()

    async def ids(self, wanted: Sequence[DimensionValues]) -> list[int]:
        """Return the id of each set of values, and insert new sets.

        Call this within a transaction.
        """
        uncached = [dimensions for dimensions in wanted if dimensions not in self._ids]
        if uncached:
            if len(self._ids) + len(uncached) > _MOST_CACHED:
                self._ids.clear()
                uncached = list(wanted)  # the cached ids of this call are gone too
            await self._load({key_text(dimensions): dimensions for dimensions in uncached})
        return [self._ids[dimensions] for dimensions in wanted]

    async def _load(self, uncached: dict[str, DimensionValues]) -> None:
        """Put the ids of sets of values, by their keys, into the cache. Insert sets that are not archived."""
        found = await self._find(uncached)
        # If only their `extra` distinguishes rows, the set has the `extra` as one more value, which has no column.
        width = len(SPECS[self._report].columns)
        new = [(key, *dimensions[:width]) for key, dimensions in uncached.items() if key not in found]
        if new:
            await self._db.insert_many(f"{self._report}.insert_key", new)
            found |= await self._find(row[0] for row in new)
        self._ids.update((uncached[key], identity) for key, identity in found.items())

    async def _find(self, keys: Iterable[str | None]) -> dict[str, int]:
        """Return the ids of the keys that are archived, by key."""
        # One JSON array instead of a placeholder for each key: SQLite limits the variables of a statement.
        keys_json = json.dumps(list(keys), ensure_ascii=False)
        return dict(await self._db.fetch(f"{self._report}.select_keys", (keys_json,)))
