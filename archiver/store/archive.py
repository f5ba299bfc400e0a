"""The open archive: one writer, one read-write connection, one transaction a window."""

from __future__ import annotations

import sqlite3
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import aiosqlite
import anyio

from archiver import __version__
from archiver.errors import OrganizationMismatchError
from archiver.model import BucketWidth, Organization, RowCounts, Span, State
from archiver.plan.calendar import floor
from archiver.plan.work import subtract
from archiver.reports import SPECS
from archiver.store.coverage import after_failure, believable
from archiver.store.faults import reconsidered, translated
from archiver.store.files import check_file, exclusive
from archiver.store.migrate import migrate, pending
from archiver.store.statements import FOREVER, series_values, sql
from archiver.store.writer import WindowWriter

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from archiver.answer import Answer
    from archiver.model import NamedObject, Report, Series, Window
    from archiver.plan.work import SeriesPlan
    from archiver.store.history import AnswerTime
    from archiver.store.read.verify import Finding
    from archiver.store.writer import Written

_BUSY_SECONDS = 3.0

T = TypeVar("T")
_WIDTH_BONUS = {BucketWidth.DAY: 2, BucketWidth.HOUR: 1, BucketWidth.MINUTE: 0}


def fineness(series: Series) -> int | None:
    """Rank a series as the canonical one of a day: more of the default dimensions first, then the wider bucket.

    A filtered series does not speak for a day: None.
    """
    if series.filters:
        return None
    asked = set(series.group_by) & set(SPECS[series.report].default_dimensions)
    return 10 * len(asked) + _WIDTH_BONUS[series.bucket_width]


