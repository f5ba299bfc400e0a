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
        "archiver teams check --period this-month  # rules without effect, and cost without a team",
    ],
)
@click.argument("action", type=Choice(["check", "suggest"]), metavar="check|suggest")
@option(
    "--teams",
    type=FILE,
    metavar="FILE",
    help="File with rules for teams.  [default: teams.toml next to the configuration]",
)
@option("--since", type=Time(auto=True), metavar="DATE", help="From this day on.")
@option("--until", type=Time(), metavar="DATE", help="Up to this day, exclusive.")
@option("--period", metavar="PERIOD", help="This period alone.")
@format_options
@db_option
@config_option
@click.pass_context
def teams(ctx: click.Context, /, action: str, **options: Any) -> int:
    """Check the rules for teams against the archive, or suggest rules.

    `check` shows what each rule matches, and the cost that no rule matches. The exit code is 3 if there is such cost,
    if a rule matches nothing or only what earlier rules match, or if no day is archived. `suggest` prints rules for
    cost that no rule matches yet.
    """
    output = Output.take(options)
    request = read_range(ctx, options)
    given_path: Path | None = options["teams"]
    path = default_teams() if given_path is None else given_path
    # A missing file is an error of `read_teams` if --teams names it. The default file may be missing for `suggest`.
    has_rules = given_path is not None or path.exists()
    if action == "check" and not has_rules:
        raise ConfigurationError(
            f"there is no teams file {path}", hint="to write one, begin with the output of archiver teams suggest"
        )
    rules = read_teams(path) if has_rules else None
    with open_archive_reader(options["db"]) as reader:
        if rules is None or action == "suggest":
            click.echo(suggest_teams(reader, request, rules), nl=False)
            return 0
        table = check_teams(reader, request, rules)
    return output.print("teams", table, "usd", options["db"])
