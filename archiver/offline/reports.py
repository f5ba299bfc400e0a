"""Ready answers: columns and rows, with amounts exact."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from archiver.store.reader import read_report

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    Rows = list[tuple[Any, ...]]

COST_NOTE = "from the cost report, not the invoice; priority tier is not included"
_MICROCENTS_A_DOLLAR = 100_000_000


@dataclass(frozen=True, slots=True)
class Table:
    """A ready answer, and what has to be said with it."""

    columns: Sequence[str]
    rows: Sequence[tuple[Any, ...]]
    note: str = ""


def exact_dollars(microcents: int) -> str:
    """Spell microcents as dollars, to the last digit."""
    return f"{Decimal(microcents) / _MICROCENTS_A_DOLLAR:.8f}"


def _spend(columns: list[str], rows: Rows) -> Table:
    told = [(*row[:-1], exact_dollars(row[-1]), row[-1]) for row in rows]
    return Table([*columns[:-1], "amount", columns[-1]], told, f"amount in the currency named, {COST_NOTE}")


def _as_it_is(columns: list[str], rows: Rows) -> Table:
    return Table(columns, rows)


def _restatements(columns: list[str], rows: Rows) -> Table:
    """Add up the fields of one bucket that were learnt together; amounts are decimal cents."""
    sums: dict[tuple[Any, ...], list[Any]] = defaultdict(lambda: [0, Decimal(0), Decimal(0)])
    for *key, was, now in rows:
        total = sums[tuple(key)]
        total[0] += 1
        total[1] += Decimal(was or 0)
        total[2] += Decimal(now or 0)
    told = [(*key, count, str(was), str(now), str(now - was)) for key, (count, was, now) in sums.items()]
    return Table([*columns[:-2], "rows", "was", "now", "change"], told, "tokens, and amounts in cents")


REPORTS: dict[str, tuple[str, Callable[[list[str], Rows], Table]]] = {
    "spend": ("money by month and workspace", _spend),
    "tokens": ("tokens by month, workspace and model", _as_it_is),
    "cache": ("how much of the input came from the prompt cache, by month and model", _as_it_is),
    "restatements": ("what changed in settled buckets, by the time it was learnt", _restatements),
}
"""Name → what it tells, and how its rows are finished."""


def make_report(path: Path, name: str, since: str | None, until: str | None) -> Table:
    """Make a ready answer over dates (or times learnt) from `since` to `until`, exclusive; raises what reading does."""
    return REPORTS[name][1](*read_report(path, name, since, until))
