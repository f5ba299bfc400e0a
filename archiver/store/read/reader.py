"""Reading the archive, also while a run writes it: whole windows only, and never a lock."""

from __future__ import annotations

import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

from archiver.errors import ConfigurationError
from archiver.model import Span, State
from archiver.store.damage import confirm_damage
from archiver.store.faults import translated
from archiver.store.files import check_file, create_private, read_only_uri
from archiver.store.migrate import check_schema, newest_version, shipped_migrations
from archiver.store.statements import FOREVER, series_values, sql

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from archiver.model import Report, Series


_BUSY_SECONDS = 10.0


@contextmanager
def open_reader(path: Path) -> Iterator[sqlite3.Connection]:
    """Open an archive for reading only.

    Raises:
        ConfigurationError: There is no archive, or it needs `archiver migrate` first.
        DamagedError, NewerError, StorageError: As the file is.
    """
    if not check_file(path):
        raise ConfigurationError(
            f"there is no archive at {path}", hint="make one with archiver sync, or give --db PATH"
        )
    with (
        confirm_damage(path),
        translated(path, system=False),
        closing(sqlite3.connect(read_only_uri(path), uri=True, timeout=_BUSY_SECONDS)) as connection,
    ):
        if check_schema(connection, path, shipped_migrations()):
            raise ConfigurationError(
                f"{path} was made by an older program; this one reads schema {newest_version()}",
                hint="run archiver migrate",
            )
        yield connection


def copy_archive(path: Path, target: Path) -> None:
    """Copy an archive as one moment shows it, to a file that is not there yet.

    Raises:
        ConfigurationError: The target is there already, or there is no archive.
        StorageError: The target cannot be written; what was begun of it is taken away.
    """
    with open_reader(path) as source:
        if target.exists() or target.is_symlink():
            raise ConfigurationError(f"{target} is there already", hint="name a file that is not")
        create_private(target)
        try:
            with translated(target), closing(sqlite3.connect(target)) as copy:
                source.backup(copy)
                copy.execute("PRAGMA journal_mode = DELETE")
        except BaseException:
            target.unlink(missing_ok=True)
            raise


class ReadOnlyArchive:
    """What planning reads of an archive, from a read-only connection; None stands for an archive that is not there."""

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
        """Read the settled buckets whose last answer was not believed yet."""
        return [start for (start,) in self._fetch("select_series_suspects", {"series_id": self._series_id(series)})]

    async def history(self, report: Report) -> tuple[int, int | None] | None:
        """Say up to where a report is known to be empty, and its first bucket with rows, if one was found."""
        rows = self._fetch("select_history", {"report": report})
        return (rows[0][0], rows[0][1]) if rows else None

    async def recall(self, key: str) -> str | None:
        """Read what an earlier run learnt."""
        rows = self._fetch("select_memory", {"key": key})
        return rows[0][0] if rows else None
