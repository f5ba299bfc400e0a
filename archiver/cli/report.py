"""`archiver report`: a subcommand for each built-in report."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from archiver.cli.command import Command, format_help_sections, group_options, suggest
from archiver.cli.options import (
    Time,
    check_sheet,
    config_option,
    db_option,
    format_of,
    format_options,
    option,
    print_written,
)
from archiver.cli.report_request import BOUNDS, read_request
from archiver.cli.terminal import paged, print_notes, terminal_of
from archiver.errors import PARTIAL_EXIT, ConfigurationError
from archiver.offline.atomic import atomic_file, write_atomic
from archiver.offline.periods import EXAMPLES
from archiver.offline.reports.idle import DEFAULT_DAYS
from archiver.offline.reports.registry import REPORTS, BuiltInReport
from archiver.offline.tables.display import to_display, to_export, to_sheet
from archiver.offline.tables.slots import GAP
from archiver.offline.tables.terminal import write_report
from archiver.offline.tables.write import PEOPLE, Format, is_unicode, show, write_rows
from archiver.store.read.reader import open_archive_reader

if TYPE_CHECKING:
    from collections.abc import Callable

    from archiver.offline.reports.request import ReportRequest
    from archiver.offline.tables.table import Table

_UNITS = click.Choice(["usd", "cents"])


def _option(name: str, of: BuiltInReport) -> Callable[[Any], Any]:
    """Return the decorator of an option, with the help for one report."""
    since = "Changes first seen since this time." if of.by_time_seen else "From this day on."
    until = "Changes first seen before this time." if of.by_time_seen else "Up to this day, exclusive."
    metavar = "TIME" if of.by_time_seen else "DATE"
    options: dict[str, Callable[[], Any]] = {
        "since": lambda: option(
            "--since", type=Time(auto=True), metavar=metavar, help=since, required=of.name == "changes"
        ),
        "until": lambda: option("--until", type=Time(), metavar=metavar, help=until),
        "month": lambda: option("--month", metavar="YYYY-MM", help="This month alone; also this-month, last-month."),
        "day": lambda: option("--day", metavar="DAY", help="This day alone, as 2026-10-05 or yesterday."),
        "period": lambda: option("--period", metavar="PERIOD", help=f"This period alone: {EXAMPLES}."),
        "with": lambda: option("--with", metavar="PERIOD", help="Compare with this period.  [default: the one before]"),
        "sort": lambda: option(
            "--sort",
            type=click.Choice(of.sorts),
            default=next(iter(of.sorts), None),
            show_default=True,
            help="Largest of this column first.",
        ),
        "by": lambda: option(
            "--by", multiple=True, metavar="DIMENSION", help=f"Group by this (repeatable): {', '.join(of.dimensions)}."
        ),
        "top": lambda: option(
            "--top", type=click.IntRange(min=1), metavar="N", help="The N largest, and the others in one line."
        ),
        "as_of": lambda: option("--as-of", type=Time(), metavar="TIME", help="As it was known at this time."),
        "unit": lambda: option("--unit", type=_UNITS, default="usd", show_default=True, help="Unit of amounts."),
        "days": lambda: option(
            "--days",
            type=click.IntRange(1, 3660),
            default=DEFAULT_DAYS,
            show_default=True,
            metavar="N",
            help="Not used for N days.",
        ),
        "timezone": lambda: option(
            "--timezone", default="UTC", show_default=True, metavar="ZONE", help="Show hours in it."
        ),
        "warn": lambda: option("--warn", is_flag=True, help="Exit 3 also when a limit is projected to be exceeded."),
    }
    decorator: Callable[[Any], Any] = options[name]()
    return decorator


class ReportGroup(click.Group):
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
        return _run(of, ctx, options)

    run.__doc__ = of.help
    decorated: Any = config_option(db_option(format_options(run)))
    html = option("--html", metavar="FILE", help="Write a page for a browser in one file; - for stdout.")
    decorated = html(decorated)
    for name in reversed(of.options):
        decorated = _option(name, of)(decorated)
    return click.command(of.name, cls=Command, examples=[f"archiver report {of.name} {of.example}"])(decorated)


def _run(of: BuiltInReport, ctx: click.Context, options: dict[str, Any]) -> int:
    db, how, raw, xlsx, html, no_pager = (
        options.pop(name) for name in ("db", "how", "raw", "xlsx", "html", "no_pager")
    )
    check_sheet(xlsx, how, raw=raw)
    if html and (how or xlsx):
        raise ConfigurationError(f"--html and --{how or 'xlsx'} are both given", hint="give one of them")
    chosen = format_of(how)
    people = chosen in PEOPLE and xlsx is None and html is None
    # From the configuration and the environment these are the range to sync, which does not limit reports.
    options |= {one: None for one in BOUNDS if ctx.get_parameter_source(one) is not ParameterSource.COMMANDLINE}
    request = read_request(of, options, ctx.meta.get("archiver.config", {}), sparklines=people)
    if html:
        return _write_page(html, of.name, db, request)
    with open_archive_reader(db, request.as_of) as reader:
        table = of.compute(reader, request)
    notes = [*table.notes]
    if xlsx is not None:
        _write_sheet(table, request.unit, xlsx, db)
    elif not people and (table.is_known or chosen is Format.JSON):  # without rows, only JSON has an output: []
        write_rows(*to_export(table, request.unit), sys.stdout, chosen, raw=raw)
    elif people and table.is_known:
        notes += _print_table(of.name, table, request.unit, chosen, raw=raw, has_pager=not no_pager)
    print_notes(note if is_unicode(sys.stdout) else note.replace(GAP, "blank") for note in notes)
    return PARTIAL_EXIT if table.needs_attention or not table.is_known else 0


def _print_table(  # noqa: PLR0913  # the options of output
    name: str, table: Table, unit: str, how: Format, *, raw: bool, has_pager: bool
) -> list[str]:
    """Print a table for people, and return the notes on how it is shown."""
    terminal = terminal_of(sys.stdout) if how is Format.TABLE and not raw else None
    if terminal is not None:
        notes: list[str] = []
        with paged(sys.stdout, wanted=has_pager) as to:
            notes += write_report(name, table, unit, to, terminal)
        return notes
    shown = to_display(table, unit, ascii_only=not is_unicode(sys.stdout), narrow=how is Format.TABLE)
    for sentence in table.sentences:
        click.echo(show(sentence, None))
    if table.sentences:
        click.echo()
    write_rows(*shown, sys.stdout, how, raw=raw, has_total=table.total is not None)
    return [table.slots.legend()] if table.slots is not None else []


def _write_sheet(table: Table, unit: str, xlsx: Path, db: Path) -> None:
    from archiver.offline.tables.xlsx import write_sheet  # noqa: PLC0415  # spreadsheets are rare

    with atomic_file(xlsx, db) as stage:
        count = write_sheet(stage.file, *to_sheet(table, unit), table.notes)
        stage.keep()
    print_written(count, xlsx)


def _write_page(target: str, name: str, db: Path, request: ReportRequest) -> int:
    from archiver.offline import page  # noqa: PLC0415  # only where a page is wanted

    made, needs_attention = page.of_report(db, name, request)
    if target == "-":
        click.echo(made.encode(), nl=False)  # UTF-8, whatever the terminal's encoding is
    else:
        write_atomic(Path(target), made.encode(), db)
        click.echo(f"wrote {show(target)}", err=True)
    return PARTIAL_EXIT if needs_attention else 0
