"""The open archive: one writer, one read-write connection, one transaction a window."""

from __future__ import annotations

from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

import aiosqlite
import anyio

from archiver import __version__
from archiver.errors import OrganizationMismatchError
from archiver.model import BucketWidth, Organization, RowCounts, Span, State
from archiver.plan.calendar import floor
from archiver.plan.work import subtract
from archiver.reports import SPECS
from archiver.store.coverage import after_failure
from archiver.store.faults import translated
from archiver.store.files import check_file, exclusive
from archiver.store.migrate import migrate, pending
from archiver.store.statements import FOREVER, series_values, sql
from archiver.store.writer import WindowWriter

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from archiver.model import Answer, NamedObject, Report, Series, Window
    from archiver.plan.work import SeriesPlan
    from archiver.store.history import Moment
    from archiver.store.inspect import Finding
    from archiver.store.writer import Written

_BUSY_SECONDS = 3.0
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

    def __init__(self, connection: aiosqlite.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path
        self._writer = WindowWriter(connection, list(SPECS))
        self._series_ids: dict[Series, int] = {}
        self._turn = anyio.Lock()

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[None]:
        """Commit all or nothing, one after the other. Shielded: an await can be cancelled, its SQL cannot."""
        with translated(self._path, system=False), anyio.CancelScope(shield=True):
            async with self._turn:
                try:
                    await self._connection.execute("BEGIN IMMEDIATE")
                    yield
                    await self._connection.execute("COMMIT")
                except BaseException:
                    self._writer.forget()
                    self._series_ids.clear()
                    if self._connection.in_transaction:
                        await self._connection.execute("ROLLBACK")
                    raise

    async def _fetch(self, name: str, values: Mapping[str, object]) -> list[tuple[object, ...]]:
        with translated(self._path, system=False):
            return [tuple(row) for row in await self._connection.execute_fetchall(sql(name), dict(values))]

    async def claim_for(self, organization: Organization) -> None:
        """Make the archive this organisation's, if it is nobody's yet.

        Raises:
            OrganizationMismatchError: It is another's.
        """
        known = await self._fetch("organization", {})
        if known and known[0][0] != organization.id:
            raise OrganizationMismatchError(
                f"{self._path} archives organisation {known[0][0]}, the key belongs to {organization.id}",
                hint="use one archive for each organisation: --db PATH",
            )
        if not known or (organization.name and known[0][1] != organization.name):
            async with self._transaction():
                await self._connection.execute(
                    sql("save_organization"), {"id": organization.id, "name": organization.name}
                )

    async def begin_run(self, now: int) -> int:
        """Note that a run began; answer its number."""
        async with self._transaction():
            cursor = await self._connection.execute(sql("begin_run"), {"started_at": now, "version": __version__})
        assert cursor.lastrowid is not None
        return cursor.lastrowid

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
        async with self._transaction():
            await self._connection.execute(sql("finish_run"), values)

    async def spans(self, series: Series, start: int = 0, end: int = FOREVER) -> list[Span]:
        """Read the coverage of a series, in order; empty for one that is not archived."""
        series_id = await self._find_series(series)
        if series_id is None:
            return []
        with translated(self._path, system=False):
            return await self._writer.spans(series_id, start, end)

    async def digests(self, series: Series) -> dict[tuple[int, int], bytes]:
        """Read the digests of the answers that still hold, by their window."""
        series_id = await self._find_series(series)
        rows = await self._fetch("answers", {"series_id": series_id})
        return {(start, end): digest for start, end, digest in rows}  # type: ignore[misc]

    async def suspects(self, series: Series) -> list[int]:
        """Read the settled buckets whose last answer was not believed yet."""
        rows = await self._fetch("series_suspects", {"series_id": await self._find_series(series)})
        return [start for (start,) in rows]  # type: ignore[misc]

    async def plan(self, plan: SeriesPlan, now: int) -> None:
        """Mark what is about to be asked, has ended, and is not known yet as missing: a run cut short shows it."""
        ended = floor(now, plan.series.bucket_width.seconds)
        async with self._transaction():
            series_id = await self._series_id(plan.series)
            for start, end in plan.needed:
                known = [(span.start, span.end) for span in await self._writer.spans(series_id, start, end)]
                holes = subtract(start, min(end, ended), known) if start < ended else []
                await self._writer.add_spans(series_id, [Span(*hole, State.MISSING) for hole in holes])

    async def forget_plans(self, series: Iterable[Series]) -> None:
        """Take back what was marked as missing and will not be asked after all."""
        async with self._transaction():
            for one in series:
                await self._connection.execute(sql("forget_plan"), {"series_id": await self._series_id(one)})

    async def remember(self, key: str, value: str) -> None:
        """Keep something that a run learnt and later runs have to know."""
        async with self._transaction():
            await self._connection.execute(sql("remember"), {"key": key, "value": value})

    async def recall(self, key: str) -> str | None:
        """Read what an earlier run learnt."""
        rows = await self._fetch("recall", {"key": key})
        return str(rows[0][0]) if rows else None

    async def record(self, answer: Answer, moment: Moment) -> Written:
        """Write one window: rows, history, coverage and digests, all or nothing."""
        async with self._transaction():
            series_id = await self._series_id(answer.window.series)
            return await self._writer.write(series_id, answer, moment)

    async def record_failure(self, window: Window, now: int) -> None:
        """Mark what the window wanted and the archive does not cover as failed."""
        async with self._transaction():
            series_id = await self._series_id(window.series)
            before = await self._writer.spans(series_id, window.start, window.end)
            await self._writer.redraw(series_id, window, before, after_failure(window, before, now))

    async def distrust(self, findings: Sequence[Finding], now: int) -> None:
        """Mark damaged buckets as failed and take their digests away: the next sync reads and writes them anew."""
        async with self._transaction():
            for finding in findings:
                if finding.series_id is None or finding.report is None or finding.start is None or finding.end is None:
                    continue
                await self._writer.distrust(finding.report, finding.series_id, finding.start, finding.end, now)
                if finding.key_id is not None:
                    await self._connection.execute(sql(f"{finding.report}.distrust_key"), {"id": finding.key_id})

    async def history(self, report: Report) -> tuple[int, int | None] | None:
        """Say up to where a report is known to be empty, and its first bucket with rows, if one was found."""
        rows = await self._fetch("history", {"report": report})
        return (rows[0][0], rows[0][1]) if rows else None  # type: ignore[return-value]

    async def save_history(self, report: Report, empty_until: int, first_bucket: int | None) -> None:
        """Remember where the history of a report begins."""
        values = {"report": report, "empty_until": empty_until, "first_bucket": first_bucket}
        async with self._transaction():
            await self._connection.execute(sql("save_history"), values)

    async def save_names(self, objects: Sequence[NamedObject], now: int) -> None:
        """Remember names, with the time they were learnt where anything changed."""
        rows = [{"kind": o.kind, "id": o.id, "learnt_at": now, "name": o.name, "details": o.details} for o in objects]
        async with self._transaction():
            await self._connection.executemany(sql("save_name"), rows)

    async def _find_series(self, series: Series) -> int | None:
        if series not in self._series_ids:
            rows = await self._fetch("series_id", series_values(series))
            if not rows:
                return None
            self._series_ids[series] = rows[0][0]  # type: ignore[assignment]
        return self._series_ids[series]

    async def _series_id(self, series: Series) -> int:
        found = await self._find_series(series)
        if found is None:
            values = series_values(series) | {
                "bucket_seconds": series.bucket_width.seconds,
                "fineness": fineness(series),
            }
            await self._connection.execute(sql("add_series"), values)
            found = await self._find_series(series)
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
    with exclusive(path, wait):
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
    with translated(path, system=False):
        async with aiosqlite.connect(path, isolation_level=None, timeout=_BUSY_SECONDS) as connection:
            await connection.execute("PRAGMA synchronous = FULL")
            yield Archive(connection, path)
