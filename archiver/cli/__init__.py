"""The command line: parse, call one function, print, exit with the right code.

Commands are imported when they are called: `archiver --help` needs none of them.
"""

from __future__ import annotations

import importlib
import io
import os
import signal
import sys
from typing import TYPE_CHECKING, Any, NoReturn

import click

from archiver import __version__
from archiver.errors import BUG_EXIT, ArchiverError, InterruptedRunError, StorageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

COMMANDS = {
    "sync": ("archiver.cli.sync", "Bring the archive up to date from the API."),
    "status": ("archiver.cli.status", "Show what is archived: ranges, gaps, freshness."),
    "query": ("archiver.cli.query", "Ask the archive in SQL, offline and read-only."),
    "schema": ("archiver.cli.schema", "Show the views and their columns, and what they mean."),
    "report": ("archiver.cli.report", "Answer a ready question: spend, keys, cache, budget and more."),
    "serve": ("archiver.cli.serve", "Show the archive in a browser on this machine."),
    "verify": ("archiver.cli.verify", "Prove the file: digests, coverage, sums."),
    "snapshot": ("archiver.cli.snapshot", "Copy the archive, also while a sync runs."),
    "migrate": ("archiver.cli.migrate", "Bring the archive's schema up to date."),
    "demo": ("archiver.cli.demo", "Archive 13 months of an invented organisation."),
    "simulate": ("archiver.cli.simulate", "Run a local Admin API with invented data."),
}


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        """List the commands in the order a newcomer needs them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  # the same
        """Import a command."""
        if cmd_name not in COMMANDS:
            return None
        command = getattr(importlib.import_module(COMMANDS[cmd_name][0]), cmd_name)
        assert isinstance(command, click.Command)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; what is left to print is printed here, where errors are understood, and not at the end."""

        def work() -> Any:
            result = super(LazyGroup, self).invoke(ctx)
            sys.stdout.flush()
            return result

        return guarded(work)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands with their first sentences, importing none."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name][1]) for name in self.list_commands(ctx)])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="archiver")
def cli() -> None:
    """Archive an organisation's Claude API usage and cost reports in one SQLite file.

    The file answers what was used and what it cost for good: by SQL, offline.
    """


def fail(error: ArchiverError) -> None:
    """Say on stderr what happened and what to do next."""
    from archiver.offline.tables.write import show  # noqa: PLC0415  # only needed once things went wrong

    request_id = getattr(error, "request_id", None)
    click.echo(f"error: {show(error.message, None)}" + (f" (request id {request_id})" if request_id else ""), err=True)
    if error.hint:
        click.echo(f"hint: {error.hint}", err=True)


def main() -> NoReturn:
    """Run the program; every way out has its documented exit code."""
    signal.signal(signal.SIGTERM, _on_terminate)
    _open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    sys.exit(_run())


def _open_closed_streams() -> None:
    """Let a program that was started without standard streams read nothing, and print nowhere."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115, PTH123  # for the whole run


def _run() -> int:
    def work() -> Any:
        return cli.main(standalone_mode=False)

    return guarded(work)


def guarded(work: Callable[[], Any]) -> int:  # noqa: PLR0911  # one for each documented way out
    """Do some work and give its exit code; whatever goes wrong is said in a sentence and has a documented code."""
    try:
        result = work()
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.ClickException as error:
        error.show()
        return 2
    except ArchiverError as error:
        fail(error)
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("error: interrupted", err=True)
        return 128 + signal.SIGINT
    except BrokenPipeError:  # the reader of a pipe has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0
    except UnicodeError:
        click.echo("error: the input is not UTF-8 text", err=True)
        return 2
    except OSError as error:  # the archive's and the network's own were translated where they came up
        fail(StorageError(f"the output cannot be written: {error.strerror or type(error).__name__}"))
        return StorageError.exit_code
    except Exception as error:  # noqa: BLE001  # the last line of defence: a bug has its exit code too
        show_bug(error)
        return BUG_EXIT
    return result if isinstance(result, int) else 0


def show_bug(error: Exception) -> None:
    """Show where a bug is, without any value: messages and locals may hold what is not for showing."""
    import traceback  # noqa: PLC0415  # only needed once things went wrong

    click.echo("error: this is a bug in archiver; what was archived before is safe", err=True)
    click.echo(f"  {type(error).__name__} in archiver {__version__}, at", err=True)
    for frame in traceback.extract_tb(error.__traceback__):
        click.echo(f"  {os.path.basename(frame.filename)}:{frame.lineno} in {frame.name}", err=True)  # noqa: PTH119


def _on_terminate(number: int, _frame: FrameType | None) -> NoReturn:
    raise InterruptedRunError("stopped by SIGTERM", signal_number=number)
