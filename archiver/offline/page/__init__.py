"""Reports as pages of HTML: one file each, with charts and whole tables, for any browser, without a network."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from archiver import __version__
from archiver.offline.page import figures
from archiver.offline.page.coverage import STATES, coverage_strips, coverage_table, in_progress
from archiver.offline.page.html import Page, assemble, currencies, unit_name
from archiver.offline.page.sections import Section, controls_html, section_html
from archiver.offline.page.specs import SPECS
from archiver.offline.page.top import cards_html, cards_of
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

_SAYS = {
    "spend": ("Spend", "Billed money over time. A shaded stretch is not archived, which is not the same as zero."),
    "tokens": ("Tokens", "Input, cache writes, cache reads and output together; choose kind to tell them apart."),
    "cache": ("Cache hit rate", "Tokens read from the prompt cache, of all input tokens. A line breaks without input."),
    "keys": ("Spend by API key", "Billed money, shared out to keys by their tokens of the same kind."),
    "restatements": (
        "Restatements",
        "How much settled amounts changed when they were read again, by the day they are of.",
    ),
    "coverage": ("Coverage", "What is archived, of every series that was asked for; always the whole archive."),
}
_EMPTY = {"restatements": "No settled amount of the chosen days was answered differently later."}
_TIME = ("day", "month")


def overview(path: Path, asked: Asked, unit: str = "usd") -> str:
    """Make the page that shows everything of an archive; raises what reading one does."""
    check(asked.question)
    with one_moment(path):
        return _overview(path, asked, unit)


def _overview(path: Path, asked: Asked, unit: str) -> str:
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
        "coverage": [("All stretches", coverage_table(about.coverage))],
    }
    made = {**_CHARTS, "restatements": lambda *_: figures.restatements(tables["restatements"], days)}
    charts = [asdict(made[name](path, asked, days)) for name in _CHARTS_OF_ALL] if days.dates else []
    charts.append(coverage_strips(about.coverage))
    money = _currencies(tables.values(), charts)
    page = _page(about, "", asked, days, charts, unit, money)
    sections = [section_html(_section(name, some, chart=True), unit) for name, some in tables_of.items()]
    top = cards_html(cards_of(path, asked, tables["overview"], about, days, unit, money))
    return assemble(replace(page, main="\n".join([top, page.main, *sections])))


def of_report(path: Path, name: str, asked: Asked, unit: str = "usd") -> tuple[str, bool]:
    """Make the page of one report, and say whether a limit is passed; raises what reading an archive does."""
    if name == "overview":
        return overview(path, asked, unit), False
    with one_moment(path):
        table = REPORTS[name][1](path, asked)
        return _single(path, name, asked, table, unit), table.passed


def _single(path: Path, name: str, asked: Asked, table: Table, unit: str) -> str:
    about, days = read_overview(path), figures.days_of(path, asked.question)
    charts = [_CHARTS[name](path, asked, days)] if name in _CHARTS and days.dates else []
    told = [asdict(one) for one in charts]
    page = _page(about, name, asked, days, told, unit, _currencies([table], told))
    what = REPORTS[name][0]
    says = Section(name, name.capitalize(), f"{what[0].upper()}{what[1:]}.", [("Table", table)])
    one = _section(charts[0].id, [("Table", table)], chart=True) if charts else says
    return assemble(replace(page, main="\n".join([page.main, section_html(one, unit)])))


def _section(name: str, tables: Sequence[tuple[str, Table]], *, chart: bool) -> Section:
    title, says = _SAYS[name]
    label = f"{title} as a chart; the tables below it hold its numbers" if chart else ""
    return Section(name, title, says, tables, label, _EMPTY.get(name, "There is nothing of this in the chosen days."))


def _page(  # noqa: PLR0913, PLR0917  # what every page says
    about: Overview,
    name: str,
    asked: Asked,
    days: Days,
    charts: Sequence[dict[str, Any]],
    unit: str,
    money: Sequence[str],
) -> Page:
    of = about.organization
    whose = (of.name or of.id) if of else "An organisation that is not known yet"
    first, last = _first_and_last(charts)
    period = f"{days.dates[0]} to {days.dates[-1]}" if days.dates else "nothing of this period is archived"
    then = asked.question.as_of
    known = (
        f", as it was known at {datetime.fromtimestamp(then, UTC):%Y-%m-%d %H:%M:%S} UTC" if then is not None else ""
    )
    run = f"; last sync {about.last_run['started_at']}" if about.last_run else ""
    heading = whose if not name else f"{name.capitalize()}: {whose}"
    kinds = {one["kind"] for one in charts}
    return Page(
        title=f"{heading}: Claude API usage and cost",
        heading=heading,
        lede=f"{period}{known}{run}",
        main=controls_html(first, last) if first else "",
        notes=f"Amounts are in {unit_name(money, unit)}, {COST_NOTE}.",
        figures={
            "unit": unit_name(money, unit),
            "mixed": len(money) > 1,
            "digits": 8 if unit == "usd" else 6,
            "first": first,
            "last": last,
            "progress": in_progress(about.coverage, days.dates[-1], then) if days.dates else "",
            "states": list(STATES.items()),
            "charts": charts,
            "specs": {kind: spec for kind, spec in SPECS.items() if kind in kinds},
        },
        made=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        version=__version__,
        source=about.path.name,
    )


def _currencies(tables: Iterable[Table], charts: Iterable[dict[str, Any]]) -> list[str]:
    """Name all currencies of a page; a table that tells its largest rows alone need not name them all."""
    of_charts = {name for one in charts for facet in one.get("facets", ()) for name in facet["currencies"]}
    return sorted({*of_charts, *currencies(tables)})


def _first_and_last(charts: Sequence[dict[str, Any]]) -> tuple[str, str]:
    """Bound the choice of days: all that the charts over time have."""
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
    table = REPORTS["restatements"][1](path, asked)  # by when they were learnt: of any day
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
