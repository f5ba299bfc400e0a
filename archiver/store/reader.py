"""Reading the archive, also while a run writes it: whole windows only, and never a lock."""

from __future__ import annotations

import sqlite3
from contextlib import ExitStack, closing, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING, Any

from archiver.errors import ConfigurationError
from archiver.model import GAPS, Organization, Span, State
from archiver.store.chosen import read_days, read_lines, read_names, read_sums
from archiver.store.faults import reconsidered, translated
from archiver.store.files import check_file, create_private, read_only_uri
from archiver.store.lookback import look_back
from archiver.store.migrate import check_schema, newest_version, shipped_migrations
from archiver.store.statements import FOREVER, series_values, sql

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path
    from typing import Protocol

    from archiver.model import Report, Series
    from archiver.store.chosen import Day, Line, Sums

    class Period(Protocol):
        """Days from `since` to `until`, exclusive."""

        @property
        def since(self) -> date: ...  # noqa: D102
        @property
        def until(self) -> date: ...  # noqa: D102


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
        reconsidered(path),
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


@dataclass(frozen=True, slots=True)
class Coverage:
    """One stretch of one series, as the `coverage` view shows it."""

    report: str
    bucket_width: str
    group_by: str
    filters: str
    start: str
    end: str
    state: str
    fetched_at: str | None

    @property
    def is_gap(self) -> bool:
        """Whether something that was asked for is not there."""
        return self.state in GAPS


@dataclass(frozen=True, slots=True)
class Overview:
    """What `status` shows of an archive."""

    path: Path
    bytes: int
    schema_version: int
    organization: Organization | None
    series: tuple[tuple[str, str, str, str], ...]
    coverage: tuple[Coverage, ...]
    suspects: tuple[tuple[str, str, str, str], ...]
    last_run: dict[str, Any] | None


def read_overview(path: Path) -> Overview:
    """Read everything `status` shows; raises what `open_reader` raises."""
    with open_past(path, None) as connection:
        organization = connection.execute(sql("organization")).fetchone()
        runs = connection.execute(sql("status_last_run"))
        last_run = runs.fetchone()
        return Overview(
            path=path,
            bytes=path.stat().st_size,
            schema_version=connection.execute("PRAGMA user_version").fetchone()[0],
            organization=Organization(*organization) if organization else None,
            series=tuple(row[1:] for row in connection.execute(sql("status_series"))),
            coverage=tuple(Coverage(*row) for row in connection.execute(sql("status_coverage"))),
            suspects=tuple(connection.execute(sql("status_suspects"))),
            last_run=dict(zip([c[0] for c in runs.description], last_run, strict=True)) if last_run else None,
        )


