"""A page as one file: its own style and scripts, allowed by their digests, and nothing from anywhere else."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from dataclasses import dataclass, replace
from functools import cache
from hashlib import sha256
from html import escape
from importlib.resources import files
from string import Template
from typing import TYPE_CHECKING, Any

from archiver.errors import ConfigurationError
from archiver.offline.tables.table import Column, Kind, Table, exact, to_display
from archiver.offline.tables.write import show

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

RUNTIME = "vega.js"
_NUMBER = re.compile(r"-?[0-9][0-9,]*(\.[0-9]+)?%?")
_EXACT = re.compile(r"(-?[0-9,]+\.[0-9]{2})([0-9]+)")
_SCRIPT_ESCAPES = {ord(c): f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"}


@dataclass(frozen=True, slots=True)
class Page:
    """What differs between pages; `main` is HTML that is safe already, the rest is text."""

    title: str
    heading: str
    lede: str
    main: str
    notes: str
    figures: dict[str, Any]
    made: str
    version: str
    source: str


def text(value: Any) -> str:
    """Spell something as inert text of a page: on one line, unprintable characters escaped, no markup."""
    return escape(show(str(value), None))


def inline_json(value: Any) -> str:
    """Spell data so that it can neither end the element it stands in nor begin another."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).translate(_SCRIPT_ESCAPES)


def assemble(page: Page) -> str:
    """Put a page together.

    Raises:
        ConfigurationError: The chart runtime is not there.
    """
    style, script, runtime = _parts()
    values = {name: text(getattr(page, name)) for name in ("title", "heading", "lede", "notes", "made", "version")}
    return Template(_own("page.html")).substitute(
        values,
        source=text(page.source),
        policy=own_policy(),
        style=style,
        script=script,
        runtime=runtime,
        figures=inline_json(page.figures),
        main=page.main,
        licences=escape(_own("vega-licenses.txt")),
    )


def own_policy() -> str:
    """Say what a browser lets a page do.

    Raises:
        ConfigurationError: The chart runtime is not there.
    """
    style, script, runtime = _parts()
    return policy([style], [runtime, script])


def _parts() -> tuple[str, str, str]:
    return _own("page.css"), _own("page.js"), _runtime()


def policy(styles: Sequence[str], scripts: Sequence[str]) -> str:
    """Allow exactly these styles and scripts, and the empty icon; no network, no frame, no form, no `eval`."""

    def allowed(sources: Sequence[str]) -> str:
        return " ".join(f"'sha256-{b64encode(sha256(one.encode()).digest()).decode()}'" for one in sources)

    rules = ["default-src 'none'", f"script-src {allowed(scripts)}", f"style-src {allowed(styles)}", "img-src data:"]
    return "; ".join([*rules, "base-uri 'none'", "form-action 'none'"])


def table_html(table: Table, unit: str, caption: str) -> str:
    """Write a table whole, its amounts to the last digit; what is behind the cents is fainter."""
    header, rows = to_display(_spelled(table, unit), unit)
    money = {column.name for column in table.columns if column.kind is Kind.MONEY}
    right = [
        bool(rows) and all(not row[i] or _NUMBER.fullmatch(str(row[i])) for row in rows) for i in range(len(header))
    ]
    named = unit_name(currencies([table]), unit)
    titles = [f"{name} ({named})" if name in money else name for name in header]
    head = "".join(_cell("th", text(one.replace("_", " ")), n) for one, n in zip(titles, right, strict=True))
    lines = ["".join(_cell("td", _inert(v), n) for v, n in zip(row, right, strict=True)) for row in rows]
    whole = [f"<tr>{line}</tr>" for line in lines]
    body, foot = (whole, []) if table.total is None else (whole[:-1], whole[-1:])
    return (
        f'<div class="scroll" tabindex="0"><table><caption>{text(caption)}</caption><thead><tr>{head}</tr></thead>'
        f"<tbody>{chr(10).join(body)}</tbody>{'<tfoot>' + foot[0] + '</tfoot>' if foot else ''}</table></div>"
    )


def currencies(tables: Iterable[Table]) -> list[str]:
    """Name the currencies of tables; those that do not say theirs are of the one that the API has: USD."""
    found = set()
    for table in tables:
        names = [column.name for column in table.columns]
        if "currency" in names:
            found |= {row[names.index("currency")] for row in table.rows}
    return sorted(found - {None, ""}) or ["USD"]


def unit_name(of: Sequence[str], unit: str) -> str:
    """Name the unit of amounts."""
    if unit == "usd":
        return ", ".join(of)
    return "cents" if list(of) == ["USD"] else f"cents of {', '.join(of)}"


def _cell(name: str, inner: str, number: bool) -> str:  # noqa: FBT001  # the three things a cell is
    return f'<{name} class="n">{inner}</{name}>' if number else f"<{name}>{inner}</{name}>"


def _inert(value: Any) -> str:
    match = _EXACT.fullmatch(str(value))
    return f'{match[1]}<span class="fine">{match[2]}</span>' if match else text(value)


def _spelled(table: Table, unit: str) -> Table:
    """Spell amounts exactly, as text, so that nothing rounds them."""
    lines = [list(row) for row in (*table.rows, *([table.total] if table.total is not None else []))]
    money = [i for i, column in enumerate(table.columns) if column.kind is Kind.MONEY]
    for i in money:
        for line, text_of_it in zip(lines, amounts([line[i] for line in lines], unit), strict=True):
            line[i] = text_of_it
    columns = [Column(column.name) if i in money else column for i, column in enumerate(table.columns)]
    told = [tuple(line) for line in lines]
    rows, total = (told, None) if table.total is None else (told[:-1], told[-1])
    return replace(table, columns=columns, rows=rows, total=total)


def amounts(microcents: Sequence[int | None], unit: str) -> list[str | None]:
    """Spell amounts exactly, with thousands, and with as many digits as the one that needs most, at least two."""
    parts = [exact(one, unit).partition(".")[::2] if one is not None else None for one in microcents]
    digits = max([2, *(len(part[1].rstrip("0")) for part in parts if part)])
    return [f"{_grouped(part[0])}.{part[1][:digits]}" if part else None for part in parts]


def _grouped(whole: str) -> str:
    return f"-{int(whole[1:]):,}" if whole.startswith("-") else f"{int(whole):,}"


@cache
def _own(name: str) -> str:
    return files("archiver.offline.page").joinpath(name).read_text("utf-8")


@cache
def _runtime() -> str:
    try:
        return _own(RUNTIME)
    except FileNotFoundError:
        raise ConfigurationError(
            "the chart runtime is not there: it is made when the program is built",
            hint="install the program (pip install .), or run scripts/setup in a source tree",
        ) from None
