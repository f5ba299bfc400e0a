"""`archiver schedule`."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import click

from archiver.cli.command import Choice, Command
from archiver.cli.options import config_option, db_option, option
from archiver.errors import ConfigurationError
from archiver.offline.schedule import KINDS, Nightly, schedule_text

_TIME = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])")


@click.command(
    cls=Command,
    examples=[
        "archiver schedule  # for the scheduler of this system",
        "archiver schedule kubernetes > cronjob.yaml",
        "archiver schedule systemd --install --admin-key-file ~/.config/archiver/admin-key",
        "archiver schedule cron --at 04:15 --admin-key-file ~/.config/archiver/admin-key",
    ],
)
@click.argument("kind", required=False, type=Choice(list(KINDS)), metavar="[cron|systemd|launchd|kubernetes]")
@option("--at", default="03:15", show_default=True, metavar="HH:MM", help="The local time of the run.")
@option("--admin-key-file", metavar="FILE", help="The file with the admin key.")
@option("--install", is_flag=True, help="Install it for this user, instead of printing it.")
@db_option
@config_option
def schedule(*, kind: str | None, at: str, admin_key_file: str | None, install: bool, db: Path, **_: object) -> None:
    """Print what to install for a sync every night, or install it.

    Comments in it say where it belongs and what to run. With --install that is done, for cron, systemd and launchd; to
    do it twice is to do it once.
    """
    match = _TIME.fullmatch(at)
    if match is None:
        raise ConfigurationError(f"{at!r} is no time", hint="write it as 03:15")
    run = Nightly(
        program=_program(),
        db=str(db.expanduser().absolute()),
        hour=int(match[1]),
        minute=int(match[2]),
        key_file=str(Path(admin_key_file).expanduser().absolute()) if admin_key_file else "",
    )
    if install:
        from archiver.cli.schedule_install import install as install_run  # noqa: PLC0415  # seldom

        for sentence in install_run(kind or _default(), run):
            click.echo(sentence, err=True)
        return
    click.echo(schedule_text(kind or _default(), run), nl=False)


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
