"""The data of the charts of a page: exact integers by day.

They are computed from the same lines as the reports.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from archiver.model import DEFAULT_REPORTS, Report
from archiver.offline.reports.daily_money import read_daily_money
from archiver.offline.reports.grouped import COUNTS, all_tokens
from archiver.offline.reports.request import select_days
from archiver.offline.tables.display import shared_names, shown_label
from archiver.offline.tables.money import ATTOCENTS
from archiver.offline.tables.table import Table
from archiver.offline.tables.write import show
from archiver.reports.dimensions import BY_COLUMN, BY_NAME, Label

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from archiver.offline.reports.request import ReportRequest
    from archiver.offline.tables.table import Row
    from archiver.store.read.daily_sums import Day
    from archiver.store.read.reader import ArchiveReader

COLOURS = ("#4477aa", "#66ccee", "#228833", "#ccbb44", "#ee6677", "#aa3377")
"""Six colours that people with any colour vision can distinguish, on white and on black (Paul Tol's bright scheme)."""
OTHERS_COLOUR = "#999999"
MOST_LINES, MOST_RANKED = 6, 10  # lines have colours of their own, ranked bars have not
_KINDS = {
    "uncached input": slice(0, 1),
    "written to the cache": slice(1, 3),
    "read from the cache": slice(3, 4),
    "output": slice(4, 5),
}

Amounts = tuple[int, ...]
"""The numbers of one line on one day: one integer, or for a rate its numerator and denominator."""


@dataclass(frozen=True, slots=True)
class ChartLine:
    """One line of a chart, or the parts of one colour in its bars.

    Attributes:
        values: An exact integer for each day as text, "" for none; the numerators of a rate.
        whole: The denominators of a rate.
        rest: Whether it is the sum of the lines that are too many to be shown.
    """

    name: str
    colour: str
    values: Sequence[str]
    whole: Sequence[str] | None = None
    rest: bool = False


@dataclass(frozen=True, slots=True)
class Facet:
    """The lines of a chart by one dimension, the largest first.

    A reader can switch between the facets of a chart. `currencies` are those of the lines.
    """

    by: str
    lines: Sequence[ChartLine]
    currencies: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Chart:
    """The data of a chart.

    Attributes:
        id: The id of the section that it is drawn in.
        kind: stack, rate or ranked.
        measure: money, tokens or rate.
        begin: The first day. Values of lines, and states, are of this day and those after it.
        states: A letter for each day: `s` settled, `p` provisional, `k` known as of an earlier moment, `-` a gap, and a
            space after the last archived day.
        marks: Days to point at, each with a sentence.
    """

    id: str
    kind: str
    measure: str
    facets: Sequence[Facet]
    begin: str
    states: str
    marks: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True, slots=True)
class PageDays:
    """The days of a page, and their states by report, as in `Chart`."""

    dates: Sequence[str]
    states: Mapping[Report, str]


def page_days(reader: ArchiveReader, request: ReportRequest) -> PageDays:
    """Return all days from the first to the last selected day of any report."""
    # A report without the dimension that the page is filtered by has no days for it.
    reports = [one for one in (*DEFAULT_REPORTS, Report.ANALYTICS_COST) if reader.has_where(one)]
    days = {report: select_days(reader, report, request).days for report in reports}
    dates = _between([f"{day.date}" for one in days.values() for day in one])
    return PageDays(dates, {report: letters(dates, one, reader.as_of is not None) for report, one in days.items()})


def _between(days: Sequence[str]) -> list[str]:
    """Return all days from the first to the last."""
    if not days:
        return []
    first, last = date.fromisoformat(min(days)), date.fromisoformat(max(days))
    return [(first + timedelta(days=i)).isoformat() for i in range((last - first).days + 1)]


def day_after(day: str, days: int) -> str:
    """Return the date that is `days` after a day."""
    return (date.fromisoformat(day) + timedelta(days=days)).isoformat()


def letters(dates: Sequence[str], days: Sequence[Day], then: bool) -> str:  # noqa: FBT001  # whether days are of an earlier moment
    """Return the states of days, as in `Chart`."""
    ranks = {f"{day.date}": day.rank for day in days}
    # Ranks 0 and 1 are provisional, 2 is settled. As of an earlier moment these states are not known.
    found = "".join("-" if day not in ranks else "k" if then else "pps"[ranks[day]] for day in dates)
    # Cost is archived later than usage: days after its last one are not reached yet, which is no gap.
    reached = found.rstrip("-")
    return reached + " " * (len(found) - len(reached))


