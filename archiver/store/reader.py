"""Reading the archive, also while a run writes it: whole windows only, and never a lock."""

from __future__ import annotations

import sqlite3
from contextlib import ExitStack, closing, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import date
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from archiver.errors import ConfigurationError
from archiver.model import GAPS, Organization, Span, State
from archiver.store.faults import reconsidered, translated
from archiver.store.files import check_file, create_private, read_only_uri
from archiver.store.lookback import look_back
from archiver.store.migrate import check_schema, newest_version, shipped_migrations
from archiver.store.regroup import Grouped, regrouped
from archiver.store.statements import FOREVER, series_values, sql

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from typing import Protocol

    from archiver.model import Report, Series

    class Period(Protocol):
        """Days from `since` to `until`, exclusive."""

        @property
        def since(self) -> date: ...  # noqa: D102
        @property
        def until(self) -> date: ...  # noqa: D102


_BUSY_SECONDS = 10.0
_MEASURES = ("_tokens", "_requests", "_microcents")


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


@dataclass(frozen=True, slots=True)
class _Moment:
    """What is read of one archive at one moment: a connection for each time looked back to, and answers given."""

    path: Path
    opened: ExitStack
    connections: dict[int | None, sqlite3.Connection] = field(default_factory=dict)
    answers: dict[tuple[object, ...], list[Grouped]] = field(default_factory=dict)

    def connection(self, as_of: int | None) -> sqlite3.Connection:
        """Open one where there is none yet; what it reads first decides which moment it shows."""
        if as_of not in self.connections:
            connection = self.opened.enter_context(open_reader(self.path))
            if as_of is not None:
                look_back(connection, as_of)
            connection.execute("BEGIN")
            self.connections[as_of] = connection
        return self.connections[as_of]


_MOMENT: ContextVar[_Moment | None] = ContextVar("moment", default=None)


@contextmanager
def one_moment(path: Path) -> Iterator[None]:
    """Let grouped answers and days inside be of one moment, whatever a run writes meanwhile, and be read once."""
    with ExitStack() as opened:
        moment = _MOMENT.get()
        if moment is not None and moment.path == path:
            yield
            return
        token = _MOMENT.set(_Moment(path, opened))
        opened.callback(_MOMENT.reset, token)
        yield


@contextmanager
def _reader_as_of(path: Path, as_of: int | None) -> Iterator[sqlite3.Connection]:
    moment = _MOMENT.get()
    if moment is not None and moment.path == path:
        yield moment.connection(as_of)
        return
    with open_reader(path) as connection:
        if as_of is not None:
            look_back(connection, as_of)
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
    with _reader_as_of(path, None) as connection:
        if not connection.in_transaction:
            connection.execute("BEGIN")
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
    with _reader_as_of(path, None) as connection:
        answer = connection.execute(sql(f"report_{name}"), {"since": since, "until": until})
        return [column[0] for column in answer.description], answer.fetchall()


_DIMENSIONS = (
    "day",
    "month",
    "workspace",
    "api_key",
    "model",
    "description",
    "cost_type",
    "service_tier",
    "context_window",
    "token_type",
    "inference_geo",
)


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

    Rows are the columns, the currency where it is money, and the measures: microcents, or six counts. `as_of` is the
    moment whose knowledge is asked for, in UTC seconds.

    Raises:
        ConfigurationError, DamagedError, NewerError, StorageError: As the file is.
    """
    moment = _MOMENT.get()
    if moment is None or moment.path != path:
        return _ask_grouped(path, report, columns, by, since, until, as_of).rows
    answers = moment.answers.setdefault((report, since, until, as_of), [])
    for finer in sorted(answers, key=lambda one: len(one.rows)):
        if (found := regrouped(finer, frozenset(by), columns)) is not None:
            return found.rows
    answers.append(_ask_grouped(path, report, columns, by, since, until, as_of))
    return answers[-1].rows


def _ask_grouped(  # noqa: PLR0913, PLR0917  # the same
    path: Path,
    report: str,
    columns: Sequence[str],
    by: Sequence[str],
    since: str | None,
    until: str | None,
    as_of: int | None,
) -> Grouped:
    values: dict[str, object] = {one: one in by for one in _DIMENSIONS} | {"since": since, "until": until}
    with _reader_as_of(path, as_of) as connection, translated(path, system=False):
        answer = connection.execute(sql(f"grouped_{report}"), values)
        names = [column[0] for column in answer.description]
        kept = [i for i, name in enumerate(names) if name in columns or name == "currency" or name.endswith(_MEASURES)]
        groups = tuple(names[i] for i in kept if not names[i].endswith(_MEASURES))
        return Grouped(frozenset(by), groups, list(map(itemgetter(*kept), answer)))  # two at least, so tuples


def read_billed_days(path: Path, period: Period, as_of: int | None = None) -> tuple[int, date | None]:
    """Count the days of a period that have a cost series, and give the last of them."""
    values = {"since": period.since.isoformat(), "until": period.until.isoformat()}
    with _reader_as_of(path, as_of) as connection:
        count, last = connection.execute(sql("billed_days"), values).fetchone()
    return count, date.fromisoformat(last) if last else None


def read_days(
    path: Path, report: str, since: str | None, until: str | None, as_of: int | None = None
) -> list[tuple[str, bool]]:
    """Read which dates have a series of `cost` or `usage`, in order, and whether it is settled there now.

    Raises:
        ConfigurationError, DamagedError, NewerError, StorageError: As the file is.
    """
    values = {"report": report, "since": since, "until": until}
    with _reader_as_of(path, as_of) as connection:
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
