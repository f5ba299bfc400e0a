"""Requests for reports, from options and the configuration."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from click.core import ParameterSource

from archiver.cli.command import suggest
from archiver.cli.config import BUDGET_TABLES, LONG_UNITS, default_teams
from archiver.errors import ConfigurationError
from archiver.offline.periods import Period, month
from archiver.offline.periods import period as parse_period
from archiver.offline.reports.daily_money import TEAM_WORDS
from archiver.offline.reports.request import Budget, ReportRequest
from archiver.offline.teams.file import read_teams

if TYPE_CHECKING:
    from pathlib import Path

    import click

    from archiver.offline.reports.registry import BuiltInReport
    from archiver.offline.teams.rules import Teams

BOUNDS = ("since", "until")


def read_request(
    report: BuiltInReport, options: dict[str, Any], config: dict[str, Any], *, sparklines: bool
) -> ReportRequest:
    """Return the request for a report, from its options and the configuration.

    Raises:
        ConfigurationError: Options contradict each other, the report does not support a value, or the rules for teams
            cannot be read.
    """
    period = _period(options)
    since, until = (_bound(options.get(name)) for name in BOUNDS)
    _check_bounds(report, period, since, until)
    first_day, end_day = (period.since, period.until) if period is not None else (_day(since), _day(until))
    as_of = options.get("as_of")
    budgets = read_budgets(config)
    return ReportRequest(
        # Reports of changes use `first_seen` below: their options select by the time of a change, not by days.
        since=None if report.by_time_seen else first_day,
        until=None if report.by_time_seen else end_day,
        by=_dimensions(report, options.get("by") or ()),
        top=options.get("top"),
        as_of=_as_of(report, as_of, until),
        unit=options.get("unit") or "usd",
        period=period,
        against=_against(options, period),
        against_file=options.get("against"),
        # Not `or`: a tolerance of 0 is valid.
        tolerance=Decimal(1) if options.get("tolerance") is None else options["tolerance"],
        sort=options.get("sort"),
        first_seen=_times(period) if period is not None else (_time(since), _time(until)),
        sparklines=sparklines,
        teams=_teams(report, options, budgets),
        days=options.get("days"),
        timezone=_timezone(options.get("timezone") or "UTC"),
        warn=bool(options.get("warn")),
        budgets=budgets,
    )


def read_range(ctx: click.Context, options: dict[str, Any]) -> ReportRequest:
    """Return a request for the days of --since and --until, or of a period.

    --since and --until count only if they are on the command line.

    Raises:
        ConfigurationError: The options contradict each other.
    """
    drop_range_to_sync(ctx, options)
    period = _period(options)
    since, until = (_bound(options.get(name)) for name in BOUNDS)
    if period is not None and (since or until):
        raise ConfigurationError("a period and --since or --until are both given", hint="give one of them")
    first_day, end_day = (period.since, period.until) if period is not None else (_day(since), _day(until))
    return ReportRequest(since=first_day, until=end_day)


def read_watch(options: dict[str, Any], config: dict[str, Any]) -> ReportRequest:
    """Return a request with the budgets of the configuration.

    It also has the rules for teams, if --teams is given or a budget is for a team.

    Raises:
        ConfigurationError: The rules for teams cannot be read.
    """
    budgets = read_budgets(config)
    path = options.get("teams")
    needs_teams = path is not None or any(budget.dimension == "team" for budget in budgets)
    return ReportRequest(budgets=budgets, teams=teams_of(path) if needs_teams else None)


def teams_of(path: Path | None) -> Teams | None:
    """Return the rules for teams from a file.

    Without a path it is teams.toml in the folder of the configuration. Return None if that does not exist.

    Raises:
        ConfigurationError: The file cannot be read, or a rule is not valid.
    """
    if path is None and default_teams().exists():
        path = default_teams()
    return None if path is None else read_teams(path)


def drop_range_to_sync(ctx: click.Context, options: dict[str, Any]) -> None:
    """Set --since and --until to None unless they are on the command line.

    In the configuration and in the environment, they are the range to sync, which does not limit reports.
    """
    options |= {name: None for name in BOUNDS if ctx.get_parameter_source(name) is not ParameterSource.COMMANDLINE}


def _period(options: dict[str, Any]) -> Period | None:
    """Return the period of --day, --month or --period; None without them.

    Raises:
        ConfigurationError: Several of the options are given, or a value is not valid.
    """
    given = {name: options[name] for name in ("day", "month", "period") if options.get(name) is not None}
    if len(given) > 1:
        first, second = [*given][:2]
        raise ConfigurationError(f"--{first} and --{second} are both given", hint="give one of them")
    today = datetime.now(UTC).date()
    if "month" in given:
        return month(given["month"], today)  # refuses every period that is not a month
    # At most one option is left: --day or --period.
    period = parse_period(next(iter(given.values())), today) if given else None
    if period is not None and "day" in given and period.days != 1:
        raise ConfigurationError(f"{given['day']!r} is not a single day", hint="write it as 2026-10-05 or yesterday")
    return period


def _teams(report: BuiltInReport, options: dict[str, Any], budgets: tuple[Budget, ...]) -> Teams | None:
    """Return the rules for teams if they are given or needed, else None."""
    path = options.get("teams")
    has_team_budget = report.name == "budget" and any(budget.dimension == "team" for budget in budgets)
    is_by_team = report.name == "statement" or set(options.get("by") or ()) & set(TEAM_WORDS)
    return teams_of(path) if path is not None or has_team_budget or is_by_team else None


def _timezone(name: str) -> tzinfo:
    if name == "UTC":
        return UTC  # without ZoneInfo, which fails on a system without timezone data
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        raise ConfigurationError(f"{name!r} is not a timezone", hint="write it as Europe/Berlin") from None


def _against(options: dict[str, Any], period: Period | None) -> Period | None:
    """Return the period of --with; None without it.

    Raises:
        ConfigurationError: --with is not a period, or is given without the period to compare.
    """
    if options.get("with") is None:
        return None
    if period is None:
        raise ConfigurationError(
            "--with is given without --period", hint="name both, as in --period 2026-10 --with 2025-10"
        )
    return parse_period(options["with"], datetime.now(UTC).date())


def _as_of(report: BuiltInReport, as_of: datetime | None, until: datetime | None) -> int | None:
    """Return the time to read the archive as of, in UTC seconds; None: now."""
    # `changes` compares the archive as of --since with the archive as of --until.
    moment = until if report.name == "changes" else as_of
    return None if moment is None else int(moment.timestamp())


def _dimensions(report: BuiltInReport, given: tuple[str, ...]) -> tuple[str, ...]:
    """Return the dimensions of --by, each once and in the given order.

    Raises:
        ConfigurationError: The report does not have one of the dimensions.
    """
    for dimension in given:
        if dimension not in report.dimensions:
            raise ConfigurationError(
                f"cannot group {report.name} by {dimension!r}{suggest(dimension, report.dimensions)}",
                hint=f"the dimensions of {report.name} are {', '.join(report.dimensions) or 'none'}",
            )
    return tuple(dict.fromkeys(given))


def _check_bounds(report: BuiltInReport, period: Period | None, since: datetime | None, until: datetime | None) -> None:
    """Raise a ConfigurationError for bounds that the report cannot use."""
    if period is not None and (since or until):
        raise ConfigurationError("a period and --since or --until are both given", hint="give one of them")
    if since and until and since >= until:
        raise ConfigurationError("--since is not before --until", hint="--until is exclusive")
    for name, moment in zip(BOUNDS, (since, until), strict=True):
        if moment and not report.by_time_seen and moment != moment.replace(hour=0, minute=0, second=0, microsecond=0):
            raise ConfigurationError(f"--{name} has a time of day", hint=f"report {report.name} selects whole UTC days")


def read_budgets(config: dict[str, Any]) -> tuple[Budget, ...]:
    """Return the budgets of the configuration, those of months first."""
    # [budgets] has the budgets of a month, [budgets.quarter] and [budgets.year] have the others.
    tables = config.get("budgets", {})
    long_budgets = (budget for unit in LONG_UNITS for budget in _budgets_of_unit(unit, tables.get(unit, {})))
    return (*_budgets_of_unit("month", tables), *long_budgets)


def _budgets_of_unit(unit: str, entries: dict[str, Any]) -> list[Budget]:
    """Return the budgets of a month, quarter or year from their table."""
    # `str` first: a float from TOML is not exactly the decimal number that the user wrote, but its text is.
    budgets = [Budget(Decimal(str(entries["total"])), unit)] if "total" in entries else []
    for table_name, dimension in BUDGET_TABLES.items():
        limits = entries.get(table_name, {}).items()
        budgets += [Budget(Decimal(str(limit)), unit, dimension, name) for name, limit in limits]
    return budgets


def _bound(value: datetime | str | None) -> datetime | None:
    return value if isinstance(value, datetime) else None  # `auto`, the whole history, does not limit a report


def _day(moment: datetime | None) -> Any:
    return None if moment is None else moment.astimezone(UTC).date()


def _time(moment: datetime | None) -> str | None:
    """Return a UTC time as text."""
    return None if moment is None else f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _times(period: Period) -> tuple[str, str]:
    """Return the bounds of a period as texts of UTC times."""
    return f"{period.since}T00:00:00Z", f"{period.until}T00:00:00Z"
