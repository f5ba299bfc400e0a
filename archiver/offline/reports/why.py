"""`report why`: break a change of cost down into its parts.

A day is whole if it was read after it had ended.
"""

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
"""The values of `--by`: a change is broken down by each dimension by itself, and by driver."""
_TOP = 5  # the parts that are shown by default for each dimension
_COLUMNS = (
    *plain("part", "value"),
    Column("id", is_optional=True),
    *plain("currency"),
    *money("expected", "now", "change"),
    Column("share", ColumnKind.SHARE),
)
_NO_DRIVERS = "no drivers: usage and cost of these days are not both archived whole by model, tier and context window"
_NOT_IN_THE_REPORT = "(not in this report)"
_NOTE = (
    "drivers: volume, more or fewer tokens; mix, other models or longer output; cache, more or less input from the "
    "cache; price, other prices of the same tokens, also by region or speed; other, cost for anything but tokens"
)


@dataclass(frozen=True, slots=True)
class _Change:
    """A part of the change, or all of it; amounts are in 1e-18 cents.

    Attributes:
        part: The dimension, `driver`, or `total` for all of the change.
        value: The name of the value in the dimension, or of the driver; None for `total`.
        id: The id of the value; None if it has none.
        expected: The expected amount; None for a driver, which has only a change.
        now: The amount of the period; None for a driver.
    """

    part: str
    value: Any
    id: str | None
    expected: int | None
    now: int | None
    change: int


def why(reader: ArchiveReader, request: ReportRequest) -> Table:
    """Return the change of cost against the expected cost, and its parts.

    A day is compared with the mean of its weekday in the four weeks before, and a longer period with the period before,
    over the same days. Without a period, it is the last day that is archived whole. The parts by each dimension, and
    the parts by driver, add up exactly to the change. Cost that the report with this dimension does not have is the
    part `(not in this report)`.
    """
    cost_days = reader.days(Report.COST)
    whole_days = {day.date for day in cost_days if day.is_whole}
    last = max(whole_days, default=request.today)
    period = request.period or Period(last, last + timedelta(days=1))
    selected = select_of(cost_days, "cost", within(request, period))
    if selected.known is None:
        return selected.unknown()
    known = KnownDays.of(period, selected.days)
    compared = baseline(period, whole_days)
    if compared is None:
        why_not = f"{period} is not archived whole" if not known.whole else "no day to compare with is archived"
        return Table([], [], notes=(f"{why_not}: nothing is known of a change",), is_known=False)
    wanted = frozenset((*compared.now, *compared.then))
    days = [day for day in cost_days if day.date in wanted]
    available = [name for name in PARTS if name != "team" or request.teams is not None]
    parts = [name for name in PARTS if name in (request.by or available)]
    dimensions = [name for name in parts if name != _DRIVER]
    read = {name: read_daily_money(reader, request, (name,), lambda day: day in wanted) for name in dimensions}
    totals = _totals(reader, compared, days)
    rows: list[Row] = []
    sentences: list[str] = []
    for currency, total in totals.items():
        by_dimension = [_by_dimension(read[name], compared, name, currency, total) for name in dimensions]
        by_driver = _by_driver(reader, compared, days, currency, total) if _DRIVER in parts else []
        changes = [*by_dimension, by_driver]  # the drivers last, as `_sentences` expects
        sentences += _sentences(period, compared, currency, total, changes)
        for breakdown in ([total], *changes):
            rows += [_row(change, currency, total.change) for change in _top(breakdown, request.top or _TOP)]
    has_drivers = _DRIVER not in parts or any(row["part"] == _DRIVER for row in rows)
    left_out = [name.replace("_", " ") for name in dimensions if not _is_archived(read[name], name, wanted)]
    return Table(_COLUMNS, rows, period=known.title(), sentences=sentences).noting(
        known.sentence(),
        f"no parts by {', '.join(left_out)}: not all days are archived whole with this grouping" if left_out else "",
        _NOTE if has_drivers else _NO_DRIVERS,
        COST_NOTE,
    )


def _totals(reader: ArchiveReader, compared: Baseline, days: Sequence[Day]) -> dict[str, _Change]:
    """Return the total change in each currency, USD first."""
    changes: dict[str, _Change] = {}
    for group in read_daily_amounts(reader, (), days):
        expected, now = group.total(compared.then) // compared.divisor, group.total(compared.now)
        changes[group.values["currency"]] = _Change("total", None, None, expected, now, now - expected)
    in_order = sorted(changes.items(), key=lambda item: (item[0] != "USD", item[0]))
    return dict(in_order) or {"USD": _Change("total", None, None, 0, 0, 0)}


def _by_dimension(read: DailyMoney, compared: Baseline, name: str, currency: str, total: _Change) -> list[_Change]:
    """Return the parts of a change by one dimension, the largest first.

    Empty if not all days are archived whole and by the dimension.
    """
    wanted = frozenset((*compared.now, *compared.then))
    if not _is_archived(read, name, wanted):
        return []
    groups = [group for group in read.groups if group.values["currency"] == currency]
    dimension = BY_NAME.get(name)
    column = dimension.column if dimension else name
    # A group is identified by its index, because an id can be None.
    expected = divided({i: int(group.total(compared.then)) for i, group in enumerate(groups)}, compared.divisor)
    changes = []
    for i, group in enumerate(groups):
        now = int(group.total(compared.now))
        # Shares of keys can be estimates, which are shown rounded to the cent.
        amount_type = Estimate if group.is_estimate else int
        amounts = map(amount_type, (expected[i], now, now - expected[i]))
        changes.append(_Change(name, *_named(group.values, column, dimension), *amounts))
    changes.sort(key=lambda change: (-abs(change.change), change.value, change.id or ""))
    return _balanced(name, changes, total)


