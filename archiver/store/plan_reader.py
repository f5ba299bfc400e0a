"""The reads that planning needs, for a sync and for `sync --dry-run`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from archiver.model import Span, State
from archiver.store.statements import FOREVER, series_values, sql

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping

    from archiver.model import Report, Series


class Fetch(Protocol):
    """A function that runs a named statement and returns its rows."""

    async def __call__(self, name: str, values: Mapping[str, object]) -> list[tuple[Any, ...]]:
        """Run the statement with its values by name."""


class PlanReader:
    """Reader of coverage, digests, suspects and facts from earlier runs.

    It works over any connection, through a `Fetch`. A series that is not archived has no coverage, no digests and no
    suspects. All times are UTC seconds.
    """

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch

    async def series_id(self, series: Series) -> int | None:
        """Return the id of a series; None if it is not archived."""
        rows = await self._fetch("select_series_id", series_values(series))
        return rows[0][0] if rows else None

    async def spans(self, series: Series, start: int = 0, end: int = FOREVER) -> list[Span]:
        """Return the spans of a series that overlap a range, in order."""
        values = {"series_id": await self.series_id(series), "start": start, "end": end}
        rows = await self._fetch("select_spans", values)
        return [Span(start, end, State(state), *times) for start, end, state, *times in rows]

    async def digests(self, series: Series) -> dict[tuple[int, int], bytes]:
        """Return the digests of responses, by the (start, end) of their windows.

        The digest of a response is deleted when a later response overlaps its window.
        """
        rows = await self._fetch("select_answers", {"series_id": await self.series_id(series)})
        return {(start, end): digest for start, end, digest in rows}

    async def suspects(self, series: Series) -> list[int]:
        """Return the starts of settled buckets with an unconfirmed change.

        Such a change is written when a later response confirms it; see the module `suspects`.
        """
        rows = await self._fetch("select_series_suspects", {"series_id": await self.series_id(series)})
        return [start for (start,) in rows]

    async def history(self, report: Report) -> tuple[int, int | None] | None:
        """Return where the history of a report begins.

        The first value is the time before which the report has no rows. The second value is the start of its first
        bucket with rows, or None if no such bucket was found. Return None if no run stored them.
        """
        rows = await self._fetch("select_history", {"report": report})
        return (rows[0][0], rows[0][1]) if rows else None

    async def recall(self, key: str) -> str | None:
        """Return a fact that an earlier run stored; None if there is none."""
        rows = await self._fetch("select_memory", {"key": key})
        return str(rows[0][0]) if rows else None


def read_only(connection: sqlite3.Connection | None) -> PlanReader:
    """Return the reader of a read-only connection.

    None stands for an archive that does not exist: its reader finds nothing.
    """

    async def fetch(name: str, values: Mapping[str, object]) -> list[tuple[Any, ...]]:
        return connection.execute(sql(name), values).fetchall() if connection else []

    return PlanReader(fetch)
