"""Pages: one file, inert text, a policy that allows exactly its own scripts, and no half-written file."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import stat
from pathlib import Path

import pytest

from archiver.errors import ConfigurationError, StorageError
from archiver.offline.atomic import write_atomic
from archiver.offline.page import html
from archiver.offline.page.html import Page, amounts, assemble, inline_json, table_html
from archiver.offline.page.sections import Section, section_html
from archiver.offline.page.top import compact
from archiver.offline.tables.table import Column, Kind, Table
from tests.pages import HOSTILE, Read

ALL = " ".join(HOSTILE)


def page(**more: str) -> Page:
    words = dict.fromkeys(("title", "heading", "lede", "main", "notes", "made", "version", "source"), "words")
    return Page(**(words | more), figures={"charts": [], "names": list(HOSTILE)})


def test_the_policy_allows_exactly_the_pages_own_scripts_and_style() -> None:
    read = Read(assemble(page()))
    digests = [f"'sha256-{base64.b64encode(hashlib.sha256(s.encode()).digest()).decode()}'" for s in read.scripts]
    assert read.policy["default-src"] == ["'none'"]
    assert read.policy["script-src"] == digests[1:]  # the first is data, which is never run
    (style,) = read.styles
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert read.policy["style-src"] == [f"'sha256-{digest}'"]
    assert read.policy["img-src"] == ["data:"]
    assert "unsafe" not in str(read.policy)
    assert read.policy.keys() == {"default-src", "script-src", "style-src", "img-src", "base-uri", "form-action"}


def test_nothing_in_a_page_is_from_elsewhere_and_no_attribute_is_code_or_style() -> None:
    for element in Read(assemble(page())).elements:
        for name, value in element.attributes.items():
            assert not name.startswith("on")
            assert name not in {"style", "srcdoc", "action"}
            if name in {"src", "href"}:
                assert str(value).startswith("data:")


def test_hostile_text_makes_no_element_anywhere() -> None:
    table = Table([Column("name")], [(name,) for name in HOSTILE], note=ALL)
    section = section_html(Section("id", ALL, ALL, [(ALL, table)], label=ALL, empty=ALL), "usd")
    harmless = [e.name for e in Read(assemble(page())).elements]
    hostile = Read(assemble(page(title=ALL, heading=ALL, lede=ALL, notes=ALL, source=ALL, made=ALL, version=ALL)))
    assert [e.name for e in hostile.elements] == harmless
    names = {e.name for e in Read(f"<p>{section}</p>").elements}
    assert names.isdisjoint({"img", "script", "svg", "b"})


def test_hostile_text_in_a_table_is_shown_as_it_is() -> None:
    table = Table([Column("name")], [(name,) for name in HOSTILE])
    (rows,) = Read(table_html(table, "usd", "names")).tables.values()
    assert [row[0] for row in rows[1:]] == [
        name.replace("\u2028", r"\u2028").replace("\u202e", r"\u202e") for name in HOSTILE
    ]


@pytest.mark.parametrize("name", HOSTILE)
def test_data_can_neither_end_its_element_nor_be_anything_else(name: str) -> None:
    told = inline_json({name: name})
    assert json.loads(told) == {name: name}
    assert not set(told) & set("<>&\u2028\u2029")


def test_the_page_carries_the_licences_of_its_charts() -> None:
    made = assemble(page())
    assert "University of Washington Interactive Data Lab" in made
    assert "Mike Bostock" in made


def test_a_source_tree_without_the_chart_runtime_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    html._runtime.cache_clear()
    monkeypatch.setattr(html, "RUNTIME", "is-not-there.js")
    with pytest.raises(ConfigurationError, match="runtime") as caught:
        assemble(page())
    assert "scripts/setup" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("values", "unit", "told"),
    [
        ([123_456_789_012_345_678], "usd", ["1,234,567,890.12345678"]),
        ([100_000_000, 150_000_000], "usd", ["1.00", "1.50"]),
        ([1, 0], "usd", ["0.00000001", "0.00000000"]),
        ([-1], "usd", ["-0.00000001"]),
        ([-123_400_000_000, None], "usd", ["-1,234.00", None]),
        ([1_234_567_890], "cents", ["1,234.56789"]),
        ([9_223_372_036_854_775_807], "cents", ["9,223,372,036,854.775807"]),
    ],
)
def test_amounts_are_exact_and_end_on_one_digit(values: list[int | None], unit: str, told: list[str | None]) -> None:
    assert amounts(values, unit) == told


def test_a_table_keeps_every_digit_and_its_total() -> None:
    columns = [Column("day"), Column("amount", Kind.MONEY)]
    made = table_html(Table(columns, [("1", 12_345_678_901), ("2", None)], total=("total", 12_345_678_901)), "usd", "c")
    rows = Read(made).tables["c"]
    assert rows == [["day", "amount (USD)"], ["1", "123.45678901"], ["2", ""], ["total", "123.45678901"]]


@pytest.mark.parametrize(
    ("count", "told"),
    [(999_999, ("999,999", "")), (1_999_999, ("1.99", "million")), (2**63 - 1, ("9223372.03", "trillion"))],
)
def test_counts_are_cut_short_and_never_rounded_up(count: int, told: tuple[str, str]) -> None:
    assert compact(count) == told


def test_a_new_file_is_its_owners_alone_and_an_old_one_keeps_its_mode(tmp_path: Path) -> None:
    new, old = tmp_path / "new", tmp_path / "old"
    old.write_text("before")
    old.chmod(0o644)
    for one in (new, old):
        write_atomic(one, b"after", tmp_path / "archive.db")
        assert one.read_bytes() == b"after"
    assert stat.S_IMODE(new.stat().st_mode) == 0o600
    assert stat.S_IMODE(old.stat().st_mode) == 0o644
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new", "old"]


def test_a_failure_leaves_what_was_there_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "page.html"
    target.write_text("before")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="No space left"):
        write_atomic(target, b"after", tmp_path / "archive.db")
    assert target.read_text() == "before"
    assert list(tmp_path.iterdir()) == [target]


def test_a_link_is_followed_and_a_folder_refused(tmp_path: Path) -> None:
    link, target = tmp_path / "link", tmp_path / "target"
    link.symlink_to(target)
    write_atomic(link, b"after", tmp_path / "archive.db")
    assert link.is_symlink()
    assert target.read_bytes() == b"after"
    for wrong in (tmp_path, tmp_path / "nowhere" / "page.html"):
        with pytest.raises((StorageError, ConfigurationError)):
            write_atomic(wrong, b"after", tmp_path / "archive.db")


def test_an_archive_is_never_written_over(tmp_path: Path) -> None:
    archive, other = tmp_path / "archive.db", tmp_path / "other.db"
    for one in (archive, other):
        one.write_bytes(b"SQLite format 3\0 and so on")
    for wrong in (archive, other, tmp_path / "archive.db-wal", tmp_path / "archive.db.lock"):
        with pytest.raises(ConfigurationError, match="is an archive"):
            write_atomic(wrong, b"after", archive)
    assert archive.read_bytes() == other.read_bytes() == b"SQLite format 3\0 and so on"


def test_what_is_no_plain_file_is_written_to_as_it_is(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        write_atomic(pipe, b"after", tmp_path / "archive.db")
        assert os.read(reader, 100) == b"after"
    finally:
        os.close(reader)
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_our_scripts_and_templates_leave_markup_to_nobody_else() -> None:
    folder = Path(html.__file__).parent
    script = (folder / "page.js").read_text("utf-8")
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(|Function\(|setAttribute\(\"style", script
    )
