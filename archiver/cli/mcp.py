"""`archiver mcp`: the archive for an assistant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from archiver.cli.command import Command
from archiver.cli.config import default_teams
from archiver.cli.options import FILE, config_option, db_option, option

if TYPE_CHECKING:
    from pathlib import Path


@click.command(cls=Command, examples=["archiver mcp --db usage.db  # the command to name in the assistant's settings"])
@option("--teams", type=FILE, metavar="FILE", help="Rules of teams, in TOML or CSV.")
@db_option
@config_option
def mcp(*, teams: Path | None, db: Path, **_: Any) -> None:
    """Serve the archive to an assistant, read-only.

    It uses the Model Context Protocol on standard input and output, and has the tools status, schema, report and
    query. It needs one more library: pip install 'claude-usage-archiver[mcp]'.
    """
    from archiver.mcp.server import serve  # noqa: PLC0415  # only to serve

    serve(db, teams if teams is not None or not default_teams().exists() else default_teams())