def read_report(path: Path, name: str, since: str | None, until: str | None) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Read one of the ready answers: its columns and rows; `since` and `until` (exclusive) are dates or None.

    Raises:
        ConfigurationError, DamagedError, NewerError, StorageError: As the file is.
    """
    with open_past(path, None) as connection:
        answer = connection.execute(sql(f"report_{name}"), {"since": since, "until": until})
        return [column[0] for column in answer.description], answer.fetchall()


def read_grouped(  # noqa: PLR0913, PLR0917  # what a question is
    path: Path,
    report: str,
    columns: Sequence[str],
    by: Sequence[str],
    since: str | None,
    until: str | None,
    as_of: int | None = None,
) -> list[tuple[Any, ...]]:
    """Read the canonical money (`cost`) or tokens (`usage`) of dates, grouped; `columns` are those of the groups.

    Rows are the columns, the currency where it is money, and the measures: microcents, or six counts. Days whose series
    was not grouped by a dimension have NOT_GROUPED there and lines of their own. `as_of` is the moment whose knowledge
    is asked for, in UTC seconds.

    Raises:
        ConfigurationError, DamagedError, NewerError, StorageError: As the file is.
    """
    with open_past(path, as_of) as connection:
        names, lines = read_lines(connection, report, by, read_days(connection, report, since, until))
    kept = [i for i, name in enumerate(names) if name in {*columns, "currency"}]
    return [(*(line.group[i] for i in kept), *line.sums) for line in lines]


def read_over_time(  # noqa: PLR0913, PLR0917  # what a question is
    path: Path,
    report: str,
    by: Sequence[str],
    since: str | None,
    until: str | None,
    as_of: int | None,
    slots_over: Callable[[Sequence[Day]], Callable[[Day], int] | None],
) -> tuple[list[str], list[Line], list[Day]]:
    """Read as `read_grouped` does, and keep the sums by slots of time, which are laid once the days are known.

    Gives the names of the columns, the lines, and the days that are archived.
    """
    with open_past(path, as_of) as connection:
        days = read_days(connection, report, since, until)
        return *read_lines(connection, report, by, days, slots_over(days)), days


@dataclass(frozen=True, slots=True)
class UseAndMoney:
    """Use and money as one moment shows them: the days that are archived, rows of which each part is one, and names."""

    used_days: list[Day]
    used: Sums
    billed_days: list[Day]
    billed: Sums
    name_at: Callable[[str, str | None, int], str | None]


def read_use_and_money(  # noqa: PLR0913, PLR0917  # what a question is
    path: Path, used: Sequence[str], billed: Sequence[str], since: str | None, until: str | None, as_of: int | None
) -> UseAndMoney:
    """Read use and money of each day by columns of their own; raises what `open_past` raises."""
    with open_past(path, as_of) as connection:
        used_days, used_sums = _read_daily(connection, "usage", used, since, until)
        billed_days, billed_sums = _read_daily(connection, "cost", billed, since, until)
        return UseAndMoney(used_days, used_sums, billed_days, billed_sums, read_names(connection))


def _read_daily(
    connection: sqlite3.Connection, report: str, columns: Sequence[str], since: str | None, until: str | None
) -> tuple[list[Day], Sums]:
    days = read_days(connection, report, since, until)
    sums = read_sums(connection, report, columns, days, lambda day: day, whole=False)
    return days, replace(sums, rows=list(sums.rows))


@dataclass(frozen=True, slots=True)
class _Moment:
    """What is read of one archive at one moment: a connection for each time looked back to."""

    path: Path
    opened: ExitStack
    connections: dict[int | None, sqlite3.Connection] = field(default_factory=dict)


_MOMENT: ContextVar[_Moment | None] = ContextVar("moment", default=None)


@contextmanager
def one_moment(path: Path) -> Iterator[None]:
    """Let what is read inside be of one moment (for each time looked back to), whatever a run writes meanwhile."""
    moment = _MOMENT.get()
    if moment is not None and moment.path == path:
        yield
        return
    with ExitStack() as opened:
        token = _MOMENT.set(_Moment(path, opened))
        opened.callback(_MOMENT.reset, token)
        yield


@contextmanager
def open_past(path: Path, as_of: int | None) -> Iterator[sqlite3.Connection]:
    """Open an archive for reading, as it was known at a time (UTC seconds; None: now), and as one moment shows it.

    Raises:
        ConfigurationError, DamagedError, NewerError, StorageError: As the file is; a sum that does not fit.
    """
    moment = _MOMENT.get()
    if moment is not None and moment.path == path:
        if as_of not in moment.connections:
            moment.connections[as_of] = moment.opened.enter_context(_begun(path, as_of))
        yield moment.connections[as_of]
        return
    with _begun(path, as_of) as connection:
        yield connection


@contextmanager
def _begun(path: Path, as_of: int | None) -> Iterator[sqlite3.Connection]:
    with open_reader(path) as connection, translated(path, system=False):
        if as_of is not None:
            look_back(connection, as_of)
        connection.execute("BEGIN")
        yield connection


def read_billed_days(path: Path, period: Period, as_of: int | None = None) -> tuple[int, date | None]:
    """Count the days of a period that have a cost series, and give the last of them."""
    values = {"since": period.since.isoformat(), "until": period.until.isoformat()}
    with open_past(path, as_of) as connection:
        count, last = connection.execute(sql("billed_days"), values).fetchone()
    return count, date.fromisoformat(last) if last else None


def read_spoken_days(
    path: Path, report: str, since: str | None, until: str | None, as_of: int | None = None
) -> list[tuple[str, bool]]:
    """Read which dates have a series of `cost` or `usage`, in order, and whether it is settled there now.

    Raises:
        ConfigurationError, DamagedError, NewerError, StorageError: As the file is.
    """
    values = {"report": report, "since": since, "until": until}
    with open_past(path, as_of) as connection:
        return [(day, bool(settled)) for day, settled in connection.execute(sql("spoken_days"), values)]


class ReadOnlyArchive:
    """What planning reads of an archive, from a read-only connection; None stands for an archive that is not there."""

    def __init__(self, connection: sqlite3.Connection | None) -> None:
        self._connection = connection

    def _fetch(self, name: str, values: dict[str, object]) -> list[Any]:
        return self._connection.execute(sql(name), values).fetchall() if self._connection else []

    def _series_id(self, series: Series) -> int | None:
        found = self._fetch("series_id", series_values(series))
        return found[0][0] if found else None

    async def spans(self, series: Series, start: int = 0, end: int = FOREVER) -> list[Span]:
        """Read the coverage of a series, in order."""
        rows = self._fetch("spans", {"series_id": self._series_id(series), "start": start, "end": end})
        return [Span(start, end, State(state), fetched_at) for start, end, state, fetched_at in rows]

    async def digests(self, series: Series) -> dict[tuple[int, int], bytes]:
        """Read the digests of the answers that still hold, by their window."""
        rows = self._fetch("answers", {"series_id": self._series_id(series)})
        return {(start, end): digest for start, end, digest in rows}

    async def suspects(self, series: Series) -> list[int]:
        """Read the settled buckets whose last answer was not believed yet."""
        return [start for (start,) in self._fetch("series_suspects", {"series_id": self._series_id(series)})]

    async def history(self, report: Report) -> tuple[int, int | None] | None:
        """Say up to where a report is known to be empty, and its first bucket with rows, if one was found."""
        rows = self._fetch("history", {"report": report})
        return (rows[0][0], rows[0][1]) if rows else None

    async def recall(self, key: str) -> str | None:
        """Read what an earlier run learnt."""
        rows = self._fetch("recall", {"key": key})
        return rows[0][0] if rows else None
