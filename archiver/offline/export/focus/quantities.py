"""The tokens of each cost row, from usage by all that prices depend on.

A cost row has a workspace, model, tier, context window, region and token type, but no quantity. The tokens of a usage
series that is grouped by the same dimensions are its quantity, if it is the only cost row of these. Several rows of the
same dimensions differ by something that neither report has, such as speed: their tokens are not known one by one.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import timedelta
from fractions import Fraction
from math import lcm
from typing import TYPE_CHECKING, Any

from archiver.model import Report
from archiver.offline.allocation import allocate
from archiver.offline.reports.grouped import COUNT_OF_TOKEN_TYPE, COUNTS, WEB_SEARCHES
from archiver.store.statements import sql

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date

    from archiver.store.read.daily_sums import Day
    from archiver.store.read.reader import ArchiveReader

NEEDED = ("workspace_id", "model", "service_tier", "context_window", "inference_geo")
"""The dimensions of the usage series that quantities are from."""
_WHO = ("workspace_id", "api_key_id", "actor_type", "actor_id", "product")
_COLUMNS_OF = {"actor": ("actor_type", "actor_id")}
_BY_KEY = (
    "workspace_id", "api_key_id", "actor", "model", "product", "service_tier", "context_window", "inference_geo",
)  # fmt: skip
"""The dimensions that costs and tokens of the analytics reports are matched by."""
_OF_COST_ALONE = frozenset({"cost_type", "token_type"})
EXACT, SHARED, NONE = "exact", "shared", "none"
_SEARCHES = "web_search"


@dataclass(frozen=True, slots=True)
class Quantity:
    """The tokens or searches of a row, and how they are known.

    None: neither report has a number.
    """

    number: int | None
    method: str


@dataclass(slots=True)
class Quantities:
    """The quantities of the rows of a month.

    Attributes:
        counts: Day and cell → tokens or searches.
        dimensions: Day → the dimensions of its cells.
        coarse: The days of cells that lack the region, so that their tokens are shared.
        by: The grouping that the usage of missing days lacks.
        sync: The command that archives it.
        unknown: How many rows have a quantity that the method does not find.
        priority: How many tokens are of the priority tier, by key; they have no cost.
        without_usage: How many rows are of tokens that no usage is archived of: they are a charge each.
        missing: The days without a series that could be used.
    """

    counts: dict[date, dict[tuple[Any, ...], int]]
    method: str
    dimensions: dict[date, tuple[str, ...]]
    by: str
    sync: str
    coarse: set[date] = field(default_factory=set)
    priority: int = 0
    unknown: int = 0
    without_usage: int = 0
    missing: set[date] = field(default_factory=set)

    def of_day(self, day: date, rows: Sequence[dict[str, Any]]) -> list[Quantity | None]:
        """Return the quantity of each cost row of a day; None: not known."""
        cells: dict[tuple[Any, ...], list[int]] = defaultdict(list)
        for i, row in enumerate(rows):
            if (cell := _cell(row, self.dimensions.get(day, NEEDED))) is not None:
                cells[cell].append(i)
        found: list[Quantity | None] = [Quantity(None, NONE)] * len(rows)
        for cell, places in cells.items():
            for place, quantity in zip(places, self._of_cell(day, cell, [rows[i] for i in places]), strict=True):
                found[place] = quantity
                self.unknown += quantity is None
        return found

    def _of_cell(self, day: date, cell: tuple[Any, ...], rows: list[dict[str, Any]]) -> list[Quantity | None]:
        number = self.counts.get(day, {}).get(cell)
        if number and len(rows) == 1 and (day not in self.coarse or cell[-1] == _SEARCHES):
            return [Quantity(number, EXACT)]
        if day not in self.counts:
            self.missing.add(day)
        elif not number:  # billed, and no usage of it is known: there is no number to write
            self.without_usage += len(rows)
            return [Quantity(None, NONE)] * len(rows)
        if not number or self.method == EXACT:
            return [None] * len(rows)
        # By their cost: a row that costs twice as much gets twice the tokens.
        weights = {i: abs(Fraction(row["amount"])) for i, row in enumerate(rows)}
        scale = lcm(*(weight.denominator for weight in weights.values()))
        shares = allocate(number, {i: int(weight * scale) for i, weight in weights.items()})
        # Of few tokens a small cost gets none, and then has no quantity of its own.
        self.without_usage += sum(not shares.get(i) for i in range(len(rows)))
        return [Quantity(shares[i], SHARED) if shares.get(i) else Quantity(None, NONE) for i in range(len(rows))]


def _cell(row: dict[str, Any], dimensions: tuple[str, ...]) -> tuple[Any, ...] | None:
    """Return what the tokens of a row are found by; None for a row without tokens or searches."""
    if row["cost_type"] == "web_search":
        return (*(row[name] for name in dimensions if name in _WHO), _SEARCHES)
    if row["cost_type"] == "tokens" and row["token_type"] in COUNT_OF_TOKEN_TYPE:
        return (*(row[name] for name in dimensions), row["token_type"])
    return None


def read_quantities(reader: ArchiveReader, since: str, until: str, method: str) -> Quantities:
    """Read the tokens of days by all that prices differ by.

    Days are from `since` to before `until`. With `shared`, days without a series by region have the tokens of all
    regions.
    """
    chosen: dict[tuple[str, ...], dict[int, Day]] = {NEEDED: {}, NEEDED[:-1]: {}}
    for dimensions, days in chosen.items():
        for day in reader.grouped_days(Report.USAGE, dimensions[-1], since, until):
            if set(dimensions) <= day.group_by and day.is_whole:
                days.setdefault(day.start, day)
    finest, coarse = chosen.values()
    others = {start: day for start, day in coarse.items() if start not in finest} if method == SHARED else {}
    found = Quantities({}, method, {}, by="by region", sync="archiver sync --focus")
    for dimensions, days in ((NEEDED, finest), (NEEDED[:-1], others)):
        _read(reader, dimensions, list(days.values()), found)
    found.coarse = {day.date for day in others.values()}
    return found


def read_quantities_by_key(reader: ArchiveReader, days: Iterable[Day], method: str) -> Quantities:
    """Read the tokens of days of analytics-cost.

    They are by API key, person, workspace and model, as far as the cost of the day is grouped by them.
    Tokens of the priority tier have no cost and are left out.
    """
    found = Quantities({}, method, {}, by="by API key", sync="archiver sync --report analytics-usage")
    listed = list(days)
    if not listed:
        return found
    since, until = f"{listed[0].date}", f"{listed[-1].date + timedelta(days=1)}"
    usage: dict[int, list[Day]] = defaultdict(list)
    for day in reader.grouped_days(Report.ANALYTICS_USAGE, "api_key_id", since, until):
        usage[day.start].append(day)
    for day in listed:
        words = [one for one in _BY_KEY if one in day.group_by]
        needed = {*words, "service_tier"}
        series = next((one for one in usage[day.start] if one.is_whole and needed <= one.group_by), None)
        # By any other dimension, tokens that are not billed would count as those of a cost row.
        if series is None or not day.group_by <= {*_BY_KEY, *_OF_COST_ALONE}:
            continue
        columns = tuple(column for word in words for column in _COLUMNS_OF.get(word, (word,)))
        found.dimensions[day.date] = columns
        found.counts[day.date], priority = _read_by_key(reader, series, columns)
        found.priority += priority
    return found


def _read_by_key(reader: ArchiveReader, day: Day, columns: tuple[str, ...]) -> tuple[dict[tuple[Any, ...], int], int]:
    """Return the tokens and searches by cell, and the tokens of the priority tier, which have no cost."""
    counts: dict[tuple[Any, ...], int] = defaultdict(int)
    priority = 0
    found = reader.connection.execute(sql("focus.select_tokens_by_key"), {"series_id": day.series_id, "day": day.start})
    names = [column[0] for column in found.description]
    who = [name for name in columns if name in _WHO]
    for row in found:
        values = dict(zip(names, row, strict=True))
        if values["service_tier"] == "priority":
            priority += sum(values[COUNTS[at]] for at in COUNT_OF_TOKEN_TYPE.values())
            continue
        for token_type, at in COUNT_OF_TOKEN_TYPE.items():
            counts[*(values[name] for name in columns), token_type] += values[COUNTS[at]]
        counts[*(values[name] for name in who), _SEARCHES] += values[COUNTS[WEB_SEARCHES]]
    return counts, priority


def _read(reader: ArchiveReader, dimensions: tuple[str, ...], days: list[Day], found: Quantities) -> None:
    for day in days:
        found.counts[day.date] = defaultdict(int)
        found.dimensions[day.date] = dimensions
    for one in reader.sums(Report.USAGE, dimensions, days, lambda day: day.date):
        of_day = found.counts[one.part]
        for token_type, at in COUNT_OF_TOKEN_TYPE.items():
            of_day[*one.values, token_type] += one.sums[at]
        of_day[one.values[0], _SEARCHES] += one.sums[WEB_SEARCHES]
