"""Billed money shared out to API keys by their tokens, to the last digit."""

from __future__ import annotations

from collections import defaultdict
from functools import cache
from operator import add, itemgetter
from typing import TYPE_CHECKING, Any, TypeVar

from archiver.offline.reports.allocation import allocate
from archiver.offline.reports.breakdowns import COUNT_OF, WEB_SEARCHES, Question, columns_of, cost_note, money_table
from archiver.offline.tables.sparkline import Known, Slots, Trends
from archiver.store.read.daily_sums import NOT_GROUPED, Label, Line, labelled, not_grouped
from archiver.store.read.reads import read_use_and_money

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from archiver.offline.tables.table import Table
    from archiver.store.read.daily_sums import Day, Sums
    from archiver.store.read.reads import UseAndMoney

T = TypeVar("T")

NOT_ALLOCATED = Label("(not allocated)")
_BILLED = ("workspace_id", "model", "service_tier", "context_window", "token_type", "cost_type", "currency")
_USED = ("workspace_id", "model", "service_tier", "context_window", "api_key_id")
_KIND = 4  # so many of these columns say what kind of use it is

_Use = dict[tuple[Any, ...], list[tuple[Any, "Sequence[int]"]]]
"""The counts of each key by kind of use, of one day."""
_Bill = tuple[tuple[Any, ...], int | None, Any, Any]
"""What a line of money is for: kind of use, which of its counts (None: no use explains it), workspace, currency."""
_Amounts = dict[tuple[Any, Any, Any], int]
"""Money by workspace, key and currency; None for what is not asked for."""


def keys(path: Path, asked: Question) -> Table:
    """Share billed money out to API keys by their tokens of the same day, workspace, model, tier, window and type."""
    asked = asked.checked(("day", "month", "workspace", "api_key"), ("api_key",))
    both = read_use_and_money(path, _USED, _BILLED, asked.since, asked.until, asked.as_of)
    monthly = "month" in asked.by
    slots = (
        Slots.over(both.billed_days, asked.since, asked.until, monthly=monthly)
        if asked.trends and "day" not in asked.by
        else None
    )
    lines = _lines(both, asked.by, slots.of if slots else None)
    names = [*columns_of(asked.by), "currency"]
    trends = Trends()
    if slots is not None:
        known = Known(_known_days(both, asked.by), slots)
        trends = Trends(known, itemgetter(0), names.index("month") if monthly else None)
    note = cost_note({line.group[-1] for line in lines})
    note = f"allocated: billed money shared out by tokens of the same kind; {note}"
    return trends.beside(*money_table(names, lines, note, asked.top, ranked=True), lines)


def _lines(both: UseAndMoney, by: Sequence[str], slot_of: Callable[[Day], int] | None) -> list[Line]:
    """Add up the shares of all days by what is asked for, and put names to them."""
    lines: dict[tuple[Any, ...], Line] = {}
    for day, amounts in _shares(both, by):
        when = (f"{day.date}" if "day" in by else None, f"{day.date:%Y-%m}" if "month" in by else None)
        slot = slot_of(day) if slot_of else None
        for whose, amount in amounts.items():
            line = lines.get((*when, *whose))
            if line is None:
                line = lines[*when, *whose] = Line((*when, *whose), [0], 0, _missing(*whose))
            line.add(slot, day.start, [amount])
    for line in lines.values():
        date, month, workspace, key, currency = line.group
        names = {
            "day": (date,),
            "month": (month,),
            "workspace": (workspace, both.name_at("workspace", workspace, line.last_day)),
            "api_key": (key, both.name_at("api_key", key, line.last_day)),
        }
        line.group = (*(value for one in by for value in names[one]), currency)
    return list(lines.values())


def _missing(workspace: str | None, key: str | None, _currency: str) -> frozenset[str]:
    """Tell lines apart that belong to different days: see `_known_days`."""
    return frozenset(one for one in (workspace, key) if one is NOT_GROUPED or one is NOT_ALLOCATED)


