"""The options that commands share: the same word everywhere, each with its `ARCHIVER_` variable."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from archiver.cli.config import load_config
from archiver.errors import ConfigurationError
from archiver.offline.tables.write import Format, show
from archiver.plan.calendar import parse_time

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

F = TypeVar("F", bound="Callable[..., Any]")

_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?:in)?)?(?:(\d+)s?)?")
_PARTS = (86400, 3600, 60, 1)
_EARLIEST_YEAR = 2000
DEFAULT_API_URL = "https://api.anthropic.com"


class Duration(click.ParamType[float]):
    """A stretch of time as `90s`, `10m`, `1h30m` or a bare number of seconds; read as seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read it, or fail with exit code 2."""
        if isinstance(value, int | float):
            return float(value)
        match = _DURATION.fullmatch(str(value).strip())
        if match is None or not any(match.groups()):
            self.fail(f"{value!r} is not a duration; write it as 90s, 10m or 1h30m", param, ctx)
        return float(sum(int(part or 0) * unit for part, unit in zip(match.groups(), _PARTS, strict=True)))


class Time(click.ParamType["datetime | str"]):
    """`YYYY-MM-DD` or RFC 3339; `auto` where it is allowed."""

    name = "date"

    def __init__(self, *, auto: bool = False) -> None:
        """With `auto`, that word is allowed too."""
        self.auto = auto

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime | str:
        """Read it, or fail with exit code 2."""
        if self.auto and str(value).strip() == "auto":
            return "auto"
        try:
            moment = parse_time(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)
        if moment.year < _EARLIEST_YEAR:
            self.fail(f"{value!r} is long before there was anything to archive", param, ctx)
        return moment


FILE: Final = click.Path(path_type=Path, dir_okay=False)


def option(*names: str, **settings: Any) -> Callable[[F], F]:
    """Make an option that the variable `ARCHIVER_<OPTION>` and the configuration file can set too."""
    word = next(name for name in names if name.startswith("--")).partition("/")[0].removeprefix("--")
    settings.setdefault("envvar", f"ARCHIVER_{word.replace('-', '_').upper()}")
    return click.option(*names, **settings)


def _apply_config(ctx: click.Context, _param: click.Parameter, value: Path | None) -> Path | None:
    try:
        config = load_config(value)
    except ConfigurationError as error:
        raise click.UsageError(
            error.message if error.hint is None else f"{error.message}\nhint: {error.hint}"
        ) from None
    ctx.meta["archiver.config"] = config
    try:
        known = {param.name: param for param in ctx.command.params if isinstance(param, click.Option)}
        ctx.default_map = {name: fit(name, entry, known[name]) for name, entry in config.items() if name in known}
    except ConfigurationError as error:
        raise click.UsageError(error.message) from None
    return value


def fit(name: str, entry: Any, param: click.Option) -> Any:
    """Fit a value of the configuration to its option: one value may stand for a list of one.

    Raises:
        ConfigurationError: Its type is not the option's.
    """
    if param.multiple:
        entry = entry if isinstance(entry, list) else [entry]
        good = all(isinstance(one, str) for one in entry)
    elif param.is_flag:
        good = isinstance(entry, bool)
    elif isinstance(param.type, click.types.IntParamType):
        good = type(entry) is int
    elif isinstance(param.type, Duration):
        good = isinstance(entry, str) or type(entry) is int
    else:
        good = isinstance(entry, str)
    if not good:
        raise ConfigurationError(f"the configuration's {name.replace('_', '-')!r} cannot be {entry!r}")
    return entry


def default_database() -> Path:
    """Say where the archive is unless told: in the platform's data directory."""
    from platformdirs import user_data_path  # noqa: PLC0415  # only when the default is needed

    return user_data_path("archiver") / "archive.db"


config_option = option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    is_eager=True,
    callback=_apply_config,
    help="A TOML file with options.",
)

db_option = option(
    "--db",
    type=click.Path(path_type=Path, readable=False),
    default=default_database,
    show_default="the platform's data directory",
    help="The archive.",
)


def connect_options(command: F) -> F:
    """Add what says whom to ask, with which key, and how fast."""
    added = (
        option("--rate", default="50/min", show_default=True, help="Never ask faster: 50/min, 5/s, 3000/h or none."),
        option("--admin-key-file", metavar="FILE|-", help="Read the admin key from a file or standard input."),
        option("--admin-key-command", metavar="CMD", help="Run a command that prints the admin key."),
        option("--api-url", default=DEFAULT_API_URL, show_default=True, metavar="URL", help="The Admin API."),
    )
    for one in reversed(added):
        command = one(command)
    return command


def format_options(command: F) -> F:
    """Add the formats that rows can be printed in, or written to a file; without one they are a table."""
    command = option("--raw", is_flag=True, help="Print text exactly, with its escape codes and formulas.")(command)
    command = option("--xlsx", type=FILE, metavar="FILE", help="Write a spreadsheet file instead.")(command)
    formats = {
        "csv": "Comma-separated, with a header line.",
        "tsv": "Tab-separated, with a header line.",
        "json": "One array of objects.",
        "nl": "One object a line.",
        "markdown": "A table in Markdown.",
    }
    for name, text in reversed(formats.items()):
        command = option(f"--{name}", "how", flag_value=name, help=text)(command)
    return command


def format_of(how: str | None) -> Format:
    """Read the chosen format; a variable such as `ARCHIVER_CSV=0` chooses none."""
    return Format(how) if how in set(Format) else Format.TABLE


def check_sheet(xlsx: Path | None, how: str | None, *, raw: bool) -> None:
    """See that a spreadsheet is not asked for together with what is not one, and can be written at all.

    Raises:
        UsageError, ConfigurationError: It is, or it cannot.
    """
    if xlsx is None:
        return
    if raw or how == "list" or format_of(how) is not Format.TABLE:
        raise click.UsageError("--xlsx stands alone: a file is written, and its text is inert")
    from archiver.offline.tables.xlsx import load_library  # noqa: PLC0415  # spreadsheets are rare

    load_library()


def say_written(rows: int, xlsx: Path) -> None:
    """Say that a spreadsheet was written."""
    click.echo(f"wrote {rows} rows to {show(str(xlsx), None)}", err=True)
