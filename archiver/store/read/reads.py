"""What ready answers read of the archive, now or as of a moment."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING, Any

from archiver.model import GAPS, Organization
from archiver.store.faults import translated
from archiver.store.read.as_of import open_as_of
from archiver.store.read.daily_sums import not_grouped, read_days, read_lines, read_names, read_sums
from archiver.store.read.reader import open_reader
from archiver.store.statements import sql

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path
    from typing import Protocol

    from archiver.store.read.daily_sums import Day, Line, Sums

    class Period(Protocol):
        """Days from `since` to `until`, exclusive."""

        @property
        def since(self) -> date: ...  # noqa: D102
        @property
        def until(self) -> date: ...  # noqa: D102


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
        organization = connection.execute(sql("select_organization")).fetchone()
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
    """Read money of each day, and use of each day that has money, by columns of their own.

    Raises what `open_past` raises.
    """
    with open_past(path, as_of) as connection:
        used_days, billed_days = (read_days(connection, one, since, until) for one in ("usage", "cost"))
        starts = {day.start for day in billed_days}
        use = _read_daily(connection, "usage", used, [day for day in used_days if day.start in starts])
        money = _read_daily(connection, "cost", billed, billed_days)
        return UseAndMoney(used_days, use, billed_days, money, read_names(connection))


def read_comparable(  # noqa: PLR0913, PLR0917  # what a question is
    path: Path, used: Sequence[str], billed: Sequence[str], since: str | None, until: str | None, as_of: int | None
) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]], int]:
    """Read rows of use and of money, each by dimensions of its own, of the days that both tell all of that about.

    Gives how many days are left out, too; raises what `open_past` raises.
    """
    with open_past(path, as_of) as connection:
        days = {report: read_days(connection, report, since, until) for report in ("usage", "cost")}
        telling = [
            {day.start for day in days[report] if not not_grouped(report, by, day)}
            for report, by in (("usage", used), ("cost", billed))
        ]
        common = telling[0] & telling[1]
        rows = []
        for report, by in (("usage", used), ("cost", billed)):
            _, lines = read_lines(connection, report, by, [day for day in days[report] if day.start in common])
            rows.append([(*line.group, *line.sums) for line in lines])
        return rows[0], rows[1], len({day.start for one in days.values() for day in one} - common)


def _read_daily(connection: sqlite3.Connection, report: str, columns: Sequence[str], days: Sequence[Day]) -> Sums:
    sums = read_sums(connection, report, columns, days, lambda day: day, whole=False)
    return replace(sums, rows=list(sums.rows))


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
            open_as_of(connection, as_of)
        connection.execute("BEGIN")
        yield connection


def read_workspaces(path: Path) -> dict[str, list[str | None]]:
    """Read every workspace that is known by its id, and the names that each ever had, the newest last.

    Raises what `open_past` raises.
    """
    names: dict[str, list[str | None]] = {}
    with open_past(path, None) as connection:
        for one, name in connection.execute(sql("workspaces")):
            names.setdefault(one, []).append(name)
    return names


def read_billed_days(path: Path, period: Period, as_of: int | None = None) -> tuple[int, date | None]:
    """Count the days of a period that have a cost series, and give the last of them."""
    values = {"since": period.since.isoformat(), "until": period.until.isoformat()}
    with open_past(path, as_of) as connection:
        count, last = connection.execute(sql("billed_days"), values).fetchone()
    return count, date.fromisoformat(last) if last else None


def read_canonical_days(
    path: Path, report: str, since: str | None, until: str | None, as_of: int | None = None
) -> list[tuple[str, bool]]:
    """Read which dates have a series of `cost` or `usage`, in order, and whether it is settled there now.

    Raises:
        ConfigurationError, DamagedError, NewerError, StorageError: As the file is.
    """
    values = {"report": report, "since": since, "until": until}
    with open_past(path, as_of) as connection:
        return [(day, bool(settled)) for day, settled in connection.execute(sql("canonical_days"), values)]
