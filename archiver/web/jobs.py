"""The functions that the server's child processes run."""

from __future__ import annotations

import io
import time
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archiver.errors import ConfigurationError
from archiver.model import Report
from archiver.offline.page import Place, list_page, of_report, overview
from archiver.offline.reports.registry import REPORTS
from archiver.offline.reports.request import ReportRequest
from archiver.offline.tables.write import Format, write_rows
from archiver.reports.dimensions import BY_NAME
from archiver.store.read.reader import open_archive_reader
from archiver.store.read.sandbox import Limits, run_query
from archiver.web.choices import Choices
from archiver.web.navigation import NAVIGATION

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

QUERY_MEBIBYTES = 256
MAX_ROWS = 1_000
_LARGEST_RESULT = 50_000
_ROWS_PER_PIECE = 1_000
_MAX_BYTES = 32 * 1024 * 1024
_CELLS_PER_ROW = 40  # nearly twice the columns of the widest view


def fetch_rows(path: str, statement: str, parameters: Any, seconds: float, max_rows: int | None) -> Any:
    """Return the columns and the rows of a statement's result.

    With `max_rows`, one row more is returned if there are more.

    Raises:
        ConfigurationError: The result is too large.
        ArchiverError: See `run_query`.
    """
    # The server holds the whole result in its own memory, which has no limit. So the result is limited here, by its
    # bytes of text and by its cells, because an empty cell takes memory too.
    cells = _CELLS_PER_ROW * (max_rows or _LARGEST_RESULT)
    size, rows = 0, []
    limits = Limits(seconds, QUERY_MEBIBYTES)
    with run_query(Path(path), statement, parameters, limits, time.process_time) as result:
        for row in islice(result.rows, None if max_rows is None else max_rows + 1):
            size += sum(len(value) for value in row if isinstance(value, str | bytes))
            cells -= len(row)
            if size > _MAX_BYTES or cells < 0:
                raise ConfigurationError("the result is too large", hint="limit the rows or columns")
            rows.append(row)
        return [result.columns, rows]


def csv_pieces(path: str, statement: str, parameters: Any, seconds: float) -> Iterator[str]:
    """Yield the CSV of a statement's result in parts.

    The first one has the header. `seconds` of processor time are allowed until the first rows. Text that a spreadsheet
    would run as a formula is escaped.

    Raises:
        ArchiverError: See `run_query`.
    """
    has_begun = False

    def clock() -> float:
        return 0.0 if has_begun else time.process_time()

    with run_query(Path(path), statement, parameters, Limits(seconds, QUERY_MEBIBYTES), clock) as result:
        header = _csv(result.columns, [])
        while rows := list(islice(result.rows, _ROWS_PER_PIECE)):
            text = _csv(result.columns, rows)
            yield text.removeprefix(header) if has_begun else text
            has_begun = True
        if not has_begun:
            yield header


def _csv(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    text = io.StringIO(newline="")
    write_rows(columns, rows, text, Format.CSV)
    return text.getvalue()


def overview_page(path: str) -> str:
    """Return the page of `report overview --html` with links to the site.

    Raises:
        ArchiverError: The archive cannot be read.
    """
    place = Place(NAVIGATION, "/", Choices("spend", by=("month", "workspace")).link)
    return overview(Path(path), ReportRequest(), place)


def report_page(path: str, choices: Choices, request: ReportRequest) -> str:
    """Return the page of a report.

    Raises:
        ArchiverError: The archive cannot be read, or the report cannot have these choices.
    """
    with open_archive_reader(Path(path)) as reader:
        last = max((day.start for day in reader.days(Report.COST)), default=0)
        labels: dict[str, str] = {}
        for name, value in choices.filters:
            labelled = reader.with_labels({BY_NAME[name].column: value}, last)
            label = labelled.get(BY_NAME[name].label_column or name)
            labels[name] = BY_NAME[name].null_label if label is None else str(label)
    subject = ", ".join(f"{name.replace('_', ' ')} {label}" for name, label in labels.items())
    place = Place(NAVIGATION, "/report", choices.link, choices.menus(labels), choices.where, subject)
    return of_report(Path(path), choices.name, request, place)[0]


def reports_page(path: str) -> str:
    """Return the page that lists all reports.

    Raises:
        ArchiverError: The archive cannot be read.
    """
    place = Place(NAVIGATION, "/report")
    return list_page(Path(path), [(one.name, one.help, Choices(one.name).address()) for one in REPORTS.values()], place)


def newest_day(path: str) -> str | None:
    """Return the newest day of cost that is archived whole.

    Raises:
        ArchiverError: The archive cannot be read.
    """
    with open_archive_reader(Path(path)) as reader:
        whole = [day.date for day in reader.days(Report.COST) if day.is_whole]
    return f"{max(whole)}" if whole else None
