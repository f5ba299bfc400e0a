"""`archiver migrate`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from archiver.cli.command import Command
from archiver.cli.options import Duration, config_option, db_option, option
from archiver.errors import PARTIAL_EXIT, ConfigurationError
from archiver.store.archive import held_archive
from archiver.store.files import check_file
from archiver.store.migrate import backup_path, newest_version, pending

if TYPE_CHECKING:
    from pathlib import Path


@click.command(
    cls=Command,
    examples=["archiver migrate --check  # exit code 3 when there is a migration to apply", "archiver migrate"],
)
@option("--check", is_flag=True, help="Apply nothing; exit code 3 when there is a migration to apply.")
@option("--wait", type=Duration(), default=0.0, help="Wait this long for another run to end, as 10m.")
@db_option
@config_option
def migrate(*, check: bool, wait: float, db: Path, **_: Any) -> int:
    """Bring the archive's schema up to date; `sync` does the same by itself.

    The file is copied first, and a migration is applied whole or not at all. A file that is newer than the program is
    not changed (exit code 9).
    """
    if not check_file(db):
        raise ConfigurationError(
            f"there is no archive at {db}", hint="make one with archiver sync, or name another with --db PATH"
        )
    todo = pending(db)
    if not todo:
        click.echo(f"the archive is up to date: schema {newest_version()}")
        return 0
    names = ", ".join(migration.name for migration in todo)
    if check:
        click.echo(f"the archive needs {names}")
        return PARTIAL_EXIT
    with held_archive(db, now=int(time.time()), wait=wait):
        # Entering the lock has applied the migrations, as for every command that writes.
        click.echo(f"the archive is now at schema {newest_version()}: applied {names}")
        click.echo(f"a copy of it as it was: {backup_path(db, todo[0].version - 1)}")
    return 0
