"""`archiver schedule`."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from archiver.cli.command import Choice, Command, in_one_call
from archiver.cli.options import config_option, db_option, option
from archiver.errors import ConfigurationError
from archiver.offline.schedule import KINDS, Nightly, schedule_text

_PLACEHOLDER = "/path/to/admin-key"
_TIME = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])")


@click.command(
    cls=Command,
    several=in_one_call,
    examples=[
        "archiver schedule  # for the scheduler of this system",
        "archiver schedule kubernetes > cronjob.yaml",
        "archiver schedule systemd --install --admin-key-file ~/.config/archiver/admin-key",
        "archiver schedule cron --all-profiles  # of the configuration, which names archives and keys",
        "archiver schedule cron --at 04:15 --admin-key-file ~/.config/archiver/admin-key",
    ],
)
@click.argument("kind", required=False, type=Choice(list(KINDS)), metavar="[cron|systemd|launchd|kubernetes]")
@option("--at", default="03:15", show_default=True, metavar="HH:MM", help="The local time of the run.")
@option("--admin-key-file", metavar="FILE", help="The file with the admin key.")
@option("--install", is_flag=True, help="Install it for this user, instead of printing it.")
@db_option
@config_option
@click.pass_context
def schedule(ctx: click.Context, /, *, kind: str | None, at: str, install: bool, **options: Any) -> None:
    """Print what to install for a sync every night, or install it.

    Comments in it say where it belongs and what to run. With --install that is done, for cron, systemd and launchd; to
    do it twice is to do it once. The run has the --config and the profiles of this call.
    """
    match = _TIME.fullmatch(at)
    if match is None:
        raise ConfigurationError(f"{at!r} is no time", hint="write it as 03:15")
    run = _nightly(ctx, options, int(match[1]), int(match[2]))
    if install:
        from archiver.cli.schedule_install import install as install_run  # noqa: PLC0415  # seldom

        for sentence in install_run(kind or _default(), run):
            click.echo(sentence, err=True)
        return
    click.echo(schedule_text(kind or _default(), run), nl=False)


def _nightly(ctx: click.Context, options: dict[str, Any], hour: int, minute: int) -> Nightly:
    """Return the run with the settings of this call; what these name is not named again."""
    given = {ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT}
    settings: list[str] = []
    if ctx.get_parameter_source("config") in given and options["config"] is not None:
        settings += ["--config", str(options["config"].expanduser().absolute())]
    profiles = ctx.meta.get("archiver.profiles", ())
    names = ["--all-profiles"] if ctx.meta.get("archiver.all") else [f"--profile={name}" for name in profiles]
    settings += names
    is_db_given = ctx.get_parameter_source("db") in given or not settings
    key = options["admin_key_file"]
    config = ctx.meta.get("archiver.config", {})
    has_key = len(profiles) > 1 or bool({"admin_key_file", "admin_key_command"} & config.keys())
    is_key_given = ctx.get_parameter_source("admin_key_file") in given
    key_file = str(Path(key).expanduser().absolute()) if key else _PLACEHOLDER
    return Nightly(
        program=_program(),
        db=str(options["db"].expanduser().absolute()) if is_db_given else "",
        hour=hour,
        minute=minute,
        key_file=None if has_key and not is_key_given else key_file,
        settings=tuple(settings),
    )


def _default() -> str:
    if sys.platform == "darwin":
        return "launchd"
    return "systemd" if shutil.which("systemctl") else "cron"


def _program() -> str:
    """Return the command of this program as an absolute path: a scheduler has another PATH."""
    called = Path(sys.argv[0])
    if called.name in {"archiver", "claude-usage-archiver"} and called.exists():
        return str(called.absolute())
    return shutil.which("archiver") or "archiver"
