"""`archiver query`."""

from __future__ import annotations

import re
import sys
import time
from typing import TYPE_CHECKING, Any

import click

from archiver.cli import guarded
from archiver.cli.options import Duration, Time, config_option, db_option, format_of, format_options, option
from archiver.offline.confined import run_confined
from archiver.offline.render import write_rows
from archiver.store.sandbox import Limits, run_query

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")
_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]*)\.[0-9]+")


def read_parameters(texts: Sequence[str]) -> dict[str, Any]:
    """Read `name=value` pairs; a value that is a plain number is bound as one, anything else as text."""
    parameters: dict[str, Any] = {}
    for text in texts:
        name, separator, value = text.partition("=")
        if not separator or not name.isidentifier():
            raise click.UsageError(f"--param {text!r} is not name=value")
        if _INTEGER.fullmatch(value):
            parameters[name] = int(value)
        else:
            parameters[name] = float(value) if _DECIMAL.fullmatch(value) else value
    return parameters


@click.command
@click.argument("sql")
@format_options
@option("--param", multiple=True, metavar="NAME=VALUE", help="Bind :NAME in the SQL (repeatable).")
@option("--as-of", type=Time(), metavar="TIME", help="Let the views say what was known at this time.")
@option("--timeout", type=Duration(), default=60.0, show_default="60s", help="Stop the query after so long.")
@option(
    "--max-memory",
    type=click.IntRange(1, 65536),
    default=512,
    show_default=True,
    metavar="MIB",
    help="At most so much.",
)
@db_option
@config_option
def query(  # noqa: PLR0913  # click gives each option as an argument
    sql: str,
    *,
    how: str | None,
    raw: bool,
    param: tuple[str, ...],
    as_of: datetime | None,
    timeout: float,
    max_memory: int,
    db: Path,
    **_: Any,
) -> int:
    """Ask the archive in SQL, offline and read-only; SQL of `-` is read from standard input.

    The views are usage, cost, daily_tokens, daily_cost, coverage, restatement, sync_run, workspace, api_key, user and
    service_account. daily_tokens and daily_cost are safe to sum.
    """
    text = sys.stdin.read() if sql == "-" else sql
    limits = Limits(timeout, max_memory, None if as_of is None else int(as_of.timestamp()))
    parameters = read_parameters(param)

    def answer() -> int:
        with run_query(db, text, parameters, limits, time.process_time) as result:
            write_rows(result.columns, result.rows, sys.stdout, format_of(how), raw=raw)
            sys.stdout.flush()
        return 0

    return run_confined(lambda: guarded(answer), timeout, max_memory)
