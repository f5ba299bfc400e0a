"""`archiver help`."""

from __future__ import annotations

from typing import Any

import click

from archiver.cli.command import Command


def _names(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    root = ctx.find_root().command
    assert isinstance(root, click.Group)
    return [name for name in root.list_commands(ctx) if name.startswith(incomplete)]


@click.command(cls=Command, examples=["archiver help sync  # the same as archiver sync --help"])
@click.argument("words", nargs=-1, metavar="[COMMAND]", shell_complete=_names)
@click.pass_context
def help(ctx: click.Context, words: tuple[str, ...]) -> Any:  # noqa: A001  # the command's name
    """Show the help of COMMAND, or of the program."""
    root = ctx.find_root()
    return root.command.main([*words, "--help"], prog_name=root.info_name, standalone_mode=False)
