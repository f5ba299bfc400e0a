"""The archive as a database of Datasette.

It has the public views only, and a query worker runs each statement.
"""

from __future__ import annotations

import asyncio
import sqlite3
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from datasette.database import Database, QueryInterrupted, Results
from datasette.utils import Column
from datasette.views.base import DatasetteError

from archiver.errors import ArchiverError, ConfigurationError, TimeLimitError
from archiver.web.jobs import MAX_ROWS, QUERY_MEBIBYTES, fetch_rows
from archiver.web.query_worker import Bounds

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from datasette.app import Datasette

    from archiver.web.query_worker import QueryWorkers

QUERY_SECONDS = 3.0
TIMES = ("date", "month", "bucket_start", "started_at", "range_start")
"""The columns by which a view is sorted, newest first, if it has one of them."""
_IN_SIGHT = (
    *TIMES,
    *("amount_usd", "currency", "list_amount_usd"),
    *("uncached_input_tokens", "cache_read_input_tokens", "output_tokens", "input_tokens", "cache_hit_rate"),
    *("report", "field", "was", "now", "outcome", "id", "name"),
    *("workspace", "api_key", "person", "email", "model", "product", "tool"),
    *("service_tier", "context_window", "token_type", "cost_type", "description"),
)
"""The columns that a page shows first, so that the money of the newest day is seen without scrolling."""


def in_sight(columns: Sequence[str]) -> list[str]:
    """Return the columns of a view in the order in which a page shows them."""
    first = [name for name in _IN_SIGHT if name in columns]
    return [*first, *(name for name in columns if name not in first)]


@dataclass(frozen=True, slots=True)
class ResultPolicy:
    """The form in which a request gets its rows.

    Attributes:
        max_rows: The largest number of rows.
        complete: Whether more rows than that are an error, for formats that cannot mark a result as incomplete.
    """

    max_rows: int = MAX_ROWS
    complete: bool = False


# Datasette passes no request to a database; a context variable is local to the task of one request.
result_policy: ContextVar[ResultPolicy] = ContextVar("result_policy", default=ResultPolicy())  # noqa: B039  # it is frozen


class Row(tuple[Any, ...]):  # noqa: SLOT001  # a tuple has no room for slots
    """A row with values by index and by name.

    Datasette expects the rows of sqlite3, which have both.
    """

    names: Sequence[str]

    def __new__(cls, names: Sequence[str], values: Sequence[Any]) -> Self:
        """Return a row of values with the names of their columns."""
        row = super().__new__(cls, values)
        row.names = names
        return row

    def __getitem__(self, key: Any) -> Any:
        """Return a value by index or name."""
        return super().__getitem__(self.names.index(key) if isinstance(key, str) else key)

    def keys(self) -> Sequence[str]:
        """Return the names of the columns."""
        return self.names


