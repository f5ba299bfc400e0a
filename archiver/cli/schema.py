"""`archiver schema`."""

from __future__ import annotations

from typing import Any

import click

from archiver.cli.command import Choice, Command
from archiver.cli.options import config_option, option
from archiver.offline.schema import VIEWS, as_markdown, as_text
from archiver.store.migrate import columns_of_views


@click.command(
    cls=Command,
    examples=["archiver schema  # every view", "archiver schema daily_cost  # the columns of one view"],
)
@click.argument("view", required=False, metavar="[VIEW]", type=Choice(list(VIEWS)))
@option("--markdown", is_flag=True, help="Print Markdown, as the reference has it.")
@config_option
def schema(view: str | None, *, markdown: bool, **_: Any) -> None:
    """Show the views, their columns and what they mean.

    With VIEW, only that one. No archive is needed.
    """
    columns = columns_of_views(list(VIEWS))
    click.echo(as_markdown(columns) if markdown else as_text(columns, [view] if view else list(VIEWS)), nl=False)
