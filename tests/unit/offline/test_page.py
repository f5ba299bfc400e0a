"""Pages: one file, escaped text, and a policy that allows exactly its own scripts."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path
from typing import Any

import pytest

from archiver.errors import ConfigurationError
from archiver.offline.page import html
from archiver.offline.page.cards import compact
from archiver.offline.page.html import Card, Page, Section, render
from archiver.offline.page.tables import page_table
from archiver.offline.tables.display import to_display
from archiver.offline.tables.money import ATTOCENTS, Estimate
from archiver.offline.tables.table import Column, Kind, Table, money, plain
from archiver.reports.dimensions import Label
from tests.pages import HOSTILE, Read

ALL = " ".join(HOSTILE)


def page(**more: Any) -> Page:
    words = dict.fromkeys(("title", "heading", "lede", "notes", "made_at", "version", "source"), "words")
    return Page(**(words | {"figures": {"charts": [], "names": list(HOSTILE)}} | more))


def shown(table: Table, unit: str = "usd") -> list[list[str]]:
    """Return the rows of a table in a page, its header first."""
    read = Read(render(page(sections=[Section("id", "title", "description", [page_table("caption", table, unit)])])))
    return read.tables["caption"]


def test_the_policy_allows_exactly_the_pages_own_scripts_and_style() -> None:
    read = Read(render(page()))
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
    for element in Read(render(page())).elements:
        for name, value in element.attributes.items():
            assert not name.startswith("on")
            assert name not in {"style", "srcdoc", "action"}
            if name in {"src", "href"}:
                assert str(value).startswith("data:")


def whole_page(text: str) -> Page:
    """Return a page in which every value is this text."""
    table = page_table(text, Table([Column(text)], [{text: text}], notes=(text,)), "usd")
    words = dict.fromkeys(("title", "heading", "lede", "notes", "made_at", "version", "source", "first", "last"), text)
    return page(
        **words,
        figures={text: text},
        sections=[Section(text, text, text, [table], text, text)],
        cards=[Card(text, text, text, text, text)],
        navigation=[(text, text)],
    )


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_makes_no_element_or_attribute_anywhere(name: str) -> None:
    harmless, hostile = Read(render(whole_page("words"))), Read(render(whole_page(name)))
    assert [(e.name, e.attributes.keys()) for e in hostile.elements] == [
        (e.name, e.attributes.keys()) for e in harmless.elements
    ]
    assert len(hostile.scripts) == 4


def test_hostile_text_in_a_table_is_shown_as_it_is() -> None:
    rows = shown(Table([Column("name")], [{"name": name} for name in HOSTILE]))
    assert [row[0] for row in rows[1:]] == [
        name.replace("\u2028", r"\u2028").replace("\u202e", r"\u202e") for name in HOSTILE
    ]


@pytest.mark.parametrize("name", HOSTILE)
def test_data_can_neither_end_its_element_nor_be_anything_else(name: str) -> None:
    read = Read(render(page(figures={name: name})))
    assert read.figures == {name: name}
    assert not set(read.scripts[0]) & set("<>&\u2028\u2029")


def test_the_page_carries_the_licences_of_its_charts() -> None:
    made = render(page())
    assert "University of Washington Interactive Data Lab" in made
    assert "Mike Bostock" in made


def test_a_source_tree_without_the_chart_runtime_is_an_error_with_a_hint(monkeypatch: pytest.MonkeyPatch) -> None:
    html._runtime.cache_clear()
    monkeypatch.setattr(html, "RUNTIME", "is-not-there.js")
    with pytest.raises(ConfigurationError, match="runtime") as caught:
        render(page())
    assert "scripts/setup" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("microcents", "unit", "shown_as"),
    [
        ([123_456_789_012_345_678], "usd", ["1,234,567,890.12345678"]),
        ([100_000_000, 150_000_000], "usd", ["1.00", "1.50"]),
        ([1, 0], "usd", ["0.00000001", "0.00000000"]),
        ([-1], "usd", ["-0.00000001"]),
        ([-123_400_000_000, None], "usd", ["-1,234.00", ""]),
        ([1_234_567_890], "cents", ["1,234.56789"]),
        ([9_223_372_036_854_775_807], "cents", ["9,223,372,036,854.775807"]),
    ],
)
def test_amounts_are_exact_and_end_on_one_digit(microcents: list[int | None], unit: str, shown_as: list[str]) -> None:
    rows = [{"amount": None if one is None else one * 10**12} for one in microcents]
    _, lines = to_display(Table([Column("amount", Kind.MONEY)], rows), unit, exact=True)
    assert [line[0] for line in lines] == shown_as


def test_a_table_without_rows_is_not_drawn_and_named_as_empty() -> None:
    empty = page_table("All restatements", Table([Column("x")], []), "usd")
    made = render(page(sections=[Section("id", "title", "description", [empty])]))
    assert Read(made).tables == {}
    assert "All restatements: none." in made


def test_a_table_keeps_every_digit_and_its_total() -> None:
    columns = [Column("day"), Column("amount", Kind.MONEY)]
    amount = 12_345_678_901 * 10**12
    total = {"day": Label.TOTAL, "amount": {"USD": amount}}
    rows = shown(Table(columns, [{"day": "1", "amount": amount}, {"day": "2", "amount": None}], total))
    assert rows == [["day", "amount usd"], ["1", "123.45678901"], ["2", ""], ["total", "123.45678901"]]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["1", "-2,000.5", "", "30%"], "number"),
        (["2026-01", "2026-01"], "time"),
        (["2026-01-05", "2026-01-05T00:00:00Z"], "time"),
        (["1", "2026-01"], ""),
        (["one", "1"], ""),
        (["", ""], ""),
        ([], ""),
    ],
)
def test_a_column_is_of_a_kind_when_all_of_its_values_are(values: list[str], kind: str) -> None:
    shown = page_table("title", Table([Column("x")], [{"x": one} for one in values], {"x": Label.TOTAL}), "usd")
    assert [cell.kind for cell in shown.header] == [kind]


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (994_999, ("994,999", "")),
        (1_994_999, ("1.99", "million")),
        (1_995_000, ("2.00", "million")),
        (2**63 - 1, ("9223372.04", "trillion")),
    ],
)
def test_counts_are_rounded_as_tables_round(count: int, expected: tuple[str, str]) -> None:
    assert compact(count) == expected


def test_the_script_makes_no_markup_of_text() -> None:
    script = (Path(html.__file__).parent / "page.js").read_text("utf-8")
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(|Function\(|setAttribute\(\"style", script
    )


def test_templates_trust_our_own_files_alone() -> None:
    templates = Path(html.__file__).parent / "templates"
    trusted = [name for one in templates.iterdir() for name in re.findall(r"(\S+)\|safe", one.read_text("utf-8"))]
    assert sorted(trusted) == ["runtime", "script", "style", "tables"]


def test_no_module_has_markup_of_its_own() -> None:
    archiver = Path(html.__file__).parents[2]
    modules = [*(archiver / "offline").rglob("*.py"), *(archiver / "web").rglob("*.py")]
    assert [
        one.name for one in modules if re.search(r"</?(?:p|td|tr|dl|dd|div|span|section|html)\b", one.read_text())
    ] == []


def test_an_estimate_has_no_digits_after_the_cent_and_no_zeros_for_them() -> None:
    rows = [{"who": "a", "amount": Estimate(123 * ATTOCENTS)}, {"who": "b", "amount": 212345678 * ATTOCENTS // 10**6}]
    assert [row[-1] for row in shown(Table([*plain("who"), *money("amount")], rows))[1:]] == ["1.23", "2.12345678"]


def test_a_time_with_fractions_and_a_model_do_not_break() -> None:
    table = Table(
        plain("model", "created_at"), [{"model": "claude-invented-1", "created_at": "2026-02-08T09:00:00.4Z"}]
    )
    (row,) = page_table("caption", table, "usd").rows
    assert [cell.kind for cell in row] == ["whole", "time"]
