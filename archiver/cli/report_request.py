"""The request of a report, from its options and the configuration."""

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
    of: BuiltInReport, options: dict[str, Any], config: dict[str, Any], *, sparklines: bool
) -> ReportRequest:
    """Return the request of a report's options and of the configuration.

    Raises:
        ConfigurationError: Options contradict each other, or one has no meaning for the report.
    """
    whole = _period(options)
    since, until = (_bound(options.get(one)) for one in BOUNDS)
    _check_bounds(of, whole, since, until)
    days = (whole.since, whole.until) if whole is not None else (_day(since), _day(until))
    as_of = options.get("as_of")
    budgets = read_budgets(config)
    return ReportRequest(
        since=None if of.by_time_seen else days[0],
        until=None if of.by_time_seen else days[1],
        by=_dimensions(of, options.get("by") or ()),
        top=options.get("top"),
        as_of=_moment_of(of, as_of, until),
        unit=options.get("unit") or "usd",
        period=whole,
        against=_against(options, whole),
        against_file=options.get("against"),
        tolerance=Decimal(1) if options.get("tolerance") is None else options["tolerance"],
        sort=options.get("sort"),
        first_seen=_times(whole) if whole is not None else (_time(since), _time(until)),
        sparklines=sparklines,
        teams=_teams(of, options, budgets),
        days=options.get("days"),
        timezone=_timezone(options.get("timezone") or "UTC"),
        warn=bool(options.get("warn")),
        budgets=budgets,
    )


def read_range(ctx: click.Context, options: dict[str, Any]) -> ReportRequest:
    """Return a request for the days of --since, --until and --period.

    Raises:
        ConfigurationError: The options contradict each other.
    """
    drop_range_to_sync(ctx, options)
    whole = _period(options)
    since, until = (_bound(options.get(one)) for one in BOUNDS)
    if whole is not None and (since or until):
        raise ConfigurationError("a period and --since or --until are both given", hint="give one of them")
    first, end = (whole.since, whole.until) if whole is not None else (_day(since), _day(until))
    return ReportRequest(since=first, until=end)


def read_watch(options: dict[str, Any], config: dict[str, Any]) -> ReportRequest:
    """Return a request with the budgets and teams of the configuration.

    Raises:
        ConfigurationError: The file of teams cannot be read.
    """
    budgets = read_budgets(config)
    given = options.get("teams")
    is_needed = given is not None or any(one.dimension == "team" for one in budgets)
    return ReportRequest(budgets=budgets, teams=teams_of(given) if is_needed else None)


def teams_of(given: Path | None) -> Teams | None:
    """Return the rules of teams of a file.

    The default is the file in the folder of the configuration, if there is one.

    Raises:
        ConfigurationError: The file cannot be read.
    """
    if given is None and default_teams().exists():
        given = default_teams()
    return None if given is None else read_teams(given)


def drop_range_to_sync(ctx: click.Context, options: dict[str, Any]) -> None:
    """Ignore bounds that are not of the command line.

    From the configuration and the environment these are the range to sync, which does not limit reports.
    """
    options |= {one: None for one in BOUNDS if ctx.get_parameter_source(one) is not ParameterSource.COMMANDLINE}


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


def _teams(of: BuiltInReport, options: dict[str, Any], budgets: tuple[Budget, ...]) -> Teams | None:
    """Return the rules of teams, where they are given or asked for."""
    given = options.get("teams")
    has_budget = of.name == "budget" and any(one.dimension == "team" for one in budgets)
    is_asked_for = of.name == "statement" or has_budget or set(options.get("by") or ()) & set(TEAM_WORDS)
    return teams_of(given) if given is not None or is_asked_for else None


def _timezone(name: str) -> tzinfo:
    if name == "UTC":
        return UTC  # also where the system has no list of timezones
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        raise ConfigurationError(f"{name!r} is not a timezone", hint="write it as Europe/Berlin") from None


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
    for one, moment in zip(BOUNDS, (since, until), strict=True):
        if moment and not of.by_time_seen and moment != moment.replace(hour=0, minute=0, second=0, microsecond=0):
            raise ConfigurationError(f"--{one} has a time of day", hint=f"report {of.name} is of whole UTC days")


def read_budgets(config: dict[str, Any]) -> tuple[Budget, ...]:
    """Return the budgets of the configuration."""
    config = config.get("budgets", {})
    return (*_of_unit("month", config), *(one for unit in LONG_UNITS for one in _of_unit(unit, config.get(unit, {}))))


def _of_unit(unit: str, entries: dict[str, Any]) -> list[Budget]:
    # By way of the text that was written: a float of TOML is not exactly that decimal number.
    budgets = [Budget(Decimal(str(entries["total"])), unit)] if "total" in entries else []
    for word, dimension in BUDGET_TABLES.items():
        limits = entries.get(word, {}).items()
        budgets += [Budget(Decimal(str(limit)), unit, dimension, name) for name, limit in limits]
    return budgets


def _bound(value: datetime | str | None) -> datetime | None:
    return value if isinstance(value, datetime) else None  # `auto` is no bound


def _day(moment: datetime | None) -> Any:
    return None if moment is None else moment.astimezone(UTC).date()


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _times(period: Period) -> tuple[str, str]:
    return f"{period.since}T00:00:00Z", f"{period.until}T00:00:00Z"
