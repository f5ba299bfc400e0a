"""Rows as text: exact for programs, inert for terminals and spreadsheets."""

from __future__ import annotations

import csv
import io
import json

import pytest

from archiver.offline.tables.write import Format, write_rows

ESCAPE = "\x1b]0;owned\x07"
HOSTILE = [
    "=1+1",
    "+1",
    "-1+1",
    "@SUM(A1)",
    "  =1+1",
    "\t=1+1",
    "\r=1+1",
    "\uff1d1+1",
    "=HYPERLINK('http://x')",
    ESCAPE,
    "\x9b31m",
    "\x7f",
    "a\x00b",
    "\u202egnp.exe",
    "\u2028",
    "x\r\ny",
]
HARMLESS = ["", "plain", "-12.50", "-1,234.50", "0.000001", "a=b", "Ünïcode 日本", "two\nlines", "x\ty", "'quoted'"]


def written(value: object, how: Format, *, raw: bool = False) -> str:
    to = io.StringIO()
    write_rows(["name"], [(value,)], to, how, raw=raw)
    return to.getvalue()


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("how", [Format.CSV, Format.TSV])
def test_a_spreadsheet_gets_no_formula_and_a_terminal_no_escape_code(how: Format, text: str) -> None:
    (cell,) = list(
        csv.reader(io.StringIO(written(text, how), newline=""), delimiter="," if how is Format.CSV else "\t")
    )[1]
    assert cell.lstrip()[:1] not in set("=+-@\uff1d\uff0b\uff0d\uff20")
    assert all(c.isprintable() or c in "\n\t" for c in cell)


@pytest.mark.parametrize("text", HARMLESS)
@pytest.mark.parametrize("how", [Format.CSV, Format.TSV])
def test_harmless_text_stays_as_it_is(how: Format, text: str) -> None:
    assert written(text, how) == written(text, how, raw=True)


@pytest.mark.parametrize("text", [*HOSTILE, *HARMLESS])
def test_raw_csv_is_exact(text: str) -> None:
    rows = list(csv.reader(io.StringIO(written(text, Format.CSV, raw=True), newline="")))
    assert rows[1:] == ([[text]] if text else [[""]])


@pytest.mark.parametrize("text", [*HOSTILE, *HARMLESS])
@pytest.mark.parametrize("how", [Format.JSON, Format.NL])
def test_json_is_exact_and_printable(how: Format, text: str) -> None:
    printed = written(text, how)
    assert all(c.isprintable() or c == "\n" for c in printed)
    read = json.loads(printed)
    assert (read[0] if how is Format.JSON else read) == {"name": text}


@pytest.mark.parametrize("text", HOSTILE)
def test_a_table_stays_on_its_line(text: str) -> None:
    printed = written(text, Format.TABLE)
    assert len(printed.splitlines()) == 3
    assert all(c.isprintable() or c == "\n" for c in printed)


def test_a_raw_table_shows_text_as_it_is() -> None:
    assert ESCAPE in written(ESCAPE, Format.TABLE, raw=True)


def test_the_name_of_a_column_is_inert_too() -> None:
    to = io.StringIO()
    write_rows(["=1+1"], [], to, Format.CSV)
    assert to.getvalue() == "'=1+1\n"
