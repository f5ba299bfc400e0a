"""Spreadsheets: every digit, inert text, whole or not at all; read back by another library than wrote them."""

from __future__ import annotations

import json
import os
import stat
import sys
import zipfile
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import openpyxl
import pytest
from openpyxl.utils.escape import unescape

from archiver.errors import ConfigurationError, StorageError
from archiver.offline.atomic import atomic_file
from archiver.offline.tables import xlsx as sheet
from archiver.offline.tables.table import Column, Kind
from archiver.offline.tables.xlsx import LONGEST_TEXT, write_sheet
from archiver.plan.scope import Scope
from tests.support import archiver, day, sync

if TYPE_CHECKING:
    from pathlib import Path

    from archiver.simulator import Simulator

HOSTILE = [
    "=cmd|' /C calc'!A0",
    "+1+1",
    "@SUM(A1)",
    "  =1+1",
    "\uff1d1+1",
    '=HYPERLINK("http://x")',
    "http://example.invalid",
    "mailto:x@example.invalid",
    "internal:Sheet1!A1",
    "<r><t>bold</t></r>",
    "<r></r><f>1+1</f></r>",
    '</t></is></c><c r="B9"><f>1+1</f></c>',
    "_x000D_",
    "&amp;]]>",
    "001",
    "1e5",
    "true",
]
ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
CONTROLS = ["a\x00b", "\x1b[31m", "\x07", "\x0b", "\ufffe", "\u202egnp.exe", "x\ry"]


def written(tmp_path: Path, columns: list[Column], rows: list[Any], *notes: str) -> Any:
    file = tmp_path / "sheet.xlsx"
    assert write_sheet(file, columns, rows, notes) == len(rows)
    return openpyxl.load_workbook(file).active


def xml_of(file: Path) -> str:
    with zipfile.ZipFile(file) as package:
        return "".join(package.read(name).decode() for name in package.namelist() if name.endswith((".xml", ".rels")))


@pytest.mark.parametrize("text", HOSTILE)
def test_text_is_text_and_never_a_formula_a_link_or_markup(tmp_path: Path, text: str) -> None:
    cell = written(tmp_path, [Column("name")], [(text,)])["A2"]
    assert (unescape(cell.value), cell.data_type) == ("'" + text if text.startswith("<r>") else text, "s")
    xml = xml_of(tmp_path / "sheet.xlsx")
    assert "<f>" not in xml
    assert "<hyperlink" not in xml
    assert "relationships/hyperlink" not in xml


@pytest.mark.parametrize("text", HOSTILE[:5])
def test_text_that_begins_as_a_formula_stays_text_when_it_is_edited(tmp_path: Path, text: str) -> None:
    cell = written(tmp_path, [Column("name")], [(text,)])["A2"]
    assert cell.quotePrefix


@pytest.mark.parametrize("text", CONTROLS)
def test_control_characters_are_written_as_escapes(tmp_path: Path, text: str) -> None:
    value = written(tmp_path, [Column("name")], [(text,)])["A2"].value
    assert value.isprintable()
    assert value == "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


@pytest.mark.parametrize("text", ["two\nlines", "x\ty", " spaces ", "日本 🜚", "x" * LONGEST_TEXT])
def test_harmless_text_stays_as_it_is(tmp_path: Path, text: str) -> None:
    assert written(tmp_path, [Column("name")], [(text,)])["A2"].value == text


@pytest.mark.parametrize("amount", ["0.00", "0.00000001", "-0.00000001", "1.00", "1.23456789", "999999.99999999"])
@pytest.mark.parametrize("name", ["amount_usd", "amount_cents"])
def test_money_is_a_number_to_the_last_digit(tmp_path: Path, amount: str, name: str) -> None:
    sheet = written(tmp_path, [Column("currency"), Column(name, Kind.MONEY)], [("USD", amount)])
    cell = sheet["B2"]
    assert sheet["B1"].value == name
    assert cell.data_type == "n"
    assert Decimal(f"{cell.value:.15g}") == Decimal(amount)
    assert cell.number_format == ("[$$-409]#,##0.00" if name == "amount_usd" else "#,##0.00")


