"""One page as one HTML file.

Values in, text out, from the templates of this folder.
"""

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
    """A figure at the top of the page.

    `chart` is the id of the chart that it sums over the selected days.
    """

    title: str
    figure: str
    unit: str
    aside: str
    chart: str = ""
    warns: bool = False


@dataclass(frozen=True, slots=True)
class Section:
    """A heading, its tables and a chart.

    `chart_label` describes the chart for screen readers; without it there is none.

    `no_data` is shown in place of a chart that has nothing to draw.
    """

    id: str
    title: str
    description: str
    tables: Sequence[PageTable]
    chart_label: str = ""
    no_data: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """The content of a page, all of it plain text that the templates escape.

    `first` and `last` bound the days that a reader can select (empty: no selection), `figures` is the JSON that page.js
    draws, `navigation` holds titles and addresses of the site's pages, this one first (empty: a page of its own).
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


def render(page: Page) -> str:
    """Return the page as HTML.

    Raises:
        ConfigurationError: The chart runtime is not installed.
    """
    style, script, runtime = _assets()
    return (
        _environment()
        .get_template("page.html")
        .render(
            page=page,
            policy=page_policy(),
            style=style,
            script=script,
            runtime=runtime,
            licences=_own_file("vega-licenses.txt"),
        )
    )


def page_policy() -> str:
    """Return the content security policy of every page.

    It allows the page's own style and scripts by their digests, and the empty icon: no network, no frame, no form, no
    `eval`, no inline code that a hostile name could bring.

    Raises:
        ConfigurationError: The chart runtime is not installed.
    """
    style, script, runtime = _assets()
    rules = [
        "default-src 'none'",
        f"script-src {_digest(runtime)} {_digest(script)}",
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
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_printable,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["json.dumps_kwargs"] = {"separators": (",", ":")}  # pages hold a number a day and line
    return environment


def _printable(value: object) -> str:
    """Return a template's value as one line; escape what does not print, such as marks that reverse the text."""
    return value if isinstance(value, Markup) else show(str(value), None)


def _assets() -> tuple[str, str, str]:
    return _own_file("page.css"), _own_file("page.js"), _runtime()


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
