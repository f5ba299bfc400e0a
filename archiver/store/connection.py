"""The read-write connection to an archive, over aiosqlite.

It runs named statements (see the module `statements`) in transactions.
"""

from __future__ import annotations

import sqlite3
from contextlib import asynccontextmanager, closing
from itertools import chain
from typing import TYPE_CHECKING, Any

import aiosqlite
import anyio

from archiver.store.faults import translated
from archiver.store.statements import ROWS_AT_ONCE, batches, of_many_rows, sql

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    Values = Mapping[str, object] | Sequence[object]

# In WAL mode other programs hold locks that stop a writer only for moments.
_BUSY_SECONDS = 3.0


class WriteConnection:
    """A connection that runs named statements.

    Call every method except `vacuum` inside `async with transaction()`. Values are bound by name from a mapping, or by
    position from a sequence.
    """

    def __init__(self, connection: aiosqlite.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path
        self._lock = anyio.Lock()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        """Commit all statements of the block, or none of them.

        Raises:
            StorageError, DamagedError, LockedError: SQLite failed to run a statement.
        """
        # Cancelling an await does not cancel its SQL statement: without the shield a cancelled task would leave a
        # transaction open. A task that is already cancelled can still begin a transaction, because it has to record how
        # the run ended.
        with anyio.CancelScope(shield=True), translated(self._path, system=False):
            # Tasks share the connection: without the lock a statement of another task would join this transaction.
            async with self._lock:
                try:
                    # Inside the `try`, because a BEGIN that is interrupted may still begin a transaction.
                    await self._connection.execute("BEGIN IMMEDIATE")
                    yield
                    await self._connection.commit()
                except BaseException:
                    # This does nothing if SQLite has rolled back by itself, for example when the disk is full.
                    await self._connection.rollback()
                    raise

    async def fetch(self, name: str, values: Values = ()) -> list[tuple[Any, ...]]:
        """Run a statement and return its rows."""
        return [tuple(row) for row in await self._connection.execute_fetchall(sql(name), values)]

    async def execute(self, name: str, values: Values = ()) -> None:
        """Run a statement that returns no rows."""
        await self._connection.execute_fetchall(sql(name), values)

    async def execute_many(self, name: str, values: Iterable[Values]) -> None:
        """Run a statement that returns no rows, once for each set of values."""
        if rows := list(values):
            # The cursor of `executemany` has finished and holds no statement, so it may be freed in this thread.
            await self._connection.executemany(sql(name), rows)

    async def vacuum(self) -> bool:
        """Rewrite the file without deleted content, and empty the write-ahead log.

        Call this outside of a transaction. Return whether the log is empty; it is not if another process still reads
        from it.
        """
        # After VACUUM the log has the new pages, and may have old pages with deleted content. The checkpoint moves the
        # new pages to the file and empties the log.
        await self._connection.execute_fetchall("VACUUM")
        ((busy, *_),) = await self._connection.execute_fetchall("PRAGMA wal_checkpoint(TRUNCATE)")
        return not busy

    async def insert(self, name: str, values: Values) -> int:
        """Run the named INSERT of one row and return its rowid."""
        row = await self._connection.execute_insert(sql(name), values)
        assert row is not None
        return int(row[0])

    async def insert_many(self, name: str, rows: Iterable[Sequence[object]]) -> None:
        """Run the named INSERT of one row for many rows, `ROWS_AT_ONCE` at a time.

        If `rows` is a generator, it runs in aiosqlite's thread, which keeps the event loop free.
        """
        last: list[Sequence[object]] = []  # rows that do not fill a batch need a statement of their own

        def full_batches() -> Iterator[list[object]]:
            # Yields the values of all rows of a batch, one after the other.
            for batch in batches(rows):
                if len(batch) == ROWS_AT_ONCE:
                    yield list(chain.from_iterable(batch))
                else:
                    last.extend(batch)

        await self._connection.executemany(of_many_rows(name, ROWS_AT_ONCE), full_batches())
        if last:
            await self._connection.execute_fetchall(of_many_rows(name, len(last)), list(chain.from_iterable(last)))


@asynccontextmanager
async def open_connection(path: Path) -> AsyncIterator[WriteConnection]:
    """Open the read-write connection to an archive; the caller holds its lock.

    Raises:
        DamagedError, StorageError: SQLite cannot open the file.
    """
    with (
        translated(path, system=False),
        # Opened here and not by aiosqlite: when aiosqlite fails to connect, its thread reports to an event loop that
        # may be closed by then. Another thread uses the connection, hence `check_same_thread=False`; this is safe,
        # because only one thread uses it at a time.
        closing(
            sqlite3.connect(path, isolation_level=None, timeout=_BUSY_SECONDS, check_same_thread=False)
        ) as connection,
    ):
        # `async with`, because an aiosqlite connection that is left open keeps the process running.
        async with aiosqlite.Connection(lambda: connection, iter_chunk_size=1) as worker:
            # FULL, so that a commit survives a power cut: in WAL mode NORMAL may lose the last commits.
            await worker.execute("PRAGMA synchronous = FULL")
            await worker.execute("PRAGMA secure_delete = ON")  # names of people are overwritten when they are deleted
            yield WriteConnection(worker, path)
