"""Options that several commands share, and their types.

An option means the same in every command, and can be set by a variable, `ARCHIVER_<OPTION>`.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, time
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from archiver.cli.command import suggest
from archiver.cli.config import load_config
from archiver.errors import ConfigurationError
from archiver.offline.periods import EXAMPLES, period
from archiver.offline.tables.write import Format, show
from archiver.plan.calendar import parse_time

if TYPE_CHECKING:
    from collections.abc import Callable

F = TypeVar("F", bound="Callable[..., Any]")

_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?:in)?)?(?:(\d+)s?)?")
_PARTS = (86400, 3600, 60, 1)  # seconds of the groups of _DURATION
_EARLIEST_YEAR, _LATEST_YEAR = 2000, 2200
DEFAULT_API_URL = "https://api.anthropic.com"


class Duration(click.ParamType[float]):
    """A duration in seconds, written as `90`, `90s`, `10m` or `1h30m`."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the seconds, or raise a usage error."""
        if isinstance(value, int | float):
            return float(value)
        match = _DURATION.fullmatch(str(value).strip())
        if match is None or not any(match.groups()):
            self.fail(f"{value!r} is not a duration; write it as 90s, 10m or 1h30m", param, ctx)
        return float(sum(int(part or 0) * unit for part, unit in zip(match.groups(), _PARTS, strict=True)))


class Time(click.ParamType["datetime | str"]):
    """A time in UTC: a day, a time as RFC 3339 has it, or a period's start."""

    name = "date"

    def __init__(self, *, auto: bool = False) -> None:
        """Initialise the type; with `auto`, the word `auto` is valid too."""
        self.auto = auto

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime | str:
        """Return the time in UTC or `auto`, or raise a usage error."""
        if self.auto and str(value).strip() == "auto":
            return "auto"
        try:
            moment = _start_of(str(value))
        except (ValueError, ConfigurationError):
            self.fail(f"{value!r} is not a time; write it as 2026-10-05, 2026-10-05T12:00:00Z, {EXAMPLES}", param, ctx)
        if moment.year < _EARLIEST_YEAR:
            self.fail(f"{value!r} is before the year {_EARLIEST_YEAR}: there was nothing to archive", param, ctx)
        if moment.year > _LATEST_YEAR:
            self.fail(f"{value!r} is after the year {_LATEST_YEAR}", param, ctx)
        return moment


def _start_of(text: str) -> datetime:
    """Return a time, or the start of a period.

    Raises:
        ValueError: It is no time and looks like one.
        ConfigurationError: It is no period.
    """
    if ":" in text or text.count("-") == len("--"):
        return parse_time(text)
    return datetime.combine(period(text, datetime.now(UTC).date()).since, time(), UTC)


class Percent(click.ParamType[Decimal]):
    """A percentage, as `1%` or `0.5`."""

    name = "percent"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Decimal:
        """Return the number of percent."""
        try:
            number = Decimal(str(value).strip().removesuffix("%"))
        except InvalidOperation:
            number = Decimal(-1)
        if not 0 <= number <= 100:  # noqa: PLR2004  # percent
            self.fail(f"{value!r} is not a percentage; write it as 1%", param, ctx)
        return number


FILE: Final = click.Path(path_type=Path, dir_okay=False)


def option(*names: str, **settings: Any) -> Callable[[F], F]:
    """Return a decorator for an option with its environment variable."""
    # Of `--quiet/--no-quiet` the first name counts.
    word = next(name for name in names if name.startswith("--")).partition("/")[0].removeprefix("--")
    settings.setdefault("envvar", f"ARCHIVER_{word.replace('-', '_').upper()}")
    return click.option(*names, **settings)


def _read_config(ctx: click.Context, _param: click.Parameter, value: Path | None) -> Path | None:
    ctx.meta["archiver.file"] = load_config(value)
    _apply_config(ctx)
    return value


def _read_profiles(ctx: click.Context, _param: click.Parameter, value: tuple[str, ...]) -> None:
    ctx.meta["archiver.named"] = tuple(dict.fromkeys(value))
    _apply_config(ctx)


def _read_all_profiles(ctx: click.Context, _param: click.Parameter, value: bool) -> None:  # noqa: FBT001  # click's signature
    ctx.meta["archiver.all"] = value
    _apply_config(ctx)


def _apply_config(ctx: click.Context) -> None:
    """Make the configuration, with that of the only profile, the defaults of the other options."""
    if not {"archiver.file", "archiver.named", "archiver.all"} <= ctx.meta.keys():
        return  # these options come in any order, and the last one sees all
    file = ctx.meta["archiver.file"]
    profiles = file.get("profiles", {})
    names = tuple(profiles) if ctx.meta["archiver.all"] else ctx.meta["archiver.named"]
    if ctx.meta["archiver.all"] and not names:
        raise ConfigurationError("the configuration has no profiles", hint="write [profiles.NAME] with db and a key")
    for name in names:
        if name not in profiles:
            raise ConfigurationError(
                f"there is no profile {name!r}{suggest(name, profiles)}",
                hint=f"the profiles are {', '.join(profiles)}"
                if profiles
                else "write [profiles.NAME] with db and a key",
            )
    # `run_each` names one of several.
    names = (ctx.meta["archiver.profile"],) if "archiver.profile" in ctx.meta else names
    ctx.meta["archiver.profiles"] = names
    config = {name: entry for name, entry in file.items() if name != "profiles"}
    if len(names) == 1:
        config |= profiles[names[0]]
    ctx.meta["archiver.config"] = config
    known = {param.name: param for param in ctx.command.params if isinstance(param, click.Option)}
    # Click reads this map only for options that neither the command line nor the environment sets.
    ctx.default_map = {name: fit(name, entry, known[name]) for name, entry in config.items() if name in known}


