"""Write rows as CSV, TSV, JSON, JSON lines, Markdown or a plain table."""

from __future__ import annotations

import csv
import json
import math
import re
import unicodedata
from enum import StrEnum
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import TextIO

_NUMBER = re.compile(r"-?[0-9][0-9,]*(\.[0-9]+)?%?")
_MARKUP = re.compile(r"[\\`*_{}\[\]<>|#~!&]")
_FORMULA = "=+-@\uff1d\uff0b\uff0d\uff20"  # the plain signs and their full-width twins
_WIDEST_CELL = 120
NULL, NO_ROWS = "NULL", "(no rows)"
# A table has to know the widths of its columns before its first line, and must not hold a whole result for that.
_MOST_MEASURED_ROWS = 1000


class Format(StrEnum):
    """An output format."""

    TABLE = "table"
    CSV = "csv"
    TSV = "tsv"
    JSON = "json"
    NL = "nl"
    MARKDOWN = "markdown"


PEOPLE = frozenset({Format.TABLE, Format.MARKDOWN})


def write_rows(  # noqa: PLR0913  # what is written, where and how
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    to: TextIO,
    how: Format,
    *,
    raw: bool = False,
    has_total: bool = False,
) -> None:
    """Write rows in a format, each as soon as it is read.

    A plain table is measured first, by its first thousand rows, and Markdown by all rows. JSON objects number the
    repeated names of columns, as `x` and `x_2`, so that no value is lost.

    Text is made inert, whatever the API sent: no escape code reaches a terminal, and no formula a spreadsheet. `raw`
    writes plain tables, CSV and TSV as they are instead. JSON is exact either way, and Markdown is always escaped.

    With `has_total` the last row is a total, which a plain table sets apart. A null is `NULL` for people.
    """
    if how in {Format.JSON, Format.NL}:
        columns = distinct(columns)
    if how is Format.CSV:
        _write_separated(columns, rows, to, csv.excel(), _plain if raw else inert)
    elif how is Format.TSV:
        _write_separated(columns, rows, to, csv.excel_tab(), _plain if raw else inert)
    elif how is Format.JSON:
        _write_json(columns, rows, to)
    elif how is Format.NL:
        to.writelines(_object(columns, row) + "\n" for row in rows)
    elif how is Format.MARKDOWN:
        _write_markdown(columns, rows, to)
    else:
        _write_table(columns, rows, to, _whole if raw else with_null, has_total=has_total)


class _Lines:
    """A file for the csv module, with lines that end in a newline alone.

    The module itself has to end lines with both characters, or it would not quote a lone carriage return in a value.
    """

    def __init__(self, to: TextIO) -> None:
        self._to = to

    def write(self, line: str) -> None:
        """Write one line, which the csv module passes whole."""
        self._to.write(line.removesuffix("\r\n") + "\n")


def _write_separated(
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    to: TextIO,
    dialect: csv.Dialect,
    to_text: Callable[[Any], Any],
) -> None:
    writer = csv.writer(_Lines(to), dialect)
    writer.writerow([to_text(name) for name in columns])
    writer.writerows([to_text(value) for value in row] for row in rows)


def _plain(value: Any) -> Any:
    return value.hex() if isinstance(value, bytes) else value


def inert(value: Any) -> Any:
    """Return a value that neither a terminal nor a spreadsheet interprets.

    Control characters are escaped, and a text that a spreadsheet may take for a formula gets an apostrophe in front.
    """
    if not isinstance(value, str):
        return _plain(value)
    text = printable(value)
    # A negative amount begins with a sign as formulas do, but is only a number.
    return "'" + text if begins_formula(text) and not _NUMBER.fullmatch(text) else text


def printable(text: str) -> str:
    """Escape characters that a terminal interprets, except newlines and tabs."""
    return text if text.isprintable() else "".join(c if c in "\n\t" else _escaped(c) for c in text)


def begins_formula(text: str) -> bool:
    """Return whether a spreadsheet may take a text for a formula."""
    begins = text.lstrip()[:1]
    return bool(begins) and begins in _FORMULA


def _escaped(character: str) -> str:
    return character if character.isprintable() else character.encode("unicode_escape").decode()


def _whole(value: Any) -> str:
    return NULL if value is None else str(_plain(value))


def distinct(names: Sequence[str]) -> list[str]:
    """Return names with a number at those that are repeated, as `x` and `x_2`."""
    distinct: dict[str, None] = {}
    for name in names:
        number = 2
        unique = name
        while unique in distinct:
            unique = f"{name}_{number}"
            number += 1
        distinct[unique] = None
    return list(distinct)


