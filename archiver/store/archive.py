"""The archive opened for writing, by one process at a time.

Each window is written in one transaction.
"""

from __future__ import annotations

import json
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from archiver import __version__
from archiver.errors import LockedError, OrganizationMismatchError
from archiver.model import WORST_CLOCK_SKEW, BucketWidth, Organization, Report, RowCounts, Span, State
from archiver.plan.calendar import floor
from archiver.plan.work import subtract
from archiver.reports import SPECS
from archiver.store.connection import WriteConnection, open_connection
from archiver.store.coverage import after_failure, drop_future
from archiver.store.damage import confirm_damage
from archiver.store.files import check_file, exclusive
from archiver.store.migrate import migrate, pending
from archiver.store.names import delete_names, insert_names
from archiver.store.plan_reader import PlanReader
from archiver.store.statements import series_values
from archiver.store.writer import WindowWriter

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from archiver.answer import Answer
    from archiver.model import NamedObject, Series, SpendLimit, Window
    from archiver.plan.work import SeriesPlan
    from archiver.store.history import AnswerTime
    from archiver.store.read.verify import Finding
    from archiver.store.writer import Written

_WIDTH_BONUS = {BucketWidth.DAY: 2, BucketWidth.HOUR: 1, BucketWidth.MINUTE: 0}


def fineness(series: Series) -> int | None:
    """Return the rank of a series in the choice of canonical series.

    The canonical series of a day is the series that the daily views use. A higher rank is better. The number of the
    report's default dimensions that the series is grouped by counts first, then the width of its buckets.

    Return None for a series that is never canonical, which is a series

    - with filters,
    - with rows that do not add up to the total of the report, or
    - of an analytics report by hours or minutes, because no daily sums are stored for it.
    """
    spec = SPECS[series.report]
    has_days = spec.rows is None or series.bucket_width is BucketWidth.DAY
    if series.filters or not has_days or not spec.adds_up(series.group_by):
        return None
    grouped = set(series.group_by) & set(spec.default_dimensions)
    # The factor is larger than any bonus, so that one dimension more always counts more than the width.
    return 10 * len(grouped) + _WIDTH_BONUS[series.bucket_width]


