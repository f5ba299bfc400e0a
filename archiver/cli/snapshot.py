"""`archiver snapshot`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from archiver.cli.command import Command
from archiver.cli.options import config_option, db_option
from archiver.store.read.reader import copy_archive


@click.command(cls=Command, examples=["archiver snapshot /backup/usage-2026-01.db  # a copy that can be shared"])
@click.argument("file", type=click.Path(path_type=Path))
@db_option
@config_option
def snapshot(file: Path, *, db: Path, **_: Any) -> None:
    """Copy the archive to FILE, also while a sync runs.

    The copy is what the archive was at one moment. FILE must not exist; only its owner can read it.
    """
    copy_archive(db, file)
    click.echo(f"copied {db} to {file}")