def _object(columns: Sequence[str], row: Sequence[Any]) -> str:
    text = json.dumps({name: _json_value(v) for name, v in zip(columns, row, strict=True)}, ensure_ascii=False)
    return text if text.isprintable() else "".join(c if c.isprintable() else _json_escape(c) for c in text)


def _json_escape(character: str) -> str:
    """Escape a character that a terminal interprets; a JSON reader restores it."""
    return json.dumps(character)[1:-1]


def _json_value(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None  # JSON has no infinity
    return _plain(value)


def _write_json(columns: Sequence[str], rows: Iterable[Sequence[Any]], to: TextIO) -> None:
    # One object a line, in valid JSON that is written while rows still come.
    to.write("[")
    separator = "\n"
    for row in rows:
        to.write(separator + _object(columns, row))
        separator = ",\n"
    to.write("\n]\n" if separator != "\n" else "]\n")


def _write_markdown(columns: Sequence[str], rows: Iterable[Sequence[Any]], to: TextIO) -> None:
    # Markdown states the alignment of columns before the first row, so all rows are read.
    source = [[_markdown(value) for value in row] for row in rows]
    right = [
        bool(source) and all(row[i] in {"", NULL} or is_number(row[i]) for row in source) for i in range(len(columns))
    ]
    to.write("| " + " | ".join(map(_markdown, columns)) + " |\n")
    to.write("|" + "|".join("---:" if one else "---" for one in right) + "|\n")
    to.writelines("| " + " | ".join(row) + " |\n" for row in source)


def _markdown(value: Any) -> str:
    return _MARKUP.sub(r"\\\g<0>", with_null(value, None))


def _write_table(
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    to: TextIO,
    to_text: Callable[[Any], str],
    *,
    has_total: bool,
) -> None:
    source = iter(rows)
    # Only reports have a total, and their rows are few.
    first = list(source if has_total else islice(source, _MOST_MEASURED_ROWS))
    cells = [[to_text(value) for value in row] for row in first]
    titles = [[to_text(line) for line in name.splitlines()] or [""] for name in columns]
    widths = [max(map(display_width, [*title, *(row[i] for row in cells)])) for i, title in enumerate(titles)]
    right = [bool(first) and all(is_number(row[i]) for row in first) for i in range(len(columns))]
    rule = ["-" * width for width in widths]
    head = [*bottom_aligned(titles), rule]
    if has_total:
        cells.insert(-1, rule)
    # A later row may be wider than those measured: its columns are out of line, but complete.
    for row in chain(head, cells, ([to_text(value) for value in row] for row in source)):
        padded = (pad(*cell) for cell in zip(row, widths, right, strict=True))
        to.write("  ".join(padded).rstrip() + "\n")
    if not first:
        to.write(NO_ROWS + "\n")


def bottom_aligned(titles: Sequence[Sequence[str]]) -> list[list[str]]:
    """Lay out titles of several lines, with their last lines on one line."""
    height = max(map(len, titles))
    return [[([""] * (height - len(title)) + list(title))[line] for title in titles] for line in range(height)]


def is_number(value: Any) -> bool:
    """Return whether a value is a number, or a text of one."""
    return isinstance(value, int | float | None) or (isinstance(value, str) and bool(_NUMBER.fullmatch(value)))


def with_null(value: Any, widest: int | None = _WIDEST_CELL) -> str:
    """Return a value as `show` does, but a null as `NULL`."""
    return NULL if value is None else show(value, widest)


def show(value: Any, widest: int | None = _WIDEST_CELL) -> str:
    """Return a value as text on one line, with unprintable characters escaped.

    Texts of more than `widest` characters are cut and end in an ellipsis; None cuts none.
    """
    if value is None:
        return ""
    if isinstance(value, bytes):
        return value.hex()
    if not isinstance(value, str):
        return str(value)
    text = value if value.isprintable() else "".join(map(_escaped, value))
    return text if widest is None or len(text) <= widest else text[: widest - 1] + "…"


def is_unicode(to: TextIO) -> bool:
    """Return whether a stream takes any Unicode character."""
    return (to.encoding or "").lower().replace("_", "-") in {"utf-8", "utf8", "utf-16", "utf-8-sig"}


def display_width(text: str) -> int:
    """Count the columns that a text takes on a terminal."""
    if text.isascii():
        return len(text)
    return sum(_columns_of(character) for character in text)


def _columns_of(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def pad(text: str, width: int, right: bool) -> str:  # noqa: FBT001  # a text, its width and its alignment
    """Fill a text with spaces to a width on a terminal."""
    space = " " * (width - display_width(text))
    return space + text if right else text + space
