"""The data of a page's charts: exact integers by day, from the same tables as the reports."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from archiver.offline.reports import breakdowns
from archiver.offline.reports.breakdowns import COUNTS, columns_of
from archiver.offline.tables.table import Column, Table, to_display
from archiver.offline.tables.write import show
from archiver.store.read.reads import read_canonical_days

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from archiver.offline.reports.breakdowns import Question

COLOURS = ("#4477aa", "#66ccee", "#228833", "#ccbb44", "#ee6677", "#aa3377")
"""Six colours that are distinct for any colour vision, on white and on black."""
OTHERS_COLOUR = "#999999"
MOST_RANKED = 10
_MICROCENTS_A_CENT = 1_000_000
_TOKENS = len(COUNTS) - 1  # the last count is that of web searches
_KINDS = {
    "uncached input": slice(0, 1),
    "written to the cache": slice(1, 3),
    "read from the cache": slice(3, 4),
    "output": slice(4, 5),
}

Amounts = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """One series of a chart, with an exact integer a day as text (empty: none).

    `whole` has the denominators of a rate; `rest` marks the sum of all values that have no line of their own.
    """

    name: str
    colour: str
    values: Sequence[str]
    whole: Sequence[str] | None = None
    rest: bool = False


@dataclass(frozen=True, slots=True)
class Facet:
    """A chart's lines by one dimension, the largest first, and the currencies of their amounts."""

    by: str
    lines: Sequence[Line]
    currencies: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart: `kind` is stack, rate or ranked; `measure` is money, tokens or rate; `states` has a letter a day.

    The first day is `begin`, and values follow it day by day. The letters are `s` settled, `p` provisional, `k` known
    (as of an earlier moment), `-` a gap, and a space where the archive does not reach yet.
    """

    id: str
    kind: str
    measure: str
    facets: Sequence[Facet]
    begin: str
    states: str


@dataclass(frozen=True, slots=True)
class Days:
    """The days of a page, and their states by report: a letter a day, as in `Chart`."""

    dates: Sequence[str]
    states: Mapping[str, str]


def days_of(path: Path, asked: Question) -> Days:
    """Return the archived days of a question, with the gaps between them."""
    known = {
        report: dict(read_canonical_days(path, report, asked.since, asked.until, asked.as_of))
        for report in ("cost", "usage")
    }
    covered = sorted({*known["cost"], *known["usage"]})
    if not covered:
        return Days((), {"cost": "", "usage": ""})
    dates = _between(covered)
    return Days(dates, {one: _letters(dates, days, asked.as_of is not None) for one, days in known.items()})


def _between(days: Sequence[str]) -> list[str]:
    """Return all days from the first to the last."""
    if not days:
        return []
    first, last = date.fromisoformat(min(days)), date.fromisoformat(max(days))
    return [(first + timedelta(days=i)).isoformat() for i in range((last - first).days + 1)]


def day_after(day: str, days: int) -> str:
    """Return the date that is `days` after a day."""
    return (date.fromisoformat(day) + timedelta(days=days)).isoformat()


def _letters(dates: Sequence[str], known: Mapping[str, bool], then: bool) -> str:  # noqa: FBT001  # what a letter needs
    letters = "".join("-" if day not in known else "k" if then else "ps"[known[day]] for day in dates)
    reached = letters.rstrip("-")
    return reached + " " * (len(letters) - len(reached))


def _of_cost(row: Sequence[Any]) -> Amounts:
    return (row[-1],)


def _of_tokens(row: Sequence[Any]) -> Amounts:
    return (sum(row[-len(COUNTS) : -1]),)


def _of_cache(row: Sequence[Any]) -> Amounts:
    uncached, written, read = row[-4:-1]
    return read, uncached + written + read


def money(path: Path, asked: Question, days: Days, by: Iterable[str]) -> Chart:
    """Return billed money over time."""
    tables = {one: breakdowns.spend(path, _daily(asked, one), (), ranked=False) for one in by}
    facets = [_facet(one, table, days, _of_cost, asked.top) for one, table in tables.items()]
    return _chart("spend", "stack", "money", facets, days, "cost")


def tokens(path: Path, asked: Question, days: Days, by: Iterable[str]) -> Chart:
    """Return tokens over time, by dimensions and by their kind."""
    tables = {one: breakdowns.tokens(path, _daily(asked, one)) for one in by}
    facets = [_facet(one, table, days, _of_tokens, asked.top) for one, table in tables.items()]
    kinds = _kinds(next(iter(tables.values())), days)
    return _chart("tokens", "stack", "tokens", [*facets, Facet("kind", kinds)], days, "usage")


def cache(path: Path, asked: Question, days: Days, by: Iterable[str]) -> Chart:
    """Return tokens read from the prompt cache over time, with all input tokens as their denominator."""
    tables = {one: breakdowns.cache(path, _daily(asked, one)) for one in by}
    facets = [_facet(one, table, days, _of_cache, asked.top) for one, table in tables.items()]
    return _chart("cache", "rate", "rate", facets, days, "usage")


def keys(table: Table, days: Days, top: int | None) -> Chart:
    """Return money by key, from a table by day and key."""
    facet = _facet("api_key", table, days, lambda row: (row[-2],), top, MOST_RANKED)
    lines = [replace(one, colour=COLOURS[0] if one.name[0].isalnum() else OTHERS_COLOUR) for one in facet.lines]
    return _chart("keys", "ranked", "money", [Facet("api_key", lines, facet.currencies)], days, "cost")


def reaching(days: Days, restated: Table) -> Days:
    """Return days, extended to all days that were restated."""
    at = [column.name for column in restated.columns].index("bucket_start")
    return replace(days, dates=_between([*days.dates, *(row[at][:10] for row in restated.rows)]))


def restatements(table: Table, days: Days) -> Chart:
    """Return the changes of settled amounts of these days, by day and series."""
    at = {column.name: i for i, column in enumerate(table.columns)}
    sums: dict[str, dict[str, Amounts]] = defaultdict(dict)
    for row in table.rows:
        if row[at["field"]] == "amount":
            by_day = sums[f"{row[at['report']]} by {row[at['group_by']] or 'nothing'}"]
            day = row[at["bucket_start"]][:10]
            by_day[day] = (by_day.get(day, (0,))[0] + int(Decimal(row[at["change"]]) * _MICROCENTS_A_CENT),)
    known = replace(days, states={"cost": "k" * len(days.dates)})
    lines = _lines({name: (name, by_day) for name, by_day in sums.items()}, known, None, len(COLOURS))
    return _chart("restatements", "stack", "money", [Facet("series", lines)], known, "cost")


def _chart(name: str, kind: str, measure: str, facets: Sequence[Facet], days: Days, report: str) -> Chart:  # noqa: PLR0913, PLR0917  # the fields of a chart
    return Chart(name, kind, measure, facets, days.dates[0] if days.dates else "", days.states[report])


def _daily(asked: Question, by: str) -> Question:
    return replace(asked, by=("day", by), top=None, trends=False)


def _facet(  # noqa: PLR0913, PLR0917  # what lines are made of
    by: str, table: Table, days: Days, amounts: Callable[[Sequence[Any]], Amounts], top: int | None, most: int = 6
) -> Facet:
    """Return the sums of a table by day: a line for each value of the dimension and, of several, each currency."""
    names = [column.name for column in table.columns]
    wanted = columns_of((by,))
    at = [names.index(one) for one in wanted]
    currency = names.index("currency") if "currency" in names else None
    currencies = {row[currency] for row in table.rows} if currency is not None else set()
    groups: dict[tuple[Any, ...], dict[str, Amounts]] = defaultdict(dict)
    spelled: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    for row in table.rows:
        group = (row[at[0]], row[currency] if currency is not None else None)
        spelled[group] = tuple(row[i] for i in at)
        before = groups[group].get(row[0])
        now = amounts(row)
        groups[group][row[0]] = tuple(map(sum, zip(before, now, strict=True))) if before else now
    labels = _labels(wanted, spelled, several=len(currencies) > 1)
    named = {group: (labels[group], by_day) for group, by_day in groups.items()}
    if len(currencies) > 1:  # amounts of several currencies have no sum, so no line may hold several of them
        top, most = None, len(named)
    return Facet(by, _lines(named, days, top, most), sorted(currencies))


def _labels(
    columns: Sequence[str], groups: Mapping[tuple[Any, ...], tuple[Any, ...]], *, several: bool
) -> dict[tuple[Any, ...], str]:
    """Return the names of groups as tables show them; groups of one name get their ids."""
    _, told = to_display(Table([Column(one) for one in columns], list(groups.values())), "usd")
    names = {
        group: show(row[0], 80) or f"(no {columns[0].replace('_', ' ')})"
        for group, row in zip(groups, told, strict=True)
    }
    if several:
        names = {group: f"{name} ({group[1]})" for group, name in names.items()}
    twice = {name for name, count in Counter(names.values()).items() if count > 1}
    return {group: f"{name} ({show(str(group[0]), 80)})" if name in twice else name for group, name in names.items()}


def _lines(
    groups: Mapping[Any, tuple[str, Mapping[str, Amounts]]], days: Days, top: int | None, most: int
) -> list[Line]:
    """Return lines, the largest first; more than a chart can show are summed into one."""
    order = sorted(groups.values(), key=lambda one: (-sum(abs(amounts[-1]) for amounts in one[1].values()), one[0]))
    most = min(top or most, most)
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


def _line(name: str, colour: str, by_day: Mapping[str, Amounts], days: Days) -> Line:
    values = [str(by_day[day][0]) if day in by_day else "" for day in days.dates]
    rate = any(len(amounts) > 1 for amounts in by_day.values())
    return Line(name, colour, values, [str(by_day[d][1]) if d in by_day else "" for d in days.dates] if rate else None)


def _kinds(table: Table, days: Days) -> list[Line]:
    sums: dict[str, dict[str, int]] = {kind: defaultdict(int) for kind in _KINDS}
    for row in table.rows:
        counts = row[-len(COUNTS) :]
        for kind, part in _KINDS.items():
            sums[kind][row[0]] += sum(counts[part])
    named = {kind: (kind, {day: (count,) for day, count in by_day.items()}) for kind, by_day in sums.items()}
    return _lines(named, days, None, len(COLOURS))
