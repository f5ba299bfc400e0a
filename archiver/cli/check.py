"""`archiver check`."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from archiver.cli.command import Command
from archiver.cli.options import FILE, config_option, db_option, format_options, option
from archiver.cli.output import Output
from archiver.cli.profiles import run_children
from archiver.cli.report_request import read_watch
from archiver.cli.terminal import terminal_of
from archiver.errors import PARTIAL_EXIT, ConfigurationError
from archiver.offline.check.memory import load_memory, save_memory
from archiver.offline.check.run import NO_DAY, backtest, backtest_table, findings_table, last_whole_day
from archiver.offline.check.run import check as run_rules
from archiver.offline.check.settings import read_settings
from archiver.offline.periods import Period
from archiver.offline.periods import period as parse_period
from archiver.offline.tables.money import to_exact
from archiver.offline.tables.write import show
from archiver.store.read.reader import open_archive_reader

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from archiver.offline.check.findings import Finding
    from archiver.offline.check.settings import Settings


@click.command(
    cls=Command,
    several=run_children,
    examples=[
        "archiver check --quiet  # after the nightly sync: exit code 3 if something new is odd",
        "archiver check --backtest 180d  # how often would each rule have spoken?",
        "archiver check --notify 'mail -s archiver me@example.com'  # findings as JSON on its standard input",
    ],
)
@option("--backtest", metavar="PERIOD", help="Show how often each rule had a finding in the last days, as 180d.")
@option("--all", "show_all", is_flag=True, help="Show every finding of the last 35 days, and remember nothing.")
@option("--notify", metavar="COMMAND", help="Run this with new findings as JSON on its standard input.")
@option("--state", type=FILE, metavar="FILE", help="What was reported.  [default: ARCHIVE.check.json]")
@option("--quiet", "-q", is_flag=True, help="Print nothing when nothing is odd.")
@option("--teams", type=FILE, metavar="FILE", help="Rules of teams, for their budgets.")
@format_options
@db_option
@config_option
@click.pass_context
def check(ctx: click.Context, /, **options: Any) -> int:
    """Look for what is odd in the newest days.

    The rules are budget, pace, limit, jump, new, cache, stale and restated; [check] in the configuration changes them.
    Each finding is reported once, until it is over. Exit code 3: something new was found.
    """
    output = Output.take(options)
    config = ctx.meta.get("archiver.config", {})
    settings, request = read_settings(config.get("check", {})), read_watch(options, config)
    db: Path = options["db"]
    with open_archive_reader(db) as reader:
        last, now = last_whole_day(reader), datetime.now(UTC)
        if last is None:
            click.echo(f"note: {NO_DAY}", err=True)
            return PARTIAL_EXIT
        if options["backtest"]:
            days = _days(options["backtest"])
            found = backtest(reader, request, settings, days, now)
            return _print_backtest(output, found, settings, Period(last.until - timedelta(days=days), last.until), db)
        found = run_rules(reader, request, settings, now)
    if options["show_all"]:
        return _print(output, found, f"up to {last}", db)
    path = options["state"] or db.with_name(db.name + ".check.json")
    memory = load_memory(path)
    new = memory.new(found, last.since)
    code = 0 if options["quiet"] and not new else _print(output, new, f"new findings up to {last}", db)
    if new and options["notify"]:
        _notify(options["notify"], new)  # before they are remembered, so that a failure is tried again
    save_memory(path, memory.after(found, new, last.since), db)
    return code


def _days(text: str) -> int:
    return parse_period(text, datetime.now(UTC).date()).days


def _print(output: Output, found: Sequence[Finding], title: str, db: Path) -> int:
    table = findings_table(found, title)
    if output.is_for_people:
        _echo(f"{len(found)} {title}" if found else f"nothing odd, {title}")
        for one in found:
            _echo("")
            _echo(f"{one.signal.rule}: {one.signal.text}")
            for line in one.signal.lines:
                _echo(f"  {line}")
            if one.last > one.first:
                _echo(f"  until {one.last}, {(one.last - one.first).days + 1} days")
        return PARTIAL_EXIT if found else 0
    return output.print("check", table, "usd", db)


def _echo(text: str) -> None:
    """Print a sentence, on lines that fit if it is for a terminal."""
    terminal = terminal_of(sys.stdout)
    click.echo(terminal.wrapped(show(text, None)) if terminal else show(text, None))


def _print_backtest(output: Output, found: Sequence[Finding], settings: Settings, period: Period, db: Path) -> int:
    table = backtest_table(found, settings, period.days, f"{period.since} to {period.until - timedelta(days=1)}")
    if output.is_for_people:
        return output.print("check, backtest", table, "usd", db)
    output.print("check, backtest", findings_table(found, str(period)), "usd", db)
    return 0


def _notify(command: str, found: Sequence[Finding]) -> None:
    """Run a command with findings as JSON.

    Raises:
        ConfigurationError: It cannot be run, or ends with another code than 0.
    """
    entries = [
        {
            "rule": one.signal.rule,
            "subject": one.signal.subject,
            "first_day": f"{one.first}",
            "last_day": f"{one.last}",
            "text": one.signal.text,
            "currency": one.signal.currency,
            "amount": None if one.signal.amount is None else to_exact(one.signal.amount, "usd"),
            "expected": None if one.signal.expected is None else to_exact(one.signal.expected, "usd"),
            "lines": list(one.signal.lines),
        }
        for one in found
    ]
    hint = "findings were not noted as reported: the next check reports them again"
    try:
        done = subprocess.run(shlex.split(command), input=json.dumps(entries), encoding="utf-8", check=False)  # noqa: S603  # the command is the user's own
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"cannot run --notify {command!r}: {error}", hint=hint) from None
    if done.returncode:
        raise ConfigurationError(f"--notify {command!r} ended with exit code {done.returncode}", hint=hint)
