"""`archiver forget`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from archiver.cli.command import Command
from archiver.cli.options import Duration, config_option, db_option, option
from archiver.errors import ConfigurationError
from archiver.offline.reports.known_days import count
from archiver.store.files import check_file

if TYPE_CHECKING:
    from pathlib import Path


@click.command(cls=Command, examples=["archiver forget user_01AbCdEfGh"])
@click.argument("identity", metavar="PERSON")
@option("--wait", type=Duration(), default=0.0, help="Wait this long for another run to end, as 10m.")
@db_option
@config_option
def forget(identity: str, *, wait: float, db: Path, **_: Any) -> None:
    """Remove the names and e-mail addresses of a person, for good.

    PERSON is an id of the views person and user, or an e-mail address.

    They are removed from the archive, from its history and from the free space of the file, and later syncs archive
    them no more. The id and all numbers are kept. Copies that were made before still have them.
    """
    if not check_file(db):
        raise ConfigurationError(
            f"there is no archive at {db}", hint="name the archive with --db PATH; archiver status shows the default"
        )
    found = _forget(db, identity, wait)
    removed = f"removed the names and addresses of {identity} ({count(found, 'record')})"
    click.echo(removed if found else f"{identity} is forgotten already")
    click.echo("copies that were made before (snapshots, backups, pages) still have them", err=True)


def _forget(db: Path, identity: str, wait: float) -> int:
    """Return the number of removed entries; 0 for an id that was forgotten before."""
    import anyio  # noqa: PLC0415  # not for --help

    from archiver.store.archive import held_archive, open_archive  # noqa: PLC0415  # the same

    async def work() -> int:
        async with open_archive(db) as archive:
            found = await archive.forget(identity)
            # Also when nothing was found: an earlier run may have been interrupted before this.
            await archive.vacuum()
            return found

    with held_archive(db, now=int(time.time()), wait=wait):
        return anyio.run(work)
