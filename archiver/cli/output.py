"""Printing the table of a command in the format that was chosen."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from archiver.cli.options import check_sheet, format_of, print_written
from archiver.cli.terminal import paged, print_notes, terminal_of
from archiver.errors import PARTIAL_EXIT
from archiver.offline.atomic import atomic_file
from archiver.offline.tables.display import to_display, to_export, to_sheet
from archiver.offline.tables.slots import GAP
from archiver.offline.tables.terminal import write_report
from archiver.offline.tables.write import PEOPLE, Format, is_unicode, show, write_rows

if TYPE_CHECKING:
    from pathlib import Path

    from archiver.offline.tables.table import Table


@dataclass(frozen=True, slots=True)
class Output:
    """The options of output formats.

    Attributes:
        sheet: The spreadsheet to write; None: print.
        has_pager: Whether a long table may go to a pager.
    """

    format: Format
    sheet: Path | None
    raw: bool
    has_pager: bool

    @classmethod
    def take(cls, options: dict[str, Any]) -> Output:
        """Remove the options of output formats from a command's options.

        Raises:
            UsageError: Two formats are given.
            ConfigurationError: The library that writes spreadsheets is not installed.
        """
        how, raw, sheet, no_pager = (options.pop(name) for name in ("how", "raw", "xlsx", "no_pager"))
        check_sheet(sheet, how, raw=raw)
        return cls(format_of(how), sheet, raw, not no_pager)

    @property
    def is_for_people(self) -> bool:
        """Whether names, labels and rounded amounts are wanted."""
        return self.format in PEOPLE and self.sheet is None

    def print(self, name: str, table: Table, unit: str, db: Path) -> int:
        """Print a table, and its notes on stderr; return the exit code.

        `name` is the title of the table, `db` the archive that a file must not replace.
        """
        notes = [*table.notes]
        if self.sheet is not None:
            self._write_sheet(table, unit, self.sheet, db)
        elif self.is_for_people and table.is_known:
            notes += self._print_for_people(name, table, unit)
        elif not self.is_for_people and (table.is_known or self.format is Format.JSON):
            # Of what is not known, only JSON has an output: [].
            write_rows(*to_export(table, unit), sys.stdout, self.format, raw=self.raw)
        print_notes(note if is_unicode(sys.stdout) else note.replace(GAP, "blank") for note in notes)
        return PARTIAL_EXIT if table.needs_attention or not table.is_known else 0

    def _print_for_people(self, name: str, table: Table, unit: str) -> list[str]:
        """Print a table, and return the notes on how it is shown."""
        terminal = terminal_of(sys.stdout) if self.format is Format.TABLE and not self.raw else None
        if terminal is not None:
            notes: list[str] = []
            with paged(sys.stdout, wanted=self.has_pager) as to:
                notes += write_report(name, table, unit, to, terminal)
            return notes
        for sentence in table.sentences:
            click.echo(show(sentence, None))
        if table.sentences:
            click.echo()
        shown = to_display(table, unit, ascii_only=not is_unicode(sys.stdout), narrow=self.format is Format.TABLE)
        write_rows(*shown, sys.stdout, self.format, raw=self.raw, has_total=table.total is not None)
        return [table.slots.legend()] if table.slots is not None else []

    def _write_sheet(self, table: Table, unit: str, sheet: Path, db: Path) -> None:
        from archiver.offline.tables.xlsx import write_sheet  # noqa: PLC0415  # spreadsheets are rare

        with atomic_file(sheet, db) as stage:
            count = write_sheet(stage.file, *to_sheet(table, unit), table.notes)
            stage.keep()
        print_written(count, sheet)