def test_numbers_of_more_digits_than_a_spreadsheet_keeps_are_text_with_a_note(tmp_path: Path) -> None:
    columns = [Column("amount_usd", Kind.MONEY), Column("n", Kind.COUNT), Column("was", Kind.EXACT), Column("id")]
    amount = "12345678.12345678"
    found = written(tmp_path, columns, [(amount, 2**63 - 1, "1234567890.123456", 10**15 + 1)], "costs")
    assert [cell.value for cell in found[2]] == [amount, str(2**63 - 1), "1234567890.123456", str(10**15 + 1)]
    assert {cell.data_type for cell in found[2]} == {"s"}
    assert found["A4"].value.startswith("note: 4 numbers of more than 15 digits are text")
    assert found["A5"].value == "note: costs"


def test_what_is_a_number_is_one(tmp_path: Path) -> None:
    columns = [Column("a"), Column("b", Kind.COUNT), Column("c", Kind.SHARE), Column("d", Kind.EXACT), Column("e")]
    found = written(tmp_path, columns, [(7, 1_000_000, 0.25, "-12.50", 0.1), (None, None, None, None, float("inf"))])
    assert [cell.value for cell in found[2]] == [7, 1_000_000, 0.25, -12.5, 0.1]
    assert [cell.number_format for cell in found[2]][1:3] == ["#,##0", "0.0%"]
    assert [cell.value for cell in found[3]] == [None, None, None, None, "inf"]


def test_a_day_is_a_date_and_what_is_no_day_stays_text(tmp_path: Path) -> None:
    texts = ["2026-02-28", "2026-02-30", "1900-02-29", "1899-12-31", "2026-02-28T00:00:00Z", "\uff12026-02-28", "=1"]
    columns = [Column("date", Kind.TEXT), Column("month", Kind.TEXT)]
    read = written(tmp_path, columns, [(text, "2026-02-28") for text in texts])
    assert [read.cell(row, 1).value for row in range(2, 2 + len(texts))] == [datetime(2026, 2, 28), *texts[1:]]  # noqa: DTZ001  # as Excel has it
    assert read["A2"].number_format == "yyyy-mm-dd"
    assert read["B2"].value == "2026-02-28"


def test_the_header_stays_in_sight(tmp_path: Path) -> None:
    found = written(tmp_path, [Column("name")], [("x",)])
    assert found.freeze_panes == "A2"
    assert found["A1"].font.bold


