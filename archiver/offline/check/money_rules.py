"""The rules `jump` and `new`, about the cost of a day.

A day is whole if it was read after it had ended. The subject of a signal is the organisation, which has the kind
`total`, or a workspace, model or API key, which has its dimension as the kind.
"""

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

_WEEK = timedelta(days=7)
_WEEKS = 8  # the weeks before a day, with which the day is compared by weekday
_LEAST_WEEKS = 4  # fewer weeks are not enough to know the usual cost
_USUAL_DAYS = 28  # the days before, which the usual cost of the organisation is taken from
_LEAST_AMOUNT = Decimal(10)  # in dollars
_LINES = 3  # the most parts that a finding lists
_Subject = tuple[str, str | None, str]
"""A kind (`total` or a dimension), its id or value (None for an API null and for the total), and a currency."""


def jumps(watch: Watch) -> Iterator[Signal]:
    """Yield the days that cost much more than the same weekdays before.

    A whole day is compared with the median of the same weekday in the eight weeks before, of which at least four have
    to be archived whole. Credits are left out on both sides.
    """
    first = watch.period.since - _WEEK * _WEEKS
    read = read_daily_money(
        watch.reader, watch.request, ("workspace", "model"), lambda day: first <= day < watch.period.until
    )
    whole_days = {day.date for day in read.days if day.is_whole}
    subjects = _subjects(read.groups, watch.settings.jump.by)
    shared = _shared_names(read.groups, watch.settings.jump.by)
    currencies = {group.values["currency"] for group in read.groups}
    totals = {
        currency: _by_day([group for group in read.groups if group.values["currency"] == currency])
        for currency in currencies
    }
    for identity, groups in subjects.items():
        kind, _, currency = identity
        amounts = _by_day(groups)
        factor = watch.settings.jump.total_factor if kind == "total" else watch.settings.jump.factor
        for day in sorted(whole_days):
            before = [past for past in (day - _WEEK * weeks for weeks in range(1, _WEEKS + 1)) if past in whole_days]
            if not watch.has(day) or len(before) < _LEAST_WEEKS:
                continue
            usual = median([amounts.get(past, 0) for past in before])
            increase = amounts.get(day, 0) - usual
            # A subject that began in the last four weeks has a median of zero. It is new, so its cost is not a jump.
            is_old = usual > 0 or any(amount for past, amount in amounts.items() if past < day - _WEEK * _LEAST_WEEKS)
            if not is_old or increase < _least_increase(watch, totals[currency], whole_days, day):
                continue
            if amounts[day] >= factor * usual:
                name = _name(kind, groups[0], shared)
                times = f"{amounts[day] / usual:.1f} times the usual" if usual else "and usually"
                text = (
                    f"{name} cost {dollars(amounts[day], currency)} on {day}, {times} {to_rounded(usual, 'usd')} "
                    f"(median of {len(before)} {day:%A}s)"
                )
                lines = _lines(kind, groups, day, before)
                yield Signal("jump", name, identity, day, text, lines, currency, amounts[day], usual)


def _subjects(groups: Sequence[DailyAmounts], kinds: Sequence[str]) -> dict[_Subject, list[DailyAmounts]]:
    """Return the groups of each subject."""
    found: dict[_Subject, list[DailyAmounts]] = defaultdict(list)
    for group in groups:
        for kind in kinds:
            value = None if kind == "total" else group.values[BY_NAME[kind].column]
            # A label stands for cost that is not grouped by the dimension: it belongs to no subject of this kind.
            if not isinstance(value, Label):
                found[kind, value, group.values["currency"]].append(group)
    return found


def _by_day(groups: Sequence[DailyAmounts]) -> dict[date, int]:
    """Return the amounts of groups by day, without credits."""
    amounts: dict[date, int] = defaultdict(int)
    for group in groups:
        for day in group.amounts:
            amounts[day] += group.without_credits(day)
    return amounts


