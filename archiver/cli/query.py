"""`archiver query`."""

from __future__ import annotations

import re
import sys
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from archiver.cli import guarded
from archiver.cli.command import Command
from archiver.cli.config import default_queries
from archiver.cli.options import (
    FILE,
    Duration,
    Time,
    check_sheet,
    config_option,
    db_option,
    format_of,
    format_options,
    option,
    print_written,
)
from archiver.cli.terminal import paged, terminal_of
from archiver.errors import ConfigurationError
from archiver.offline.atomic import atomic_file
from archiver.offline.export.parquet import load_library, write_result_file
from archiver.offline.limits import run_limited
from archiver.offline.saved import saved_queries, value_of
from archiver.offline.tables.terminal import write_result
from archiver.offline.tables.write import Format, write_rows
from archiver.store.read.sandbox import Limits, Result, run_query

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime
    from pathlib import Path

    _Writer = Callable[[Path, Sequence[str], Iterable[Sequence[Any]]], int]
    """Writes a result to a file, and returns the number of rows."""

_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


def read_parameters(texts: Sequence[str]) -> dict[str, Any]:
    """Return the parameters of `name=value` texts.

    A plain number is bound as a number, anything else as text.

    Raises:
        UsageError: A text is no such pair.
    """
    parameters: dict[str, Any] = {}
    for text in texts:
        name, separator, value = text.partition("=")
        if not separator or not name.isidentifier():
            raise click.UsageError(f"--param {text!r} is not name=value")
        parameters[name] = value_of(value)
    return parameters


def _list(how: Format, *, raw: bool) -> None:
    found = saved_queries(default_queries())
    rows = [(one.name, "your own" if one.own else "shipped", one.what) for one in found.values() if not one.fault]
    write_rows(["name", "from", "what"], rows, sys.stdout, how, raw=raw)
    for one in found.values():
        if one.fault:
            click.echo(f"warning: {one.fault}", err=True)


def _sql_of(text: str) -> str:
    """Return SQL: the text itself, standard input, or a saved query."""
    if text == "-":
        return sys.stdin.read()
    # No SQL statement that reads is a single word, so a single word is the name of a saved query.
    if _WORD.fullmatch(text) is None:
        return text
    found = saved_queries(default_queries())
    if text not in found:
        raise ConfigurationError(f"there is no saved query {text!r}", hint="archiver query --list shows them")
    if found[text].fault:
        raise ConfigurationError(found[text].fault)
    return found[text].sql


def _names_beginning_with(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Complete the name of a saved query in a shell."""
    found = saved_queries(default_queries()).items()
    return [name for name, one in found if name.startswith(incomplete) and not one.fault]


@click.command(
    cls=Command,
    examples=[
        "archiver query --list  # saved queries",
        "archiver query cost_by_day --csv > cost.csv  # run one",
        'archiver query "SELECT model, sum(output_tokens) FROM daily_tokens GROUP BY model"',
        'archiver query --param day=2026-01-15 "SELECT * FROM daily_cost WHERE date = :day"',
    ],
)
@click.argument("sql", required=False, shell_complete=_names_beginning_with)
@option("--list", "show_list", is_flag=True, help="List the saved queries.")
@format_options
@option("--parquet", type=FILE, metavar="FILE", help="Write the result to this file as Parquet.")
@option("--param", multiple=True, metavar="NAME=VALUE", help="Bind :NAME in the SQL (repeatable).")
@option("--as-of", type=Time(), metavar="TIME", help="Show the views as they were at this time.")
@option("--timeout", type=Duration(), default=60.0, show_default="60s", help="Stop the query after so long.")
@option(
    "--max-memory",
    type=click.IntRange(1, 65536),
    default=512,
    show_default=True,
    metavar="MIB",
    help="Limit of the memory that the query uses.",
)
@db_option
@config_option
def query(  # noqa: PLR0913  # click gives each option as an argument
    sql: str | None,
    *,
    show_list: bool,
    how: str | None,
    raw: bool,
    no_pager: bool,
    xlsx: Path | None,
    parquet: Path | None,
    param: tuple[str, ...],
    as_of: datetime | None,
    timeout: float,
    max_memory: int,
    db: Path,
    **_: Any,
) -> int:
    """Ask the archive in SQL, offline and read-only.

    `-` reads the SQL from standard input. The name of a saved query can stand in place of SQL: --list shows them.

    archiver schema lists the views and their columns. Those named daily_ and monthly_ are safe to sum.
    """
    check_sheet(xlsx, "list" if show_list else how, raw=raw)
    if show_list:
        _list(format_of(how), raw=raw)
        return 0
    if sql is None:
        raise click.UsageError("Missing argument 'SQL'; --list shows the saved queries.")
    text = _sql_of(sql)
    limits = Limits(timeout, max_memory, None if as_of is None else int(as_of.timestamp()))
    ask = partial(run_query, db, text, read_parameters(param), limits, time.process_time)
    if parquet is not None or xlsx is not None:
        return _to_file(ask, limits, *_file_of(parquet, xlsx, is_printed=bool(how) or raw), db)

    # Guarded in the child, which ends without the handlers of the parent: it prints its errors and returns the code.
    def print_result() -> int:
        with ask() as result:
            _print(result, format_of(how), raw=raw, has_pager=not no_pager)
        return 0

    return run_limited(lambda: guarded(print_result), timeout, max_memory)


def _print(result: Result, how: Format, *, raw: bool, has_pager: bool) -> None:
    terminal = terminal_of(sys.stdout) if how is Format.TABLE and not raw else None
    if terminal is not None:
        with paged(sys.stdout, wanted=has_pager) as to:
            write_result(result.columns, result.rows, to, terminal)
    else:
        write_rows(result.columns, result.rows, sys.stdout, how, raw=raw)
    sys.stdout.flush()  # the child ends without flushing


def _file_of(parquet: Path | None, xlsx: Path | None, *, is_printed: bool) -> tuple[Path, _Writer]:
    """Return the file to write, and what writes it.

    Raises:
        UsageError: Two formats are given.
        ConfigurationError: The library of the format is not installed.
    """
    if parquet is None:
        assert xlsx is not None
        return xlsx, _as_sheet
    if xlsx is not None or is_printed:
        raise click.UsageError("--parquet and another output format are both given")
    load_library()  # now, so that a query is not run in vain
    return parquet, write_result_file


def _to_file(
    ask: Callable[[], AbstractContextManager[Result]], limits: Limits, target: Path, write: _Writer, db: Path
) -> int:
    """Write the result to a file, and return the exit code.

    The child process writes a temporary file, and this process moves it to its place if the child succeeded.
    """
    with atomic_file(target, db) as stage:

        def write_result() -> int:
            with ask() as result:
                count = write(stage.file, result.columns, result.rows)
            print_written(count, target)
            return 0

        code = run_limited(lambda: guarded(write_result), limits.seconds, limits.mebibytes)
        if code == 0:
            stage.keep()
    return code


def _as_sheet(path: Path, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> int:
    from archiver.offline.tables.table import Column  # noqa: PLC0415  # the same
    from archiver.offline.tables.xlsx import write_sheet  # noqa: PLC0415  # spreadsheets are rare

    return write_sheet(path, [Column(name) for name in columns], rows)