def test_more_than_a_sheet_holds_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match="name of row 1 has more characters"):
        write_sheet(tmp_path / "text.xlsx", [Column("name")], [("x" * (LONGEST_TEXT + 1),)])
    with pytest.raises(ConfigurationError, match="more characters"):
        write_sheet(tmp_path / "wide.xlsx", [Column("name")], [("🜚" * (LONGEST_TEXT // 2 + 1),)])
    monkeypatch.setattr(sheet, "MOST_ROWS", 10)
    assert write_sheet(tmp_path / "full.xlsx", [Column("name")], [("x",)] * 5) == 5
    with pytest.raises(ConfigurationError, match="rows"):
        write_sheet(tmp_path / "rows.xlsx", [Column("name")], [("x",)] * 6)
    notes = [f"note {number}" for number in range(5)]
    write_sheet(tmp_path / "notes.xlsx", [Column("name")], [("x",)] * 2, notes=notes)
    cells = [cell for (cell,) in openpyxl.load_workbook(tmp_path / "notes.xlsx").active.values]
    assert [cell for cell in cells if str(cell).startswith("note")] == [f"note: {note}" for note in notes]
    with pytest.raises(ConfigurationError, match="rows"):
        write_sheet(tmp_path / "rows.xlsx", [Column("name")], [("x",)] * 3, notes=notes)


def test_a_file_that_is_not_kept_leaves_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "sheet.xlsx"
    target.write_text("before")
    with pytest.raises(ConfigurationError), atomic_file(target, tmp_path / "archive.db") as stage:
        write_sheet(stage.file, [Column("name")], [("x" * (LONGEST_TEXT + 1),)])
    assert target.read_text() == "before"
    assert [path.name for path in tmp_path.iterdir()] == ["sheet.xlsx"]


def test_a_full_disk_is_an_error_with_a_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(zipfile.ZipFile):
        def write(self, *_: Any, **__: Any) -> None:
            raise OSError(28, "No space left on device")

    library = sheet.load_library()
    monkeypatch.setattr(library.workbook, "ZipFile", Full)
    with (
        pytest.raises(StorageError, match="No space left"),
        atomic_file(tmp_path / "x.xlsx", tmp_path / "a.db") as stage,
    ):
        write_sheet(stage.file, [Column("name")], [("x",)])
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def archived(shared_api: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Path:
    db = tmp_path_factory.mktemp("archived") / "archive.db"
    sync(shared_api, db, Scope(since=day("2026-01-05")))
    return db


def test_a_report_in_a_sheet_is_the_report(archived: Path, tmp_path: Path) -> None:
    file = tmp_path / "spend.xlsx"
    done = archiver("report", "workspaces", "--xlsx", str(file), "--db", str(archived))
    assert (done.returncode, done.stdout) == (0, "")
    head, *rows = openpyxl.load_workbook(file).active.values
    reported = json.loads(archiver("report", "workspaces", "--json", "--db", str(archived)).stdout)
    assert head == ("workspace_id", "workspace", "currency", "amount_usd", "amount_microcents", "share")
    assert [(row[0], Decimal(f"{row[3]:.15g}")) for row in rows[: len(reported)]] == [
        (row["workspace_id"], Decimal(row["amount_usd"])) for row in reported
    ]
    assert [row[1] for row in rows[: len(reported)] if row[0] is None] == ["(default workspace)"]
    assert "not the invoice" in rows[-1][0]


def test_a_query_in_a_sheet_is_its_answer(archived: Path, tmp_path: Path) -> None:
    file = tmp_path / "query.xlsx"
    sql = "SELECT '=1+1' AS x, 3 AS n, 2.5 AS r, NULL AS z, x'ff' AS b"
    done = archiver("query", sql, "--xlsx", str(file), "--db", str(archived))
    assert done.returncode == 0, done.stderr
    assert list(openpyxl.load_workbook(file).active.values) == [("x", "n", "r", "z", "b"), ("=1+1", 3, 2.5, None, "ff")]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["query", "SELECT 1 FROM nothing"], 2),
        (["query", "SELECT randomblob(20000)"], 2),
        (
            [
                "query",
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n",
                "--timeout",
                "1",
            ],
            10,
        ),
    ],
)
def test_an_answer_that_fails_leaves_the_file_as_it_was(
    archived: Path, tmp_path: Path, arguments: list[str], code: int
) -> None:
    file = tmp_path / "query.xlsx"
    file.write_text("before")
    assert archiver(*arguments, "--xlsx", str(file), "--db", str(archived)).returncode == code
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("query.xlsx", "before")]


@pytest.mark.parametrize("end", ["", "-wal", ".lock"])
def test_an_archive_is_never_written_over(archived: Path, end: str) -> None:
    before = archived.read_bytes()
    target = f"{archived}{end}"
    done = archiver("report", "spend", "--xlsx", target, "--db", str(archived))
    assert done.returncode == 2
    assert "is an archive" in done.stderr
    assert archived.read_bytes() == before


def test_another_archive_is_not_written_over_either(archived: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    other.write_bytes(archived.read_bytes())
    assert archiver("query", "SELECT 1", "--xlsx", str(other), "--db", str(archived)).returncode == 2
    assert other.read_bytes() == archived.read_bytes()


@pytest.mark.parametrize("more", [["--csv"], ["--raw"]])
def test_a_sheet_stands_alone(archived: Path, tmp_path: Path, more: list[str]) -> None:
    file = tmp_path / "x.xlsx"
    assert archiver("report", "spend", *more, "--xlsx", str(file), "--db", str(archived)).returncode == 2
    assert archiver("query", "--list", "--xlsx", str(file), "--db", str(archived)).returncode == 2
    assert not file.exists()


def test_a_missing_folder_is_an_error_with_a_message(archived: Path, tmp_path: Path) -> None:
    done = archiver("report", "spend", "--xlsx", str(tmp_path / "no" / "x.xlsx"), "--db", str(archived))
    assert done.returncode == StorageError.exit_code
    assert "cannot write" in done.stderr


def test_without_the_extra_there_is_a_hint_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "xlsxwriter", None)
    with pytest.raises(ConfigurationError) as caught:
        sheet.load_library()
    assert "[xlsx]" in (caught.value.hint or "")


def test_a_sheet_has_the_permissions_of_the_umask(archived: Path, tmp_path: Path) -> None:
    file = tmp_path / "x.xlsx"
    before = os.umask(0o077)
    try:
        archiver("query", "SELECT 1", "--xlsx", str(file), "--db", str(archived))
    finally:
        os.umask(before)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
