"""`archiver report`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from archiver.cli.options import Time, config_option, db_option, format_of, format_options, option
from archiver.offline.render import write_rows
from archiver.offline.reports import REPORTS, make_report

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path


def _text(moment: datetime | str | None, name: str) -> str | None:
    """Spell a bound as the report compares it: by day, or for restatements by the time they were learnt."""
    if moment is None or isinstance(moment, str):  # `auto`, as a configuration for sync may say
        return None
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ" if name == "restatements" else "%Y-%m-%d")


@click.command(epilog="The reports: " + "; ".join(f"{name}, {what}" for name, (what, _) in REPORTS.items()) + ".")
@click.argument("name", type=click.Choice(list(REPORTS)))
@option("--since", type=Time(auto=True), metavar="DATE", help="From this day on; for restatements, learnt since then.")
@option("--until", type=Time(), metavar="DATE", help="Up to this day, exclusive.")
@format_options
@db_option
@config_option
def report(  # noqa: PLR0913  # click gives each option as an argument
    name: str, *, since: datetime | str | None, until: datetime | None, how: str | None, raw: bool, db: Path, **_: Any
) -> None:
    """Answer one of the ready questions, offline."""
    table = make_report(db, name, _text(since, name), _text(until, name))
    write_rows(table.columns, table.rows, sys.stdout, format_of(how), raw=raw)
    if table.note:
        click.echo(f"note: {table.note}", err=True)
