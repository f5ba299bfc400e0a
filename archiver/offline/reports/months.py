"""A month against the last one, to its end, and against its budget."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from archiver.errors import ConfigurationError
from archiver.offline.periods import Period, month_before
from archiver.offline.reports.breakdowns import OF_COST, Question, columns_of, cost_note
from archiver.offline.tables.table import NULL_LABELS, Column, Kind, Table
from archiver.offline.tables.write import dollars
from archiver.store.read.daily_sums import NOT_GROUPED
from archiver.store.read.reads import read_billed_days, read_grouped, read_workspaces

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from decimal import Decimal
    from pathlib import Path

_RECENT_DAYS = 7
_OF_A_MONTH = tuple(one for one in OF_COST if one not in {"day", "month"})
_MICROCENTS_A_DOLLAR = 100_000_000


@dataclass(frozen=True, slots=True)
class Budgets:
    """Limits of a month, in dollars: of all, and of workspaces by their name or id."""

    total: Decimal | None
    workspaces: Mapping[str, Decimal]


@dataclass(frozen=True, slots=True)
class _Billed:
    """Money by group, told apart by ids alone; and each group as it is shown, with the last of its names."""

    sums: dict[tuple[Any, ...], int]
    shown: dict[tuple[Any, ...], tuple[Any, ...]]

    @classmethod
    def read(cls, path: Path, by: tuple[str, ...], period: Period, as_of: int | None) -> _Billed:
        """Read what is billed in a period."""
        names = columns_of(by)
        kept = [i for i, name in enumerate([*names, "currency"]) if name != "workspace_name"]
        billed = cls(defaultdict(int), {})
        days = period.since.isoformat(), period.until.isoformat()
        for *group, amount in read_grouped(path, "cost", names, by, *days, as_of):
            key = tuple(group[i] for i in kept)
            billed.sums[key] += amount
            billed.shown[key] = tuple(group)
        return billed


def compare(path: Path, asked: Question, period: Period) -> Table:
    """Compare a month with the one before: with the same number of days of it, and with all of it.

    Where nothing of a stretch is archived, there is no amount and no change: it is not known, and not nothing.
    """
    asked = asked.checked(_OF_A_MONTH, ("workspace",))
    days, last = read_billed_days(path, period, asked.as_of)
    reached = (last - period.since).days + 1 if last is not None else 0
    before = month_before(period)
    same = before.first(reached)
    now, then, whole = (_Billed.read(path, asked.by, one, asked.as_of) for one in (period, same, before))
    days_then, days_before = (read_billed_days(path, one, asked.as_of)[0] for one in (same, before))

    def told(past: int, as_far: int, amount: int) -> tuple[int | None, ...]:
        change = amount - as_far if days and days_then else None
        return past if days_before else None, as_far if days_then else None, amount if days else None, change

    names = [*columns_of(asked.by), "currency"]
    shown = whole.shown | now.shown
    groups = sorted(shown, key=lambda key: (-now.sums.get(key, 0), str(shown[key])))
    rows = [(*shown[key], *told(*(one.sums.get(key, 0) for one in (whole, then, now)))) for key in groups]
    sums = told(*(sum(one.sums.values()) for one in (whole, then, now)))
    note = (
        f"{_billed_days(days, reached, period)}, against {days_then} of the first {same.days} of "
        f"{before.since:%Y-%m} ({days_before} of {before.days} of the whole month); "
        f"{cost_note({key[-1] for key in shown})}"
    )
    money = [Column(name, Kind.MONEY) for name in ("month_before", "same_days_before", "this_month", "change")]
    columns = [*(Column(name) for name in names), *money]
    return Table(columns, rows[: asked.top], note, ("total", *[None] * (len(names) - 1), *sums))


@dataclass(frozen=True, slots=True)
class Projection:
    """What a month costs to date and to its end, by group, and the days that say so.

    `days` of the first `reached` are billed, `left` are to come, and `recent` of the last seven are billed.
    """

    sums: dict[tuple[Any, ...], tuple[int, int]]
    days: int
    reached: int
    left: int
    recent: int


def project(path: Path, by: tuple[str, ...], period: Period, as_of: int | None = None) -> Projection:
    """Give what is billed and what will be at the month's end, by group.

    The days that are left cost what the billed ones cost on average of the last seven, or of as many as the month has.
    """
    days, last = read_billed_days(path, period, as_of)
    if last is None:
        return Projection({}, 0, 0, period.days, 0)
    left = (period.until - last).days - 1
    lately = Period(max(period.since, last - timedelta(days=_RECENT_DAYS - 1)), last + timedelta(days=1))
    recent, _ = read_billed_days(path, lately, as_of)
    billed, late = (_Billed.read(path, by, one, as_of) for one in (period, lately))
    sums = {
        billed.shown[key]: (amount, amount + late.sums.get(key, 0) * left // recent)
        for key, amount in billed.sums.items()
    }
    return Projection(sums, days, period.days - left, left, recent)


def forecast(path: Path, asked: Question, period: Period) -> Table:
    """Say what a month costs to date, and what it will cost if its days go on like the last seven."""
    asked = asked.checked(_OF_A_MONTH, ("workspace",))
    projected = project(path, asked.by, period, asked.as_of)
    names = [*columns_of(asked.by), "currency"]
    ranked = sorted(projected.sums.items(), key=lambda item: -item[1][1])
    rows = [(*group, *amounts) for group, amounts in ranked]
    note = _billed_days(projected.days, projected.reached, period)
    if projected.days:
        note += (
            f"; each of the {projected.left} that are left is taken to cost what the {projected.recent} billed days "
            f"of the last {_RECENT_DAYS} did on average"
        )
    note += f"; {cost_note({key[-1] for key in projected.sums})}"
    columns = [*(Column(name) for name in names), Column("to_date", Kind.MONEY), Column("projected", Kind.MONEY)]
    sums = [sum(row[len(names) + i] for row in rows) if projected.days else None for i in range(2)]
    return Table(columns, rows[: asked.top], note, ("total", *[None] * (len(names) - 1), *sums))


def _billed_days(days: int, reached: int, period: Period) -> str:
    if not days:
        return f"nothing of {period.since:%Y-%m} is archived"
    return f"{days} of the first {reached} days of {period.since:%Y-%m} are billed"


def budget(path: Path, period: Period, budgets: Budgets, as_of: int | None = None) -> Table:
    """Compare a month with its limits.

    Raises:
        ConfigurationError: One of them is of a workspace that nobody knows.
    """
    names = read_workspaces(path)
    projected = project(path, ("workspace",), period, as_of)
    rows: list[tuple[Any, ...]] = []
    if budgets.total is not None:
        sums = [sum(amounts[i] for amounts in projected.sums.values()) for i in range(2)]
        rows.append(_against("total", budgets.total, sums if projected.days else None))
    for wanted, limit in budgets.workspaces.items():
        ids = _called(wanted, names)
        found = [amounts for group, amounts in projected.sums.items() if group[0] in ids]
        sums = [sum(amounts[i] for amounts in found) for i in range(2)]
        rows.append(_against(wanted, limit, sums if projected.days else None))
    columns = [
        Column("budget"),
        Column("limit", Kind.MONEY),
        Column("spent", Kind.MONEY),
        Column("used", Kind.SHARE),
        Column("left", Kind.MONEY),
        Column("projected", Kind.MONEY),
        Column("state"),
    ]
    note = (
        f"{_billed_days(projected.days, projected.reached, period)}; {cost_note({key[-1] for key in projected.sums})}"
    )
    nobodys = sum(amounts[0] for group, amounts in projected.sums.items() if group[0] is NOT_GROUPED)
    if nobodys and budgets.workspaces:
        note += f"; {dollars(nobodys)} of days that were not grouped by workspace count for the total alone"
    return Table(columns, rows, note, passed=any(row[-1] == "passed" for row in rows))


def _called(wanted: str, names: Mapping[str, Sequence[str | None]]) -> set[str | None]:
    """Give the ids that a budget is of: the one it says, else of who has that name, else of who ever had it."""
    if wanted == NULL_LABELS["workspace_id"]:
        return {None}
    found = (
        {wanted} & names.keys()
        or {one for one, had in names.items() if had[-1] == wanted}
        or {one for one, had in names.items() if wanted in had}
    )
    if not found:
        raise ConfigurationError(
            f"there is a budget of {wanted!r}, and no workspace has or had that name",
            hint=f"in [budgets.workspaces], write a name, an id, or '{NULL_LABELS['workspace_id']}'",
        )
    return {*found}


def _against(name: str, limit: Decimal, amounts: Sequence[int] | None) -> tuple[Any, ...]:
    most = int(limit * _MICROCENTS_A_DOLLAR)
    if amounts is None:
        return name, most, None, None, None, None, "not archived"
    spent, projected = amounts
    state = "passed" if spent > most else "will be passed" if projected > most else "kept"
    return name, most, spent, round(spent / most, 4) if most else None, most - spent, projected, state


def today_in(path: Path, today: date, as_of: int | None = None) -> date:
    """Give the day that a report without a month speaks of: today, or the last billed day where that is earlier.

    Both are as they were at the time that is looked back to.
    """
    if as_of is not None:
        today = min(today, datetime.fromtimestamp(as_of, UTC).date())
    _, last = read_billed_days(path, Period(date(2000, 1, 1), today + timedelta(days=1)), as_of)
    return last or today
