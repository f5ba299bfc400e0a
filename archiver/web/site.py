"""The site: Datasette over the archive's views and saved queries.

Parts of Datasette that write, sign in, or show more than that are removed.
"""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from datasette import Response, hookimpl
from datasette.app import Datasette
from datasette.database import QueryInterrupted, Results
from datasette.plugins import pm
from datasette.utils import InvalidSql
from datasette.utils.asgi import NotFound
from datasette.views import database as views
from datasette.views.base import DatasetteError

from archiver.errors import ArchiverError, ConfigurationError
from archiver.offline.reports.registry import REPORTS
from archiver.offline.saved import saved_queries, value_of
from archiver.offline.schema import COLUMNS, VIEWS
from archiver.offline.tables.write import show
from archiver.store.read.sandbox import check_reads
from archiver.web.added_attributes import AddedAttributes
from archiver.web.choices import read_choices
from archiver.web.csv_file import check_columns, filter_columns, of_query, of_view, send_file
from archiver.web.database import QUERY_SECONDS, TIMES, ArchiveDatabase, in_sight, result_policy
from archiver.web.error_pages import TOO_LONG, handle_exception  # noqa: F401  # a hook of this plugin
from archiver.web.jobs import MAX_ROWS, csv_pieces, overview_page, report_page, reports_page
from archiver.web.navigation import NAVIGATION
from archiver.web.page_cache import PageCache
from archiver.web.page_jobs import PageJobs
from archiver.web.pages_ahead import make_ahead
from archiver.web.query_worker import Bounds

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from archiver.web.choices import ReportSettings
    from archiver.web.query_worker import QueryWorkers

NAME = "archive"
STATIC = "-/archiver"
_FILE_BOUNDS = Bounds(3600.0, 512)
_FIRST_ROWS_SECONDS = 30.0
_MOST_FILES = 2
"""The number of files that are sent at a time."""
_MAX_CELL_LENGTH = 1000
_FOLDER = Path(__file__).parent
_NOT_FOUND = 404
_SETTINGS = {
    "allow_csv_stream": False,
    "allow_download": False,
    "default_cache_ttl": 0,
    "facet_time_limit_ms": 1000,
    "max_returned_rows": MAX_ROWS,
    "num_sql_threads": 3,
    "sql_time_limit_ms": int(QUERY_SECONDS * 1000),
    "suggest_facets": False,
}
_ALLOWED = frozenset({"view-instance", "view-query", "execute-sql"})
_PLUGINS = ("datasette.facets", "datasette.filters", "datasette.forbidden")
"""The built-in plugins of Datasette that these pages need."""


