"""The pages: Datasette with the archive's views, the saved queries, and none of what could write, tell or call out."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datasette import Response, hookimpl
from datasette.app import Datasette
from datasette.database import QueryInterrupted, Results
from datasette.plugins import pm
from datasette.utils import InvalidSql
from datasette.utils.asgi import Base400
from datasette.views import database as views
from datasette.views.base import DatasetteError
from jinja2.ext import Extension

from archiver.errors import ArchiverError, ConfigurationError
from archiver.offline.saved import saved_queries, value_of
from archiver.offline.schema import COLUMNS, VIEWS
from archiver.offline.tables.write import show
from archiver.store.read.sandbox import check_reads
from archiver.web.children import Bounds
from archiver.web.database import QUERY_SECONDS, ArchiveDatabase, wanted
from archiver.web.reading import MOST_ROWS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jinja2 import Environment

    from archiver.web.children import Children

NAME = "archive"
STATIC = "-/archiver"
_DASHBOARD_BOUNDS = Bounds(30.0, 1024)
_WIDEST_CELL = 1000
_FOLDER = Path(__file__).parent
_SETTINGS = {
    "allow_csv_stream": False,
    "allow_download": False,
    "default_cache_ttl": 0,
    "facet_time_limit_ms": 1000,
    "max_returned_rows": MOST_ROWS,
    "num_sql_threads": 3,
    "sql_time_limit_ms": int(QUERY_SECONDS * 1000),
    "suggest_facets": False,
}
_ALLOWED = frozenset({"view-instance", "view-query", "execute-sql"})
_TOO_LONG = f"the query took longer than {QUERY_SECONDS:.0f} seconds: ask for less, or use archiver query"
_PARTS = ("datasette.facets", "datasette.filters", "datasette.forbidden")
"""The plugins of Datasette's own that pages of an archive need."""


class Nonces(Extension):
    """Marks the scripts that templates bring, so that a browser runs those alone and none that came with a value."""

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:  # noqa: ARG002  # jinja's
        """Mark them in a template's source, before any value is in it."""
        return source.replace("<script", '<script nonce="{{ nonce }}"')


class Site(Datasette):  # type: ignore[misc]  # Datasette ships no types
    """Datasette with one database, the archive, whose statements children run."""

    def __init__(self, db: Path, queries: Path, columns: Mapping[str, list[str]], children: Children) -> None:
        """`queries` is the folder of a person's own, `columns` are those of each public view."""
        _keep_to_known_plugins()
        self.db = db
        self._faults: set[str] = set()
        self._queries = queries
        self._children = children
        super().__init__(
            metadata=_metadata(columns),
            settings=_SETTINGS,
            template_dir=str(_FOLDER / "templates"),
            static_mounts=[(STATIC, str(_FOLDER / "static"))],
        )
        _mark_scripts(self.jinja_env)
        for name in list(self.databases):  # the databases in memory, which Datasette adds
            self.remove_database(name)
        self.add_database(ArchiveDatabase(self, db, columns, children), name=NAME)

    @property
    def max_returned_rows(self) -> int:
        """How many rows the answer to this request may have."""
        return wanted.get().most

    @max_returned_rows.setter
    def max_returned_rows(self, _: int) -> None:
        """Leave it to each request."""

    async def refresh_schemas(self) -> None:
        """Do nothing: the columns are known, and nobody reads Datasette's catalogue."""

    async def permission_allowed(
        self,
        actor: Any,  # noqa: ARG002  # there is but one: who sits at this machine
        action: str,
        resource: Any = None,
        default: bool = False,  # noqa: ARG002, FBT001, FBT002  # Datasette's signature
    ) -> bool:
        """Allow reading the archive, and nothing else."""
        if action == "view-table":
            return resource[0] == NAME and resource[1] in VIEWS
        return action in _ALLOWED or (action == "view-database" and resource == NAME)

    async def get_canned_queries(self, database_name: str, actor: Any) -> dict[str, dict[str, str]]:  # noqa: ARG002  # the same
        """Give the saved queries, as the folder is now; of one that cannot be read it is said once."""
        found = saved_queries(self._queries)
        faults = {one.fault for one in found.values() if one.fault}
        for fault in sorted(faults - self._faults):
            sys.stderr.write(f"warning: {fault}\n")
        self._faults = faults
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
        """Run a statement; a person's own is the one that may be cut off, and its parameters are what was typed."""
        if truncate and isinstance(params, dict):
            params = {name: value_of(value) for name, value in {**params}.items()}
        try:
            return await super().execute(db_name, sql, params, truncate, custom_time_limit, page_size, log_sql_errors)
        except QueryInterrupted:
            if wanted.get().whole:
                raise DatasetteError(_TOO_LONG, status=400) from None
            if truncate:  # so that it is told beside the statement
                raise sqlite3.OperationalError(_TOO_LONG) from None
            raise

    async def render_template(
        self, templates: Any, context: Any = None, request: Any = None, view_name: str | None = None
    ) -> str:
        """Fill a template; its scripts get the mark that the guard gave this request."""
        filled = {**(context or {}), "nonce": request.scope["nonce"], "about": VIEWS} if request else context
        return str(await super().render_template(templates, filled, request, view_name))

    async def dashboard(self) -> str:
        """Have a child make the first page.

        Raises:
            ArchiverError: As the file is.
        """
        saved = [
            [str(self.urls.query(NAME, name)), name, one["description"]]
            for name, one in (await self.get_canned_queries(NAME, None)).items()
        ]
        return str(await asyncio.get_running_loop().run_in_executor(self.executor, self._make_dashboard, saved))

    def _make_dashboard(self, saved: list[list[str]]) -> Any:
        return self._children.ask("dashboard", _DASHBOARD_BOUNDS, str(self.db), saved)

    async def charts(self) -> str:
        """Have a child make the page of charts.

        Raises:
            ArchiverError: As the file is.
        """
        return str(await asyncio.get_running_loop().run_in_executor(self.executor, self._make_charts))

    def _make_charts(self) -> Any:
        return self._children.ask("charts", _DASHBOARD_BOUNDS, str(self.db))


