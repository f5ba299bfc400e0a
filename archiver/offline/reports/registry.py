"""The ready answers by name."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from archiver.offline.periods import Period, month_of
from archiver.offline.reports import breakdowns, months
from archiver.offline.reports.keys import keys
from archiver.offline.reports.months import Budgets
from archiver.offline.reports.overview import overview
from archiver.offline.reports.reconcile import reconcile
from archiver.offline.tables.table import Column, Kind, Table
from archiver.store.read.reads import read_report

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from archiver.offline.reports.breakdowns import Question


@dataclass(frozen=True, slots=True)
class Asked:
    """What a report is asked for. `month` is for those that speak of one; `learnt` bounds restatements, as text."""

    question: Question
    month: Period | None = None
    learnt: tuple[str | None, str | None] = (None, None)
    today: date = field(default_factory=date.today)
    budgets: Budgets = field(default_factory=lambda: Budgets(None, {}))


def _restatements(path: Path, asked: Asked) -> Table:
    """Add up the fields of one bucket that were learnt together, and by then; amounts are decimal cents."""
    since, until = asked.learnt
    if asked.question.as_of is not None:
        then = datetime.fromtimestamp(asked.question.as_of + 1, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        until = min(until or then, then)
    names, rows = read_report(path, "restatements", since, until)
    sums: dict[tuple[Any, ...], list[Any]] = defaultdict(lambda: [0, Decimal(0), Decimal(0)])
    for *key, was, now in rows:
        total = sums[tuple(key)]
        total[0] += 1
        total[1] += Decimal(was or 0)
        total[2] += Decimal(now or 0)
    told = [(*key, count, str(was), str(now), str(now - was)) for key, (count, was, now) in sums.items()]
    columns = [*(Column(name) for name in names[:-2]), Column("rows", Kind.COUNT)]
    return Table(
        [*columns, *(Column(name, Kind.EXACT) for name in ("was", "now", "change"))],
        told,
        "tokens, and amounts in cents",
    )


def restated_days(path: Path, asked: Asked) -> Table:
    """Tell what changed of the days that are asked for, whenever it was learnt."""
    table = _restatements(path, replace(asked, learnt=(None, None)))
    since, until = asked.question.since or "", asked.question.until or "~"
    at = [column.name for column in table.columns].index("bucket_start")
    return replace(table, rows=[row for row in table.rows if since <= row[at][:10] < until])


def _month(path: Path, asked: Asked) -> Period:
    return asked.month or month_of(months.today_in(path, asked.today, asked.question.as_of))


def _ranked(*by: str) -> Callable[[Path, Asked], Table]:
    return lambda path, asked: breakdowns.spend(path, asked.question, by, ranked=True)


REPORTS: dict[str, tuple[str, Callable[[Path, Asked], Table]]] = {
    "overview": (
        "the totals of each month; with --html, everything on one page",
        lambda path, asked: overview(path, asked.question),
    ),
    "spend": (
        "money by month and workspace",
        lambda path, asked: breakdowns.spend(path, asked.question, ("month", "workspace"), ranked=False),
    ),
    "workspaces": ("money by workspace, the most expensive first, with shares", _ranked("workspace")),
    "models": ("money by model, the most expensive first, with shares", _ranked("model")),
    "keys": (
        "billed money shared out to API keys by their tokens",
        lambda path, asked: keys(path, asked.question),
    ),
    "tokens": ("tokens by month, workspace and model", lambda path, asked: breakdowns.tokens(path, asked.question)),
    "cache": (
        "how much of the input came from the prompt cache, by month and model",
        lambda path, asked: breakdowns.cache(path, asked.question),
    ),
    "compare": (
        "a month against the one before, by workspace",
        lambda path, asked: months.compare(path, asked.question, _month(path, asked)),
    ),
    "forecast": (
        "a month to date and to its end, by workspace",
        lambda path, asked: months.forecast(path, asked.question, _month(path, asked)),
    ),
    "budget": (
        "a month against the budgets of the configuration",
        lambda path, asked: months.budget(path, _month(path, asked), asked.budgets, asked.question.as_of),
    ),
    "reconcile": (
        "tokens against money by month, model, tier, window and type, and the price they imply",
        lambda path, asked: reconcile(path, asked.question),
    ),
    "restatements": ("what changed in settled buckets, by the time it was learnt", _restatements),
}
"""Name → what it tells, and how it is made; making raises what reading an archive does."""

OF_A_MONTH = frozenset({"compare", "forecast", "budget"})