def _shares(both: UseAndMoney, by: Sequence[str]) -> Iterator[tuple[Day, _Amounts]]:
    """Share out the money of each day that has any."""
    uses = {day.start: use for day, use in _used_by_day(both.used)}
    bills_of = _by_grouping("cost", _BILLED, both.billed, _bill)
    for day, rows in _by_day(both.billed):
        billed: dict[int, int] = defaultdict(int)
        for _, line, _, amount in rows:
            billed[line] += amount
        amounts: _Amounts = defaultdict(int)
        use, bills = _DayOfUse(uses.get(day.start, {})), bills_of(day)
        for line, amount in billed.items():
            kind, count, workspace, currency = bills[line]
            whose = workspace if "workspace" in by else None
            if "api_key" not in by:
                amounts[whose, None, currency] += amount
                continue
            for key, share in use.share(amount, kind, count):
                amounts[whose, key, currency] += share
        yield day, amounts


def _by_day(sums: Sums) -> Iterator[tuple[Day, list[tuple[int, ...]]]]:
    parts: dict[int, list[tuple[int, ...]]] = defaultdict(list)
    for row in sums.rows:
        parts[row[0]].append(row)
    for part, rows in parts.items():
        yield sums.parts[part], rows


def _by_grouping(
    report: str, columns: Sequence[str], sums: Sums, make: Callable[[tuple[Any, ...]], T]
) -> Callable[[Day], list[T]]:
    """Make something of every line of sums, once for each way that days were grouped."""

    @cache
    def made(missing: frozenset[str]) -> list[T]:
        return [make(labelled(columns, values, missing)) for values in sums.lines]

    return lambda day: made(not_grouped(report, columns, day))


def _bill(values: tuple[Any, ...]) -> _Bill:
    *kind, token_type, cost_type, currency = values
    count = {"tokens": COUNT_OF.get(token_type), "web_search": WEB_SEARCHES}.get(cost_type)
    return tuple(kind), count, kind[0], currency


def _used_by_day(used: Sums) -> Iterator[tuple[Day, _Use]]:
    kinds_of = _by_grouping("usage", _USED, used, lambda values: (values[:_KIND], values[_KIND]))
    for day, rows in _by_day(used):
        lines: dict[int, Sequence[int]] = {}
        for _, line, _, *counts in rows:
            lines[line] = list(map(add, lines[line], counts)) if line in lines else counts
        kinds, use = kinds_of(day), defaultdict(list)
        for line, sums in lines.items():
            kind, key = kinds[line]
            use[kind].append((key, sums))
        yield day, use


class _DayOfUse:
    """Who used what on one day."""

    def __init__(self, use: _Use) -> None:
        self._use = use
        self._searches: dict[Any, dict[Any, int]] | None = None

    def share(self, amount: int, kind: tuple[Any, ...], count: int | None) -> Iterable[tuple[Any, int]]:
        """Share an amount by a count of a kind of use; web searches by those of the whole workspace."""
        if count is None:
            return ((NOT_ALLOCATED, amount),)
        if count == WEB_SEARCHES:
            weights = self._searches_of(kind[0])
        else:
            found = self._use.get(kind, ())
            if len(found) == 1 and found[0][1][count]:
                return ((found[0][0], amount),)
            weights = {key: counts[count] for key, counts in found}
        return allocate(amount, weights).items() or ((NOT_ALLOCATED, amount),)

    def _searches_of(self, workspace: Any) -> dict[Any, int]:
        if self._searches is None:
            self._searches = defaultdict(lambda: defaultdict(int))
            for kind, uses in self._use.items():
                for key, counts in uses:
                    self._searches[kind[0]][key] += counts[WEB_SEARCHES]
        return self._searches.get(workspace, {})


def _known_days(both: UseAndMoney, by: Sequence[str]) -> Iterator[tuple[Day, frozenset[str]]]:
    """List the days that are archived, once for each kind of line that they can have: see `_missing`."""
    asked = {day.start: "api_key_id" in day.asked for day in both.used_days}
    for day in both.billed_days:
        missing = {NOT_GROUPED} if "workspace" in by and not_grouped("cost", ["workspace_id"], day) else set()
        if "api_key" not in by:
            yield day, frozenset(missing)
            continue
        yield day, frozenset({*missing, NOT_ALLOCATED})
        if day.start in asked:
            yield day, frozenset(missing if asked[day.start] else {*missing, NOT_GROUPED})
