"""Reports as HTML pages, with charts and complete tables.

A page is one file that loads nothing from the network.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from archiver import __version__
from archiver.model import Report
from archiver.offline.page import figures
from archiver.offline.page.cards import cards_of
from archiver.offline.page.charts import CHARTS
from archiver.offline.page.coverage import coverage_strips, coverage_table, in_progress
from archiver.offline.page.html import Page, Section, render
from archiver.offline.page.specs import SPECS
from archiver.offline.page.table_charts import TABLE_CHARTS
from archiver.offline.page.tables import currencies, page_table, unit_name
from archiver.offline.periods import days_text
from archiver.offline.reports.key_days import COST_COLUMNS
from archiver.offline.reports.registry import REPORTS
from archiver.offline.reports.request import COST_NOTE, ReportRequest, select_days
from archiver.offline.reports.restatements import restated_days
from archiver.offline.tables.table import Column, Table
from archiver.store.read.reader import open_archive_reader

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from archiver.offline.page.figures import PageDays
    from archiver.offline.page.html import Card, Choice
    from archiver.offline.page.tables import Link
    from archiver.store.read.reader import ArchiveReader
    from archiver.store.read.status import ArchiveStatus

_DESCRIPTIONS = {
    "spend": ("Spend", "Billed money over time. Shaded days are not archived, which is not the same as zero."),
    "tokens": ("Tokens", "Input, cache writes, cache reads and output together; choose kind to see them apart."),
    "cache": ("Cache hit rate", "Tokens read from the prompt cache, of all input tokens. A line breaks without input."),
    "keys": ("Spend by API key", "Billed money of each key; where that is not archived, allocated by tokens."),
    "people": ("Spend by person", "Billed money of each person, from the analytics cost report."),
    "restatements": ("Restatements", "Changes of settled amounts that were read again, by the day they belong to."),
    "coverage": ("Coverage", "What is archived of every series; always the whole archive."),
}
_NO_DATA = "No data for the selected days."
_NO_DATA_OF = {"restatements": "No settled amount of the selected days was restated."}
_MOST_ZEROS = 12  # amounts of the API have at most six fractional digits of the eighteen below a cent


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page is in a site.

    Attributes:
        navigation: The titles and addresses of the pages of the site.
        address: The address of the page in it.
        link: Returns where a cell of a table leads.
        choices: The links that change what the page shows.
        where: Column → value, of the rows that the page is about.
        subject: What it is about, in words.
    """

    navigation: Sequence[tuple[str, str]] = ()
    address: str = ""
    link: Link | None = None
    choices: Sequence[Choice] = ()
    where: Mapping[str, str | None] = field(default_factory=dict)
    subject: str = ""


NOWHERE = Place()
"""The place of a page on its own."""


def overview(path: Path, request: ReportRequest, place: Place = NOWHERE) -> str:
    """Return the overview page of an archive, from one snapshot of it.

    Raises:
        ArchiverError: The archive cannot be read.
    """
    with open_archive_reader(path, request.as_of) as reader:
        return _overview(reader, request, place)


def _overview(reader: ArchiveReader, request: ReportRequest, place: Place) -> str:
    days = figures.page_days(reader, request)
    tables, charts = _tables_and_charts(reader, request, days)
    status = reader.status()
    charts.append(coverage_strips(status.coverage))
    tables_of = {
        "spend": [
            ("Totals by month", tables["overview"]),
            ("By month and workspace", tables["spend"]),
            ("By month and model", tables["by_model"]),
        ],
        "tokens": [("By month, workspace and model", tables["tokens"])],
        "cache": [("By month and model", tables["cache"])],
        "keys": [("All keys", tables["keys"])],
        **({"people": [("All people", tables["people"])]} if "people" in tables else {}),
        "restatements": [("All restatements", tables["restatements"])],
        "coverage": [("All ranges", coverage_table(status.coverage))],
    }
    money = _currencies(tables.values(), charts)
    sections = [_section(name, some, request.unit, place) for name, some in tables_of.items()]
    cards = cards_of(reader, request, tables["overview"], status, days, money)
    page = _page(status, "", request, days, charts, money, sections, cards)
    return render(_placed(page, place))


def _placed(page: Page, place: Place) -> Page:
    return replace(page, navigation=place.navigation, address=place.address, choices=place.choices)


