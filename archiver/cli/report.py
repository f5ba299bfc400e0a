"""`archiver report`: a subcommand for each built-in report."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from decimal import Decimal
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
from archiver.cli.terminal import paged, print_notes, terminal_of
from archiver.errors import PARTIAL_EXIT, ConfigurationError
from archiver.offline.atomic import atomic_file, write_atomic
from archiver.offline.periods import EXAMPLES, Period, month
from archiver.offline.periods import period as parse_period
from archiver.offline.reports.compare import SORTS
from archiver.offline.reports.registry import REPORTS, BuiltInReport
from archiver.offline.reports.request import Budgets, ReportRequest
from archiver.offline.tables.display import to_display, to_export, to_sheet
from archiver.offline.tables.slots import GAP
from archiver.offline.tables.terminal import write_report
from archiver.offline.tables.write import PEOPLE, Format, is_unicode, show, write_rows
from archiver.store.read.reader import open_archive_reader

if TYPE_CHECKING:
    from collections.abc import Callable

    from archiver.offline.tables.table import Table

_BOUNDS = ("since", "until")
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
            "--sort", type=click.Choice(SORTS), default="now", show_default=True, help="Largest of this column first."
        ),
        "by": lambda: option(
            "--by", multiple=True, metavar="DIMENSION", help=f"Group by this (repeatable): {', '.join(of.dimensions)}."
        ),
        "top": lambda: option(
            "--top", type=click.IntRange(min=1), metavar="N", help="The N largest, and the others in one line."
        ),
        "as_of": lambda: option("--as-of", type=Time(), metavar="TIME", help="As it was known at this time."),
        "unit": lambda: option("--unit", type=_UNITS, default="usd", show_default=True, help="Unit of amounts."),
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
    options |= {one: None for one in _BOUNDS if ctx.get_parameter_source(one) is not ParameterSource.COMMANDLINE}
    request = _request(of, options, ctx.meta.get("archiver.config", {}), sparklines=people)
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


def _request(of: BuiltInReport, options: dict[str, Any], config: dict[str, Any], *, sparklines: bool) -> ReportRequest:
    whole = _period(options)
    since, until = (_bound(options.get(one)) for one in _BOUNDS)
    _check_bounds(of, whole, since, until)
    days = (whole.since, whole.until) if whole is not None else (_day(since), _day(until))
    as_of = options.get("as_of")
    return ReportRequest(
        since=None if of.by_time_seen else days[0],
        until=None if of.by_time_seen else days[1],
        by=_dimensions(of, options.get("by") or ()),
        top=options.get("top"),
        as_of=_moment_of(of, as_of, until),
        unit=options.get("unit") or "usd",
        period=whole,
        against=_against(options, whole),
        sort=options.get("sort"),
        first_seen=_times(whole) if whole is not None else (_time(since), _time(until)),
        sparklines=sparklines,
        warn=bool(options.get("warn")),
        budgets=_budgets(config.get("budgets", {})),
    )


def _period(options: dict[str, Any]) -> Period | None:
    """Return the period of --day, --month or --period."""
    given = {name: options[name] for name in ("day", "month", "period") if options.get(name) is not None}
    if len(given) > 1:
        first, second = [*given][:2]
        raise ConfigurationError(f"--{first} and --{second} are both given", hint="give one of them")
    today = datetime.now(UTC).date()
    if "month" in given:
        return month(given["month"], today)
    whole = parse_period(next(iter(given.values())), today) if given else None
    if whole is not None and "day" in given and whole.days != 1:
        raise ConfigurationError(f"{given['day']!r} is no single day", hint="write it as 2026-10-05 or yesterday")
    return whole


def _against(options: dict[str, Any], whole: Period | None) -> Period | None:
    """Return the period of --with."""
    if options.get("with") is None:
        return None
    if whole is None:
        raise ConfigurationError(
            "--with is given without --period", hint="name both, as in --period 2026-10 --with 2025-10"
        )
    return parse_period(options["with"], datetime.now(UTC).date())


def _moment_of(of: BuiltInReport, as_of: datetime | None, until: datetime | None) -> int | None:
    """Return the moment to read the archive at; for `changes` it is the later time."""
    moment = until if of.name == "changes" else as_of
    return None if moment is None else int(moment.timestamp())


def _dimensions(of: BuiltInReport, given: tuple[str, ...]) -> tuple[str, ...]:
    for one in given:
        if one not in of.dimensions:
            raise ConfigurationError(
                f"cannot group {of.name} by {one!r}{suggest(one, of.dimensions)}",
                hint=f"the dimensions of {of.name} are {', '.join(of.dimensions) or 'none'}",
            )
    return tuple(dict.fromkeys(given))


def _check_bounds(of: BuiltInReport, whole: Period | None, since: datetime | None, until: datetime | None) -> None:
    if whole is not None and (since or until):
        raise ConfigurationError("a period and --since or --until are both given", hint="give one of them")
    if since and until and since >= until:
        raise ConfigurationError("--since is not before --until", hint="--until is exclusive")
    for one, moment in zip(_BOUNDS, (since, until), strict=True):
        if moment and not of.by_time_seen and moment != moment.replace(hour=0, minute=0, second=0, microsecond=0):
            raise ConfigurationError(f"--{one} has a time of day", hint=f"report {of.name} is of whole UTC days")


def _budgets(config: dict[str, Any]) -> Budgets:
    total = config.get("total")
    # By way of the text that was written: a float of TOML is not exactly that decimal number.
    workspaces = {name: Decimal(str(limit)) for name, limit in config.get("workspaces", {}).items()}
    return Budgets(None if total is None else Decimal(str(total)), workspaces)


def _bound(value: datetime | str | None) -> datetime | None:
    return value if isinstance(value, datetime) else None  # `auto` is no bound


def _day(moment: datetime | None) -> Any:
    return None if moment is None else moment.astimezone(UTC).date()


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _times(period: Period) -> tuple[str, str]:
    return f"{period.since}T00:00:00Z", f"{period.until}T00:00:00Z"
