"""`archiver teams`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from archiver.cli.command import Choice, Command
from archiver.cli.config import default_teams
from archiver.cli.options import FILE, Time, config_option, db_option, format_options, option
from archiver.cli.output import Output
from archiver.cli.report_request import read_range
from archiver.errors import ConfigurationError
from archiver.offline.teams.audit import check_teams, suggest_teams
from archiver.offline.teams.file import read_teams
from archiver.store.read.reader import open_archive_reader

if TYPE_CHECKING:
    from pathlib import Path


@click.command(
    cls=Command,
    examples=[
        "archiver teams suggest > teams.toml  # a rule for each workspace, to begin with",
        "archiver teams check --period this-month  # dead and shadowed rules, and cost of no team",
    ],
)
@click.argument("what", type=Choice(["check", "suggest"]), metavar="check|suggest")
@option("--teams", type=FILE, metavar="FILE", help="Rules of teams.  [default: teams.toml next to the configuration]")
@option("--since", type=Time(auto=True), metavar="DATE", help="From this day on.")
@option("--until", type=Time(), metavar="DATE", help="Up to this day, exclusive.")
@option("--period", metavar="PERIOD", help="This period alone.")
@format_options
@db_option
@config_option
@click.pass_context
def teams(ctx: click.Context, /, what: str, **options: Any) -> int:
    """Check the rules of teams on the archive, or suggest some.

    `check` shows what each rule matches, and the cost that no rule matches; exit code 3 if there is any, or if a rule
    matches nothing. `suggest` prints rules for cost of no team.
    """
    output = Output.take(options)
    request = read_range(ctx, options)
    given: Path | None = options["teams"]
    path = default_teams() if given is None else given
    exists = given is not None or path.exists()
    if what == "check" and not exists:
        raise ConfigurationError(
            f"there are no teams at {path}", hint="archiver teams suggest prints some to begin with"
        )
    rules = read_teams(path) if exists else None
    with open_archive_reader(options["db"]) as reader:
        if rules is None or what == "suggest":
            click.echo(suggest_teams(reader, request, rules), nl=False)
            return 0
        table = check_teams(reader, request, rules)
    return output.print("teams", table, "usd", options["db"])
