"""The dictionary of dimension values: every set of them is one small integer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from archiver.reports import SPECS
from archiver.store.statements import sql

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Sequence

    from archiver.model import Report

Dimensions = tuple[str | None, ...]

_MOST_REMEMBERED = 200_000


def key_text(dimensions: Dimensions) -> str:
    """Spell a set of dimension values as its key: a JSON array, in which null is a value like any other."""
    return json.dumps(dimensions, ensure_ascii=False, separators=(",", ":"))


class KeyDictionary:
    """Ids of dimension values of one report, remembered up to a bound."""

    def __init__(self, connection: sqlite3.Connection, report: Report) -> None:
        self._connection = connection
        self._report = report
        self._ids: dict[Dimensions, int] = {}

    def forget(self) -> None:
        """Forget every id: after a rollback some may not be in the file."""
        self._ids.clear()

    def ids(self, wanted: Sequence[Dimensions]) -> list[int]:
        """Find the ids of sets of values, one by one, making new ones known. Call it within a transaction."""
        unknown = [dimensions for dimensions in wanted if dimensions not in self._ids]
        if unknown:
            if len(self._ids) + len(unknown) > _MOST_REMEMBERED:
                self._ids.clear()
                unknown = list(wanted)
            self._learn({key_text(dimensions): dimensions for dimensions in unknown})
        return [self._ids[dimensions] for dimensions in wanted]

    def _learn(self, unknown: dict[str, Dimensions]) -> None:
        found = self._find(unknown)
        # A key that tells rows apart by their `extra` has one value more than there are columns.
        width = len(SPECS[self._report].columns)
        new = [(key, *dimensions[:width]) for key, dimensions in unknown.items() if key not in found]
        if new:
            self._connection.executemany(sql(f"{self._report}.add_key"), new)
            found |= self._find(row[0] for row in new)
        self._ids.update((unknown[key], identity) for key, identity in found.items())

    def _find(self, keys: Iterable[str | None]) -> dict[str, int]:
        wanted = json.dumps(list(keys), ensure_ascii=False)
        return dict(self._connection.execute(sql(f"{self._report}.keys"), (wanted,)).fetchall())
