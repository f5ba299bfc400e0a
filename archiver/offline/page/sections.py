"""The parts of a page as HTML, all of their text inert."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from archiver.offline.page.html import table_html, text
from archiver.offline.tables.table import noted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from archiver.offline.tables.table import Table


@dataclass(frozen=True, slots=True)
class Section:
    """A heading with what it shows: a chart, when `label` says what one can be seen, and tables by their captions."""

    id: str
    title: str
    says: str
    tables: Sequence[tuple[str, Table]]
    label: str = ""
    empty: str = "There is nothing of this in the chosen days."


def section_html(one: Section, unit: str) -> str:
    """Write a section; tables are open where no script closes them."""
    chart = (
        '<p class="shown" hidden></p><ul class="legend"></ul>'
        f'<div class="chart" role="img" aria-label="{text(one.label)}"></div>'
        f'<p class="empty" hidden>{text(one.empty)}</p>'
    )
    tables = [
        f"<details open><summary>{text(caption)}</summary>"
        f"{table_html(table, unit, _caption(caption, table, unit))}</details>"
        for caption, table in one.tables
    ]
    return (
        f'<section id="{text(one.id)}"><div class="head"><h2>{text(one.title)}</h2>'
        '<div class="choice needs-script" hidden></div></div>'
        f'<p class="says">{text(one.says)}</p>{chart if one.label else ""}{"".join(tables)}</section>'
    )


def _caption(caption: str, table: Table, unit: str) -> str:
    return f"{caption}: {noted(table, unit)}" if table.note else caption


def controls_html(first: str, last: str) -> str:
    """Write the choice of days; it appears where there is a script to obey it."""

    def day(name: str, title: str, value: str) -> str:
        return (
            f'<label>{title} <input type="date" id="{name}" value="{text(value)}" min="{text(first)}" '
            f'max="{text(last)}"></label>'
        )

    def buttons(name: str, title: str, choices: Sequence[tuple[str, str]]) -> str:
        inner = "".join(f'<button type="button" value="{value}">{label}</button>' for value, label in choices)
        return f'<div class="choice" id="{name}" role="group" aria-label="{title}">{inner}</div>'

    return (
        '<div class="controls needs-script" hidden><div class="group">'
        + day("since", "From", first)
        + day("until", "to", last)
        + "</div>"
        + buttons("last", "Days", [("30", "30 days"), ("90", "90 days"), ("0", "All")])
        + buttons("grain", "Bars", [("day", "Day"), ("week", "Week"), ("month", "Month")])
        + '</div><p class="says" id="narrowed" hidden>Charts and the figures beside them are of the chosen days. '
        + f"Tables stay whole: {text(first)} to {text(last)}.</p>"
    )
