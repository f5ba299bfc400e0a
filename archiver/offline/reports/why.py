"""`report why`: what a change of cost is made of."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from archiver.model import Report
from archiver.offline.periods import Period
from archiver.offline.reports.daily_money import read_daily_amounts, read_daily_money
from archiver.offline.reports.drivers import DRIVERS, Used, drivers
from archiver.offline.reports.expected import Baseline, baseline, divided, rounded
from archiver.offline.reports.known_days import KnownDays, count
from archiver.offline.reports.priced_days import has_all, read_used
from archiver.offline.reports.request import COST_NOTE, select_of, within
from archiver.offline.tables.money import Estimate, to_rounded
from archiver.offline.tables.table import Column, Table, money, plain
from archiver.offline.tables.table import Kind as ColumnKind
from archiver.reports.dimensions import BY_NAME, Label

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from archiver.offline.reports.daily_money import DailyMoney
    from archiver.offline.reports.request import ReportRequest
    from archiver.offline.tables.table import Row
    from archiver.reports.dimensions import Dimension
    from archiver.store.read.daily_sums import Day
    from archiver.store.read.reader import ArchiveReader

_DRIVER = "driver"
_DIMENSIONS = ("team", "workspace", "api_key", "person", "model", "token_type")
PARTS = (*_DIMENSIONS, _DRIVER)
"""The words of `--by`: the ways that a change is broken down."""
_TOP = 5
_COLUMNS = (
    *plain("part", "value"),
    Column("id", is_optional=True),
    *plain("currency"),
    *money("expected", "now", "change"),
    Column("share", ColumnKind.SHARE),
)
_NO_DRIVERS = "no drivers: usage and cost of these days are not both archived whole by model, tier and context window"
_NOT_OF_THE_REPORT = "(not in this report)"
_NOTE = (
    "drivers: volume, more or fewer tokens; mix, other models or longer output; cache, another part of the input from "
    "the cache; price, another price of the same tokens, also by region or speed; other, cost that is not of tokens"
)


@dataclass(frozen=True, slots=True)
class _Change:
    """A part of the change, in 1e-18 cents; a driver has a change alone."""

    part: str
    value: Any
    id: str | None
    expected: int | None
    now: int | None
    change: int


def why(reader: ArchiveReader, request: ReportRequest) -> Table:
    """Return the change of cost against what was expected, and its parts.

    A day is compared with the mean of its weekday in the four weeks before, a longer period with the one before over
    the same days. Without a period it is the last day that is archived whole. The parts of each way to break the change
    down add up to it exactly; what a report does not have is a part of its own.
    """
    of_cost = reader.days(Report.COST)
    whole = {day.date for day in of_cost if day.is_whole}
    last = max(whole, default=request.today)
    period = request.period or Period(last, last + timedelta(days=1))
    selected = select_of(of_cost, "cost", within(request, period))
    if selected.known is None:
        return selected.unknown()
    known = KnownDays.of(period, selected.days)
    compared = baseline(period, whole)
    if compared is None:
        why_not = f"{period} is not archived whole" if not known.whole else "no day to compare with is archived"
        return Table([], [], notes=(f"{why_not}: nothing is known of a change",), is_known=False)
    wanted = frozenset((*compared.now, *compared.then))
    days = [day for day in of_cost if day.date in wanted]
    available = [one for one in PARTS if one != "team" or request.teams is not None]
    parts = [one for one in PARTS if one in (request.by or available)]
    read = {
        one: read_daily_money(reader, request, (one,), lambda day: day in wanted) for one in parts if one != _DRIVER
    }
    totals = _totals(reader, compared, days)
    rows: list[Row] = []
    sentences: list[str] = []
    for currency, total in totals.items():
        found = [_by_dimension(read[one], compared, one, currency, total) for one in parts if one != _DRIVER]
        driven = _by_driver(reader, compared, days, currency, total) if _DRIVER in parts else []
        changes = [*found, driven]
        sentences += _sentences(period, compared, currency, total, changes)
        for one in ([total], *changes):
            rows += [_row(change, currency, total.change) for change in _top(one, request.top or _TOP)]
    has_drivers = _DRIVER not in parts or any(row["part"] == _DRIVER for row in rows)
    left_out = [one.replace("_", " ") for one in read if not _is_known(read[one], one, wanted)]
    return Table(_COLUMNS, rows, period=known.title(), sentences=sentences).noting(
        known.sentence(),
        f"no parts by {', '.join(left_out)}: not all of these days are archived whole by it" if left_out else "",
        _NOTE if has_drivers else _NO_DRIVERS,
        COST_NOTE,
    )


def _totals(reader: ArchiveReader, compared: Baseline, days: Sequence[Day]) -> dict[str, _Change]:
    """Return the whole change of each currency."""
    changes: dict[str, _Change] = {}
    for group in read_daily_amounts(reader, (), days):
        expected, now = group.total(compared.then) // compared.divisor, group.total(compared.now)
        changes[group.values["currency"]] = _Change("total", None, None, expected, now, now - expected)
    in_order = sorted(changes.items(), key=lambda one: (one[0] != "USD", one[0]))
    return dict(in_order) or {"USD": _Change("total", None, None, 0, 0, 0)}


def _by_dimension(read: DailyMoney, compared: Baseline, name: str, currency: str, total: _Change) -> list[_Change]:
    """Return the parts of a change by one dimension, the largest first; empty if it is not archived."""
    wanted = frozenset((*compared.now, *compared.then))
    if not _is_known(read, name, wanted):
        return []
    groups = [one for one in read.groups if one.values["currency"] == currency]
    dimension = BY_NAME.get(name)
    column = dimension.column if dimension else name
    # A group is known by its place, as ids may be null.
    expected = divided({i: int(one.total(compared.then)) for i, one in enumerate(groups)}, compared.divisor)
    changes = []
    for i, one in enumerate(groups):
        now = int(one.total(compared.now))
        # Shares of keys may be estimates, which are written to the cent.
        amount = Estimate if one.is_estimate else int
        amounts = map(amount, (expected[i], now, now - expected[i]))
        changes.append(_Change(name, *_named(one.values, column, dimension), *amounts))
    changes.sort(key=lambda one: (-abs(one.change), one.value, one.id or ""))
    return _balanced(name, changes, total)


def _is_known(read: DailyMoney, name: str, wanted: frozenset[date]) -> bool:
    """Return whether all days are archived whole by a dimension."""
    whole = {day.date for day in read.days if day.is_whole}
    # Rules of teams also match by what a day does not have, so a day of no team is known.
    return wanted <= whole and (name == "team" or wanted <= read.grouped)


def _named(values: Row, column: str, dimension: Dimension | None) -> tuple[str, str | None]:
    """Return the name of a part, and its id if it has one."""
    value = values[column]
    if dimension is None or value is None or dimension.label_column is None:
        return str(value) if value is not None or dimension is None else dimension.null_label, None
    return str(values[dimension.label_column]), value if isinstance(value, str) else None


def _balanced(name: str, changes: list[_Change], total: _Change) -> list[_Change]:
    """Add what the total has and the parts have not, such as credits, which the analytics report lacks."""
    assert total.expected is not None
    assert total.now is not None
    expected = total.expected - sum(one.expected or 0 for one in changes)
    now = total.now - sum(one.now or 0 for one in changes)
    return (
        [*changes, _Change(name, _NOT_OF_THE_REPORT, None, expected, now, now - expected)]
        if expected or now
        else changes
    )


def _by_driver(
    reader: ArchiveReader, compared: Baseline, billed: Sequence[Day], currency: str, total: _Change
) -> list[_Change]:
    """Return the change by driver; empty if usage or cost is not archived by all that a price depends on."""
    wanted = {*compared.now, *compared.then}
    days = {Report.USAGE: [day for day in reader.days(Report.USAGE) if day.date in wanted], Report.COST: billed}
    for report, mine in days.items():
        if {day.date for day in mine if day.is_whole} != wanted or not all(has_all(report, day) for day in mine):
            return []
    sides = []
    for side in (compared.then, compared.now):
        used, cost = ([day for day in mine if day.date in side] for mine in days.values())
        sides.append(read_used(reader, used, cost, currency))
    _divide(sides[0], compared.divisor)
    parts = rounded(drivers(*sides), total.change)
    return [
        _Change(_DRIVER, name, None, None, None, parts[name])
        for name in sorted(DRIVERS, key=lambda one: -abs(parts[one]))
    ]


def _divide(used: Used, divisor: int) -> None:
    used.tokens = defaultdict(Fraction, {kind: tokens / divisor for kind, tokens in used.tokens.items()})
    used.amounts = defaultdict(Fraction, {kind: amount / divisor for kind, amount in used.amounts.items()})
    used.other /= divisor


def _top(changes: Sequence[_Change], top: int) -> list[_Change]:
    """Fold the parts beyond the largest into one; drivers are few and stay."""
    rest = changes[top:]
    if len(rest) < 2 or changes[0].part == _DRIVER:  # noqa: PLR2004  # one part needs no word for several
        return [*changes]
    expected, now = (sum(getattr(one, name) for one in rest) for name in ("expected", "now"))
    return [*changes[:top], _Change(changes[0].part, str(Label.OTHERS), None, expected, now, now - expected)]


def _row(one: _Change, currency: str, whole: int) -> Row:
    return {
        "part": one.part,
        "value": one.value,
        "id": one.id,
        "currency": currency,
        "expected": one.expected,
        "now": one.now,
        "change": one.change,
        "share": one.change / whole if whole else None,
    }


def _sentences(
    period: Period, compared: Baseline, currency: str, total: _Change, changes: Sequence[Sequence[_Change]]
) -> list[str]:
    assert total.expected is not None
    assert total.now is not None
    now, expected, change = (to_rounded(one, "usd") for one in (total.now, total.expected, abs(total.change)))
    # Of a period that is compared in part, the amount is of these days alone.
    number = len(compared.now)
    subject = f"{period}" if number == period.days else f"{count(number, 'day')} of {period}"
    ratio = f", {abs(total.change) / total.expected:.1%}," if total.expected > 0 else ""
    direction = "more" if total.change > 0 else "less"
    first = f"{subject} cost {now} {currency}: {change}{ratio} {direction} than {compared.words}, {expected}."
    if not total.change:
        first = f"{subject} cost {now} {currency}, as much as {compared.words}."
    sentences = [first]
    if not total.change:
        return sentences
    largest_of = [max(one, key=lambda part: abs(part.change)) for one in changes if one and one[0].part != _DRIVER]
    named = [one for one in largest_of if one.change]
    if named:
        largest = "; ".join(f"{one.part.replace('_', ' ')} {one.value} {_signed(one.change)}" for one in named)
        sentences.append(f"The largest changes: {largest}.")
    driven = [one for one in changes[-1] if one.part == _DRIVER and one.change] if changes else []
    if driven:
        sentences.append(f"What drove it: {'; '.join(f'{one.value} {_signed(one.change)}' for one in driven)}.")
    return sentences


def _signed(amount: int) -> str:
    return f"{'+' if amount > 0 else ''}{to_rounded(amount, 'usd')}"
