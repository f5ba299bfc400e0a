"""Money and tokens by whatever is chosen: the reports that group and rank."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from archiver.errors import ConfigurationError
from archiver.offline.tables.sparkline import Known, Slots, Trends
from archiver.offline.tables.table import Column, Kind, Table
from archiver.store.read.daily_sums import not_grouped
from archiver.store.read.reads import read_grouped, read_over_time

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from archiver.store.read.daily_sums import Day, Line

COST_NOTE = "from the cost report, not the invoice; priority tier is not included"
NAMED = {"day": ("date",), "workspace": ("workspace_id", "workspace_name"), "api_key": ("api_key_id", "api_key_name")}
OF_COST = (
    "day",
    "month",
    "workspace",
    "model",
    "description",
    "cost_type",
    "service_tier",
    "context_window",
    "token_type",
    "inference_geo",
)
OF_USAGE = ("day", "month", "workspace", "api_key", "model", "service_tier", "context_window")
COUNTS = (
    "uncached_input_tokens",
    "cache_creation_1h_input_tokens",
    "cache_creation_5m_input_tokens",
    "cache_read_input_tokens",
    "output_tokens",
    "web_search_requests",
)
_OTHERS = "(others)"
COUNT_OF = {
    "uncached_input_tokens": 0,
    "cache_creation.ephemeral_1h_input_tokens": 1,
    "cache_creation.ephemeral_5m_input_tokens": 2,
    "cache_read_input_tokens": 3,
    "output_tokens": 4,
}
WEB_SEARCHES = 5


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: dates as text (`until` exclusive), dimensions, how many rows at most, and as it was known when.

    `trends`: how lines went over their days is wanted, too.
    """

    since: str | None = None
    until: str | None = None
    by: tuple[str, ...] = ()
    top: int | None = None
    as_of: int | None = None
    trends: bool = False

    def checked(self, dimensions: Sequence[str], default: Sequence[str]) -> Question:
        """Fill in the default dimensions.

        Raises:
            ConfigurationError: One of them the report does not have.
        """
        for one in self.by:
            if one not in dimensions:
                raise ConfigurationError(
                    f"the report cannot be by {one!r}", hint=f"it can be by {', '.join(dimensions)}"
                )
        return replace(self, by=tuple(one for one in dimensions if one in (self.by or default)))


def columns_of(by: Sequence[str]) -> list[str]:
    """Name the columns of dimensions."""
    return [column for one in by for column in NAMED.get(one, (one,))]


def spend(path: Path, asked: Question, default: Sequence[str], *, ranked: bool) -> Table:
    """Money by dimensions; ranked by amount with its share, or in order of the dimensions."""
    asked = asked.checked(OF_COST, default)
    names, lines, trends = _read(path, "cost", asked, itemgetter(0))
    ranked = ranked or asked.top is not None
    note = cost_note({str(line.group[-1]) for line in lines})
    return trends.beside(*money_table(names, lines, note, asked.top, ranked=ranked), lines)


def cost_note(currencies: set[str]) -> str:
    """Say what amounts are."""
    return f"amounts in {', '.join(sorted(currencies)) or 'USD'}, {COST_NOTE}"


def _read(
    path: Path, report: str, asked: Question, measure: Callable[[Sequence[int]], int]
) -> tuple[list[str], list[Line], Trends]:
    """Read lines; their trends are by days of the measure, where they were asked for."""
    slots: Slots | None = None

    def over(days: Sequence[Day]) -> Callable[[Day], int] | None:
        nonlocal slots
        if asked.trends and "day" not in asked.by:
            slots = Slots.over(days, asked.since, asked.until, monthly="month" in asked.by)
        return slots.of if slots else None

    names, lines, days = read_over_time(path, report, asked.by, asked.since, asked.until, asked.as_of, over)
    if slots is None:
        return names, lines, Trends()
    month_at = names.index("month") if slots.monthly else None
    return (
        names,
        lines,
        Trends(Known(((day, not_grouped(report, names, day)) for day in days), slots), measure, month_at),
    )