def money(reader: ArchiveReader, request: ReportRequest, days: PageDays, by: Iterable[str]) -> Chart:
    """Chart billed money over time."""
    facets, states = [], days.states[Report.COST]
    for one in by:
        read = read_daily_money(reader, request, (one,), request.selects)
        states = states if read.what == "cost" else letters(days.dates, read.days, reader.as_of is not None)
        rows = [
            (group.values | {"date": f"{day}"}, (int(amount),))
            for group in read.groups
            for day, amount in group.amounts.items()
        ]
        facets.append(_facet(one, sorted(rows, key=lambda row: str(row[0]["date"])), days, request.top, MOST_LINES))
    return _chart("spend", "stack", "money", facets, days, states)


def tokens(reader: ArchiveReader, request: ReportRequest, days: PageDays, by: Iterable[str]) -> Chart:
    """Chart tokens over time, by dimensions and by their kind."""
    facets = [_report_facet(reader, Report.USAGE, request, days, one, lambda sums: (all_tokens(sums),)) for one in by]
    kinds = Facet("kind", _kinds(reader, request, days))
    return _chart("tokens", "stack", "tokens", [*facets, kinds], days, days.states[Report.USAGE])


def cache(reader: ArchiveReader, request: ReportRequest, days: PageDays, by: Iterable[str]) -> Chart:
    """Chart the share of the input that was read from the prompt cache."""
    facets = [
        # Of the input: cache reads, and all four counts up to them.
        _report_facet(reader, Report.USAGE, request, days, one, lambda sums: (sums[3], sum(sums[:4])))
        for one in by
    ]
    return _chart("cache", "rate", "rate", facets, days, days.states[Report.USAGE])


def ranked(name: str, by_day: Table, by: str, days: PageDays, states: str, top: int | None) -> Chart:  # noqa: PLR0913, PLR0917  # what differs
    """Chart money by key or person, from the report `name` by day."""
    # The report has the most expensive rows first. In order of time, the last name of a renamed key is its newest.
    rows = [(row, (row["amount"],)) for row in sorted(by_day.rows, key=lambda row: str(row["date"]))]
    facet = _facet(by, rows, days, top, MOST_RANKED)
    # Bars have their names next to them and need no colours. What is no key is grey: the others, and the labels.
    labels = {BY_NAME[by].null_label, *map(str, Label)}
    grey = [one.rest or one.name in labels for one in facet.lines]
    lines = [
        replace(one, colour=OTHERS_COLOUR if is_label else COLOURS[0])
        for one, is_label in zip(facet.lines, grey, strict=True)
    ]
    return _chart(name, "ranked", "money", [replace(facet, lines=lines)], days, states)


def widened(days: PageDays, restated: Table) -> PageDays:
    """Return days, extended by the days that were restated."""
    return replace(days, dates=_between([*days.dates, *(row["bucket_start"][:10] for row in restated.rows)]))


def restatements(table: Table, days: PageDays) -> Chart:
    """Chart the changes of settled amounts, by day and series."""
    sums: dict[str, dict[str, Amounts]] = defaultdict(dict)
    for row in table.rows:
        if row["field"] == "amount":
            by_day = sums[f"{row['report']} by {row['group_by'] or 'nothing'}"]
            day = row["bucket_start"][:10]
            by_day[day] = (by_day.get(day, (0,))[0] + int(Decimal(row["change"]) * ATTOCENTS),)
    # A day without a change is not a gap here, whatever of it is archived.
    known = replace(days, states={Report.COST: "k" * len(days.dates)})
    lines = _lines({name: (name, by_day) for name, by_day in sums.items()}, known, None, len(COLOURS))
    return _chart("restatements", "stack", "money", [Facet("series", lines)], known, known.states[Report.COST])


def _chart(  # noqa: PLR0913, PLR0917  # the fields of a chart
    name: str, kind: str, measure: str, facets: Sequence[Facet], days: PageDays, states: str
) -> Chart:
    return Chart(name, kind, measure, facets, days.dates[0] if days.dates else "", states)


def _report_facet(  # noqa: PLR0913, PLR0917  # what is read, and how
    reader: ArchiveReader,
    report: Report,
    request: ReportRequest,
    days: PageDays,
    by: str,
    amounts: Callable[[Sequence[int]], Amounts],
) -> Facet:
    lines = reader.lines(report, ("day", by), select_days(reader, report, request).days)
    return _facet(by, [(line.values, amounts(line.sums)) for line in lines], days, request.top, MOST_LINES)


