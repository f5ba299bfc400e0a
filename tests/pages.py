"""Read HTML pages without a browser."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

HOSTILE = (
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(2)</script>",
    "=cmd|'/c calc'!A1",
    '"><svg onload=alert(3)>',
    "{{constructor.constructor('alert(4)')()}}",
    "datum.x \u2028\u202e&lt;b&gt;",
)
"""Invented names that do harm where they are not treated as text."""

_WITH_TEXT = {"script", "style", "td", "th", "dt", "dd"}


@dataclass
class Element:
    """A start tag with its attributes."""

    name: str
    attributes: dict[str, str | None]


@dataclass
class Read(HTMLParser):
    """The content of a page.

    Its elements, the text of its scripts and styles, its tables by their labels,
    and of each definition list the term with its definitions.
    """

    text: str
    elements: list[Element] = field(default_factory=list)
    scripts: list[str] = field(default_factory=list)
    styles: list[str] = field(default_factory=list)
    tables: dict[str, list[list[str]]] = field(default_factory=dict)
    terms: list[list[str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._rows: list[list[str]] = []
        self._inside = ""
        self._label = ""
        self.feed(self.text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Record an element, and where its text belongs."""
        self.elements.append(Element(tag, dict(attrs)))
        if tag in {"script", "style"}:
            {"script": self.scripts, "style": self.styles}[tag].append("")
        if tag == "table":
            self._rows, self._label = [], dict(attrs).get("aria-label") or ""
        elif tag == "tr":
            self._rows.append([])
        elif tag in {"td", "th"}:
            self._rows[-1].append("")
        elif tag == "dt":
            self.terms.append([""])
        elif tag == "dd":
            self.terms[-1].append("")
        if tag in _WITH_TEXT:
            self._inside = tag

    def handle_endtag(self, tag: str) -> None:
        """Leave an element."""
        if tag == "table":
            self.tables[self._label] = self._rows
        if tag in _WITH_TEXT:
            self._inside = ""

    def handle_data(self, data: str) -> None:
        """Record text where it belongs."""
        if self._inside == "script":
            self.scripts[-1] += data
        elif self._inside == "style":
            self.styles[-1] += data
        elif self._inside in {"dt", "dd"}:
            self.terms[-1][-1] += data
        elif self._inside:
            self._rows[-1][-1] += data

    @property
    def figures(self) -> Any:
        """The data of the charts."""
        return json.loads(self.scripts[0])

    @property
    def policy(self) -> dict[str, list[str]]:
        """The content security policy, rule by rule."""
        (found,) = [e for e in self.elements if e.attributes.get("http-equiv") == "Content-Security-Policy"]
        rules = [rule.split() for rule in str(found.attributes["content"]).split(";")]
        return {rule[0]: rule[1:] for rule in rules}

    @property
    def cards(self) -> dict[str, str]:
        """The figures at the top of the page by title: `figure unit; remark`."""
        return {title: f"{figure.strip()}; {remark}" for title, figure, remark in self.terms}

    def lines(self, chart: str, facet: int = 0) -> dict[str, list[int]]:
        """Return the lines of a chart by name, an integer a day."""
        (found,) = [one for one in self.figures["charts"] if one["id"] == chart]
        return {line["name"]: [int(v or 0) for v in line["values"]] for line in found["facets"][facet]["lines"]}
