"""The archive as Datasette sees it: the public views, each statement answered by a child of its own."""

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
from archiver.offline.tables.write import inert
from archiver.web.children import Bounds
from archiver.web.reading import MEBIBYTES, MOST_ROWS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from datasette.app import Datasette

    from archiver.web.children import Children

QUERY_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a request wants of an answer.

    `most` rows at most; `whole`: rather an error than a part of it, where the reader could not tell; `inert`: as text
    that a spreadsheet opens.
    """

    most: int = MOST_ROWS
    whole: bool = False
    inert: bool = False


wanted: ContextVar[Wanted] = ContextVar("wanted", default=Wanted())  # noqa: B039  # it is frozen


class Row(tuple[Any, ...]):  # noqa: SLOT001  # a tuple has no room for slots
    """A row whose values are found by place and by name, as Datasette finds them in those of sqlite3."""

    names: Sequence[str]

    def __new__(cls, names: Sequence[str], values: Sequence[Any]) -> Self:
        """Make a row of values with their columns' names."""
        row = super().__new__(cls, values)
        row.names = names
        return row

    def __getitem__(self, key: Any) -> Any:
        """Find a value."""
        return super().__getitem__(self.names.index(key) if isinstance(key, str) else key)

    def keys(self) -> Sequence[str]:
        """Name the columns."""
        return self.names


class ArchiveDatabase(Database):  # type: ignore[misc]  # Datasette ships no types
    """The archive. Datasette has no connection to it, and knows the views alone: their columns are the program's."""

    def __init__(self, site: Datasette, path: Path, columns: Mapping[str, list[str]], children: Children) -> None:
        """`columns` are those of each public view."""
        super().__init__(site, path=str(path), is_mutable=True)
        self._columns = columns
        self._children = children

    def connect(self, write: bool = False) -> Any:  # noqa: ARG002, FBT001, FBT002  # Datasette's signature
        """Refuse: whatever wants a connection of its own is not bounded."""
        raise RuntimeError("the archive is read by children alone")

    async def execute(  # noqa: PLR0913, PLR0917  # Datasette's signature
        self,
        sql: str,
        params: Any = None,
        truncate: bool = False,  # noqa: FBT001, FBT002  # the same
        custom_time_limit: int | None = None,
        page_size: int | None = None,  # noqa: ARG002  # the same
        log_sql_errors: bool = True,  # noqa: ARG002, FBT001, FBT002  # the same
    ) -> Results:
        """Run a statement; `truncate` says that a part of the rows will do, `custom_time_limit` is in milliseconds."""
        asks = wanted.get()
        seconds = min(QUERY_SECONDS, (custom_time_limit or QUERY_SECONDS * 1000) / 1000)
        most = asks.most if truncate else None
        parameters = {**params} if isinstance(params, dict) else list(params or ())
        try:
            columns, rows = await asyncio.get_running_loop().run_in_executor(
                self.ds.executor, self._ask, sql, parameters, seconds, most
            )
        except TimeLimitError as error:
            raise QueryInterrupted(error, sql, params) from None
        except ConfigurationError as error:
            if asks.whole:
                raise DatasetteError(error.message, status=400) from None
            raise sqlite3.OperationalError(error.message) from None
        except ArchiverError as error:
            raise DatasetteError(error.message, status=503) from None
        return _results(columns, rows, most, asks)

    def _ask(self, sql: str, parameters: Any, seconds: float, most: int | None) -> Any:
        return self._children.ask("read", Bounds(seconds, MEBIBYTES), self.path, sql, parameters, seconds, most)

    async def view_names(self) -> list[str]:
        """Name the public views."""
        return list(self._columns)

    async def table_names(self) -> list[str]:
        """Name no table: those behind the views are not for use."""
        return []

    async def hidden_table_names(self) -> list[str]:
        """Name none either."""
        return []

    async def table_exists(self, table: str) -> bool:  # noqa: ARG002  # Datasette's signature
        """Know none."""
        return False

    async def table_columns(self, table: str) -> list[str]:
        """Name the columns of a view."""
        return self._columns.get(table, [])

    async def table_column_details(self, table: str) -> list[Column]:
        """Describe the columns of a view."""
        return [Column(i, name, "", 0, None, 0, 0) for i, name in enumerate(self._columns.get(table, []))]

    async def primary_keys(self, table: str) -> list[str]:  # noqa: ARG002  # Datasette's signature
        """Name none: a view has none."""
        return []

    async def fts_table(self, table: str) -> None:
        """Name no index of words."""

    async def label_column_for_table(self, table: str) -> None:
        """Name none."""

    async def foreign_keys_for_table(self, table: str) -> list[Any]:  # noqa: ARG002  # Datasette's signature
        """Name none."""
        return []

    async def get_all_foreign_keys(self) -> dict[str, Any]:
        """Name none."""
        return {}

    async def attached_databases(self) -> list[Any]:
        """Name none."""
        return []

    async def get_table_definition(self, table: str, type_: str = "table") -> str | None:
        """Say that a view is one; how it is made is not for use."""
        return f"archiver schema {table}" if type_ == "view" and table in self._columns else None


def _results(columns: Sequence[str], rows: Sequence[Sequence[Any]], most: int | None, asks: Wanted) -> Results:
    """Give Datasette an answer.

    Raises:
        DatasetteError: It is to be whole, and there are more rows.
    """
    truncated = most is not None and len(rows) > most
    if truncated and asks.whole:
        raise DatasetteError(
            f"there are more than {most:,} rows, and a part would look like all of them: "
            "ask for less, or let archiver query write the file",
            status=400,
        )
    if asks.inert:
        columns = [inert(name) for name in columns]
        rows = [[inert(value) for value in row] for row in rows]
    kept = [Row(columns, row) for row in rows[:most]]
    return Results(kept, truncated, [(name, None, None, None, None, None, None) for name in columns])
