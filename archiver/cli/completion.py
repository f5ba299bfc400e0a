"""`archiver completion`."""

from __future__ import annotations

import os
from pathlib import Path

import click
from click.shell_completion import get_completion_class

from archiver.cli.command import Choice, Command

_SHELLS = ("bash", "zsh", "fish")


@click.command(
    cls=Command,
    examples=[
        'eval "$(archiver completion bash)"  # in ~/.bashrc',
        'eval "$(archiver completion zsh)"  # in ~/.zshrc',
        "archiver completion fish > ~/.config/fish/completions/archiver.fish",
    ],
)
@click.argument("shell", required=False, type=Choice(_SHELLS))
@click.pass_context
def completion(ctx: click.Context, shell: str | None) -> None:
    """Print the completion script for a shell.

    It completes commands, options, reports and saved queries. Without an argument, it is for the shell that the
    variable SHELL names.
    """
    shell = shell or Path(os.environ.get("SHELL", "")).name
    if shell not in _SHELLS:
        raise click.UsageError(f"the shell is not known: name it, as one of {', '.join(_SHELLS)}", ctx)
    found = get_completion_class(shell)
    assert found is not None
    click.echo(found(ctx.find_root().command, {}, "archiver", "_ARCHIVER_COMPLETE").source())
