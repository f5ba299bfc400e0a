"""Money and tokens by whatever is chosen: the reports that group and rank."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from archiver.errors import ConfigurationError
from archiver.offline.allocation import allocate
from archiver.offline.tables import Column, Kind, Table
from archiver.store.reader import read_grouped

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

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
_WEB_SEARCHES = 5


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: dates as text (`until` exclusive), dimensions, how many rows at most, and as it was known when."""

    since: str | None = None
    until: str | None = None
    by: tuple[str, ...] = ()
    top: int | None = None
    as_of: int | None = None

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
    rows = read_grouped(path, "cost", columns_of(asked.by), asked.by, asked.since, asked.until, asked.as_of)
    names = [*columns_of(asked.by), "currency"]
    return _money_table(names, rows, asked.top, ranked=ranked or asked.top is not None, note=_note(rows))


def _note(rows: Sequence[tuple[Any, ...]]) -> str:
    currencies = sorted({str(row[-2]) for row in rows}) or ["USD"]
    return f"amounts in {', '.join(currencies)}, {COST_NOTE}"


def _money_table(
    names: Sequence[str], rows: Sequence[tuple[Any, ...]], top: int | None, *, ranked: bool, note: str
) -> Table:
    whole = sum(row[-1] for row in rows)
    columns = [*(Column(name) for name in names), Column("amount", Kind.MONEY)]
    total = ("total", *[None] * (len(names) - 1), whole) if names else (whole,)
    if not ranked:
        return Table(columns, rows, note, total)
    told = sorted(rows, key=lambda row: -row[-1])
    if top is not None and len(told) > top:
        rest = sum(row[-1] for row in told[top:])
        told = [*told[:top], (_OTHERS, *[""] * (len(names) - 1), rest)]
    shared = [(*row, row[-1] / whole if whole else None) for row in told]
    return Table([*columns, Column("share", Kind.SHARE)], shared, note, (*total, 1.0 if whole else None))


def tokens(path: Path, asked: Question) -> Table:
    """Count tokens by dimensions."""
    asked = asked.checked(OF_USAGE, ("month", "workspace", "model"))
    names = columns_of(asked.by)
    rows = read_grouped(path, "usage", names, asked.by, asked.since, asked.until, asked.as_of)
    sums = [sum(row[len(names) + i] for row in rows) for i in range(len(COUNTS))]
    if asked.top is not None:
        rows = sorted(rows, key=lambda row: -sum(row[-len(COUNTS) : -1]))[: asked.top]
    columns = [*(Column(name) for name in names), *(Column(name, Kind.COUNT) for name in COUNTS)]
    return Table(columns, rows, total=("total", *[None] * (len(names) - 1), *sums) if names else None)


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


def keys(path: Path, asked: Question) -> Table:
    """Share billed money out to API keys by their tokens of the same day, workspace, model, tier, window and type."""
    asked = asked.checked(("day", "month", "workspace", "api_key"), ("api_key",))
    cost_by = ("day", "workspace", "model", "cost_type", "service_tier", "context_window", "token_type")
    billed = read_grouped(path, "cost", columns_of(cost_by), cost_by, asked.since, asked.until, asked.as_of)
    use_by = ("day", "workspace", "api_key", "model", "service_tier", "context_window")
    used = read_grouped(path, "usage", columns_of(use_by), use_by, asked.since, asked.until, asked.as_of)
    weights: dict[tuple[Any, ...], dict[Any, int]] = defaultdict(lambda: defaultdict(int))
    names: dict[Any, str | None] = {}
    for day, workspace, _, key, name, model, tier, window, *counts in used:
        names[key] = name
        for kind, at in COUNT_OF.items():
            weights[day, workspace, model, tier, window, kind][key] += counts[at]
        weights[day, workspace, "web_search"][key] += counts[_WEB_SEARCHES]
    sums: dict[tuple[Any, ...], int] = defaultdict(int)
    for day, workspace, workspace_name, model, cost_type, tier, window, kind, currency, amount in billed:
        found = weights.get((day, workspace, model, tier, window, kind), {}) if cost_type == "tokens" else {}
        if cost_type == "web_search":
            found = weights.get((day, workspace, "web_search"), {})
        shares: dict[Any, int] = allocate(amount, found)
        for key, share in shares.items() if shares else [("(not allocated)", amount)]:
            parts = {
                "day": (day,),
                "month": (day[:7],),
                "workspace": (workspace, workspace_name),
                "api_key": (key, names.get(key)),
            }
            sums[(*(value for one in asked.by for value in parts[one]), currency)] += share
    rows = [(*group, amount) for group, amount in sums.items() if amount or group]
    note = f"allocated: billed money shared out by tokens of the same kind; {_note(rows)}"
    return _money_table([*columns_of(asked.by), "currency"], rows, asked.top, ranked=True, note=note)


def without_days(by_day: Table, top: int | None) -> Table:
    """Add up a table of money by day and more, as the report without days would."""
    sums: dict[tuple[Any, ...], int] = defaultdict(int)
    for _, *group, amount, _ in by_day.rows:
        sums[tuple(group)] += amount
    names = [column.name for column in by_day.columns[1:-2]]
    return _money_table(names, [(*group, sum_) for group, sum_ in sums.items()], top, ranked=True, note=by_day.note)
