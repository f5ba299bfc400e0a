"""Write rows as a spreadsheet.

A number is written as a number if a spreadsheet keeps all of its digits, and a day of a column `date` as a date, which
pivot tables group by month and year. Everything else is inert text.
"""

from __future__ import annotations

import math
import re
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from archiver.errors import ConfigurationError
from archiver.offline.tables.table import Column, Kind
from archiver.offline.tables.write import begins_formula, display_width, printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

# The limits of the format: rows of a sheet, and UTF-16 code units of a cell.
MOST_ROWS = 1_048_576
_ROWS_OF_NOTES = 4  # kept free below the rows, or more where there are more notes
LONGEST_TEXT = 32_767
# Spreadsheets compute with 64-bit floats, which keep any decimal number of up to 15 digits.
_MOST_DIGITS = 15
_DECIMAL = re.compile(r"-?[0-9]+(?:\.[0-9]+)?", re.ASCII)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_FIRST_DAY = "1900-03-01"
_WIDEST_COLUMN = 60
_MEASURED_ROWS = 1000  # the first rows stand for all in the widths of columns
_INSTEAD = "write --csv, which has no such limit"


def load_library() -> Any:
    """Import and return the library that writes spreadsheets.

    Raises:
        ConfigurationError: The library is not installed.
    """
    try:
        import xlsxwriter  # noqa: PLC0415  # of an extra, and for spreadsheets alone
    except ImportError:
        raise ConfigurationError(
            "spreadsheets need XlsxWriter, which is not installed", hint="pip install 'claude-usage-archiver[xlsx]'"
        ) from None
    return xlsxwriter


def write_sheet(file: Path, columns: Sequence[Column], rows: Iterable[Sequence[Any]], notes: Sequence[str] = ()) -> int:
    """Write rows as the one sheet of a new file, with notes below.

    Text is never a formula or a link, and unprintable characters are escaped. Amounts in `rows` are decimal texts.

    Returns:
        The number of rows, without the header.

    Raises:
        ConfigurationError: There are more rows than a sheet has, a text is longer than a cell takes, or the library is
            not installed.
        OSError: The file cannot be written; `atomic_file` translates the error.
    """
    library = load_library()
    # Each row goes to a temporary file when the next one begins, so that a result of any length fits in memory. That
    # file is in the target's folder, which is private and has the space that the result needs anyway.
    options = {"constant_memory": True, "tmpdir": str(file.parent)}
    workbook = library.Workbook(str(file), options)
    sheet = workbook.add_worksheet("archiver")
    try:
        count = _Sheet(workbook, sheet, columns).fill(rows, notes)
        workbook.close()
    except library.exceptions.XlsxWriterException as error:
        # The library wraps errors of the disk in exceptions of its own.
        cause = error.args[0] if error.args and isinstance(error.args[0], OSError) else OSError(str(error))
        raise cause from error
    finally:
        sheet._opt_close()  # noqa: SLF001  # closing the workbook would finish a file that is not wanted
    return count