class Site(Datasette):  # type: ignore[misc]  # Datasette ships no types
    """Datasette with one database, the archive.

    Statements run in query workers.
    """

    def __init__(
        self,
        db: Path,
        queries: Path,
        columns: Mapping[str, list[str]],
        workers: QueryWorkers,
        settings: ReportSettings,
    ) -> None:
        """`queries` is the folder of saved queries, `columns` has the column names of each public view."""
        columns = self.columns = {view: in_sight(names) for view, names in columns.items()}
        _remove_plugins()
        self.db = db
        self._reported_faults: set[str] = set()
        self._queries = queries
        self._workers = workers
        self._report_settings = settings
        self.pages = PageCache(db)
        self.jobs = PageJobs(db, workers)
        self._files = asyncio.Semaphore(_MOST_FILES)
        super().__init__(
            metadata=_metadata(columns),
            settings=_SETTINGS,
            template_dir=str(_FOLDER / "templates"),
            static_mounts=[(STATIC, str(_FOLDER / "static"))],
        )
        self.jinja_env.add_extension(AddedAttributes)
        for name in list(self.databases):  # Datasette adds databases in memory
            self.remove_database(name)
        self.add_database(ArchiveDatabase(self, db, columns, workers), name=NAME)

    @property
    def max_returned_rows(self) -> int:
        """The largest number of rows of the current request."""
        return result_policy.get().max_rows

    @max_returned_rows.setter
    def max_returned_rows(self, _: int) -> None:
        """Ignore the value that Datasette sets for all requests."""

    async def refresh_schemas(self) -> None:
        """Do nothing, because Datasette's catalogue is not served."""

    async def permission_allowed(
        self,
        actor: Any,  # noqa: ARG002  # there are no users
        action: str,
        resource: Any = None,
        default: bool = False,  # noqa: ARG002, FBT001, FBT002  # Datasette's signature
    ) -> bool:
        """Allow to read the archive, and nothing else."""
        if action == "view-table":
            return resource[0] == NAME and resource[1] in VIEWS
        return action in _ALLOWED or (action == "view-database" and resource == NAME)

    async def get_canned_queries(self, database_name: str, actor: Any) -> dict[str, dict[str, str]]:  # noqa: ARG002  # the same
        """Read the saved queries from their folder.

        A file that cannot be read is reported once.
        """
        found = saved_queries(self._queries)
        faults = {one.fault for one in found.values() if one.fault}
        for fault in sorted(faults - self._reported_faults):
            sys.stderr.write(f"warning: {fault}\n")
        self._reported_faults = faults
        return {
            name: {"name": name, "sql": one.sql, "description": show(one.what, None)}
            for name, one in found.items()
            if not one.fault
        }

    async def execute(  # noqa: PLR0913, PLR0917  # Datasette's signature
        self,
        db_name: str,
        sql: str,
        params: Any = None,
        truncate: bool = False,  # noqa: FBT001, FBT002  # the same
        custom_time_limit: int | None = None,
        page_size: int | None = None,
        log_sql_errors: bool = True,  # noqa: FBT001, FBT002  # the same
    ) -> Results:
        """Run a statement.

        Raises:
            QueryInterrupted, DatasetteError, sqlite3.OperationalError: See `ArchiveDatabase.execute`. The type decides
                how the page shows it.
        """
        # Only statements of users have `truncate`. Their parameters are text, of which numbers are made here.
        if truncate and isinstance(params, dict):
            params = {name: value_of(value) for name, value in {**params}.items()}
        try:
            return await super().execute(db_name, sql, params, truncate, custom_time_limit, page_size, log_sql_errors)
        except QueryInterrupted:
            if result_policy.get().complete:
                raise DatasetteError(TOO_LONG, status=400) from None
            if truncate:  # Datasette shows this error together with the statement
                raise sqlite3.OperationalError(TOO_LONG) from None
            raise

    async def render_template(
        self, templates: Any, context: Any = None, request: Any = None, view_name: str | None = None
    ) -> str:
        """Return a template's text, with the nonce of the request."""
        more = {"nonce": request.scope["nonce"] if request else "", "views_help": VIEWS, "navigation": NAVIGATION}
        return str(await super().render_template(templates, {**(context or {}), **more}, request, view_name))

    async def send_csv(
        self, name: str | None, pairs: Sequence[tuple[str, str]], receive: Any, send: Any, *, head: bool
    ) -> None:
        """Send the rows of a view, a saved query or a statement as a CSV file.

        Raises:
            DatasetteError: There is no such view or query, or the statement is not valid.
            ArchiverError: The archive cannot be read.
        """
        database = self.databases[NAME]
        if name in VIEWS:
            statement = of_view(name, await database.table_columns(name), pairs)
        elif name is None:
            statement = of_query(dict(pairs).get("sql", ""), pairs, NAME)
        else:
            saved = (await self.get_canned_queries(NAME, None)).get(name)
            if saved is None:
                raise NotFound(name)
            statement = of_query(saved["sql"], pairs, name)
        async with self._files:
            arguments = (str(self.db), statement.sql, dict(statement.parameters), _FIRST_ROWS_SECONDS)
            pieces = self._workers.stream(csv_pieces, _FILE_BOUNDS, *arguments)
            try:
                await send_file(pieces, statement.name, self.executor, receive, send, head=head)
            except ConfigurationError as error:
                raise DatasetteError(error.message, status=400) from None

    async def overview(self) -> str:
        """Return the first page."""
        return await self.pages.get("overview", lambda: self.jobs.run(overview_page))

    async def make_pages_ahead(self) -> None:
        """Make the overview and all reports ahead, until it is cancelled."""
        await make_ahead(self.pages, [self.overview, *(partial(self.report, name, ()) for name in REPORTS)])

    async def report(self, name: str, pairs: Sequence[tuple[str, str]]) -> str:
        """Return the page of a report.

        Raises:
            DatasetteError: The report cannot have these choices.
        """
        try:
            choices = read_choices(name, pairs)
            request = choices.request(self._report_settings)
            return await self.pages.get(f"{choices} {request}", lambda: self.jobs.run(report_page, choices, request))
        except ConfigurationError as error:
            status = _NOT_FOUND if name not in REPORTS else 400
            hint = f"; {error.hint}" if error.hint else ""
            raise DatasetteError(f"{error.message}{hint}", status=status) from None