class Archive(PlanReader):
    """The archive while its lock is held.

    Every method that writes is one transaction, except `vacuum`. Every public method raises StorageError, DamagedError
    or LockedError when SQLite fails to run a statement.
    """

    def __init__(self, db: WriteConnection, path: Path) -> None:
        super().__init__(self._read)
        self._db = db
        self._path = path
        self._writer = WindowWriter(db, list(SPECS))

    async def _read(self, name: str, values: Mapping[str, object]) -> list[tuple[Any, ...]]:
        async with self._db.transaction():
            return await self._db.fetch(name, values)

    async def bind_organization(self, organization: Organization) -> None:
        """Store the organization that the archive belongs to, or its newer name.

        Raises:
            OrganizationMismatchError: The archive belongs to another organization.
        """
        async with self._db.transaction():
            rows = await self._db.fetch("select_organization")
            stored_id, stored_name = rows[0] if rows else (None, None)
            if rows and stored_id != organization.id:
                raise OrganizationMismatchError(
                    f"{self._path} archives organisation {stored_id}, the key belongs to {organization.id}",
                    hint="use one archive for each organisation: --db PATH",
                )
            # An organization from a response header has no name, which must not erase the stored name.
            if not rows or (organization.name and stored_name != organization.name):
                values = {"id": organization.id, "name": organization.name}
                await self._db.execute("upsert_organization", values)

    async def begin_run(self, now: int) -> int:
        """Add a run that has not finished and return its id."""
        async with self._db.transaction():
            return await self._db.insert("insert_run", {"started_at": now, "version": __version__})

    async def finish_run(  # noqa: PLR0913  # the columns of one row
        self, run: int, *, now: int, outcome: str, exit_code: int, requests: int, retries: int, rows: RowCounts
    ) -> None:
        """Record how a run ended."""
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
        async with self._db.transaction():
            await self._db.execute("update_run", values)

    async def plan(self, plan: SeriesPlan, now: int) -> None:
        """Mark the ended buckets of a plan that have no coverage as missing.

        If the run is interrupted, `status` shows them as gaps and the next run requests them.
        """
        # The API may publish a bucket up to `lag_seconds` after its end: it is not missing before then.
        ended = floor(now - SPECS[plan.series.report].lag_seconds, plan.series.bucket_width.seconds)
        async with self._db.transaction():
            series_id = await self._series_id(plan.series)
            for start, end in plan.needed:
                covered = [(span.start, span.end) for span in await self._writer.spans(series_id, start, end)]
                holes = subtract(start, min(end, ended), covered) if start < ended else []
                await self._writer.add_spans(series_id, [Span(*hole, State.MISSING) for hole in holes])

    async def drop_future_coverage(self, now: int) -> int:
        """Remove coverage of buckets that had not ended when they were read.

        Return the number of wrong spans. A wrong clock or an edit by hand leaves such spans, and a sync would not
        request their buckets. Coverage of the bucket in progress is not wrong if it is provisional.
        """
        async with self._db.transaction():
            future = await self._db.fetch("select_future_spans", {"now": now, "skew": WORST_CLOCK_SKEW})
            for series_id, width, start, end, state, fetched_at, complete_until, report in future:
                where = {"series_id": series_id, "start": start, "end": end}
                await self._db.execute("delete_span", where)
                # If the digest stayed, an equal next response to this window would be skipped as unchanged. The rows
                # may stay, because they are compared with that response.
                await self._db.execute("delete_answers", where)
                span = Span(start, end, State(state), fetched_at, complete_until)
                await self._writer.add_spans(series_id, drop_future(span, width, now))
                await self._writer.recheck_days(Report(report), series_id, start, end)
            return len(future)

    async def drop_forgotten_gaps(self, now: int) -> None:
        """Remove the gaps that are so old that the API no longer returns them.

        A gap is a range of missing or failed buckets. No sync can fetch these gaps any more. Their days are then like
        days that were never requested.
        """
        async with self._db.transaction():
            for report, spec in SPECS.items():
                if spec.rows is not None and spec.rows.retention_days is not None:
                    # Buckets of one second, because the statements round up to the width of each series.
                    values = {"report": report, "kept_from": spec.oldest(now, 1)}
                    await self._db.execute("delete_forgotten_gaps", values)
                    await self._db.execute("update_forgotten_gaps", values)

    async def remove_planned(self, series: Iterable[Series]) -> None:
        """Remove the missing buckets that `plan` added for some series.

        Call it for series that will not be requested.
        """
        async with self._db.transaction():
            for refused in series:
                await self._db.execute("delete_planned_spans", {"series_id": await self._series_id(refused)})

    async def remember(self, key: str, value: str) -> None:
        """Store a fact about the API for later runs.

        An example is a limit that the API reported.
        """
        async with self._db.transaction():
            await self._db.execute("upsert_memory", {"key": key, "value": value})

    async def record(self, answer: Answer, answer_time: AnswerTime) -> Written:
        """Write the rows, history, coverage, digests and names of one window."""
        try:
            async with self._db.transaction():
                series_id = await self._series_id(answer.window.series)
                await insert_names(self._db, answer.people, answer_time.now)
                return await self._writer.write(series_id, answer, answer_time)
        except BaseException:
            self._writer.clear_caches()  # the caches may have ids that the rollback removed
            raise

    async def record_failure(self, window: Window, now: int) -> None:
        """Mark the ended buckets of a window that have no coverage as failed."""
        async with self._db.transaction():
            series_id = await self._series_id(window.series)
            before = await self._writer.spans(series_id, window.start, window.end)
            await self._writer.replace_coverage(series_id, window, before, after_failure(window, before, now))

    async def mark_damaged(self, findings: Sequence[Finding], now: int) -> None:
        """Mark damaged buckets as failed and make their digests invalid.

        The next sync requests and writes these buckets again. Findings without a series or a range are skipped.
        """
        async with self._db.transaction():
            for found in findings:
                if found.series_id is None or found.report is None or found.start is None or found.end is None:
                    continue
                await self._writer.mark_damaged(found.report, found.series_id, found.start, found.end, now)
                # The new key of the damaged set of values matches no values: the next sync inserts another set.
                if found.key_id is not None:
                    await self._db.execute(f"{found.report}.update_damaged_key", {"id": found.key_id})

    async def save_history(self, report: Report, empty_until: int, first_bucket: int | None) -> None:
        """Store where the history of a report begins; see `PlanReader.history`."""
        values = {"report": report, "empty_until": empty_until, "first_bucket": first_bucket}
        async with self._db.transaction():
            await self._db.execute("upsert_history", values)

    async def save_names(self, objects: Sequence[NamedObject], now: int) -> None:
        """Store names with the time they were first seen.

        An unchanged object adds no row.
        """
        async with self._db.transaction():
            await insert_names(self._db, objects, now)

    async def save_spend_limits(self, limits: Sequence[SpendLimit], now: int) -> None:
        """Store the spend limits of the API, if they differ from the latest."""
        text = json.dumps([asdict(limit) for limit in limits], separators=(",", ":"))
        async with self._db.transaction():
            await self._db.execute("insert_spend_limits", {"learnt_at": now, "limits": text})

    async def forget(self, identity: str) -> int:
        """Remove all names and addresses of a user, by an id or an address.

        Return the number of removed records; 0 if the user was forgotten before. Earlier names and addresses are
        removed too, and later syncs do not archive them. Deleted content stays in the file until it is overwritten; see
        `vacuum`.

        Raises:
            ConfigurationError: The archive has no name for this id or address, and it was not forgotten before.
        """
        async with self._db.transaction():
            return await delete_names(self._db, identity)

    async def vacuum(self) -> None:
        """Rewrite the file without deleted content, and empty the write-ahead log.

        Raises:
            LockedError: Another program reads the archive, so that the log cannot be emptied.
        """
        if not await self._db.vacuum():
            raise LockedError(
                f"another program reads {self._path}: deleted content is still in its write-ahead log",
                hint="end that program, such as archiver serve, and run the same command again",
            )

    async def _series_id(self, series: Series) -> int:
        """Return the id of a series; insert a series that is not archived yet."""
        rows = await self._db.fetch("select_series_id", series_values(series))
        if rows:
            return int(rows[0][0])
        values = {"bucket_seconds": series.bucket_width.seconds, "fineness": fineness(series)}
        return await self._db.insert("insert_series", series_values(series) | values)


@contextmanager
def held_archive(path: Path, *, now: int, wait: float = 0.0) -> Iterator[None]:
    """Hold the lock of an archive, and check and migrate the file.

    The archive is created if it does not exist. `now` (UTC seconds) is stored in the list of applied migrations. `wait`
    is the longest time to wait for the lock, in seconds. Call this before there is an event loop, so that Ctrl-C ends
    the wait.

    Raises:
        LockedError: Another run holds the lock.
        ConfigurationError, DamagedError, NewerError, StorageError: The file cannot be used; it is unchanged.
    """
    # The first check is before the lock, so that no lock file is created next to a file that is not an archive. The
    # second is under the lock, because another run may have created the archive in between.
    check_file(path)
    with exclusive(path, wait), confirm_damage(path):
        if check_file(path):
            pending(path)  # refuses a newer or foreign schema before anything opens the file for writing
        migrate(path, now)
        yield


@asynccontextmanager
async def open_archive(path: Path) -> AsyncIterator[Archive]:
    """Open the read-write connection to an archive.

    `held_archive` must hold its lock. There is one such connection at a time.

    Raises:
        DamagedError, StorageError: SQLite cannot open the file.
    """
    async with open_connection(path) as db:
        yield Archive(db, path)
