"""`archiver serve`: the archive in a browser, until it is interrupted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from archiver.cli.command import Command
from archiver.cli.config import default_queries, load_config
from archiver.cli.options import FILE, config_option, db_option, option
from archiver.cli.report_request import read_budgets, teams_of

if TYPE_CHECKING:
    from pathlib import Path


def _announce(url: str, public: bool) -> None:  # noqa: FBT001  # the server passes it by position
    if public:
        click.echo("warning: other machines can reach this address and read the archive: no password", err=True)
    click.echo(url)
    click.echo("stop it with Ctrl-C", err=True)


@click.command(
    cls=Command,
    examples=[
        "archiver serve --open",
        "archiver serve --port 0  # any free port",
        "archiver serve --allow-host usage.example.com  # behind a proxy that asks for a password",
    ],
)
@option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8001,
    show_default=True,
    help="Port to listen on; 0 is any free one.",
)
@option(
    "--allow-host", multiple=True, metavar="NAME", help="Host name to accept in requests, as of a proxy (repeatable)."
)
@option("--open", "browse", is_flag=True, help="Open the first page in a browser.")
@option("--teams", type=FILE, metavar="FILE", help="Rules of teams, in TOML or CSV.")
@db_option
@config_option
def serve(  # noqa: PLR0913  # click gives each option as an argument
    *,
    host: str,
    port: int,
    allow_host: tuple[str, ...],
    browse: bool,
    teams: Path | None,
    db: Path,
    config: Path | None,
    **_: Any,
) -> None:
    """Show the archive in a browser on this machine, read-only.

    The first page is the overview; behind it are all reports, the views, saved queries and SQL. It prints its address
    and runs until Ctrl-C. A change of the budgets or of the teams is there with the next page. It needs Datasette:
    pip install 'claude-usage-archiver[web]'.
    """
    from archiver.web import server  # noqa: PLC0415  # only to serve
    from archiver.web.choices import ReportSettings  # noqa: PLC0415  # the same

    settings = ReportSettings(lambda: read_budgets(load_config(config)), lambda: teams_of(teams))
    server.serve(server.Served(db, default_queries(), host, port, settings, allow_host), _announce, browse=browse)