def _tables_and_charts(
    reader: ArchiveReader, request: ReportRequest, days: PageDays
) -> tuple[dict[str, Table], list[dict[str, Any]]]:
    """Compute all tables and charts, in at most four passes over the archive.

    Three are kept in memory for all tables and charts: cost, usage, and analytics cost where that is archived. One more
    is over usage by API key, for the days of which cost is allocated to keys.
    """
    billed = select_days(reader, Report.COST, request).days
    reader.keep_sums(Report.COST, COST_COLUMNS, billed)
    # Everything by workspace, model and currency is added up from these sums, at any grain of time.
    reader.keep_sums(Report.COST, ("workspace_id", "model", "currency"), billed)
    reader.keep_sums(Report.USAGE, ("workspace_id", "model"), select_days(reader, Report.USAGE, request).days)
    attributed = select_days(reader, Report.ANALYTICS_COST, request).days
    if attributed:
        reader.keep_sums(Report.ANALYTICS_COST, ("workspace_id", "api_key_id", "actor_id", "currency"), attributed)
    names = ("overview", "spend", "tokens", "cache", "keys")
    tables = {name: REPORTS[name].compute(reader, request) for name in names}
    tables["by_model"] = REPORTS["spend"].compute(reader, replace(request, by=("month", "model")))
    tables["restatements"] = restated_days(reader, request)
    if attributed:
        tables["people"] = REPORTS["people"].compute(reader, request)
    if not days.dates:
        return tables, []
    charts = [
        *(CHARTS[name](reader, request, days) for name in ("spend", "tokens", "cache", "keys")),
        *([CHARTS["people"](reader, request, days)] if attributed else []),
        figures.restatements(tables["restatements"], days),
    ]
    return tables, [asdict(chart) for chart in charts]


def of_report(path: Path, name: str, request: ReportRequest, place: Place = NOWHERE) -> tuple[str, bool]:
    """Return the page of one report, and whether the exit code has to be 3.

    Raises:
        ArchiverError: The archive cannot be read.
    """
    if name == "overview":
        return overview(path, request, place), False
    with open_archive_reader(path, request.as_of) as opened:
        reader = replace(opened, where=place.where)
        table = REPORTS[name].compute(reader, request)
        return _single(reader, name, request, table, place), table.needs_attention or not table.is_known


def list_page(path: Path, entries: Sequence[tuple[str, str, str]], place: Place) -> str:
    """Return a page that lists reports: name, help and address of each.

    Raises:
        ArchiverError: The archive cannot be read.
    """
    addresses = {name: address for name, _, address in entries}
    rows = [{"report": name, "what it shows": text} for name, text, _ in entries]
    table = Table([Column("report"), Column("what it shows")], rows)
    shown = page_table("All reports", table, "usd", lambda name, row: addresses[row[name]] if name == "report" else "")
    with open_archive_reader(path) as reader:
        days = figures.page_days(reader, ReportRequest())
        section = Section("reports", "Reports", "Each is also a command: archiver report NAME.", [shown])
        return render(_placed(_page(reader.status(), "reports", ReportRequest(), days, [], ["USD"], [section]), place))


def _single(reader: ArchiveReader, name: str, request: ReportRequest, table: Table, place: Place) -> str:
    days = figures.page_days(reader, request)
    chart = CHARTS[name](reader, request, days) if name in CHARTS and days.dates and table.is_known else None
    of_table = TABLE_CHARTS[name](reader, request, table) if name in TABLE_CHARTS and table.is_known else None
    if of_table is not None and not of_table.rows:
        of_table = None
    charts = [asdict(one) for one in (chart, of_table) if one is not None]
    if chart:
        section = _section(chart.id, [("Table", table)], request.unit, place)
    else:
        description = " ".join((REPORTS[name].help, *table.sentences))
        shown = page_table("Table", table, request.unit, place.link)
        label = f"{name.capitalize()} as a chart; the table below contains its numbers" if of_table else ""
        section = Section(name, name.capitalize(), description, [shown], label, _NO_DATA)
    page = _page(reader.status(), name, request, days, charts, _currencies([table], charts), [section])
    subject = f"{page.heading} ({place.subject})" if place.subject else page.heading
    return render(_placed(replace(page, heading=subject), place))


