"""`archiver report`."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from archiver.cli.command import Choice, Command
from archiver.cli.options import (
    Time,
    check_sheet,
    config_option,
    db_option,
    format_of,
    format_options,
    option,
    say_written,
)
from archiver.errors import PARTIAL_EXIT, ConfigurationError
from archiver.offline.atomic import atomic_file, write_atomic
from archiver.offline.periods import Period, month
from archiver.offline.reports.breakdowns import OF_COST, OF_USAGE, Question
from archiver.offline.reports.months import Budgets
from archiver.offline.reports.registry import OF_A_MONTH, REPORTS, Asked
from archiver.offline.tables.sparkline import GAP
from archiver.offline.tables.table import noted, to_display, to_export, to_sheet
from archiver.offline.tables.write import PEOPLE, Format, is_unicode, show, write_rows

if TYPE_CHECKING:
    from archiver.offline.tables.table import Table

_BOUNDS = ("since", "until")  # what the configuration and the environment say of these is what to sync
_UNGROUPED = ("budget", "restatements")
_DIMENSIONS = list(dict.fromkeys([*OF_COST, *OF_USAGE]))


@click.command(
    cls=Command,
    examples=[
        "archiver report spend",
        "archiver report workspaces --month 2026-01 --csv",
        "archiver report keys --since 2026-01-01 --top 5",
        "archiver report overview --html overview.html  # everything on one page",
    ],
    epilog="The reports: " + "; ".join(f"{name}, {what}" for name, (what, _) in REPORTS.items()) + ".",
)
@click.argument("name", metavar="NAME", type=Choice(list(REPORTS)))
@option("--since", type=Time(auto=True), metavar="DATE", help="From this day on; for restatements, learnt since then.")
@option("--until", type=Time(), metavar="DATE", help="Up to this day, exclusive.")
@option("--month", metavar="YYYY-MM", help="This month alone; for compare, forecast and budget, this one.")
@option("--by", multiple=True, type=click.Choice(_DIMENSIONS), help="Group by this instead (repeatable).")
@option("--top", type=click.IntRange(min=1), metavar="N", help="The N largest alone.")
@option("--as-of", type=Time(), metavar="TIME", help="As it was known at this time.")
@option("--unit", type=click.Choice(["usd", "cents"]), default="usd", show_default=True, help="Unit of amounts.")
@option("--html", metavar="FILE", help="Write a page for a browser, charts and table in one file; - for stdout.")
@format_options
@db_option
@config_option
@click.pass_context
def report(  # noqa: PLR0913  # click gives each option as an argument
    ctx: click.Context,
    /,
    name: str,
    *,
    db: Path,
    how: str | None,
    raw: bool,
    xlsx: Path | None,
    unit: str,
    html: str | None,
    **options: Any,
) -> int:
    """Answer one of the ready questions, offline.

    `budget` compares with the configuration: [budgets] total = 5000, [budgets.workspaces] NAME = 1000, in dollars a
    month. It ends with exit code 3 when a limit is passed.
    """
    check_sheet(xlsx, how, raw=raw)
    if html and (how or xlsx):
        raise ConfigurationError(f"--html and --{how or 'xlsx'} are both given", hint="give one of them")
    chosen = format_of(how)
    people = chosen in PEOPLE and xlsx is None and html is None
    options |= {one: None for one in _BOUNDS if ctx.get_parameter_source(one) is not ParameterSource.COMMANDLINE}
    asked = _asked(name, {**options, "trends": people}, ctx.meta.get("archiver.config", {}))
    if name == "budget" and asked.budgets == Budgets(None, {}):
        raise ConfigurationError("no budget is configured", hint="write [budgets] total = 5000 in the configuration")
    if html:
        return _write_page(html, name, db, asked, unit)
    table = REPORTS[name][1](db, asked)
    ascii_only = not is_unicode(sys.stdout)
    if xlsx is not None:
        _write_sheet(table, unit, xlsx, db)
    elif people:
        told = to_display(table, unit, ascii_only=ascii_only, narrow=chosen is Format.TABLE)
        write_rows(*told, sys.stdout, chosen, raw=raw)
    else:
        write_rows(*to_export(table, unit), sys.stdout, chosen, raw=raw)
    for said in filter(None, (noted(table, unit), table.legend)):
        click.echo(f"note: {said.replace(GAP, 'blank') if ascii_only else said}", err=True)
    return PARTIAL_EXIT if table.passed else 0


def _write_sheet(table: Table, unit: str, xlsx: Path, db: Path) -> None:
    from archiver.offline.tables.xlsx import write_sheet  # noqa: PLC0415  # spreadsheets are rare

    with atomic_file(xlsx, db) as stage:
        count = write_sheet(stage.file, table.columns, to_sheet(table), unit, noted(table, unit))
        stage.keep()
    say_written(count, xlsx)


def _write_page(  # what a page is of
    target: str, name: str, db: Path, asked: Asked, unit: str
) -> int:
    from archiver.offline import page  # noqa: PLC0415  # only where a page is wanted

    made, passed = page.of_report(db, name, asked, unit)
    if target == "-":
        click.echo(made.encode(), nl=False)  # UTF-8, whatever the terminal's encoding is
    else:
        write_atomic(Path(target), made.encode(), db)
        click.echo(f"wrote {show(target)}", err=True)
    return PARTIAL_EXIT if passed else 0


def _asked(name: str, options: dict[str, Any], config: dict[str, Any]) -> Asked:
    whole = None if options["month"] is None else month(options["month"])
    since, until = (_moment(options[one]) for one in _BOUNDS)
    if whole is not None and (since or until):
        raise ConfigurationError("--month and --since or --until are both given", hint="give one of them")
    if name in OF_A_MONTH and (since or until):
        raise ConfigurationError(f"report {name} is of a month", hint="choose it with --month YYYY-MM")
    _check(name, options, since, until)
    days = (_day(since), _day(until)) if whole is None else _bounds(whole)
    as_of = None if options["as_of"] is None else int(options["as_of"].timestamp())
    question = Question(*days, tuple(dict.fromkeys(options["by"])), options["top"], as_of, options["trends"])
    learnt = (_time(since), _time(until)) if whole is None else tuple(f"{day}T00:00:00Z" for day in _bounds(whole))
    return Asked(question, whole, learnt, datetime.now(UTC).date(), _budgets(config.get("budgets", {})))  # type: ignore[arg-type]


def _check(name: str, options: dict[str, Any], since: datetime | None, until: datetime | None) -> None:
    """Refuse what a report would pass over."""
    for one in ("by", "top"):
        if options[one] and name in _UNGROUPED:
            raise ConfigurationError(f"report {name} takes no --{one}")
    if since and until and since >= until:
        raise ConfigurationError("--since is not before --until", hint="--until is exclusive")
    for one, moment in zip(_BOUNDS, (since, until), strict=True):
        if moment and name != "restatements" and moment != moment.replace(hour=0, minute=0, second=0, microsecond=0):
            raise ConfigurationError(f"--{one} has a time of day", hint=f"report {name} is of whole UTC days")


def _budgets(config: dict[str, Any]) -> Budgets:
    total = config.get("total")
    workspaces = {name: Decimal(str(limit)) for name, limit in config.get("workspaces", {}).items()}
    return Budgets(None if total is None else Decimal(str(total)), workspaces)


def _moment(value: datetime | str | None) -> datetime | None:
    return value if isinstance(value, datetime) else None  # `auto`, as a configuration for sync may say, is no bound


def _bounds(period: Period) -> tuple[str, str]:
    return period.since.isoformat(), period.until.isoformat()


def _day(moment: datetime | None) -> str | None:
    return None if moment is None else f"{moment:%Y-%m-%d}"


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else f"{moment:%Y-%m-%dT%H:%M:%SZ}"
