"""`archiver demo`."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Any

import click

from archiver.cli import fail
from archiver.cli.command import Command
from archiver.cli.options import option
from archiver.cli.progress import choose_progress
from archiver.cli.talk import print_summary
from archiver.crawl.summary import Summary
from archiver.offline.reports.registry import REPORTS
from archiver.offline.reports.request import ReportRequest
from archiver.offline.tables.display import to_display
from archiver.offline.tables.write import Format, write_rows
from archiver.store.read.reader import open_archive_reader

DEMO_FILE = "archiver-demo.db"


@click.command(cls=Command, examples=["archiver demo", "archiver demo --db invented.db"])
@option("--quiet", "-q", is_flag=True, help="Print only errors, the two tables, and what to run next.")
@click.option(
    "--db",
    type=click.Path(path_type=Path),
    default=DEMO_FILE,
    show_default=True,
    help="Archive to write.",
)
def demo(*, quiet: bool, db: Path, **_: Any) -> int:
    """Archive 13 months of an invented organisation.

    It runs a local Admin API with invented data on a free port, syncs it, prints spend by month and by workspace, and
    suggests what to run next. It needs no key and no network.
    """
    summary = _archive(db, quiet=quiet)
    if summary.stopped is not None:
        fail(summary.stopped)
    if not quiet:
        print_summary(summary)
    if summary.exit_code:
        return summary.exit_code
    _show_next(db, last_month=_show_spend(db))
    return 0


def _archive(db: Path, *, quiet: bool) -> Summary:
    from archiver.api.key import AdminKey  # noqa: PLC0415  # importing aiohttp takes long
    from archiver.api.rate_limit import Rate  # noqa: PLC0415  # the same
    from archiver.cli.run import synchronise  # noqa: PLC0415  # the same
    from archiver.cli.settings import Settings  # noqa: PLC0415  # the same
    from archiver.errors import ArchiverError  # noqa: PLC0415  # the same
    from archiver.plan.scope import Scope  # noqa: PLC0415  # the same
    from archiver.simulator import background  # noqa: PLC0415  # the same

    summary = Summary()
    if not quiet:
        click.echo("a local Admin API serves an invented organisation: all of its data is invented", err=True)
    with background() as api, choose_progress(quiet=quiet) as progress:
        settings = Settings(
            db=db,
            api_url=api.url,
            key=AdminKey(api.key, "the simulator"),
            # Its users and keys are some days older than its usage, and those days would show as an empty month.
            scope=Scope(since=datetime.combine(api.first_day, time(), UTC)),
            rate=Rate(None),  # the API is on this machine
            concurrency=4,
            max_runtime=None,
            wait=0,
        )
        try:
            synchronise(settings, progress, summary)
        except ArchiverError as error:
            summary.stopped = error
    return summary


def _show_spend(db: Path) -> str:
    """Print the totals by month and by workspace, and return the last month."""
    with open_archive_reader(db) as reader:
        tables = [REPORTS[name].compute(reader, ReportRequest()) for name in ("overview", "workspaces")]
    click.echo("\nSpend by month and by workspace, from the cost report, not the invoice (invented data)")
    for table in tables:
        click.echo()
        write_rows(*to_display(table, "usd", narrow=True), sys.stdout, Format.TABLE, has_total=table.total is not None)
    return str(max(row["month"] for row in tables[0].rows))


def _show_next(db: Path, last_month: str) -> None:
    program, file = _program(), shlex.quote(str(db))
    by_model = "SELECT model, sum(output_tokens) FROM daily_tokens GROUP BY model"
    by_day = "SELECT * FROM daily_cost WHERE date = :day"
    click.echo("\nTry next:\n")
    click.echo(f"  {program} report overview --db {file} --html overview.html")
    click.echo(f"  {program} status --db {file}")
    click.echo(f'  {program} query --db {file} "{by_model}"')
    click.echo(f'  {program} query --db {file} --csv --param day={last_month}-01 "{by_day}"')


def _program() -> str:
    """Return the command that runs this program: `archiver`, or a path."""
    called = Path(sys.argv[0]).resolve()
    found = shutil.which("archiver")
    if found is not None and Path(found).resolve() == called:
        return "archiver"
    return shlex.quote(os.path.relpath(called))
