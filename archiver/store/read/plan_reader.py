"""What planning reads of an archive that is not open for writing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archiver.model import Span, State
from archiver.store.statements import FOREVER, series_values, sql

if TYPE_CHECKING:
    import sqlite3

    from archiver.model import Report, Series


class ReadOnlyArchive:
    """What planning reads of an archive, from a read-only connection.

    None stands for an archive that is not there.
    """

    def __init__(self, connection: sqlite3.Connection | None) -> None:
        self._connection = connection

    def _fetch(self, name: str, values: dict[str, object]) -> list[Any]:
        return self._connection.execute(sql(name), values).fetchall() if self._connection else []

    def _series_id(self, series: Series) -> int | None:
        found = self._fetch("select_series_id", series_values(series))
        return found[0][0] if found else None

    async def spans(self, series: Series, start: int = 0, end: int = FOREVER) -> list[Span]:
        """Read the coverage of a series, in order."""
        rows = self._fetch("select_spans", {"series_id": self._series_id(series), "start": start, "end": end})
        return [Span(start, end, State(state), fetched_at) for start, end, state, fetched_at in rows]

    async def digests(self, series: Series) -> dict[tuple[int, int], bytes]:
        """Read the digests of the answers that still hold, by their window."""
        rows = self._fetch("select_answers", {"series_id": self._series_id(series)})
        return {(start, end): digest for start, end, digest in rows}

    async def suspects(self, series: Series) -> list[int]:
        """Read the settled buckets with a last answer that was not written yet."""
        return [start for (start,) in self._fetch("select_series_suspects", {"series_id": self._series_id(series)})]

    async def history(self, report: Report) -> tuple[int, int | None] | None:
        """Return the end of a report's empty start and its first filled bucket.

        The second is None when none was found.
        """
        rows = self._fetch("select_history", {"report": report})
        return (rows[0][0], rows[0][1]) if rows else None

    async def recall(self, key: str) -> str | None:
        """Read what an earlier run learnt."""
        rows = self._fetch("select_memory", {"key": key})
        return rows[0][0] if rows else None