class ArchiveDatabase(Database):  # type: ignore[misc]  # Datasette ships no types
    """The archive with its public views, without a connection in this process."""

    def __init__(self, site: Datasette, path: Path, columns: Mapping[str, list[str]], workers: QueryWorkers) -> None:
        """`columns` has the column names of each public view."""
        super().__init__(site, path=str(path), is_mutable=True)
        self._columns = columns
        self._workers = workers

    def connect(self, write: bool = False) -> Any:  # noqa: ARG002, FBT001, FBT002  # Datasette's signature
        """Raise RuntimeError.

        Statements on a connection in this process would have no limits.
        """
        raise RuntimeError("only query workers open the archive")

    async def execute(  # noqa: PLR0913, PLR0917  # Datasette's signature
        self,
        sql: str,
        params: Any = None,
        truncate: bool = False,  # noqa: FBT001, FBT002  # the same
        custom_time_limit: int | None = None,
        page_size: int | None = None,  # noqa: ARG002  # the same
        log_sql_errors: bool = True,  # noqa: ARG002, FBT001, FBT002  # the same
    ) -> Results:
        """Run a statement in a query worker.

        With `truncate` the result may be cut to the rows of the policy. `custom_time_limit` is in milliseconds.

        Raises:
            QueryInterrupted: It took too long.
            sqlite3.OperationalError: The SQL is wrong, or the result too large.
            DatasetteError: The same for a complete result, or the archive cannot be read.
        """
        policy = result_policy.get()
        seconds = min(QUERY_SECONDS, (custom_time_limit or QUERY_SECONDS * 1000) / 1000)
        max_rows = policy.max_rows if truncate else None
        parameters = {**params} if isinstance(params, dict) else list(params or ())
        try:
            columns, rows = await asyncio.get_running_loop().run_in_executor(
                self.ds.executor, self._fetch, sql, parameters, seconds, max_rows
            )
        except TimeLimitError as error:
            raise QueryInterrupted(error, sql, params) from None
        except ConfigurationError as error:
            if policy.complete:
                raise DatasetteError(error.message, status=400) from None
            raise sqlite3.OperationalError(error.message) from None
        except ArchiverError as error:
            raise DatasetteError(error.message, status=503) from None
        return _results(columns, rows, max_rows, policy)

    def _fetch(self, sql: str, parameters: Any, seconds: float, max_rows: int | None) -> Any:
        bounds = Bounds(seconds, QUERY_MEBIBYTES)
        return self._workers.run(fetch_rows, bounds, self.path, sql, parameters, seconds, max_rows)

    async def view_names(self) -> list[str]:
        """Return the names of the public views."""
        return list(self._columns)

    async def table_names(self) -> list[str]:
        """Return no table, because the tables behind the views are internal."""
        return []

    async def hidden_table_names(self) -> list[str]:
        """Return no hidden table."""
        return []

    async def table_exists(self, table: str) -> bool:  # noqa: ARG002  # Datasette's signature
        """Return False, because there are only views."""
        return False

    async def table_columns(self, table: str) -> list[str]:
        """Return the names of the columns of a view."""
        return self._columns.get(table, [])

    async def table_column_details(self, table: str) -> list[Column]:
        """Return the columns of a view, without types."""
        return [Column(i, name, "", 0, None, 0, 0) for i, name in enumerate(self._columns.get(table, []))]

    async def primary_keys(self, table: str) -> list[str]:  # noqa: ARG002  # Datasette's signature
        """Return no primary key, because views have none."""
        return []

    async def fts_table(self, table: str) -> None:
        """Return no full-text index."""

    async def label_column_for_table(self, table: str) -> None:
        """Return no label column."""

    async def foreign_keys_for_table(self, table: str) -> list[Any]:  # noqa: ARG002  # Datasette's signature
        """Return no foreign key."""
        return []

    async def get_all_foreign_keys(self) -> dict[str, Any]:
        """Return no foreign key."""
        return {}

    async def attached_databases(self) -> list[Any]:
        """Return no other database."""
        return []

    async def get_table_definition(self, table: str, type_: str = "table") -> str | None:
        """Return the command that documents a view: its SQL is internal."""
        return f"archiver schema {table}" if type_ == "view" and table in self._columns else None


def _results(
    columns: Sequence[str], rows: Sequence[Sequence[Any]], max_rows: int | None, policy: ResultPolicy
) -> Results:
    """Return rows as Datasette expects them, cut to `max_rows`.

    Raises:
        DatasetteError: There are more rows, and the result has to be complete.
    """
    # The query worker returns one row more than `max_rows` if there are more.
    truncated = max_rows is not None and len(rows) > max_rows
    if truncated and policy.complete:
        raise DatasetteError(
            f"the result has more than {max_rows:,} rows, and a part would look complete: "
            "limit the rows, or write the file with archiver query",
            status=400,
        )
    kept = [Row(columns, row) for row in rows[:max_rows]]
    return Results(kept, truncated, [(name, None, None, None, None, None, None) for name in columns])