def _facet(by: str, rows: Sequence[tuple[Row, Amounts]], days: PageDays, top: int | None, most: int) -> Facet:
    """Add up rows to a line for each value of a dimension and each currency."""
    column = BY_NAME[by].column if by in BY_NAME else by.replace("-", "_")
    currencies = sorted({row["currency"] for row, _ in rows if row.get("currency")})
    groups: dict[tuple[Any, Any], dict[str, Amounts]] = defaultdict(dict)
    last: dict[tuple[Any, Any], Row] = {}
    for row, amounts in rows:
        group = (row[column], row.get("currency"))
        last[group] = row  # lines of the archive are in order of time, so the name is the latest
        before = groups[group].get(row["date"])
        groups[group][row["date"]] = tuple(map(sum, zip(before, amounts, strict=True))) if before else amounts
    labels = _labels(column, last, several=len(currencies) > 1)
    named = {group: (labels[group], by_day) for group, by_day in groups.items()}
    if len(currencies) > 1:  # lines of several currencies are never added up
        top, most = None, len(named)
    return Facet(by, _lines(named, days, top, most), currencies)


def _labels(column: str, rows: Mapping[tuple[Any, Any], Row], *, several: bool) -> dict[tuple[Any, Any], str]:
    """Return the names of groups as tables show them, each of them once.

    page.js identifies lines by their names, so equal names get their ids.
    """
    dimension = BY_COLUMN.get(column)
    shared = shared_names(Table([], list(rows.values())))
    names = {}
    for group, row in rows.items():
        value = row[column]
        text = shown_label(dimension.label_column, row, shared) if dimension and dimension.label_column else value
        null = dimension.null_label if dimension else ""
        name = show(str(null if text is None else text), 80) or f"(empty {column})"
        names[group] = f"{name} ({group[1]})" if several else name
    twice = {name for name, number in Counter(names.values()).items() if number > 1}
    return {group: f"{name} ({show(str(group[0]), 80)})" if name in twice else name for group, name in names.items()}


def _lines(
    groups: Mapping[Any, tuple[str, Mapping[str, Amounts]]], days: PageDays, top: int | None, most: int
) -> list[ChartLine]:
    """Order lines by size, and add up those beyond the most that are shown."""
    # By the last of the amounts, which is the denominator of a rate: the line of most input, not the best rate.
    order = sorted(groups.values(), key=lambda one: (-sum(abs(amounts[-1]) for amounts in one[1].values()), one[0]))
    most = min(top or most, most)
    # A line of others would take the place of a single line beyond the limit. A limit that was chosen is kept exactly.
    kept, rest = (order, []) if len(order) <= most + (top is None) else (order[:most], order[most:])
    lines = [_line(name, _colour(i, name), by_day, days) for i, (name, by_day) in enumerate(kept)]
    if rest:
        name = "1 other" if len(rest) == 1 else f"{len(rest)} others"
        lines.append(replace(_line(name, OTHERS_COLOUR, _together([one for _, one in rest]), days), rest=True))
    return lines


def _colour(number: int, name: str) -> str:
    return OTHERS_COLOUR if number >= len(COLOURS) or name == "(not allocated)" else COLOURS[number]


def _together(lines: Iterable[Mapping[str, Amounts]]) -> dict[str, Amounts]:
    sums: dict[str, Amounts] = {}
    for by_day in lines:
        for day, amounts in by_day.items():
            sums[day] = tuple(map(sum, zip(sums[day], amounts, strict=True))) if day in sums else amounts
    return sums


def _line(name: str, colour: str, by_day: Mapping[str, Amounts], days: PageDays) -> ChartLine:
    values = [str(int(by_day[day][0])) if day in by_day else "" for day in days.dates]
    rate = any(len(amounts) > 1 for amounts in by_day.values())
    whole = [str(by_day[day][1]) if day in by_day else "" for day in days.dates] if rate else None
    return ChartLine(name, colour, values, whole)


def _kinds(reader: ArchiveReader, request: ReportRequest, days: PageDays) -> list[ChartLine]:
    sums: dict[str, dict[str, Amounts]] = {kind: {} for kind in _KINDS}
    for line in reader.lines(Report.USAGE, ("day",), select_days(reader, Report.USAGE, request).days):
        counts = dict(zip(range(len(COUNTS)), line.sums, strict=True))
        for kind, part in _KINDS.items():
            sums[kind][line.values["date"]] = (sum(counts[i] for i in range(part.start, part.stop)),)
    return _lines({kind: (kind, by_day) for kind, by_day in sums.items()}, days, None, len(COLOURS))
