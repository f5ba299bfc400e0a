"""Reports as pages: one HTML file each, with charts and whole tables, for any browser, without a network."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from archiver import __version__
from archiver.offline.page import figures
from archiver.offline.page.cards import cards_of
from archiver.offline.page.coverage import STATES, coverage_strips, coverage_table, in_progress
from archiver.offline.page.html import Card, Page, Section, render
from archiver.offline.page.specs import SPECS
from archiver.offline.page.tables import currencies, page_table, unit_name
from archiver.offline.reports import breakdowns
from archiver.offline.reports.breakdowns import COST_NOTE
from archiver.offline.reports.keys import keys
from archiver.offline.reports.overview import check
from archiver.offline.reports.registry import REPORTS, restated_days
from archiver.store.read.reads import one_moment, read_overview

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from archiver.offline.page.figures import Chart, Days
    from archiver.offline.reports.registry import Asked
    from archiver.offline.tables.table import Table
    from archiver.store.read.reads import Overview

_DESCRIPTIONS = {
    "spend": ("Spend", "Billed money over time. Shaded days are not archived, which is not the same as zero."),
    "tokens": ("Tokens", "Input, cache writes, cache reads and output together; choose kind to see them apart."),
    "cache": ("Cache hit rate", "Tokens read from the prompt cache, of all input tokens. A line breaks without input."),
    "keys": ("Spend by API key", "Billed money, allocated to keys by their tokens of the same kind."),
    "restatements": ("Restatements", "Changes of settled amounts that were read again, by the day they belong to."),
    "coverage": ("Coverage", "What is archived of every series; always the whole archive."),
}
_NO_DATA = "No data for the selected days."
_NO_DATA_OF = {"restatements": "No settled amount of the selected days was restated."}
_TIME = ("day", "month")


def overview(path: Path, asked: Asked, unit: str = "usd", navigation: Sequence[tuple[str, str]] = ()) -> str:
    """Return the page that shows everything of an archive.

    `navigation` holds titles and addresses of the other pages, where the page is part of a site.

    Raises:
        ArchiverError: The archive cannot be read, or the page cannot be by the dimensions of `asked`.
    """
    check(asked.question)
    with one_moment(path):
        return _overview(path, asked, unit, navigation)


def _overview(path: Path, asked: Asked, unit: str, navigation: Sequence[tuple[str, str]]) -> str:
    about, days = read_overview(path), figures.days_of(path, asked.question)
    tables = {name: REPORTS[name][1](path, asked) for name in (*_CHARTS_OF_ALL, "overview") if name != "restatements"}
    tables["restatements"] = restated_days(path, asked)
    by_model = breakdowns.spend(path, replace(asked.question, by=("month", "model")), (), ranked=False)
    tables_of = {
        "spend": [
            ("Totals by month", tables["overview"]),
            ("By month and workspace", tables["spend"]),
            ("By month and model", by_model),
        ],
        "tokens": [("By month, workspace and model", tables["tokens"])],
        "cache": [("By month and model", tables["cache"])],
        "keys": [("All keys", tables["keys"])],
        "restatements": [("All restatements", tables["restatements"])],
        "coverage": [("All ranges", coverage_table(about.coverage))],
    }
    made = {**_CHARTS, "restatements": lambda *_: figures.restatements(tables["restatements"], days)}
    charts = [asdict(made[name](path, asked, days)) for name in _CHARTS_OF_ALL] if days.dates else []
    charts.append(coverage_strips(about.coverage))
    money = _currencies(tables.values(), charts)
    sections = [_section(name, some, unit) for name, some in tables_of.items()]
    cards = cards_of(path, asked, tables["overview"], about, days, unit, money)
    page = _page(about, "", asked, days, charts, unit, money, sections, cards)
    return render(replace(page, navigation=navigation))


def of_report(path: Path, name: str, asked: Asked, unit: str = "usd") -> tuple[str, bool]:
    """Return the page of one report, and whether a limit is passed; raises what reading an archive does."""
    if name == "overview":
        return overview(path, asked, unit), False
    with one_moment(path):
        table = REPORTS[name][1](path, asked)
        return _single(path, name, asked, table, unit), table.passed


def _single(path: Path, name: str, asked: Asked, table: Table, unit: str) -> str:
    about, days = read_overview(path), figures.days_of(path, asked.question)
    chart = _CHARTS[name](path, asked, days) if name in _CHARTS and days.dates else None
    charts = [asdict(chart)] if chart else []
    if chart:
        section = _section(chart.id, [("Table", table)], unit)
    else:
        what = REPORTS[name][0]
        section = Section(name, name.capitalize(), f"{what[0].upper()}{what[1:]}.", [page_table("Table", table, unit)])
    return render(_page(about, name, asked, days, charts, unit, _currencies([table], charts), [section]))


def _section(name: str, tables: Sequence[tuple[str, Table]], unit: str) -> Section:
    title, description = _DESCRIPTIONS[name]
    return Section(
        name,
        title,
        description,
        [page_table(caption, table, unit) for caption, table in tables],
        f"{title} as a chart; the tables below contain its numbers",
        _NO_DATA_OF.get(name, _NO_DATA),
    )


def _page(  # noqa: PLR0913, PLR0917  # what every page shows
    about: Overview,
    name: str,
    asked: Asked,
    days: Days,
    charts: Sequence[dict[str, Any]],
    unit: str,
    money: Sequence[str],
    sections: Sequence[Section],
    cards: Sequence[Card] = (),
) -> Page:
    organization = about.organization
    owner = (organization.name or organization.id) if organization else "Organization not known yet"
    first, last = _first_and_last(charts)
    heading = owner if not name else f"{name.capitalize()}: {owner}"
    return Page(
        title=f"{heading}: Claude API usage and cost",
        heading=heading,
        lede=_lede(about, asked, days),
        notes=f"Amounts are in {unit_name(money, unit)}, {COST_NOTE}.",
        made_at=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        version=__version__,
        source=about.path.name,
        figures=_figures(about, asked, days, charts, unit, money),
        sections=sections,
        cards=cards,
        first=first,
        last=last,
    )


def _lede(about: Overview, asked: Asked, days: Days) -> str:
    period = f"{days.dates[0]} to {days.dates[-1]}" if days.dates else "nothing of this period is archived"
    as_of = asked.question.as_of
    then = (
        f", as it was known at {datetime.fromtimestamp(as_of, UTC):%Y-%m-%d %H:%M:%S} UTC" if as_of is not None else ""
    )
    run = (
        f"; last sync {datetime.fromisoformat(about.last_run['started_at']):%Y-%m-%d %H:%M} UTC"
        if about.last_run
        else ""
    )
    return f"{period}{then}{run}"


def _figures(  # noqa: PLR0913, PLR0917  # what page.js draws from
    about: Overview, asked: Asked, days: Days, charts: Sequence[dict[str, Any]], unit: str, money: Sequence[str]
) -> dict[str, Any]:
    first, last = _first_and_last(charts)
    kinds = {one["kind"] for one in charts}
    return {
        "unit": unit_name(money, unit),
        "mixed": len(money) > 1,
        "digits": 8 if unit == "usd" else 6,
        "first": first,
        "last": last,
        "progress": in_progress(about.coverage, days.dates[-1], asked.question.as_of) if days.dates else "",
        "states": list(STATES.items()),
        "charts": charts,
        "specs": {kind: spec for kind, spec in SPECS.items() if kind in kinds},
    }


def _currencies(tables: Iterable[Table], charts: Iterable[dict[str, Any]]) -> list[str]:
    """Return all currencies of a page: a table of the largest rows need not contain each of them."""
    of_charts = {name for one in charts for facet in one.get("facets", ()) for name in facet["currencies"]}
    return sorted({*of_charts, *currencies(tables)})


def _first_and_last(charts: Sequence[dict[str, Any]]) -> tuple[str, str]:
    """Return the first and the last day that a reader can select: all days of the charts."""
    begins = [one["begin"] for one in charts if one.get("begin")]
    ends = [figures.day_after(one["begin"], len(one["states"]) - 1) for one in charts if one.get("begin")]
    return (min(begins), max(ends)) if begins else ("", "")


def _by(asked: Asked, default: Sequence[str]) -> Sequence[str]:
    return [one for one in asked.question.by if one not in _TIME] or default


def _spend(*default: str) -> Callable[[Path, Asked, Days], Chart]:
    return lambda path, asked, days: figures.money(path, asked.question, days, _by(asked, default))


def _keys(path: Path, asked: Asked, days: Days) -> Chart:
    by_day = keys(path, replace(asked.question, by=("day", "api_key"), top=None))
    return figures.keys(by_day, days, asked.question.top)


def _restatements(path: Path, asked: Asked, days: Days) -> Chart:
    table = REPORTS["restatements"][1](path, asked)  # selected by when they were read, so of any day
    return figures.restatements(table, figures.reaching(days, table))


_CHARTS: dict[str, Callable[[Path, Asked, Days], Chart]] = {
    "spend": _spend("workspace", "model"),
    "workspaces": _spend("workspace"),
    "models": _spend("model"),
    "tokens": lambda path, asked, days: figures.tokens(path, asked.question, days, _by(asked, ("model", "workspace"))),
    "cache": lambda path, asked, days: figures.cache(path, asked.question, days, _by(asked, ("model", "workspace"))),
    "keys": _keys,
    "restatements": _restatements,
}
_CHARTS_OF_ALL = ("spend", "tokens", "cache", "keys", "restatements")