def _is_archived(read: DailyMoney, name: str, wanted: frozenset[date]) -> bool:
    """Return whether all wanted days are archived whole and by a dimension."""
    whole_days = {day.date for day in read.days if day.is_whole}
    # For teams, cost on days that are not grouped by the fields of the rules is a part of its own.
    return wanted <= whole_days and (name == "team" or wanted <= read.grouped)


def _named(values: Row, column: str, dimension: Dimension | None) -> tuple[str, str | None]:
    """Return the name of a part, and its id; None if the part has no id.

    `dimension` is None for `team`, which is not stored and has its name as the value.
    """
    value = values[column]
    if dimension is None:
        return str(value), None
    if value is None:
        return dimension.null_label, None
    if dimension.label_column is None:
        return str(value), None
    return str(values[dimension.label_column]), value if isinstance(value, str) else None


def _balanced(name: str, changes: list[_Change], total: _Change) -> list[_Change]:
    """Add a part for cost that the total has, but no other part.

    This is for example a credit, which the analytics report does not have.
    """
    assert total.expected is not None
    assert total.now is not None
    expected = total.expected - sum(change.expected or 0 for change in changes)
    now = total.now - sum(change.now or 0 for change in changes)
    if not expected and not now:
        return changes
    return [*changes, _Change(name, _NOT_IN_THE_REPORT, None, expected, now, now - expected)]


def _by_driver(
    reader: ArchiveReader, compared: Baseline, billed: Sequence[Day], currency: str, total: _Change
) -> list[_Change]:
    """Return the change by driver, the largest first.

    Empty if usage or cost is not archived whole and by all that a price depends on.
    """
    wanted = {*compared.now, *compared.then}
    days = {Report.USAGE: [day for day in reader.days(Report.USAGE) if day.date in wanted], Report.COST: billed}
    for report, report_days in days.items():
        whole_days = {day.date for day in report_days if day.is_whole}
        if whole_days != wanted or not all(has_all(report, day) for day in report_days):
            return []
    sides = []
    for dates in (compared.then, compared.now):
        usage, cost = ([day for day in report_days if day.date in dates] for report_days in days.values())
        sides.append(read_used(reader, usage, cost, currency))
    before, now = sides
    _divide(before, compared.divisor)
    parts = rounded(drivers(before, now), total.change)
    in_order = sorted(DRIVERS, key=lambda name: -abs(parts[name]))
    return [_Change(_DRIVER, name, None, None, None, parts[name]) for name in in_order]


def _divide(used: Used, divisor: int) -> None:
    """Divide all tokens and amounts, in place."""
    used.tokens = defaultdict(Fraction, {kind: tokens / divisor for kind, tokens in used.tokens.items()})
    used.amounts = defaultdict(Fraction, {kind: amount / divisor for kind, amount in used.amounts.items()})
    used.other /= divisor


def _top(changes: Sequence[_Change], top: int) -> list[_Change]:
    """Fold the parts beyond the largest into one; keep all drivers."""
    rest = changes[top:]
    if len(rest) < 2 or changes[0].part == _DRIVER:  # noqa: PLR2004  # a single part is shown as it is
        return [*changes]
    expected, now = (sum(getattr(change, name) for change in rest) for name in ("expected", "now"))
    return [*changes[:top], _Change(changes[0].part, str(Label.OTHERS), None, expected, now, now - expected)]


def _row(change: _Change, currency: str, total_change: int) -> Row:
    return {
        "part": change.part,
        "value": change.value,
        "id": change.id,
        "currency": currency,
        "expected": change.expected,
        "now": change.now,
        "change": change.change,
        "share": change.change / total_change if total_change else None,
    }


def _sentences(
    period: Period, compared: Baseline, currency: str, total: _Change, changes: Sequence[Sequence[_Change]]
) -> list[str]:
    """Return sentences on a change; drivers are the last of `changes`."""
    assert total.expected is not None
    assert total.now is not None
    now, expected, change = (to_rounded(amount, "usd") for amount in (total.now, total.expected, abs(total.change)))
    # If only some days of the period are compared, the amount is that of these days.
    days = len(compared.now)
    subject = f"{period}" if days == period.days else f"{count(days, 'day')} of {period}"
    ratio = f", {abs(total.change) / total.expected:.1%}," if total.expected > 0 else ""
    direction = "more" if total.change > 0 else "less"
    first = f"{subject} cost {now} {currency}: {change}{ratio} {direction} than {compared.words}, {expected}."
    if not total.change:
        first = f"{subject} cost {now} {currency}, as much as {compared.words}."
    sentences = [first]
    if not total.change:
        return sentences
    # The largest part of each dimension.
    candidates = [
        max(parts, key=lambda part: abs(part.change)) for parts in changes if parts and parts[0].part != _DRIVER
    ]
    named = [part for part in candidates if part.change]
    if named:
        largest = "; ".join(f"{part.part.replace('_', ' ')} {part.value} {_signed(part.change)}" for part in named)
        sentences.append(f"The largest changes: {largest}.")
    driven = [part for part in changes[-1] if part.part == _DRIVER and part.change] if changes else []
    if driven:
        sentences.append(f"What drove it: {'; '.join(f'{part.value} {_signed(part.change)}' for part in driven)}.")
    return sentences


def _signed(amount: int) -> str:
    return f"{'+' if amount > 0 else ''}{to_rounded(amount, 'usd')}"
