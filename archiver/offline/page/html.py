"""Render a page as one HTML file, from the templates of this folder."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from archiver.errors import ConfigurationError
from archiver.offline.tables.write import show

if TYPE_CHECKING:
    from collections.abc import Sequence

    from archiver.offline.page.tables import PageTable

RUNTIME = "vega.js"


@dataclass(frozen=True, slots=True)
class Card:
    """A card with one figure, at the top of the page.

    Attributes:
        figure: The number, or a dash.
        aside: What it is of, in small print.
        chart: The id of the chart that page.js updates the figure from, when days are selected; empty: it is fixed.
        warns: Whether it is shown as a warning.
    """

    title: str
    figure: str
    unit: str
    aside: str
    chart: str = ""
    warns: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """Links that change what a page shows: text, address, and if it is so."""

    title: str
    links: tuple[tuple[str, str, bool], ...]


@dataclass(frozen=True, slots=True)
class Section:
    """A section of the page: a heading, a chart and tables.

    Attributes:
        id: The id of the element, and of its chart.
        chart_label: The description of the chart for screen readers; empty: the section has no chart.
        no_data: The text in place of a chart without data.
    """

    id: str
    title: str
    description: str
    tables: Sequence[PageTable]
    chart_label: str = ""
    no_data: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """The content of a page, as plain text that the templates escape.

    Attributes:
        lede: The sentence below the heading: the days, and the last sync.
        notes: Sentences in the footer.
        source: The name of the archive's file.
        figures: The data that page.js draws, as JSON values.
        first: The first day that a reader can select; empty: no days can be selected.
        last: The last one.
        navigation: The titles and addresses of the pages of the site; empty: the page is on its own.
        address: Which of them this is.
        choices: The links that change what the page shows.
    """

    title: str
    heading: str
    lede: str
    notes: str
    made_at: str
    version: str
    source: str
    figures: dict[str, Any]
    sections: Sequence[Section] = ()
    cards: Sequence[Card] = ()
    first: str = ""
    last: str = ""
    navigation: Sequence[tuple[str, str]] = ()
    address: str = ""
    choices: Sequence[Choice] = ()


def render(page: Page) -> str:
    """Return the page as HTML.

    Raises:
        ConfigurationError: The chart runtime is not installed.
    """
    style, script, tables, runtime = _assets()
    return (
        _environment()
        .get_template("page.html")
        .render(
            page=page,
            policy=page_policy(),
            style=style,
            script=script,
            tables=tables,
            runtime=runtime,
            licences=_own_file("vega-licenses.txt"),
        )
    )


def page_policy() -> str:
    """Return the content security policy of every page.

    It allows the style and the scripts of the page by their digests, and the empty icon. It forbids the network,
    frames, forms, `eval`, and any other inline code, which a hostile name could smuggle in.

    Raises:
        ConfigurationError: The chart runtime is not installed.
    """
    style, script, tables, runtime = _assets()
    # Digests are of the content of the elements, byte for byte: the templates add no space around it.
    rules = [
        "default-src 'none'",
        f"script-src {_digest(runtime)} {_digest(tables)} {_digest(script)}",
        f"style-src {_digest(style)}",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
    ]
    return "; ".join(rules)


def _digest(source: str) -> str:
    return f"'sha256-{b64encode(sha256(source.encode()).digest()).decode()}'"


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("archiver.offline.page"),
        autoescape=True,  # names come from the API and may contain HTML
        undefined=StrictUndefined,
        finalize=_printable,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["json.dumps_kwargs"] = {"separators": (",", ":")}  # a page has a number for each day and line
    return environment


def _printable(value: object) -> str:
    """Return a value of a template on one line, with unprintable characters escaped.

    Some of these characters reverse the direction of text, and could make a name look like another one.
    """
    # Markup is the style, the scripts and the JSON, which the templates insert as they are.
    return value if isinstance(value, Markup) else show(str(value), None)


def _assets() -> tuple[str, str, str, str]:
    return _own_file("page.css"), _own_file("page.js"), _own_file("tables.js"), _runtime()


@cache
def _own_file(name: str) -> str:
    return files("archiver.offline.page").joinpath(name).read_text("utf-8")


@cache
def _runtime() -> str:
    try:
        return _own_file(RUNTIME)
    except FileNotFoundError:
        raise ConfigurationError(
            "the chart runtime is not installed: it is made when the program is built",
            hint="install the program (pip install .), or run scripts/setup in a source tree",
        ) from None
