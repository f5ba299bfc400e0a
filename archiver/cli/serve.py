"""`archiver serve`: the archive in a browser, until it is interrupted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from archiver.cli.config import default_queries
from archiver.cli.options import config_option, db_option, option

if TYPE_CHECKING:
    from pathlib import Path


def _say(url: str, reached: bool) -> None:  # noqa: FBT001  # what a server is told to say
    if reached:
        click.echo("warning: other machines can reach this address, and whoever does reads the archive", err=True)
    click.echo(url)
    click.echo("stop it with Ctrl-C", err=True)


@click.command
@option("--host", default="127.0.0.1", show_default=True, help="Listen on this address.")
@option("--port", type=click.IntRange(0, 65535), default=8001, show_default=True, help="Port; 0 takes a free one.")
@option("--allow-host", multiple=True, metavar="NAME", help="Answer to this name too (repeatable).")
@option("--open", "browse", is_flag=True, help="Open the page in a browser.")
@db_option
@config_option
def serve(*, host: str, port: int, allow_host: tuple[str, ...], browse: bool, db: Path, **_: Any) -> None:
    """Show the archive in a browser on this machine: spend, views, saved queries, SQL. Nothing is written.

    It needs Datasette: pip install 'claude-usage-archiver[web]'. The address is printed.
    """
    from archiver.web import server  # noqa: PLC0415  # only to serve

    server.serve(server.Served(db, default_queries(), host, port, allow_host), _say, browse=browse)
