"""`archiver demo`."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import Any

import click

from archiver.cli import fail
from archiver.cli.options import option
from archiver.cli.progress import choose_progress
from archiver.cli.talk import say_summary
from archiver.crawl.summary import Summary
from archiver.offline.spend import Spend, read_spend
from archiver.offline.tables.write import Format, write_rows

DEMO_FILE = "archiver-demo.db"


@click.command
@option("--quiet", "-q", is_flag=True, help="Say nothing but errors and the table.")
@click.option(
    "--db",
    type=click.Path(path_type=Path),
    default=DEMO_FILE,
    show_default=True,
    help="The archive to make, in the current folder.",
)
def demo(*, quiet: bool, db: Path, **_: Any) -> int:
    """Archive 13 months of an invented organisation, and show what can be asked.

    It starts a local Admin API with invented data on a free port, syncs it, and prints spend by month and workspace.
    """
    summary = _archive(db, quiet=quiet)
    if summary.stopped is not None:
        fail(summary.stopped)
    if not quiet:
        say_summary(summary)
    if summary.exit_code:
        return summary.exit_code
    _show(read_spend(db))
    _show_next(db)
    return 0


def _archive(db: Path, *, quiet: bool) -> Summary:
    from archiver.api.key import AdminKey  # noqa: PLC0415  # the imports of a run are for a run
    from archiver.api.rate_limit import Rate  # noqa: PLC0415  # the same
    from archiver.cli.run import synchronise  # noqa: PLC0415  # the same
    from archiver.cli.settings import Settings  # noqa: PLC0415  # the same
    from archiver.errors import ArchiverError  # noqa: PLC0415  # the same
    from archiver.plan.scope import Scope  # noqa: PLC0415  # the same
    from archiver.simulator import background  # noqa: PLC0415  # the same

    summary = Summary()
    if not quiet:
        click.echo("a local Admin API answers for an invented organisation: all of its data is invented", err=True)
    with background() as api, choose_progress(quiet=quiet) as progress:
        settings = Settings(
            db=db,
            api_url=api.url,
            key=AdminKey(api.key, "the simulator"),
            scope=Scope(),
            rate=Rate(None),
            concurrency=4,
            max_runtime=None,
            wait=0,
        )
        try:
            synchronise(settings, progress, summary)
        except ArchiverError as error:
            summary.stopped = error
    return summary


def _show(spend: Spend) -> None:
    currency = ", ".join(spend.currencies)
    click.echo(f"\nSpend by month and workspace, {currency}, from the cost report, not the invoice (invented data)\n")
    write_rows(*spend.table(), sys.stdout, Format.TABLE)


def _show_next(db: Path) -> None:
    program, file = _program(), shlex.quote(str(db))
    by_model = "SELECT model, sum(output_tokens) FROM daily_tokens GROUP BY model"
    by_day = "SELECT * FROM daily_cost WHERE date = :day"
    last_month = max(read_spend(db).months)
    click.echo("\nTry next:\n")
    click.echo(f"  {program} status --db {file}")
    click.echo(f'  {program} query --db {file} "{by_model}"')
    click.echo(f'  {program} query --db {file} --csv --param day={last_month}-01 "{by_day}"')


def _program() -> str:
    """Spell this program as the person can type it here."""
    called = Path(sys.argv[0]).resolve()
    found = shutil.which("archiver")
    if found is not None and Path(found).resolve() == called:
        return "archiver"
    return shlex.quote(os.path.relpath(called))
