"""The rules `jump` and `new`, about the cost of a day."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from archiver.model import Report
from archiver.offline.check.findings import Signal
from archiver.offline.check.watch import dollars, median
from archiver.offline.reports.daily_money import read_daily_money
from archiver.offline.tables.money import from_dollars, to_rounded
from archiver.reports.dimensions import BY_NAME, Label, missing_columns

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from archiver.offline.check.watch import Watch
    from archiver.offline.reports.daily_money import DailyAmounts
    from archiver.store.read.daily_sums import Day

_WEEKS = 8
_LEAST_WEEKS = 4
_WEEK = timedelta(days=7)
_USUAL_DAYS = 28
_LEAST_AMOUNT = Decimal(10)
_LINES = 3
_Subject = tuple[str, str | None, str]
"""A word, the id or value that it has (None for an API null, and for the total), and a currency."""


def jumps(watch: Watch) -> Iterator[Signal]:
    """Yield the days that cost much more than the same weekdays before.

    They are compared with the median of eight weeks. Credits count for neither. At least four of these weekdays have to
    be archived.
    """
    first = watch.period.since - _WEEK * _WEEKS
    read = read_daily_money(
        watch.reader, watch.request, ("workspace", "model"), lambda day: first <= day < watch.period.until
    )
    whole = {day.date for day in read.days if day.is_whole}
    subjects = _subjects(read.groups, watch.settings.jump.by)
    shared = _shared_names(read.groups, watch.settings.jump.by)
    currencies = {group.values["currency"] for group in read.groups}
    totals = {one: _by_day([group for group in read.groups if group.values["currency"] == one]) for one in currencies}
    for identity, groups in subjects.items():
        word, _, currency = identity
        amounts = _by_day(groups)
        factor = watch.settings.jump.total_factor if word == "total" else watch.settings.jump.factor
        for day in sorted(whole):
            before = [one for one in (day - _WEEK * n for n in range(1, _WEEKS + 1)) if one in whole]
            if not watch.has(day) or len(before) < _LEAST_WEEKS:
                continue
            usual = median([amounts.get(one, 0) for one in before])
            more = amounts.get(day, 0) - usual
            # What began in the last four weeks is new, and usually nothing: that is no jump.
            is_old = usual > 0 or any(amount for one, amount in amounts.items() if one < day - _WEEK * _LEAST_WEEKS)
            if not is_old or more < _least(watch, totals[currency], whole, day):
                continue
            if amounts[day] >= factor * usual:
                name = _name(word, groups[0], shared)
                times = f"{amounts[day] / usual:.1f} times the usual" if usual else "and usually"
                text = (
                    f"{name} cost {dollars(amounts[day], currency)} on {day}, {times} {to_rounded(usual, 'usd')} "
                    f"(median of {len(before)} {day:%A}s)"
                )
                lines = _lines(word, groups, day, before)
                yield Signal("jump", name, identity, day, text, lines, currency, amounts[day], usual)


def _subjects(groups: Sequence[DailyAmounts], words: Sequence[str]) -> dict[_Subject, list[DailyAmounts]]:
    found: dict[_Subject, list[DailyAmounts]] = defaultdict(list)
    for group in groups:
        for word in words:
            value = None if word == "total" else group.values[BY_NAME[word].column]
            if not isinstance(value, Label):  # days that are not grouped by it say nothing about it
                found[word, value, group.values["currency"]].append(group)
    return found


def _by_day(groups: Sequence[DailyAmounts]) -> dict[date, int]:
    """Return the amounts of groups without credits, by day."""
    amounts: dict[date, int] = defaultdict(int)
    for group in groups:
        for day in group.amounts:
            amounts[day] += group.without_credits(day)
    return amounts


def _least(watch: Watch, total: dict[date, int], whole: set[date], day: date) -> int:
    """Return the least amount that a jump has to have, by the usual total of a day."""
    if watch.settings.jump.amount is not None:
        return from_dollars(watch.settings.jump.amount)
    days = [one for one in whole if day - timedelta(days=_USUAL_DAYS) <= one < day]
    usual = median([total.get(one, 0) for one in days]) if days else 0
    return max(from_dollars(_LEAST_AMOUNT), usual // 10)


def _shared_names(groups: Sequence[DailyAmounts], words: Sequence[str]) -> set[str]:
    """Return the names that several ids have."""
    ids: dict[str, set[Any]] = defaultdict(set)
    for word in words:
        for group in groups:
            if word != "total":
                ids[_name(word, group)].add(group.values[BY_NAME[word].column])
    return {name for name, mine in ids.items() if len(mine) > 1}


def _name(word: str, group: DailyAmounts, shared: Collection[str] = ()) -> str:
    """Return the name of a subject, with its id if others have the same name."""
    if word == "total":
        return "the organisation"
    name = f"{word.replace('_', ' ')} {_value(word, group.values)}"
    identity = group.values[BY_NAME[word].column]
    return f"{name} ({identity})" if name in shared and identity is not None else name


def _value(word: str, values: Mapping[str, Any]) -> str:
    dimension = BY_NAME[word]
    value = values[dimension.label_column or dimension.column]
    return dimension.null_label if value is None else str(value)


def _lines(word: str, groups: Sequence[DailyAmounts], day: date, before: Sequence[date]) -> tuple[str, ...]:
    """Return the parts that changed most against their mean of the same weekdays."""
    others = [one for one in ("workspace", "model") if one != word]
    changes: dict[str, int] = defaultdict(int)
    for group in groups:
        name = ", ".join(f"{one} {_value(one, group.values)}" for one in others)
        mean = sum(group.without_credits(one) for one in before) // len(before)
        changes[name] += group.without_credits(day) - mean
    largest = sorted(changes.items(), key=lambda one: (-abs(one[1]), one[0]))[:_LINES]
    return tuple(f"{name} {'+' if change > 0 else ''}{to_rounded(change, 'usd')}" for name, change in largest if change)


def new_subjects(watch: Watch) -> Iterator[Signal]:
    """Yield the first days with much cost of what is new.

    A key, model or workspace is new if nothing of it is archived before the days that are looked at, and enough days
    are archived by its dimension. For keys that is their usage: cost that is allocated to no key is of none.
    """
    for word in watch.settings.new.by:
        read = read_daily_money(watch.reader, watch.request, (word,), watch.has)
        column = BY_NAME[word].column
        grouped = _grouped_days(watch, word)
        dates = {day.date for day in grouped}  # a day can have several series
        before = [day for day in grouped if day.date < watch.period.since]
        report = Report.USAGE if word == "api_key" else Report.COST
        known = {line.values[column] for line in watch.reader.lines(report, (word,), before)}
        shared = _shared_names(read.groups, (word,))
        for group in read.groups:
            value = group.values[column]
            if value is None or isinstance(value, Label) or value in known:
                continue
            least = from_dollars(watch.settings.new.amount)
            days = sorted(day for day, amount in group.amounts.items() if amount > 0)
            reached = next((day for day in days if group.amounts[day] >= least), None)
            if reached is None or sum(day < days[0] for day in dates) < watch.settings.new.after_days:
                continue
            name, currency, amount = _name(word, group, shared), group.values["currency"], int(group.amounts[reached])
            first = "" if reached == days[0] else f", first on {days[0]}"
            text = f"{name} is new: {dollars(amount, currency)} on {reached}{first}"
            yield Signal("new", name, (word, value, currency), reached, text, (), currency, amount, 0)


def _grouped_days(watch: Watch, word: str) -> list[Day]:
    """Return the days of usage or cost that tell the values of a word apart."""
    column, until = BY_NAME[word].column, f"{watch.period.until}"
    if word == "api_key" and watch.request.as_of is None:
        days = watch.reader.grouped_days(Report.USAGE, column, None, until)
    else:
        days = watch.reader.days(Report.USAGE if word == "api_key" else Report.COST, None, until)
    report = Report.USAGE if word == "api_key" else Report.COST
    return [day for day in days if not missing_columns(report, (column,), day.group_by)]
