"""`archiver export`: a subcommand for each format."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from archiver.cli.command import Choice, Command, Group, in_one_call, several_profiles
from archiver.cli.options import FILE, Time, config_option, db_option, option
from archiver.cli.profiles import run_each
from archiver.cli.report_request import read_range
from archiver.cli.terminal import print_notes
from archiver.errors import PARTIAL_EXIT
from archiver.model import Report
from archiver.offline.export.dataset import export_dataset
from archiver.offline.export.focus.checker import check_file
from archiver.offline.export.focus.export import FocusRequest, export_focus
from archiver.offline.export.focus.numbers import to_text
from archiver.offline.export.focus.quantities import EXACT, SHARED
from archiver.offline.export.focus.sources import BY_KEY, COST
from archiver.offline.export.formats import DeltaTables, ParquetFiles
from archiver.offline.export.parquet import load_library
from archiver.offline.export.stores import store_of
from archiver.offline.export.tables import VIEWS_OF, read_series_table, views_of
from archiver.offline.periods import month as parse_month
from archiver.offline.reports.known_days import count
from archiver.offline.tables.write import show
from archiver.offline.teams.file import read_teams
from archiver.store.read.reader import open_archive_reader

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from archiver.offline.export.formats import Format
    from archiver.offline.export.stores import Store

_RANGE = (
    option("--since", type=Time(auto=True), metavar="DATE", help="From this day on."),
    option("--until", type=Time(), metavar="DATE", help="Up to this day, exclusive."),
    option("--period", metavar="PERIOD", help="This period alone."),
    option("--month", metavar="YYYY-MM", help="This month alone; also this-month, last-month."),
    option("--as-of", type=Time(), metavar="TIME", help="As it was known at this time."),
)


def _with_range(command: Any) -> Any:
    for one in reversed(_RANGE):
        command = one(command)
    return command


def _of_dataset(command: Any) -> Any:
    only = option(
        "--report", multiple=True, type=Choice([str(one) for one in VIEWS_OF]), help="This report alone (repeatable)."
    )
    series = option(
        "--series",
        multiple=True,
        type=int,
        metavar="ID",
        help="Buckets of the series with this series_id, as a table (repeatable); without --report, these alone.",
    )
    return click.argument("folder")(series(only(_with_range(db_option(config_option(command))))))


class ExportGroup(Group):
    """The formats of exports."""

    examples = (
        "archiver export parquet usage-dataset  # a dataset by month",
        "archiver export delta usage-tables  # the same as Delta tables",
        "archiver export focus cost-2026-01.csv --month 2026-01  # for FinOps tools",
    )


@click.group(cls=ExportGroup, context_settings={"help_option_names": ["-h", "--help"]})
def export() -> None:
    """Write the archive for other programs: exact, and the same each time."""


@export.command(
    "parquet",
    cls=Command,
    several=in_one_call,
    examples=[
        "archiver export parquet usage-dataset  # all days, and the next time only months that changed",
        "archiver export parquet usage-dataset --series 1  # hours or minutes as well, from the series with this id",
    ],
)
@_of_dataset
@click.pass_context
def parquet(ctx: click.Context, /, folder: str, report: tuple[str, ...], **options: Any) -> int:
    """Write the daily views to FOLDER as Parquet, by view and month.

    Amounts are exact decimals, in cents and in US dollars. Only months that changed are written, each whole. FOLDER can
    be in an object store: s3://bucket/folder, gs://bucket/folder, az://container/folder.
    """
    return _export(ctx, ParquetFiles, folder, report, options)


@export.command(
    "delta",
    cls=Command,
    several=in_one_call,
    examples=[
        "archiver export delta usage-tables  # all days, and the next time only months that changed",
        "archiver export delta s3://example-bucket/usage  # for Spark, Databricks, DuckDB, Trino, Polars, Fabric",
    ],
)
@_of_dataset
@click.pass_context
def delta(ctx: click.Context, /, folder: str, report: tuple[str, ...], **options: Any) -> int:
    """Write the daily views to FOLDER as Delta tables, one for each view.

    As for parquet, but each month is one transaction, so that readers see the old or the new one while it is written,
    and older versions stay: DESCRIBE HISTORY says what each was made from. FOLDER can be in an object store.
    """
    return _export(ctx, DeltaTables, folder, report, options)


def _export(
    ctx: click.Context, make: Callable[[Store], Format], folder: str, report: tuple[str, ...], options: dict[str, Any]
) -> int:
    load_library()
    names = several_profiles(ctx)
    if names:
        return run_each(
            ctx,
            names,
            lambda name, own: _export_one(own, make, f"{folder}/profile={name}", report, {**own.params}),
        )
    return _export_one(ctx, make, folder, report, options)


def _export_one(
    ctx: click.Context, make: Callable[[Store], Format], folder: str, report: tuple[str, ...], options: dict[str, Any]
) -> int:
    store = store_of(folder, options["db"])
    request = read_range(ctx, options)
    # `report` of the configuration is what to sync.
    is_given = ctx.get_parameter_source("report") is click.core.ParameterSource.COMMANDLINE
    reports = [Report(one) for one in report] if is_given else [] if options["series"] else list(VIEWS_OF)
    moment = options["as_of"]
    with open_archive_reader(options["db"], None if moment is None else int(moment.timestamp())) as reader:
        tables = [*views_of(reports), *(read_series_table(reader, one) for one in dict.fromkeys(options["series"]))]
        done = export_dataset(reader, store, make(store), tables, request.since, request.until)
    removed = f", {done.removed:,} removed" if done.removed else ""
    click.echo(
        f"{show(folder, None)}: {count(done.rows, 'row')}; {count(done.written, 'month')} written, "
        f"{done.unchanged:,} unchanged{removed}",
        err=True,
    )
    return 0 if done.rows else PARTIAL_EXIT


@export.command(
    "focus",
    cls=Command,
    examples=[
        "archiver export focus cost-2026-01.csv --month 2026-01",
        "archiver export focus corrections-2026-01.csv --month 2026-01 --corrections-since 2026-01-03",
        "archiver export focus cost-2026-01.csv --check  # against the text of the specification",
    ],
)
@click.argument("file", type=FILE)
@option("--check", is_flag=True, help="Check FILE instead of writing it.")
@option("--month", metavar="YYYY-MM", default="last-month", show_default=True, help="The month to write.")
@option(
    "--quantities",
    type=Choice([EXACT, SHARED]),
    default=EXACT,
    show_default=True,
    help="Divide tokens that cost rows share by their cost (shared), or refuse (exact).",
)
@option("--by", type=Choice(["key"]), help="Billed cost by API key and person, from the analytics report.")
@option(
    "--corrections-since",
    type=Time(),
    metavar="TIME",
    help="Write what changed in the months before since a delivery at TIME, booked in the month.",
)
@option("--split", type=click.IntRange(min=1), metavar="ROWS", help="Write files of so many rows: FILE-001.csv, ...")
@option("--teams", type=FILE, metavar="FILE", help="Rules of teams by workspace, for x_Team and x_CostCentre.")
@option("--tags", is_flag=True, help="Write the team and cost centre to Tags too.")
@option("--as-of", type=Time(), metavar="TIME", help="As it was known at this time.")
@db_option
@config_option
def focus(  # noqa: PLR0913  # click gives each option as an argument
    file: Path,
    *,
    check: bool,
    month: str,
    quantities: str,
    by: str | None,
    corrections_since: datetime | None,
    split: int | None,
    teams: Path | None,
    tags: bool,
    as_of: datetime | None,
    db: Path,
    **_: Any,
) -> int:
    """Write the cost of a month as FOCUS 1.2, to FILE.csv or FILE.parquet.

    One row for each row of the view daily_cost, or with --by key of billed cost by API key, and a metadata file next to
    it. Costs are exact, from the report and not the invoice. Exit code 3: quantities are not known, or days are not
    archived.
    """
    if check:
        return _check_focus(file)
    period = parse_month(month, datetime.now(UTC).date())
    request = FocusRequest(
        period,
        quantities,
        split,
        None if teams is None else read_teams(teams),
        COST if by is None else BY_KEY,
        None if corrections_since is None else int(corrections_since.timestamp()),
        tags,
    )
    with open_archive_reader(db, None if as_of is None else int(as_of.timestamp())) as reader:
        done = export_focus(reader, file, request)
    for path in done.files:
        click.echo(f"wrote {show(str(path), None)}", err=True)
    print_notes(done.notes)
    if done.is_written:
        what = "correction" if corrections_since is not None else "row"
        click.echo(f"{count(done.rows, what)} of {period}", err=True)
    return 0 if done.is_written and done.is_complete else PARTIAL_EXIT


def _check_focus(file: Path) -> int:
    found = check_file(file)
    for fault in found.faults:
        click.echo(f"line {fault.line}, {show(fault.column)}: {show(fault.what, None)}")
    sums = ", ".join(f"{to_text(amount)} {currency}" for currency, amount in sorted(found.billed.items()))
    click.echo(f"{count(found.rows, 'row')}, BilledCost {sums or '0.0'}; {count(len(found.faults), 'fault')}", err=True)
    return PARTIAL_EXIT if found.faults or not found.rows else 0