def _metadata(columns: Mapping[str, list[str]]) -> dict[str, Any]:
    tables = {
        view: {
            "description": what,
            "columns": {column: COLUMNS[column] for column in columns[view]},
            **({"sort_desc": columns[view][0]} if columns[view][0] in TIMES else {}),
        }
        for view, what in VIEWS.items()
    }
    return {"extra_css_urls": [f"/{STATIC}/archiver.css"], "databases": {NAME: {"tables": tables}}}


def _remove_plugins() -> None:
    """Unregister all plugins but those that the pages need."""
    # Others may be installed by chance. Some of Datasette's own publish, print or sign in.
    for name, plugin in pm.list_name_plugin():
        if plugin is not None and name not in _PLUGINS and plugin is not sys.modules[__name__]:
            pm.unregister(plugin)
    if not pm.is_registered(sys.modules[__name__]):
        pm.register(sys.modules[__name__])
    # Datasette's own check takes time that grows with the square of a statement's length.
    views.validate_sql_select = _check_reads


def _check_reads(sql: str) -> None:
    try:
        check_reads(sql)
    except ConfigurationError as error:
        raise InvalidSql(f"{error.message}: {error.hint}") from None


@hookimpl  # type: ignore[untyped-decorator]  # Datasette ships no types
def render_cell(value: Any) -> str | None:
    """Return text with unprintable characters escaped, and never as a link."""
    return show(value, _MAX_CELL_LENGTH) if isinstance(value, str | bytes) else None


@hookimpl  # type: ignore[untyped-decorator]  # the same
def filters_from_request(request: Any, table: str, datasette: Site) -> None:
    """Refuse filters of a view by columns that it does not have."""
    columns = datasette.columns.get(table)
    if columns is not None:
        check_columns(table, columns, filter_columns(key for key in request.args if not key.startswith("_")))


@hookimpl  # type: ignore[untyped-decorator]  # the same
def register_routes() -> list[tuple[str, Any]]:
    """Return the routes of what is no page of Datasette."""
    return [
        (r"^/$", _overview),
        (r"^/charts$", _moved_to_overview),
        (r"^/report$", _reports),
        (r"^/report/(?P<name>[a-z-]+)$", _report),
        (r"^/healthz$", _health),
        (r"^/archive(?:/(?P<name>[^/]+))?\.csv$", _csv_file),
    ]


async def _overview(datasette: Site) -> Response:
    return Response.html(await datasette.overview())


async def _reports(datasette: Site) -> Response:
    return Response.html(await datasette.jobs.run(reports_page))


async def _report(datasette: Site, request: Any) -> Response:
    pairs = parse_qsl(request.query_string, keep_blank_values=True)
    return Response.html(await datasette.report(request.url_vars["name"], pairs))


async def _csv_file(datasette: Site, request: Any, receive: Any, send: Any) -> None:
    pairs = parse_qsl(request.query_string, keep_blank_values=True)
    await datasette.send_csv(request.url_vars["name"], pairs, receive, send, head=request.method == "HEAD")


async def _health(datasette: Site) -> Response:
    """Return whether the archive can be read, and its newest whole day."""
    try:
        return Response.json({"ok": True, "newest_day": await datasette.jobs.health()})
    except ArchiverError as error:
        return Response.json({"ok": False, "error": error.message}, status=503)


async def _moved_to_overview() -> Response:
    return Response.redirect("/", status=301)