def fit(name: str, entry: Any, param: click.Option) -> Any:
    """Return a value of the configuration as its option expects it.

    A string for an option that is repeatable becomes a list.

    Raises:
        ConfigurationError: The value has another type than the option.
    """
    # `type(entry) is int` excludes TOML's true and false, which are instances of int.
    if param.multiple:
        entry = entry if isinstance(entry, list) else [entry]
        wanted, good = "a string or a list of strings", all(isinstance(one, str) for one in entry)
    elif param.is_flag:
        wanted, good = "true or false", isinstance(entry, bool)
    elif isinstance(param.type, click.types.IntParamType):
        wanted, good = "a whole number", type(entry) is int
    elif isinstance(param.type, Duration):
        wanted, good = "a duration such as '10m', or seconds", isinstance(entry, str) or type(entry) is int
    else:
        wanted, good = "a string", isinstance(entry, str)
    if not good:
        raise ConfigurationError(f"the configuration's {name.replace('_', '-')!r} is {entry!r}", hint=f"write {wanted}")
    return entry


def default_database() -> Path:
    """Return the default path, in the platform's data directory."""
    from platformdirs import user_data_path  # noqa: PLC0415  # only when the default is needed

    return user_data_path("archiver") / "archive.db"


class _DatabaseOption(click.Option):
    """The option `--db`, with the path that applies as default in its help."""

    def get_help_extra(self, ctx: click.Context) -> click.types.OptionHelpExtra:
        """Return the additions to the help, with the path that a run would use."""
        extra = super().get_help_extra(ctx)
        extra["default"] = self.resolve_envvar_value(ctx) or _configured_database() or str(default_database())
        return extra


def _configured_database() -> str | None:
    try:
        return load_config(None).get("db")
    except ConfigurationError:  # help is shown with a faulty file too, and a run reports the fault
        return None


def config_option(command: F) -> F:
    """Add the options of the configuration.

    They are eager, as they set the defaults of all others.
    """
    added = (
        option("--config", type=FILE, is_eager=True, callback=_read_config, help="TOML file with options."),
        option(
            "--profile",
            multiple=True,
            is_eager=True,
            expose_value=False,
            callback=_read_profiles,
            metavar="NAME",
            help="Use [profiles.NAME] of the configuration (repeatable).",
        ),
        option(
            "--all-profiles",
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_read_all_profiles,
            help="Use each profile of the configuration.",
        ),
    )
    for one in reversed(added):
        command = one(command)
    return command


db_option = option(
    "--db",
    cls=_DatabaseOption,
    type=click.Path(path_type=Path, readable=False),
    default=default_database,
    help="Archive file.",
)


def connect_options(command: F) -> F:
    """Add the options of commands that call the API."""
    added = (
        option(
            "--rate", default="50/min", show_default=True, help="Upper limit of requests: 50/min, 5/s, 3000/h or none."
        ),
        option("--admin-key-file", metavar="FILE|-", help="Read the admin key from a file or standard input."),
        option("--admin-key-command", metavar="CMD", help="Read the admin key from a command's output."),
        option(
            "--api-url", default=DEFAULT_API_URL, show_default=True, metavar="URL", help="Address of the Admin API."
        ),
    )
    for one in reversed(added):  # decorators apply from the bottom up
        command = one(command)
    return command


def format_options(command: F) -> F:
    """Add the options of output formats; the default is a plain table."""
    command = option("--no-pager", is_flag=True, help="Print everything at once, also what is longer than the screen.")(
        command
    )
    command = option("--raw", is_flag=True, help="Print text exactly, with its control characters and formulas.")(
        command
    )
    command = option("--xlsx", type=FILE, metavar="FILE", help="Write a spreadsheet to this file.")(command)
    formats = {
        "csv": "Comma-separated, with a header line.",
        "tsv": "Tab-separated, with a header line.",
        "json": "JSON, one array of objects.",
        "nl": "JSON lines, one object a line.",
        "markdown": "Markdown table.",
    }
    for name, text in reversed(formats.items()):
        command = option(f"--{name}", "how", flag_value=name, help=text)(command)
    return command


def format_of(how: str | None) -> Format:
    """Return the format of an option's value, or the default."""
    # Variables may hold anything: `ARCHIVER_CSV=0` chooses none.
    return Format(how) if how in set(Format) else Format.TABLE


def check_sheet(xlsx: Path | None, how: str | None, *, raw: bool) -> None:
    """Check that no other output is chosen with --xlsx, and load its library.

    Raises:
        UsageError: --raw, --list or another format is given too.
        ConfigurationError: The library that writes spreadsheets is not installed.
    """
    if xlsx is None:
        return
    if raw or how == "list" or format_of(how) is not Format.TABLE:
        raise click.UsageError("--xlsx and another output format are both given")
    from archiver.offline.tables.xlsx import load_library  # noqa: PLC0415  # spreadsheets are rare

    load_library()  # now, so that a report is not computed in vain


def print_written(rows: int, xlsx: Path) -> None:
    """Print on stderr that a spreadsheet was written."""
    click.echo(f"wrote {rows:,} {'row' if rows == 1 else 'rows'} to {show(str(xlsx), None)}", err=True)