def _metadata(columns: Mapping[str, list[str]]) -> dict[str, Any]:
    tables = {
        view: {"description": what, "columns": {column: COLUMNS[column] for column in columns[view]}}
        for view, what in VIEWS.items()
    }
    return {"extra_css_urls": [f"/{STATIC}/archiver.css"], "databases": {NAME: {"tables": tables}}}


def _mark_scripts(environment: Environment) -> None:
    environment.add_extension(Nonces)


def _keep_to_known_plugins() -> None:
    """Take out plugins that happen to be installed, and those of Datasette's own that print, publish or sign in."""
    for name, plugin in pm.list_name_plugin():
        if plugin is not None and name not in _PARTS and plugin is not sys.modules[__name__]:
            pm.unregister(plugin)
    if not pm.is_registered(sys.modules[__name__]):
        pm.register(sys.modules[__name__])
    views.validate_sql_select = _check_reads


def _check_reads(sql: str) -> None:
    """Look at a statement in Datasette's place: its own look takes the square of the time."""
    try:
        check_reads(sql)
    except ConfigurationError as error:
        raise InvalidSql(f"{error.message}: {error.hint}") from None


@hookimpl  # type: ignore[untyped-decorator]  # Datasette ships no types
def render_cell(value: Any) -> str | None:
    """Show text as text, with what does not print spelled out; no cell becomes a link that leads away."""
    return show(value, _WIDEST_CELL) if isinstance(value, str | bytes) else None


@hookimpl  # type: ignore[untyped-decorator]  # the same
def register_routes() -> list[tuple[str, Any]]:
    """Let the first page be the dashboard, and charts be one click away."""
    return [(r"^/$", _dashboard), (r"^/charts$", _charts)]


async def _dashboard(datasette: Site) -> Response:
    return Response.html(await datasette.dashboard())


async def _charts(datasette: Site) -> Response:
    return Response.html(await datasette.charts())


@hookimpl  # type: ignore[untyped-decorator]  # the same
def handle_exception(datasette: Site, request: Any, exception: Exception) -> Any:
    """Say what went wrong on a page, or as JSON; a bug is named on stderr, without any value."""
    status, told = _told(exception)

    async def answer() -> Response:
        if request.path.endswith(".json"):
            return Response.json({"ok": False, "error": told, "status": status}, status=status)
        context = {"title": "Not found" if status == 404 else "That did not work", "error": told}  # noqa: PLR2004
        return Response.html(await datasette.render_template("error.html", context, request=request), status=status)

    return answer


def _told(exception: Exception) -> tuple[int, str]:  # noqa: PLR0911  # a table of errors
    if isinstance(exception, DatasetteError):
        refused = exception.status == 500 and exception.__context__ is None  # noqa: PLR2004  # of an address, unnumbered
        return 400 if refused else exception.status, _TOO_LONG if exception.message_is_html else exception.message
    if isinstance(exception, Base400):
        return exception.status, str(exception.args[0]) if exception.status != 404 else "there is no such page"  # noqa: PLR2004
    if isinstance(exception, QueryInterrupted):
        return 400, _TOO_LONG
    if isinstance(exception, ArchiverError):
        return 503, exception.message
    if isinstance(exception, OSError):
        return 503, "the archive cannot be read"
    if isinstance(exception, ValueError):  # Datasette reads numbers out of the address as they are
        return 400, "a value in the address is not what it should be"
    sys.stderr.write(f"error: a page failed: {type(exception).__name__}\n")
    return 500, "this is a bug in archiver, or in Datasette"
