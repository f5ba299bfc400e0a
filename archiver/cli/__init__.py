"""The command line: the group of commands, errors and exit codes.

Commands are imported when they are called, so that `archiver --help` is fast.
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
from archiver.cli.command import no_such_command, translate
from archiver.errors import BUG_EXIT, ArchiverError, ConfigurationError, InterruptedRunError, StorageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

COMMANDS = {
    "sync": ("archiver.cli.sync", "Bring the archive up to date from the API."),
    "status": ("archiver.cli.status", "Show what is archived: ranges, gaps, freshness."),
    "query": ("archiver.cli.query", "Run read-only SQL on the archive, offline."),
    "schema": ("archiver.cli.schema", "Show the views, their columns and what they mean."),
    "report": ("archiver.cli.report", "Run a built-in report: spend, keys, cache, budget and more."),
    "check": ("archiver.cli.check", "Look for what is odd: budgets, jumps, new keys, stale data."),
    "export": ("archiver.cli.export", "Write the archive for other programs: Parquet, Delta, FOCUS."),
    "teams": ("archiver.cli.teams", "Check the rules of teams, or suggest some."),
    "serve": ("archiver.cli.serve", "Show the archive in a browser on this machine."),
    "mcp": ("archiver.cli.mcp", "Serve the archive to an assistant, read-only."),
    "verify": ("archiver.cli.verify", "Check the file: digests, coverage, sums."),
    "snapshot": ("archiver.cli.snapshot", "Copy the archive, also while a sync runs."),
    "doctor": ("archiver.cli.doctor", "Check the installation, and say what to do next."),
    "schedule": ("archiver.cli.schedule", "Print a nightly run for cron, systemd, launchd or Kubernetes."),
    "forget": ("archiver.cli.forget", "Remove the names and addresses of a person."),
    "migrate": ("archiver.cli.migrate", "Bring the archive's schema up to date."),
    "demo": ("archiver.cli.demo", "Archive 13 months of an invented organisation."),
    "simulate": ("archiver.cli.simulate", "Run a local Admin API with invented data."),
    "help": ("archiver.cli.help", "Show the help of a command."),
    "completion": ("archiver.cli.completion", "Print the completion script for a shell."),
}
"""Each command's module and first sentence, so that listing the commands imports none of these modules."""


class LazyGroup(click.Group):
    """A group that imports a command when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        """Return the names of the commands in the order of `COMMANDS`."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  # the same
        """Import a command, or return None when there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        command = getattr(importlib.import_module(COMMANDS[cmd_name][0]), cmd_name)
        assert isinstance(command, click.Command)
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Keep the arguments, which the child processes of several profiles get."""
        ctx.meta["archiver.arguments"] = [*args]
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or raise an error that names the nearest one."""
        # While a shell completes a line, click parses with `resilient_parsing`, and half a name is no error.
        if args[0] not in COMMANDS and not args[0].startswith("-") and not ctx.resilient_parsing:
            raise no_such_command(args[0], COMMANDS, ctx)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command and return its exit code."""

        def work() -> Any:
            result = super(LazyGroup, self).invoke(ctx)
            # A full disk or a closed pipe is noticed when the buffer is written. Here it becomes an error with an exit
            # code; at the interpreter's end it would be a traceback.
            sys.stdout.flush()
            return result

        # Inside of click, which would exit with 1 on a closed pipe and print an empty line on Ctrl-C. `_run` guards the
        # parsing of the program's own options, which precedes this call.
        return guarded(work)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands with their first sentences, importing none."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name][1]) for name in self.list_commands(ctx)])


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Begin with: archiver demo. Then: archiver help COMMAND.",
)
@click.version_option(__version__, prog_name="archiver")
def cli() -> None:
    """Archive Claude API usage and cost reports in one SQLite file.

    Once archived, usage and cost are read from the file, offline: with SQL, as reports, as pages for a browser.
    """


def fail(error: ArchiverError) -> None:
    """Print an error and its hint on stderr."""
    from archiver.offline.tables.write import show  # noqa: PLC0415  # only needed after an error

    request_id = getattr(error, "request_id", None)
    click.echo(f"error: {show(error.message, None)}" + (f" (request id {request_id})" if request_id else ""), err=True)
    if error.hint:
        click.echo(f"hint: {error.hint}", err=True)


def main() -> NoReturn:
    """Run the program and exit with a documented exit code."""
    signal.signal(signal.SIGTERM, _on_terminate)
    _open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A name that the terminal's encoding lacks is printed with escapes; it would raise an error otherwise.
            stream.reconfigure(errors="backslashreplace")
    sys.exit(_run())


def _open_closed_streams() -> None:
    """Connect standard streams that were closed at the start to the null device.

    Python sets these to None, and the first print would fail.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115, PTH123  # for the whole run


def _run() -> int:
    def work() -> Any:
        return cli.main(prog_name="archiver", standalone_mode=False)

    return guarded(work)


def guarded(work: Callable[[], Any]) -> int:  # noqa: PLR0911  # one for each documented exit code
    """Run `work`, print any error, and return the exit code."""
    try:
        result = work()
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return 2
    except click.ClickException as error:
        fail(translate(error))
        return 2
    except ArchiverError as error:
        fail(error)
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("error: interrupted", err=True)
        return 128 + signal.SIGINT
    except BrokenPipeError:  # the reader of a pipe has seen enough
        # The interpreter flushes stdout once more when it exits, which must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0
    except UnicodeError:
        fail(ConfigurationError("the input is not UTF-8 text", hint="convert it, as with iconv --to-code=UTF-8"))
        return 2
    except OSError as error:  # errors of the archive and of the network are translated where they occur
        reason = error.strerror or type(error).__name__
        fail(StorageError(f"cannot write the output: {reason}", hint="check the disk's free space and permissions"))
        return StorageError.exit_code
    except Exception as error:  # noqa: BLE001  # any other exception is a bug, which has an exit code of its own
        show_bug(error)
        return BUG_EXIT
    return result if isinstance(result, int) else 0


def show_bug(error: Exception) -> None:
    """Print where a bug is, without messages and values, which may be secret."""
    import traceback  # noqa: PLC0415  # only needed after an error

    click.echo("error: this is a bug in archiver; what was archived before is safe", err=True)
    click.echo(f"  {type(error).__name__} in archiver {__version__}, at", err=True)
    for frame in traceback.extract_tb(error.__traceback__):
        click.echo(f"  {os.path.basename(frame.filename)}:{frame.lineno} in {frame.name}", err=True)  # noqa: PTH119
    click.echo("hint: report it with these lines; they hold no data and no key", err=True)


def _on_terminate(number: int, _frame: FrameType | None) -> NoReturn:
    raise InterruptedRunError("stopped by SIGTERM", signal_number=number)
