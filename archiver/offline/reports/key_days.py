"""The cost of days by API key.

A day is whole if it was read after it had ended. The cost is billed, that is, taken from the analytics-cost report,
where this report is archived whole and by API key. On other days the cost is allocated.

The cost report has no API keys, and the usage report has no money. To allocate a day, the cost of one workspace, model,
tier, context window, region and token type is shared among the API keys, in proportion to their tokens with the same
values.

A share is exact if all of these tokens have one price, that is, if they match one row of the cost report, or if one key
used them all. Otherwise it is an estimate. Tokens match several rows if the usage series is not grouped by a dimension
that changes the price. Speed is never matched, because the cost report has it in its description only.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from enum import IntEnum
from operator import add
from typing import TYPE_CHECKING, Any, NamedTuple

from archiver.model import Report
from archiver.offline.allocation import allocate
from archiver.offline.reports.grouped import COUNT_OF_TOKEN_TYPE, WEB_SEARCHES
from archiver.offline.reports.known_days import count
from archiver.offline.reports.request import ANALYTICS_NOTE, COST_NOTE
from archiver.reports.dimensions import Label, columns_of, missing_columns

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from archiver.offline.reports.request import ReportRequest
    from archiver.store.read.daily_sums import Day
    from archiver.store.read.reader import ArchiveReader

# The columns that a price depends on.
_PRICED_BY = ("workspace_id", "model", "service_tier", "context_window", "inference_geo")
COST_COLUMNS = (*columns_of(Report.COST), "currency")
"""The columns of cost rows that an allocation to API keys reads."""
_USAGE_COLUMNS = (*_PRICED_BY, "api_key_id")
_BILLED_COLUMNS = ("workspace_id", "api_key_id", "currency")
_MICROCENT = 10**12  # in 1e-18 cents

_PriceKey = tuple[Any, ...]
"""The values of the columns `AllocatedDay.price_columns`, by which cost and usage are matched."""

_BillKey = tuple[_PriceKey, int | None, Any, str]
"""Price key, index in COUNTS of the count that the bill is shared by (None: no count fits), workspace, currency."""


class Method(IntEnum):
    """How the amount of a key was determined, the surest method first."""

    BILLED = 0
    """The API returned the amount of the key."""
    EXACT = 1
    """The amount is a share of tokens that have one price or one key, or is not allocated to any key."""
    ESTIMATED = 2
    """The amount is one of several keys' shares of tokens that have several prices."""


class Share(NamedTuple):
    """The part of a day's cost with one workspace, key, currency and method.

    Attributes:
        workspace, key: An id, None for an API null, or a label.
        amount: The amount in 1e-18 cents.
        credit: The sum of the negative amounts within `amount`.
        size: The sum of the absolute values of the amounts, in which a charge and a credit cannot cancel out.
    """

    workspace: Any
    key: Any
    currency: str
    method: Method
    amount: int
    credit: int
    size: int


@dataclass(slots=True)
class _Bill:
    """Cost that is shared as one amount, and the number of its cost rows."""

    amount: int = 0
    rows: int = 0


