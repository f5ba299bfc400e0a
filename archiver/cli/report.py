"""`archiver report`: a subcommand for each built-in report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from archiver.cli.command import (
    Command,
    Group,
    format_help_sections,
    group_options,
    in_one_call,
    several_profiles,
    suggest,
)
from archiver.cli.options import (
    config_option,
    db_option,
    format_options,
    option,
)
from archiver.cli.output import Output
from archiver.cli.profiles import run_each, worst
from archiver.cli.report_options import option_of
from archiver.cli.report_request import drop_range_to_sync, read_request
from archiver.errors import PARTIAL_EXIT, ConfigurationError
from archiver.offline.atomic import write_atomic
from archiver.offline.reports.registry import REPORTS, BuiltInReport
from archiver.offline.tables.joined import join
from archiver.offline.tables.write import show
from archiver.store.read.reader import open_archive_reader

if TYPE_CHECKING:
    from collections.abc import Sequence

    from archiver.offline.reports.request import ReportRequest
    from archiver.offline.tables.table import Table


class ReportGroup(Group):
    """The built-in reports; each command is made when it is called."""

    examples = ("archiver report spend --month 2026-01  # one month alone", "archiver report budget --warn")

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        """Return the names of the reports."""
        return list(REPORTS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  # the same
        """Return the command of a report."""
        return _command(REPORTS[cmd_name]) if cmd_name in REPORTS else None

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Accept options before the name of the report too, by moving the name."""
        if args and args[0].startswith("-") and args[0] not in ctx.help_option_names:
            named = next((i for i, arg in enumerate(args) if arg in REPORTS), None)
            if named is not None:
                args = [args[named], *args[:named], *args[named + 1 :]]
        return super().parse_args(ctx, args)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """Find a report, or raise an error that names the nearest one."""
        if args[0] not in REPORTS and not args[0].startswith("-"):
            raise click.UsageError(f"no such report: {args[0]!r}{suggest(args[0], REPORTS)}", ctx)
        return super().resolve_command(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of reports, the options and the examples."""
        with formatter.section("Reports"):
            formatter.write_dl([(one.name, one.help) for one in REPORTS.values()])
        format_help_sections(ctx, formatter, group_options(self.get_params(ctx)), self.examples)


@click.command(
    cls=ReportGroup,
    options_metavar="",
    subcommand_metavar="NAME [OPTIONS]",
    context_settings={"help_option_names": ["-h", "--help"]},
)
def report() -> None:
    """Run a built-in report, offline.

    `archiver report NAME --help` shows the options of one report. Exit code 3: nothing of the range is archived, or a
    budget is exceeded or unknown.
    """


def _command(of: BuiltInReport) -> click.Command:
    """Return the command of a report, with its own options and those of all."""

    @click.pass_context
    def run(ctx: click.Context, /, **options: Any) -> int:
        names = several_profiles(ctx)
        return _run_several(of, ctx, options, names) if names else _run(of, ctx, options)

    run.__doc__ = of.help
    decorated: Any = config_option(db_option(format_options(run)))
    html = option("--html", metavar="FILE", help="Write a page for a browser in one file; - for stdout.")
    decorated = html(decorated)
    for name in reversed(of.options):
        decorated = option_of(name, of)(decorated)
    return click.command(
        of.name, cls=Command, several=in_one_call, examples=[f"archiver report {of.name} {of.example}"]
    )(decorated)


def _run(of: BuiltInReport, ctx: click.Context, options: dict[str, Any]) -> int:
    db, html, how = options.pop("db"), options.pop("html"), options["how"]
    output = Output.take(options)
    if html and (how or output.sheet):
        raise ConfigurationError(f"--html and --{how or 'xlsx'} are both given", hint="give one of them")
    drop_range_to_sync(ctx, options)
    sparklines = output.is_for_people and not html
    request = read_request(of, options, ctx.meta.get("archiver.config", {}), sparklines=sparklines)
    if html:
        return _write_page(html, of.name, db, request)
    with open_archive_reader(db, request.as_of) as reader:
        table = of.compute(reader, request)
    return output.print(of.name, table, request.unit, db)


def _run_several(of: BuiltInReport, ctx: click.Context, options: dict[str, Any], names: Sequence[str]) -> int:
    """Print one table of the report of several profiles; return the worst exit code."""
    output = Output.take(options)
    if options["html"]:
        raise ConfigurationError("--html and several profiles are both given", hint="write a page for each")
    tables: dict[str, Table] = {}

    def compute(name: str, own: click.Context) -> int:
        mine = {**own.params}
        Output.take(mine)
        drop_range_to_sync(own, mine)
        request = read_request(of, mine, own.meta["archiver.config"], sparklines=False)
        with open_archive_reader(mine["db"], request.as_of) as reader:
            tables[name] = of.compute(reader, request)
        return 0

    code = run_each(ctx, names, compute)
    if not tables:
        return code
    return worst([code, output.print(of.name, join(tables), options.get("unit") or "usd", options["db"])])


def _write_page(target: str, name: str, db: Path, request: ReportRequest) -> int:
    from archiver.offline import page  # noqa: PLC0415  # only where a page is wanted

    made, needs_attention = page.of_report(db, name, request)
    if target == "-":
        click.echo(made.encode(), nl=False)  # UTF-8, whatever the terminal's encoding is
    else:
        write_atomic(Path(target), made.encode(), db)
        click.echo(f"wrote {show(target)}", err=True)
    return PARTIAL_EXIT if needs_attention else 0