class _Sheet:
    """The worksheet while it is filled, with its formats and column widths."""

    def __init__(self, workbook: Any, sheet: Any, columns: Sequence[Column]) -> None:
        self._sheet, self._columns = sheet, columns
        self._bold = workbook.add_format({"bold": True})
        self._text = workbook.add_format({"num_format": "@"})
        self._quoted = workbook.add_format({"num_format": "@", "quote_prefix": True})
        formats = {"whole": "0", "count": "#,##0", "share": "0.0%", "money": "#,##0.00", "dollars": "[$$-409]#,##0.00"}
        formats["date"] = "yyyy-mm-dd"
        self._formats = {name: workbook.add_format({"num_format": form}) for name, form in formats.items()}
        self._widths = [0] * len(columns)
        self._as_text = 0

    def fill(self, rows: Iterable[Sequence[Any]], notes: Sequence[str]) -> int:
        """Write the header, the rows and the notes; return the number of rows."""
        for at, column in enumerate(self._columns):
            self._write_text(0, at, column.name)
        self._sheet.set_row(0, None, self._bold)
        self._sheet.freeze_panes(1, 0)
        # Below the rows come an empty row, the notes, and perhaps one about long numbers.
        below = max(_ROWS_OF_NOTES, 1 + len(notes) + 1)
        count = 0
        for count, row in enumerate(rows, 1):
            if count > MOST_ROWS - 1 - below:
                raise ConfigurationError(f"a sheet has {MOST_ROWS:,} rows, and there are more", hint=_INSTEAD)
            for at, value in enumerate(row):
                self._write(count, at, value)
        for at, width in enumerate(self._widths):
            self._sheet.set_column(at, at, min(width, _WIDEST_COLUMN) + 2)
        for below, line in enumerate(self._notes(notes), count + 2):
            self._sheet.write_string(below, 0, line)
        return count

    def _notes(self, notes: Sequence[str]) -> list[str]:
        lines = [f"note: {note}" for note in notes]
        if self._as_text:
            lines.insert(
                0,
                f"note: {self._as_text} numbers of more than {_MOST_DIGITS} digits are text, digit for digit: a "
                "spreadsheet would round them, and its sums leave them out",
            )
        return lines

    def _write(self, row: int, at: int, value: Any) -> None:
        kind = self._columns[at].kind
        if value is None:
            return
        if isinstance(value, bytes):
            self._write_text(row, at, value.hex())
        elif isinstance(value, str):
            # Amounts and exact numbers come as text: a float would have lost digits before they are counted below.
            if kind in {Kind.EXACT, Kind.MONEY} and _DECIMAL.fullmatch(value):
                dollars = self._columns[at].name.endswith("_usd")
                form = self._formats["dollars" if dollars else "money"] if kind is Kind.MONEY else None
                self._write_number(row, at, Decimal(value), value, form)
            elif self._columns[at].name == "date" and (day := _day(value)) is not None:
                self._sheet.write_datetime(row, at, day, self._formats["date"])
                self._measure(row, at, value)
            else:
                self._write_text(row, at, value)
        elif isinstance(value, int):
            form = self._formats["count" if kind is Kind.COUNT else "whole"]
            self._write_number(row, at, Decimal(value), str(value), form)
        elif math.isfinite(value):
            self._sheet.write_number(row, at, value, self._formats["share"] if kind is Kind.SHARE else None)
            self._measure(row, at, f"{value:.15g}")
        else:
            self._write_text(row, at, str(value))

    def _write_number(self, row: int, at: int, value: Decimal, shown: str, form: Any) -> None:
        """Write a number, or its text where a spreadsheet would not keep every digit."""
        # normalize() drops trailing zeros, which a float keeps whatever their number.
        if len(value.normalize().as_tuple().digits) > _MOST_DIGITS:
            self._as_text += 1
            self._write_text(row, at, shown)
            return
        self._sheet.write_number(row, at, float(value), form)
        self._measure(row, at, f"{value:,.2f}")

    def _write_text(self, row: int, at: int, text: str) -> None:
        shown, quoted = _inert(text)
        # A character takes one or two code units, so most texts are short enough without being encoded.
        if len(shown) * 2 > LONGEST_TEXT and len(shown.encode("utf-16-le")) // 2 > LONGEST_TEXT:
            raise ConfigurationError(
                f"{printable(self._columns[at].name)} of row {row} has more characters than a cell takes, "
                f"{LONGEST_TEXT:,}",
                hint=_INSTEAD,
            )
        self._sheet.write_string(row, at, shown, self._quoted if quoted else self._bold if row == 0 else self._text)
        self._measure(row, at, shown)

    def _measure(self, row: int, at: int, shown: str) -> None:
        if row <= _MEASURED_ROWS:
            self._widths[at] = max(self._widths[at], display_width(shown))


def _day(text: str) -> datetime | None:
    """Return a day as a spreadsheet takes it; None for any other text.

    A spreadsheet counts days from 1900 on, but for its wrong leap day in that year.
    """
    if not _DATE.fullmatch(text) or text < _FIRST_DAY:
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


@lru_cache(maxsize=10_000)  # columns of names and models repeat a few texts in every row
def _inert(text: str) -> tuple[str, bool]:
    """Return a text without control characters, and whether it needs the quote prefix.

    A cell of text that begins like a formula would become one when a person edits it; the prefix prevents that.
    """
    shown = printable(text)
    if shown.startswith("<r>") and shown.endswith("</r>"):
        shown = "'" + shown  # the library would write it as XML of its own
    return shown, begins_formula(shown)