def money_table(
    names: Sequence[str], lines: Sequence[Line], note: str, top: int | None, *, ranked: bool
) -> tuple[Table, list[list[Line]]]:
    """Lay out lines of money, with a total; ranked, the largest first, with shares, and the rest beyond `top` added up.

    Amounts of several currencies have no sum: each currency is ranked and shared by itself then, and there is no total.
    Gives the lines that each row is made of beside the table.
    """
    wholes: dict[str, int] = defaultdict(int)
    for line in lines:
        wholes[line.group[-1]] += line.sums[0]
    columns = [*(Column(name) for name in names), Column("amount", Kind.MONEY)]
    alone = len(wholes) <= 1
    whole = sum(wholes.values())
    total = ("total", *[None] * (len(names) - 1), whole) if alone else None
    note = note if alone else f"{note}; amounts of several currencies have no sum"
    if not ranked:
        return Table(columns, [(*line.group, line.sums[0]) for line in lines], note, total), [[line] for line in lines]
    told = [one for currency in sorted(wholes) for one in _ranked(lines, currency, top)]
    amounts = [(group, sum(line.sums[0] for line in of)) for group, of in told]
    shared = [(*group, amount, amount / wholes[group[-1]] if wholes[group[-1]] else None) for group, amount in amounts]
    table = Table([*columns, Column("share", Kind.SHARE)], shared, note, total and (*total, 1.0 if whole else None))
    return table, [of for _, of in told]


def _ranked(lines: Sequence[Line], currency: str, top: int | None) -> list[tuple[tuple[Any, ...], list[Line]]]:
    """Put the lines of a currency in order, the largest first, and the rest beyond `top` into one."""
    ordered = sorted((line for line in lines if line.group[-1] == currency), key=lambda line: -line.sums[0])
    told: list[tuple[tuple[Any, ...], list[Line]]] = [(line.group, [line]) for line in ordered[:top]]
    if rest := ordered[len(told) :]:
        told.append(((_OTHERS, *[""] * (len(rest[0].group) - 2), currency), rest))
    return told


def tokens(path: Path, asked: Question) -> Table:
    """Count tokens by dimensions."""
    asked = asked.checked(OF_USAGE, ("month", "workspace", "model"))
    names, lines, trends = _read(path, "usage", asked, all_tokens)
    sums = [sum(line.sums[i] for line in lines) for i in range(len(COUNTS))]
    told = lines if asked.top is None else sorted(lines, key=lambda line: -all_tokens(line.sums))[: asked.top]
    columns = [*(Column(name) for name in names), *(Column(name, Kind.COUNT) for name in COUNTS)]
    total = ("total", *[None] * (len(names) - 1), *sums) if names else None
    table = Table(columns, [(*line.group, *line.sums) for line in told], total=total)
    return trends.beside(table, [[line] for line in told], lines)


def all_tokens(sums: Sequence[int]) -> int:
    """Add up the tokens among the counts of use."""
    return sum(sums[:WEB_SEARCHES])


def cache(path: Path, asked: Question) -> Table:
    """Tell how much of the input came from the prompt cache."""
    asked = asked.checked(OF_USAGE, ("month", "model"))
    names = columns_of(asked.by)
    rows = []
    for row in read_grouped(path, "usage", names, asked.by, asked.since, asked.until, asked.as_of):
        uncached, hour, minutes, read = row[len(names) : len(names) + 4]
        whole = uncached + hour + minutes + read
        rows.append((*row[: len(names)], uncached, hour + minutes, read, round(read / whole, 4) if whole else None))
    if asked.top is not None:
        rows = sorted(rows, key=lambda row: -row[-2])[: asked.top]
    counts = ("uncached_input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
    columns = [*(Column(name) for name in names), *(Column(name, Kind.COUNT) for name in counts)]
    return Table([*columns, Column("cache_hit_rate", Kind.SHARE)], rows)
