"""Answering a coarse question from a finer answer, for pages that show one thing in many ways. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_COLUMN_OF = {"day": "date", "workspace": "workspace_id", "api_key": "api_key_id"}
_NAMES = frozenset({"workspace_name", "api_key_name"})
_ORDER = (
    "date",
    "month",
    "workspace_id",
    "workspace_name",
    "api_key_id",
    "api_key_name",
    "model",
    "description",
    "cost_type",
    "service_tier",
    "context_window",
    "token_type",
    "inference_geo",
    "currency",
)
"""In which `grouped_cost` and `grouped_usage` give columns, and sort."""


@dataclass(frozen=True, slots=True)
class Grouped:
    """Rows by dimensions: their columns, and then as many measures as the rest of a row has."""

    by: frozenset[str]
    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]


def regrouped(finer: Grouped, by: frozenset[str], columns: Sequence[str]) -> Grouped | None:
    """Add up a finer answer by fewer dimensions, or by months instead of days; None where it does not tell enough."""
    wanted = tuple(one for one in _ORDER if one in columns or (one == "currency" and one in finer.columns))
    if not _told(finer, by, wanted):
        return None
    count = len(finer.columns)
    sums: dict[tuple[Any, ...], tuple[dict[str, str], list[int]]] = {}
    keys = [_reading(finer.columns, one) for one in wanted if one not in _NAMES]
    names = {one: finer.columns.index(one) for one in wanted if one in _NAMES}
    for row in finer.rows:
        measures = row[count:]
        if None in measures:  # a sum that did not fit: SQLite knows what to say of it
            return None
        group = tuple(read(row) for read in keys)
        found = sums.setdefault(group, ({}, [0] * len(measures)))
        for i, measure in enumerate(measures):
            found[1][i] += measure
        for one, at in names.items():
            if row[at] is not None:
                found[0][one] = max(found[0].get(one, ""), row[at])
    rows = [
        _row(wanted, *one) for one in sorted(sums.items(), key=lambda one: [(v is not None, v or "") for v in one[0]])
    ]
    return Grouped(by, wanted, rows)


def _told(finer: Grouped, by: frozenset[str], wanted: Sequence[str]) -> bool:
    """Whether the finer answer has every dimension, and every one that groups is to be seen."""
    known = finer.by | ({"month"} if "day" in finer.by else set())
    seen = {*finer.columns, *({"month"} if "date" in finer.columns else set())}
    return by <= known and {_COLUMN_OF.get(one, one) for one in by} <= {*wanted} <= seen


def _reading(columns: Sequence[str], wanted: str) -> Callable[[tuple[Any, ...]], Any]:
    if wanted == "month" and "month" not in columns:
        at = columns.index("date")
        return lambda row: row[at][:7]
    at = columns.index(wanted)
    return lambda row: row[at]


def _row(wanted: Sequence[str], group: tuple[Any, ...], found: tuple[dict[str, str], list[int]]) -> tuple[Any, ...]:
    values = iter(group)
    return (*(found[0].get(one) if one in _NAMES else next(values) for one in wanted), *found[1])