def _section(name: str, tables: Sequence[tuple[str, Table]], unit: str, place: Place) -> Section:
    title, description = _DESCRIPTIONS[name]
    return Section(
        name,
        title,
        description,
        [page_table(caption, table, unit, place.link) for caption, table in tables],
        f"{title} as a chart; the tables below contain its numbers",
        _NO_DATA_OF.get(name, _NO_DATA),
    )


def _page(  # noqa: PLR0913, PLR0917  # what every page shows
    status: ArchiveStatus,
    name: str,
    request: ReportRequest,
    days: PageDays,
    charts: Sequence[dict[str, Any]],
    money: Sequence[str],
    sections: Sequence[Section],
    cards: Sequence[Card] = (),
) -> Page:
    organization = status.organization
    owner = (organization.name or organization.id) if organization else "Organization not known yet"
    first, last = _first_and_last(charts)
    heading = owner if not name else f"{name.capitalize()}: {owner}"
    return Page(
        title=f"{heading}: Claude API usage and cost",
        heading=heading,
        lede=_lede(status, request, days),
        notes=f"Amounts are in {unit_name(money, request.unit)}; {COST_NOTE}.",
        made_at=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        version=__version__,
        source=status.path.name,
        figures=_figures(status, request, days, charts, money),
        sections=sections,
        cards=cards,
        first=first,
        last=last,
    )


def _lede(status: ArchiveStatus, request: ReportRequest, days: PageDays) -> str:
    period = days_text(days.dates[0], days.dates[-1]) if days.dates else "nothing of this period is archived"
    then = ""
    if request.as_of is not None:
        then = f", as it was known at {datetime.fromtimestamp(request.as_of, UTC):%Y-%m-%d %H:%M:%S} UTC"
    run = status.last_run
    synced = f"; last sync {datetime.fromisoformat(run['started_at']):%Y-%m-%d %H:%M} UTC" if run else ""
    return f"{period}{then}{synced}"


def _figures(
    status: ArchiveStatus,
    request: ReportRequest,
    days: PageDays,
    charts: Sequence[dict[str, Any]],
    money: Sequence[str],
) -> dict[str, Any]:
    """Return the data that page.js draws.

    Amounts are texts of integers: JSON numbers of a browser are floats. `digits` is the number of their digits that are
    fractional, in the page's unit.
    """
    first, last = _first_and_last(charts)
    kinds = {one["kind"] for one in charts}
    return {
        "unit": unit_name(money, request.unit),
        "mixed": len(money) > 1,
        "digits": (20 if request.unit == "usd" else 18) - _shorten(charts),
        "first": first,
        "last": last,
        "progress": in_progress(status.coverage, days.dates[-1], request.as_of) if days.dates else "",
        "charts": charts,
        "specs": {kind: spec for kind, spec in SPECS.items() if kind in kinds},
    }


def _shorten(charts: Sequence[dict[str, Any]]) -> int:
    """Cut the zeros that all amounts end in, and return their number.

    There is an amount for each day and line, so these zeros would be most of the bytes of a page.
    """
    lines = [line for one in charts if one.get("measure") == "money" for f in one["facets"] for line in f["lines"]]
    texts = [value for line in lines for value in line["values"] if value not in {"", "0"}]
    zeros = min((len(text) - len(text.rstrip("0")) for text in texts), default=_MOST_ZEROS)
    # No more than these, so that page.js always has two fractional digits left to round to.
    cut = min(zeros, _MOST_ZEROS)
    for line in lines:
        line["values"] = [value[:-cut] if cut and value not in {"", "0"} else value for value in line["values"]]
    return cut


def _currencies(tables: Iterable[Table], charts: Iterable[dict[str, Any]]) -> list[str]:
    """Return all currencies of a page.

    Charts know them all; a table that was folded to its largest rows may not.
    """
    of_charts = {name for one in charts for facet in one.get("facets", ()) for name in facet["currencies"]}
    return sorted(of_charts or currencies(tables))


def _first_and_last(charts: Sequence[dict[str, Any]]) -> tuple[str, str]:
    """Return the first and the last day that a reader can select, or "" twice.

    They are those of all charts together, which may begin on different days.
    """
    begins = [one["begin"] for one in charts if one.get("begin")]
    ends = [figures.day_after(one["begin"], len(one["states"]) - 1) for one in charts if one.get("begin")]
    return (min(begins), max(ends)) if begins else ("", "")
