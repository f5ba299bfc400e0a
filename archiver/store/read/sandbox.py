"""A connection on which SQL of users can only read, within limits."""

from __future__ import annotations

import re
import sqlite3
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from archiver.errors import ArchiverError, ConfigurationError, DamagedError, StorageError, TimeLimitError
from archiver.store.faults import translate
from archiver.store.read.as_of import open_as_of
from archiver.store.read.reader import open_reader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

_ALLOWED = frozenset({sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE})
_ALLOWED_PRAGMAS = frozenset({"table_info", "table_xinfo", "table_list", "function_list"})
_REFUSED_FUNCTIONS = frozenset({"load_extension", "fts3_tokenizer"})
# Blanks and comments may come before the first keyword. Possessive and atomic groups match a long run of them in linear
# time.
_BEGINNINGS = re.compile(
    r"(?:\s|--[^\n]*(?:\n|$)|(?>/\*.*?\*/))*+(select|with|values|explain|pragma)\b", re.IGNORECASE | re.DOTALL
)
# I/O errors that a lack of memory can cause, because the child process of a query has a limit of memory.
_MEMORY_CODES = frozenset({sqlite3.SQLITE_IOERR_NOMEM, sqlite3.SQLITE_IOERR_SHMMAP})
_OPCODES_PER_TIME_CHECK = 10_000  # well below a millisecond
_LONGEST_STATEMENT = 1_000_000
_LONGEST_VALUE = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one query: seconds of time and MiB of memory.

    `as_of` is the moment (UTC seconds) as of which the query reads the archive; None: now.
    """

    seconds: float
    mebibytes: int
    as_of: int | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """The columns of a result, and an iterator over its rows."""

    columns: tuple[str, ...]
    rows: Iterator[tuple[Any, ...]]


@contextmanager
def run_query(
    path: Path, statement: str, parameters: Mapping[str, object], limits: Limits, monotonic: Callable[[], float]
) -> Iterator[Result]:
    """Run one statement that only reads.

    Its rows can be read until the context ends. `monotonic` is the clock of the time limit.

    Raises:
        ConfigurationError: The SQL is wrong, does more than read, returns no columns, or needs too much memory. Or
            there is no archive, or it needs `archiver migrate` first.
        TimeLimitError: The query took too long.
        StorageError, LockedError, DamagedError, NewerError: The file cannot be read, is locked, damaged or too new.
    """
    check_reads(statement)
    with _translated(path), open_reader(path) as connection:
        connection.execute("PRAGMA temp_store = MEMORY")  # no limit applies to a temporary file
        if limits.as_of is not None:
            open_as_of(connection, limits.as_of)
        _confine(connection, limits, monotonic)
        cursor = connection.execute(statement, parameters)
        if cursor.description is None:
            raise ConfigurationError("the statement has no result")
        yield Result(tuple(column[0] for column in cursor.description), cursor)


def check_reads(statement: str) -> None:
    """Check that a statement begins with the keyword of one that reads.

    This check gives an early message. The authorizer of the connection enforces the rule.

    Raises:
        ConfigurationError: The statement begins with another word.
    """
    if not _BEGINNINGS.match(statement):
        raise ConfigurationError("only a statement that reads is allowed", hint="begin with SELECT, WITH or VALUES")


def _confine(connection: sqlite3.Connection, limits: Limits, monotonic: Callable[[], float]) -> None:
    """Prevent writing, and apply the limits."""
    # Two layers: `query_only` and the authorizer each prevent writing. ATTACH could read or create any other file.
    connection.execute("PRAGMA query_only = ON")
    connection.execute(f"PRAGMA hard_heap_limit = {limits.mebibytes * 1024 * 1024:d}")
    connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    connection.setlimit(sqlite3.SQLITE_LIMIT_SQL_LENGTH, _LONGEST_STATEMENT)
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST_VALUE)
    connection.set_authorizer(_authorize)
    deadline = monotonic() + limits.seconds
    # SQLite calls the function after each 10,000 opcodes, and interrupts the statement if it returns 1.
    connection.set_progress_handler(lambda: int(monotonic() > deadline), _OPCODES_PER_TIME_CHECK)


def _authorize(action: int, first: str | None, second: str | None, _database: str | None, _by: str | None) -> int:
    # SQLite passes the name of a pragma as the first argument, and the name of a function as the second.
    if action == sqlite3.SQLITE_PRAGMA:
        return sqlite3.SQLITE_OK if first in _ALLOWED_PRAGMAS else sqlite3.SQLITE_DENY
    if action == sqlite3.SQLITE_FUNCTION and second in _REFUSED_FUNCTIONS:
        return sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_OK if action in _ALLOWED else sqlite3.SQLITE_DENY


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    """Translate errors of a query; an error can also be caused by its SQL or by the limits."""
    try:
        yield
    except (sqlite3.Error, sqlite3.Warning) as error:
        raise _query_error(error, path) from error
    except StorageError as error:
        if getattr(error.__cause__, "sqlite_errorcode", None) in _MEMORY_CODES:
            raise _memory_error() from error
        raise
    except DamagedError as error:
        # The statement itself can make text that is not UTF-8, so the archive need not be damaged.
        if "decode to UTF-8" in str(error.__cause__):
            raise ConfigurationError("the result has text that is not UTF-8", hint="hex() shows its bytes") from error
        raise
    except MemoryError as error:
        raise _memory_error() from error


def _memory_error() -> ConfigurationError:
    return ConfigurationError("the query needs more memory than it may use", hint="raise --max-memory")


def _query_error(error: sqlite3.Error | sqlite3.Warning, path: Path) -> ArchiverError:
    """Return the `ArchiverError` for an error of a query."""
    code = getattr(error, "sqlite_errorcode", -1)
    if code == sqlite3.SQLITE_INTERRUPT:
        return TimeLimitError("the query took too long", hint="raise --timeout")
    if code == sqlite3.SQLITE_NOMEM:
        return _memory_error()
    if code == sqlite3.SQLITE_AUTH:
        return ConfigurationError(f"the query may only read: {error}")
    translation = translate(error, path) if isinstance(error, sqlite3.Error) else None
    return translation or ConfigurationError(f"the SQL cannot be run: {error}")