class Archive:
    """The archive while its lock is held. Every public method that writes is one transaction.

    All of them raise StorageError or DamagedError when the file cannot be used.
    """

    def __init__(self, worker: aiosqlite.Connection, connection: sqlite3.Connection, path: Path) -> None:
        self._worker = worker
        self._connection = connection
        self._path = path
        self._writer = WindowWriter(connection, list(SPECS))
        self._series_ids: dict[Series, int] = {}

    async def think(self, work: Callable[[], T]) -> T:
        """Do some work in the connection's thread, whole: work there takes turns with SQL instead of slowing it down.

        Shielded: an await can be cancelled, its SQL cannot.
        """
        with translated(self._path, system=False), anyio.CancelScope(shield=True):
            done: T = await self._worker._execute(work)  # type: ignore[no-untyped-call]  # noqa: SLF001  # see decisions
        return done

    async def _transact(self, work: Callable[[], T]) -> T:
        """Commit all that the work does, or nothing."""

        def transaction() -> T:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                done = work()
                self._connection.execute("COMMIT")
            except BaseException:
                self._writer.forget()
                self._series_ids.clear()
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
            return done

        return await self.think(transaction)

    async def _change(self, name: str, *values: Mapping[str, object]) -> None:
        """Run one statement, as often as there are values."""

        def change() -> None:  # no cursor leaves its thread: it would be freed in another
            self._connection.executemany(sql(name), values)

        await self._transact(change)

    def _fetch(self, name: str, values: Mapping[str, object]) -> list[tuple[Any, ...]]:
        return self._connection.execute(sql(name), dict(values)).fetchall()

    async def bind_organization(self, organization: Organization) -> None:
        """Make the archive this organisation's, if it is nobody's yet.

        Raises:
            OrganizationMismatchError: It is another's.
        """

        def claim() -> None:
            known = self._fetch("organization", {})
            if known and known[0][0] != organization.id:
                raise OrganizationMismatchError(
                    f"{self._path} archives organisation {known[0][0]}, the key belongs to {organization.id}",
                    hint="use one archive for each organisation: --db PATH",
                )
            if not known or (organization.name and known[0][1] != organization.name):
                self._connection.execute(sql("save_organization"), {"id": organization.id, "name": organization.name})

        await self._transact(claim)

    async def begin_run(self, now: int) -> int:
        """Note that a run began; answer its number."""

        def begin() -> int:
            number = self._connection.execute(sql("begin_run"), {"started_at": now, "version": __version__}).lastrowid
            assert number is not None
            return number

        return await self._transact(begin)

    async def finish_run(  # noqa: PLR0913  # the columns of one row
        self, run: int, *, now: int, outcome: str, exit_code: int, requests: int, retries: int, rows: RowCounts
    ) -> None:
        """Note how a run ended."""
        values = {
            "id": run,
            "finished_at": now,
            "outcome": outcome,
            "exit_code": exit_code,
            "requests": requests,
            "retries": retries,
            "inserted": rows.inserted,
            "updated": rows.updated,
            "removed": rows.removed,
            "unchanged": rows.unchanged,
        }
        await self._change("finish_run", values)

    async def spans(self, series: Series, start: int = 0, end: int = FOREVER) -> list[Span]:
        """Read the coverage of a series, in order; empty for one that is not archived."""

        def read() -> list[Span]:
            series_id = self._find_series(series)
            return [] if series_id is None else self._writer.spans(series_id, start, end)

        return await self.think(read)

    async def digests(self, series: Series) -> dict[tuple[int, int], bytes]:
        """Read the digests of the answers that still hold, by their window."""
        rows = await self.think(lambda: self._fetch("answers", {"series_id": self._find_series(series)}))
        return {(start, end): digest for start, end, digest in rows}

    async def suspects(self, series: Series) -> list[int]:
        """Read the settled buckets whose last answer was not believed yet."""
        rows = await self.think(lambda: self._fetch("series_suspects", {"series_id": self._find_series(series)}))
        return [start for (start,) in rows]

    async def plan(self, plan: SeriesPlan, now: int) -> None:
        """Mark what is about to be asked, has ended, and is not known yet as missing: a run cut short shows it."""
        ended = floor(now - SPECS[plan.series.report].lag_seconds, plan.series.bucket_width.seconds)

        def mark() -> None:
            series_id = self._series_id(plan.series)
            for start, end in plan.needed:
                known = [(span.start, span.end) for span in self._writer.spans(series_id, start, end)]
                holes = subtract(start, min(end, ended), known) if start < ended else []
                self._writer.add_spans(series_id, [Span(*hole, State.MISSING) for hole in holes])

        await self._transact(mark)

    async def drop_future_coverage(self, now: int) -> int:
        """Take back coverage that lies ahead of when it was read, or of now, as a wrong clock or a hand makes it.

        Rows stay where they are: they are asked for again when their time has come. Answers how many stretches it was.
        """

        def take_back() -> int:
            ahead = self._fetch("spans_ahead", {"now": now})
            for series_id, width, start, end, state, fetched_at in ahead:
                where = {"series_id": series_id, "start": start, "end": end}
                self._connection.execute(sql("remove_span"), where)
                self._connection.execute(sql("remove_answers"), where)
                span = Span(start, end, State(state), fetched_at)
                self._writer.add_spans(series_id, believable(span, width, now))
            return len(ahead)

        return await self._transact(take_back)

    async def remove_planned(self, series: Iterable[Series]) -> None:
        """Take back what was marked as missing and will not be asked after all."""

        def forget() -> None:
            for one in series:
                self._connection.execute(sql("remove_planned"), {"series_id": self._series_id(one)})

        await self._transact(forget)

    async def remember(self, key: str, value: str) -> None:
        """Keep something that a run learnt and later runs have to know."""
        await self._change("remember", {"key": key, "value": value})

    async def recall(self, key: str) -> str | None:
        """Read what an earlier run learnt."""
        rows = await self.think(lambda: self._fetch("recall", {"key": key}))
        return str(rows[0][0]) if rows else None

    async def record(self, answer: Answer, moment: AnswerTime) -> Written:
        """Write one window: rows, history, coverage and digests, all or nothing."""
        return await self._transact(lambda: self._writer.write(self._series_id(answer.window.series), answer, moment))

    async def record_failure(self, window: Window, now: int) -> None:
        """Mark what the window wanted and the archive does not cover as failed."""

        def mark() -> None:
            series_id = self._series_id(window.series)
            before = self._writer.spans(series_id, window.start, window.end)
            self._writer.replace_coverage(series_id, window, before, after_failure(window, before, now))

        await self._transact(mark)

    async def mark_damaged(self, findings: Sequence[Finding], now: int) -> None:
        """Mark damaged buckets as failed and take their digests away: the next sync reads and writes them anew."""

        def mark() -> None:
            for one in findings:
                if one.series_id is None or one.report is None or one.start is None or one.end is None:
                    continue
                self._writer.mark_damaged(one.report, one.series_id, one.start, one.end, now)
                if one.key_id is not None:
                    self._connection.execute(sql(f"{one.report}.mark_key_damaged"), {"id": one.key_id})

        await self._transact(mark)

    async def history(self, report: Report) -> tuple[int, int | None] | None:
        """Say up to where a report is known to be empty, and its first bucket with rows, if one was found."""
        rows = await self.think(lambda: self._fetch("history", {"report": report}))
        return (rows[0][0], rows[0][1]) if rows else None

    async def save_history(self, report: Report, empty_until: int, first_bucket: int | None) -> None:
        """Remember where the history of a report begins."""
        values = {"report": report, "empty_until": empty_until, "first_bucket": first_bucket}
        await self._change("save_history", values)

    async def save_names(self, objects: Sequence[NamedObject], now: int) -> None:
        """Remember names, with the time they were learnt where anything changed."""
        rows = [{"kind": o.kind, "id": o.id, "learnt_at": now, "name": o.name, "details": o.details} for o in objects]
        await self._change("save_name", *rows)

    def _find_series(self, series: Series) -> int | None:
        if series not in self._series_ids:
            rows = self._fetch("series_id", series_values(series))
            if not rows:
                return None
            self._series_ids[series] = rows[0][0]
        return self._series_ids[series]

    def _series_id(self, series: Series) -> int:
        found = self._find_series(series)
        if found is None:
            values = series_values(series) | {
                "bucket_seconds": series.bucket_width.seconds,
                "fineness": fineness(series),
            }
            self._connection.execute(sql("add_series"), values)
            found = self._find_series(series)
        assert found is not None
        return found