def _least_increase(watch: Watch, total: dict[date, int], whole_days: set[date], day: date) -> int:
    """Return the least increase that counts as a jump, in 1e-18 cents.

    It is the configured amount, or else 10 % of the organisation's usual cost of a day, and at least 10 dollars.
    """
    if watch.settings.jump.amount is not None:
        return from_dollars(watch.settings.jump.amount)
    days = [past for past in whole_days if day - timedelta(days=_USUAL_DAYS) <= past < day]
    usual = median([total.get(past, 0) for past in days]) if days else 0
    return max(from_dollars(_LEAST_AMOUNT), usual // 10)


def _shared_names(groups: Sequence[DailyAmounts], kinds: Sequence[str]) -> set[str]:
    """Return the names that several ids share."""
    ids: dict[str, set[Any]] = defaultdict(set)
    for kind in kinds:
        for group in groups:
            if kind != "total":
                ids[_name(kind, group)].add(group.values[BY_NAME[kind].column])
    return {name for name, ids_of_name in ids.items() if len(ids_of_name) > 1}


def _name(kind: str, group: DailyAmounts, shared: Collection[str] = ()) -> str:
    """Return the name of a subject, with its id if the name is in `shared`."""
    if kind == "total":
        return "the organisation"
    name = f"{kind.replace('_', ' ')} {_value(kind, group.values)}"
    identity = group.values[BY_NAME[kind].column]
    return f"{name} ({identity})" if name in shared and identity is not None else name


def _value(name: str, values: Mapping[str, Any]) -> str:
    """Return the label of a row's value in a dimension, as text."""
    dimension = BY_NAME[name]
    value = values[dimension.label_column or dimension.column]
    return dimension.null_label if value is None else str(value)


def _lines(kind: str, groups: Sequence[DailyAmounts], day: date, before: Sequence[date]) -> tuple[str, ...]:
    """Return the parts of a subject that differ most from their usual cost.

    The usual cost is the mean over the days `before`. Parts are by workspace and model, without the
    dimension of the subject itself.
    """
    others = [name for name in ("workspace", "model") if name != kind]
    changes: dict[str, int] = defaultdict(int)
    for group in groups:
        name = ", ".join(f"{other} {_value(other, group.values)}" for other in others)
        mean = sum(group.without_credits(past) for past in before) // len(before)
        changes[name] += group.without_credits(day) - mean
    largest = sorted(changes.items(), key=lambda item: (-abs(item[1]), item[0]))[:_LINES]
    return tuple(f"{name} {'+' if change > 0 else ''}{to_rounded(change, 'usd')}" for name, change in largest if change)


def new_subjects(watch: Watch) -> Iterator[Signal]:
    """Yield the first day on which a new key, model or workspace costs enough.

    Each is new if the archive has no row for it before the watched days. The settings have the least cost of such a
    day, and the number of days that have to be archived by this dimension before the first cost. For keys, rows and
    days are those of the usage report, because the cost report has no keys.
    """
    for dimension in watch.settings.new.by:
        read = read_daily_money(watch.reader, watch.request, (dimension,), watch.has)
        column = BY_NAME[dimension].column
        grouped = _grouped_days(watch, dimension)
        dates = {day.date for day in grouped}  # a set, because a day can have several series
        before = [day for day in grouped if day.date < watch.period.since]
        report = Report.USAGE if dimension == "api_key" else Report.COST
        old_values = {line.values[column] for line in watch.reader.lines(report, (dimension,), before)}
        shared = _shared_names(read.groups, (dimension,))
        for group in read.groups:
            value = group.values[column]
            # None and labels, such as the default workspace and `(not allocated)`, are never new.
            if value is None or isinstance(value, Label) or value in old_values:
                continue
            least = from_dollars(watch.settings.new.amount)
            days = sorted(day for day, amount in group.amounts.items() if amount > 0)
            reached = next((day for day in days if group.amounts[day] >= least), None)
            if reached is None or sum(day < days[0] for day in dates) < watch.settings.new.after_days:
                continue
            name, currency = _name(dimension, group, shared), group.values["currency"]
            amount = int(group.amounts[reached])
            first = "" if reached == days[0] else f", first on {days[0]}"
            text = f"{name} is new: {dollars(amount, currency)} on {reached}{first}"
            yield Signal("new", name, (dimension, value, currency), reached, text, (), currency, amount, 0)


def _grouped_days(watch: Watch, dimension: str) -> list[Day]:
    """Return the days that are grouped by a dimension.

    They are days of usage for API keys, and days of cost for other dimensions.
    """
    column, until = BY_NAME[dimension].column, f"{watch.period.until}"
    report = Report.USAGE if dimension == "api_key" else Report.COST
    # All series with usage by key count, and not only the one that reports use. They can be read only as they are now.
    if dimension == "api_key" and watch.request.as_of is None:
        days = watch.reader.grouped_days(report, column, None, until)
    else:
        days = watch.reader.days(report, None, until)
    return [day for day in days if not missing_columns(report, (column,), day.group_by)]
