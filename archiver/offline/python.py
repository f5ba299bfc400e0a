"""The archive for Python programs: reports and queries as rows."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archiver.errors import ConfigurationError
from archiver.offline.periods import period as parse_period
from archiver.offline.reports.registry import REPORTS
from archiver.offline.reports.request import ReportRequest
from archiver.offline.tables.display import to_export
from archiver.offline.teams.file import read_teams
from archiver.store.read.reader import open_archive_reader
from archiver.store.read.sandbox import Limits, run_query

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Self

    from archiver.store.read.reader import ArchiveReader

_QUERY_SECONDS, _QUERY_MEBIBYTES = 60.0, 512
_OF_PERIOD = frozenset({"compare", "forecast", "budget", "statement", "why", "today"})


@dataclass(frozen=True, slots=True)
class Result:
    """The result of a report.

    Attributes:
        rows: The rows as `--json` has them: amounts are exact decimal text, and what is not known is None.
        notes: What a reader needs to know of the numbers.
        is_known: False when no selected day is archived; then there are no rows.
    """

    rows: list[dict[str, Any]]
    notes: tuple[str, ...] = ()
    is_known: bool = True

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Iterate over the rows."""
        return iter(self.rows)


@dataclass(slots=True)
class Archive:
    """An archive for reading, as a context manager.

    All its reports are of one snapshot: a sync in between changes none of them.
    """

    path: Path
    as_of: datetime | None = None
    _stack: ExitStack = field(default_factory=ExitStack)
    _reader: ArchiveReader | None = None

    def __enter__(self) -> Self:
        """Open the archive.

        Raises:
            ConfigurationError: There is no archive, or it needs `archiver migrate`.
            DamagedError, NewerError, StorageError: The file is damaged, too new, or cannot be read.
        """
        self._reader = self._stack.enter_context(open_archive_reader(self.path, self._moment))
        return self

    def __exit__(self, *_: object) -> None:
        """Close the archive."""
        self._stack.close()
        self._reader = None

    @property
    def _moment(self) -> int | None:
        return None if self.as_of is None else int(self.as_of.astimezone(UTC).timestamp())

    def report(  # noqa: PLR0913  # the options of reports
        self,
        name: str,
        *,
        by: Sequence[str] = (),
        since: date | None = None,
        until: date | None = None,
        period: str | None = None,
        top: int | None = None,
        unit: str = "usd",
        teams: Path | str | None = None,
    ) -> Result:
        """Run a built-in report, with the options of `archiver report NAME`.

        `until` is exclusive; `period` is a text such as `2026-10`, `last-month` or `7d`.

        Raises:
            ConfigurationError: There is no such report, or an option has no meaning for it.
        """
        if self._reader is None:
            raise ConfigurationError("the archive is closed", hint="use it in a with statement")
        _check_options(name, top, is_twice=period is not None and bool(since or until))
        whole = None if period is None else parse_period(period, datetime.now(UTC).date())
        if whole is not None and name not in _OF_PERIOD:
            since, until = whole.since, whole.until
        seen = tuple(None if one is None else f"{one}T00:00:00Z" for one in (since, until))
        request = ReportRequest(
            since=None if REPORTS[name].by_time_seen else since,
            until=None if REPORTS[name].by_time_seen else until,
            by=tuple(by),
            top=top,
            as_of=self._moment,
            unit=unit,
            period=whole,
            first_seen=(seen[0], seen[1]),
            teams=None if teams is None else read_teams(Path(teams)),
        )
        table = REPORTS[name].compute(self._reader, request)
        if not table.is_known:
            return Result([], tuple(table.notes), is_known=False)
        names, rows = to_export(table, unit)
        return Result([dict(zip(names, row, strict=True)) for row in rows], tuple(table.notes))

    def query(self, sql: str, parameters: Mapping[str, object] | None = None) -> Iterator[dict[str, Any]]:
        """Yield the rows of a statement that only reads.

        An example is `SELECT * FROM daily_cost`. It has a minute and 512 MiB, and reads the file as it is now, or as of
        the moment of the archive.

        Raises:
            ConfigurationError: The SQL is wrong, does more than read, or needs too much memory.
            TimeLimitError: It took too long.
        """
        limits = Limits(_QUERY_SECONDS, _QUERY_MEBIBYTES, self._moment)
        with run_query(self.path, sql, parameters or {}, limits, time.process_time) as result:
            for row in result.rows:
                yield dict(zip(result.columns, row, strict=True))


def _check_options(name: str, top: int | None, *, is_twice: bool) -> None:
    if name not in REPORTS:
        raise ConfigurationError(f"there is no report {name!r}", hint=f"the reports are {', '.join(REPORTS)}")
    if is_twice:
        raise ConfigurationError("a period and since or until are both given", hint="give one of them")
    if top is not None and top < 1:
        raise ConfigurationError(f"top is {top}", hint="give at least 1, or None")
