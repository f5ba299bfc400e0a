"""`archiver snapshot`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from archiver.cli.options import config_option, db_option
from archiver.store.read.reader import copy_archive


@click.command
@click.argument("file", type=click.Path(path_type=Path))
@db_option
@config_option
def snapshot(file: Path, *, db: Path, **_: Any) -> None:
    """Copy the archive to FILE, consistently, also while a sync runs.

    FILE must not be there yet; it is readable by its owner alone.
    """
    copy_archive(db, file)
    click.echo(f"copied {db} to {file}")