@dataclass(slots=True)
class AllocatedDay:
    """One day of cost, and the usage that it is allocated by.

    Attributes:
        day: The day in the cost report, with its series.
        used: The same day in the usage report; None if it is not archived there.
        bills: The cost, by bill.
        counts: The counts of usage, by price key and API key.
        price_columns: The columns of `_PRICED_BY` that both series are grouped by.
        form: The properties of the day that determine, with the values of a row, its bill and its user. Nearly all days
            have the same form.
    """

    day: Day
    used: Day | None
    bills: dict[_BillKey, _Bill] = field(default_factory=lambda: defaultdict(_Bill))
    counts: dict[_PriceKey, dict[Any, list[int]]] = field(default_factory=lambda: defaultdict(dict))
    price_columns: tuple[str, ...] = field(init=False)
    form: tuple[Any, ...] = field(init=False)
    _shares: list[Share] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Compute the price columns once, because every row needs them."""
        cost_lacks = missing_columns(Report.COST, _PRICED_BY, self.day.group_by)
        usage_lacks = missing_columns(Report.USAGE, _PRICED_BY, self.used.group_by) if self.used else frozenset()
        self.price_columns = tuple(
            column for column in _PRICED_BY if column not in cost_lacks and column not in usage_lacks
        )
        self.form = (
            self.price_columns,
            frozenset({"description", "workspace_id"} & self.day.group_by),
            self.used is not None and "api_key_id" in self.used.group_by,
        )

    def bill_of(self, values: Mapping[str, Any]) -> _BillKey:
        """Return the bill that a row of the cost report belongs to."""
        # Code execution and session usage have no count in the usage report, and a cost row without description has no
        # token type to choose a count by. Both stay unallocated.
        index_of = {"tokens": COUNT_OF_TOKEN_TYPE.get(values["token_type"]), "web_search": WEB_SEARCHES}
        count_index = index_of.get(values["cost_type"]) if "description" in self.day.group_by else None
        price_key = tuple(values[column] for column in self.price_columns)
        workspace = values["workspace_id"] if "workspace_id" in self.day.group_by else Label.NOT_GROUPED
        return price_key, count_index, workspace, values["currency"]

    def user_of(self, values: Mapping[str, Any]) -> tuple[_PriceKey, Any]:
        """Return the price key and the API key of a row of the usage report."""
        is_by_key = self.used is not None and "api_key_id" in self.used.group_by
        key = values["api_key_id"] if is_by_key else Label.NOT_GROUPED
        return tuple(values[column] for column in self.price_columns), key

    def add_cost(self, to: _BillKey, amount: int) -> None:
        """Add one row of the cost report to a bill."""
        bill = self.bills[to]
        bill.amount += amount
        bill.rows += 1

    def add_usage(self, of: tuple[_PriceKey, Any], sums: list[int]) -> None:
        """Add the usage of one price key and API key."""
        price_key, key = of
        by_key = self.counts[price_key]
        by_key[key] = list(map(add, by_key[key], sums)) if key in by_key else sums

    def is_grouped(self, by: Collection[str]) -> bool:
        """Return whether the day's shares can be grouped by `by`."""
        is_by_key = self.used is not None and "api_key_id" in self.used.group_by and "description" in self.day.group_by
        return (is_by_key or "api_key" not in by) and ("workspace_id" in self.day.group_by or "workspace" not in by)

    def shares(self) -> list[Share]:
        """Return the parts of the day's cost; they are computed at the first call."""
        if not self._shares:
            merged: dict[tuple[Any, Any, str, Method], list[int]] = {}
            for (price_key, count_index, workspace, currency), bill in self.bills.items():
                weights = self._weights(price_key, count_index)
                # A bill in whole microcents is shared in whole microcents, so that shares have no more digits.
                grain = _MICROCENT if bill.amount % _MICROCENT == 0 else 1
                parts = allocate(bill.amount // grain, weights) or {Label.NOT_ALLOCATED: bill.amount // grain}
                # With several prices it is unknown which key paid which of them. A single key paid all of them.
                is_guess = bill.rows > 1 and sum(1 for weight in weights.values() if weight) > 1
                method = Method.ESTIMATED if is_guess else Method.EXACT
                for key, part in parts.items():
                    sums = merged.setdefault((workspace, key, currency, method), [0, 0, 0])
                    amount = part * grain
                    sums[0] += amount
                    sums[1] += min(amount, 0)
                    sums[2] += abs(amount)
            self._shares = [Share(*identity, *sums) for identity, sums in merged.items()]
        return self._shares

    def _weights(self, price_key: _PriceKey, count_index: int | None) -> dict[Any, int]:
        """Return the count of each API key that a bill is shared by.

        Empty if no count fits, or if the usage report has no matching row.
        """
        if count_index is None:
            return {}
        if count_index != WEB_SEARCHES:
            return {key: sums[count_index] for key, sums in self.counts.get(price_key, {}).items()}
        # A web search costs the same with any model, and its cost row has no model: all searches in the workspace
        # count. The workspace, if it is a price column, is the first one.
        weights: dict[Any, int] = defaultdict(int)
        is_by_workspace = bool(self.price_columns) and self.price_columns[0] == "workspace_id"
        for usage_key, by_key in self.counts.items():
            if not is_by_workspace or usage_key[0] == price_key[0]:
                for key, sums in by_key.items():
                    weights[key] += sums[count_index]
        return weights


@dataclass(slots=True)
class BilledDay:
    """One day of the analytics report, which has the cost of each key.

    Attributes:
        day: The day, with its series.
        parts: The cost of the day, by workspace and key.
    """

    day: Day
    parts: list[Share] = field(default_factory=list)

    def add_cost(self, values: Mapping[str, Any], amount: int) -> None:
        """Add the cost of a workspace and a key."""
        workspace = values["workspace_id"] if "workspace_id" in self.day.group_by else Label.NOT_GROUPED
        key, currency = values["api_key_id"], values["currency"]
        self.parts.append(Share(workspace, key, currency, Method.BILLED, amount, min(amount, 0), abs(amount)))

    def is_grouped(self, by: Collection[str]) -> bool:
        """Return whether shares can be grouped by `by`; all have a key."""
        return "workspace_id" in self.day.group_by or "workspace" not in by

    def shares(self) -> list[Share]:
        """Return the parts of the day's cost."""
        return self.parts


KeyDay = BilledDay | AllocatedDay


def choose_days(reader: ArchiveReader) -> dict[int, tuple[Report, Day]]:
    """Return the report and series to read each day from, by its start.

    The report is the analytics report for days that it has whole and by API key, and the cost report for other days. A
    day that the cost report does not have, such as today, is read from the analytics report even if it is not whole.
    """
    by_key = "api_key_id"
    billed = [day for day in reader.days(Report.ANALYTICS_COST, dimension=by_key) if by_key in day.group_by]
    # Later assignments replace earlier ones.
    chosen = {day.start: (Report.ANALYTICS_COST, day) for day in billed}
    chosen |= {day.start: (Report.COST, day) for day in reader.days(Report.COST)}
    chosen |= {day.start: (Report.ANALYTICS_COST, day) for day in billed if day.is_whole}
    return dict(sorted(chosen.items()))


def method_notes(days: Sequence[KeyDay], *, has_estimates: bool) -> list[str]:
    """Return the notes on how the cost of days by API key was determined."""
    allocated = [day for day in days if isinstance(day, AllocatedDay)]
    billed = len(days) - len(allocated)
    notes = []
    if billed:
        notes.append(f"billed: {count(billed, 'day')} of the analytics cost report, which has each key and no credits")
    if allocated:
        notes.append(
            f"allocated: {count(len(allocated), 'day')} of the cost report, shared by the tokens of the same kind; "
            "archiver sync --report analytics-cost archives billed cost by key"
        )
    if has_estimates:
        notes.append(
            "estimated amounts are to the cent: several prices (by region, speed or window) share tokens that the "
            "archived usage does not tell apart; archiver sync --group-by "
            "workspace_id,api_key_id,model,service_tier,inference_geo archives usage by region"
        )
    ungrouped = sum(1 for day in allocated if day.used is None or "api_key_id" not in day.used.group_by)
    if ungrouped:
        notes.append(f"usage of {ungrouped} of {len(days)} days is not archived by API key")
    return [*notes, COST_NOTE] if allocated else [*notes, ANALYTICS_NOTE]


def read_key_days(
    reader: ArchiveReader, request: ReportRequest, days: Mapping[int, tuple[Report, Day]]
) -> list[KeyDay]:
    """Read the cost of days by API key, each from its report."""
    billed = {start: BilledDay(day) for start, (report, day) in days.items() if report is Report.ANALYTICS_COST}
    billed_days = [key_day.day for key_day in billed.values()]
    # `lambda day: day` keeps each day apart, and puts it into `part`.
    for row in reader.sums(Report.ANALYTICS_COST, _BILLED_COLUMNS, billed_days, lambda day: day):
        billed[row.part.start].add_cost(dict(zip(_BILLED_COLUMNS, row.values, strict=True)), row.sums[0])
    allocated = _read_allocated_days(reader, request, [day for report, day in days.values() if report is Report.COST])
    return sorted([*billed.values(), *allocated], key=lambda key_day: key_day.day.start)


def _read_allocated_days(reader: ArchiveReader, request: ReportRequest, billed: Sequence[Day]) -> list[AllocatedDay]:
    """Read the cost of days, and the usage by API key to allocate it by.

    Usage is read from the series in which a row has as few different prices as possible, see `_best_usage`.
    """
    used = _best_usage(reader, request)
    days = {day.start: AllocatedDay(day, used.get(day.start)) for day in billed}
    # The same values recur on nearly every day, so the bill or user for them is computed once and kept.
    bills: dict[tuple[Any, ...], _BillKey] = {}
    for row in reader.sums(Report.COST, COST_COLUMNS, billed, lambda day: day):
        day = days[row.part.start]
        cache_key = (day.form, row.values)
        if cache_key not in bills:
            bills[cache_key] = day.bill_of(dict(zip(COST_COLUMNS, row.values, strict=True)))
        day.add_cost(bills[cache_key], row.sums[0])
    users: dict[tuple[Any, ...], tuple[_PriceKey, Any]] = {}
    for row in reader.sums(Report.USAGE, _USAGE_COLUMNS, [d.used for d in days.values() if d.used], lambda day: day):
        day = days[row.part.start]
        cache_key = (day.form, row.values)
        if cache_key not in users:
            users[cache_key] = day.user_of(dict(zip(_USAGE_COLUMNS, row.values, strict=True)))
        day.add_usage(users[cache_key], row.sums)
    return list(days.values())


def _best_usage(reader: ArchiveReader, request: ReportRequest) -> dict[int, Day]:
    """Return the usage series to allocate each day with, by its start.

    Among the series that are grouped by API key it is the one with the most price columns. Without such a series it is
    the canonical one, that is, the series that all other reports use, and no cost is allocated to keys.
    """
    best = {day.start: day for day in reader.days(Report.USAGE, *request.bounds)}
    if reader.as_of is not None:
        return best  # only canonical series can be read as of an earlier time
    # Among equally precise series the first is kept: the canonical one, or else the one of the finest grouping.
    for day in reader.grouped_days(Report.USAGE, "api_key_id", *request.bounds):
        if day.is_whole and _precision(day) > _precision(best.get(day.start)):
            best[day.start] = day
    return best


def _precision(day: Day | None) -> tuple[bool, int, bool]:
    """Rank a usage series: whole days, then price columns, then the region."""
    if day is None or "api_key_id" not in day.group_by:
        return (False, 0, False)
    priced = len(_PRICED_BY) - len(missing_columns(Report.USAGE, _PRICED_BY, day.group_by))
    return (day.is_whole, priced, "inference_geo" in day.group_by)