@contextmanager
def held_archive(path: Path, *, now: int, wait: float = 0.0) -> Iterator[None]:
    """Lock, check and migrate the archive, making it if it is not there, and hold it as its only writer.

    `now` is for the migrations' ledger, `wait` is how many seconds another run is waited for.

    Raises:
        LockedError: Another run holds it.
        DamagedError, NewerError, StorageError: As the file is; it was left as it is.
    """
    check_file(path)
    with exclusive(path, wait), reconsidered(path):
        if check_file(path):
            pending(path)  # looks before anything is opened for writing
        migrate(path, now)
        yield


@asynccontextmanager
async def open_archive(path: Path) -> AsyncIterator[Archive]:
    """Open the one read-write connection to an archive that is held.

    Raises:
        DamagedError, StorageError: As the file is.
    """
    opened: list[sqlite3.Connection] = []

    def connect() -> sqlite3.Connection:
        opened.append(sqlite3.connect(path, isolation_level=None, timeout=_BUSY_SECONDS))
        return opened[0]

    with translated(path, system=False):
        worker = aiosqlite.Connection(connect, iter_chunk_size=1)
        try:
            await worker
        except BaseException:
            worker._thread.join()  # noqa: SLF001  # else it speaks to an event loop that is closed by then
            raise
        try:
            await worker.execute("PRAGMA synchronous = FULL")
            yield Archive(worker, opened[0], path)
        finally:
            await worker.close()
