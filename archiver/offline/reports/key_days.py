"""The cost of days by API key.

It is billed where a whole day of analytics-cost is archived by API key, and allocated where not.

The cost report has no API keys, the usage report has no money. To allocate a day, the cost of one workspace, model,
tier, context window, region and token type is shared by the tokens of the keys with the same values.

A share is exact if all of these tokens have one price, that is, if they match one row of the cost report, or if one key
used them all. They match several rows if the usage series is not grouped by something that changes the price. Speed is
never matched, because the cost report has it in its description only. A share of several prices is an estimate.
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

_PRICED_BY = ("workspace_id", "model", "service_tier", "context_window", "inference_geo")
COST_COLUMNS = (*columns_of(Report.COST), "currency")
"""The columns of cost rows that an allocation to API keys reads."""
_USAGE_COLUMNS = (*_PRICED_BY, "api_key_id")
_BILLED_COLUMNS = ("workspace_id", "api_key_id", "currency")
_MICROCENT = 10**12  # in 1e-18 cents

_PriceKey = tuple[Any, ...]
"""The values of `AllocatedDay.price_columns`: cost and usage are matched by them."""


_BillKey = tuple[_PriceKey, int | None, Any, str]
"""The price key of a bill, the index of the count that it is shared by (None: no count fits), workspace, currency."""


class Method(IntEnum):
    """How an amount of a key is known, the surest first."""

    BILLED = 0
    """The API has it."""
    EXACT = 1
    """It is a share of tokens that have one price or one key, or it is not allocated to any key."""
    ESTIMATED = 2
    """It is one of several keys' shares of tokens that have several prices."""


class Share(NamedTuple):
    """A part of the cost of a day, of one workspace, key, currency and method.

    Amounts are in 1e-18 cents. `workspace` and `key` are ids, None, or labels. `credit` is the negative part of
    `amount`. `size` is the sum of the absolute values of its parts, as a charge and a credit could cancel out.
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
    """The cost that is shared by one count of one price key, and its rows."""

    amount: int = 0
    rows: int = 0


@dataclass(slots=True)
class AllocatedDay:
    """One day of cost, and of the usage that it is allocated by.

    Attributes:
        day: The day of cost.
        used: The day of usage; None: none is archived.
        bills: The cost.
        counts: Usage, by price key and API key.
        price_columns: The columns that affect the price and that cost and usage both have.
        form: What decides the bill of a row besides its values. It is equal for nearly all days.
    """

    day: Day
    used: Day | None
    bills: dict[_BillKey, _Bill] = field(default_factory=lambda: defaultdict(_Bill))
    counts: dict[_PriceKey, dict[Any, list[int]]] = field(default_factory=lambda: defaultdict(dict))

    price_columns: tuple[str, ...] = field(init=False)
    form: tuple[Any, ...] = field(init=False)
    _shares: list[Share] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Compute the price columns once, as they are needed for every row."""
        cost_lacks = missing_columns(Report.COST, _PRICED_BY, self.day.group_by)
        usage_lacks = missing_columns(Report.USAGE, _PRICED_BY, self.used.group_by) if self.used else frozenset()
        self.price_columns = tuple(one for one in _PRICED_BY if one not in cost_lacks and one not in usage_lacks)
        self.form = (
            self.price_columns,
            frozenset({"description", "workspace_id"} & self.day.group_by),
            self.used is not None and "api_key_id" in self.used.group_by,
        )

    def bill_of(self, values: Mapping[str, Any]) -> _BillKey:
        """Return the bill that a row of the cost report belongs to."""
        # Code execution and session usage have no count in the usage report, and a cost row without description has no
        # token type to choose a count by. Both stay unallocated.
        count = {"tokens": COUNT_OF_TOKEN_TYPE.get(values["token_type"]), "web_search": WEB_SEARCHES}
        number = count.get(values["cost_type"]) if "description" in self.day.group_by else None
        price_key = tuple(values[one] for one in self.price_columns)
        workspace = values["workspace_id"] if "workspace_id" in self.day.group_by else Label.NOT_GROUPED
        return price_key, number, workspace, values["currency"]

    def user_of(self, values: Mapping[str, Any]) -> tuple[_PriceKey, Any]:
        """Return the price key and the API key of a row of the usage report."""
        is_by_key = self.used is not None and "api_key_id" in self.used.group_by
        key = values["api_key_id"] if is_by_key else Label.NOT_GROUPED
        return tuple(values[one] for one in self.price_columns), key

    def add_cost(self, to: _BillKey, amount: int) -> None:
        """Add one row of the cost report to a bill."""
        bill = self.bills[to]
        bill.amount += amount
        bill.rows += 1

    def add_usage(self, of: tuple[_PriceKey, Any], sums: list[int]) -> None:
        """Add the usage of one key."""
        price_key, key = of
        of_price = self.counts[price_key]
        of_price[key] = list(map(add, of_price[key], sums)) if key in of_price else sums

    def is_grouped(self, by: Collection[str]) -> bool:
        """Return whether the day tells the workspaces and keys of `by` apart."""
        is_by_key = self.used is not None and "api_key_id" in self.used.group_by and "description" in self.day.group_by
        return (is_by_key or "api_key" not in by) and ("workspace_id" in self.day.group_by or "workspace" not in by)

    def shares(self) -> list[Share]:
        """Return the parts of the day's cost, which are computed once."""
        if not self._shares:
            merged: dict[tuple[Any, Any, str, Method], list[int]] = {}
            for (price_key, number, workspace, currency), bill in self.bills.items():
                weights = self._weights(price_key, number)
                # A bill in whole microcents is shared in these, so that shares have no more digits than it has.
                grain = _MICROCENT if bill.amount % _MICROCENT == 0 else 1
                parts = allocate(bill.amount // grain, weights) or {Label.NOT_ALLOCATED: bill.amount // grain}
                # Of several prices it is not known which key paid which. With a single key there is nothing to guess.
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

    def _weights(self, price_key: _PriceKey, number: int | None) -> dict[Any, int]:
        """Return the counts by API key that a bill is shared by; empty for none."""
        if number is None:
            return {}
        if number != WEB_SEARCHES:
            return {key: sums[number] for key, sums in self.counts.get(price_key, {}).items()}
        # A web search costs the same with any model, and its cost row has none: all searches of the workspace count.
        weights: dict[Any, int] = defaultdict(int)
        for other, of_keys in self.counts.items():
            if not self.price_columns or self.price_columns[0] != "workspace_id" or other[0] == price_key[0]:
                for key, sums in of_keys.items():
                    weights[key] += sums[number]
        return weights


@dataclass(slots=True)
class BilledDay:
    """One day of the analytics report, which has the cost of each key.

    Attributes:
        day: The day.
        parts: Its cost.
    """

    day: Day
    parts: list[Share] = field(default_factory=list)

    def add_cost(self, values: Mapping[str, Any], amount: int) -> None:
        """Add the cost of a workspace and a key."""
        workspace = values["workspace_id"] if "workspace_id" in self.day.group_by else Label.NOT_GROUPED
        key, currency = values["api_key_id"], values["currency"]
        self.parts.append(Share(workspace, key, currency, Method.BILLED, amount, min(amount, 0), abs(amount)))

    def is_grouped(self, by: Collection[str]) -> bool:
        """Return whether the day tells workspaces apart, if `by` has them."""
        return "workspace_id" in self.day.group_by or "workspace" not in by

    def shares(self) -> list[Share]:
        """Return the parts of the day's cost."""
        return self.parts


KeyDay = BilledDay | AllocatedDay


def choose_days(reader: ArchiveReader) -> dict[int, tuple[Report, Day]]:
    """Return the report and the series of each day, by its start.

    It is the analytics report for days that are whole there and grouped by API key, and else the cost report. A day
    that the cost report does not have, such as today, is of the analytics report even if that is not whole.
    """
    by_key = "api_key_id"
    billed = [day for day in reader.days(Report.ANALYTICS_COST, dimension=by_key) if by_key in day.group_by]
    chosen = {day.start: (Report.ANALYTICS_COST, day) for day in billed}
    chosen |= {day.start: (Report.COST, day) for day in reader.days(Report.COST)}
    chosen |= {day.start: (Report.ANALYTICS_COST, day) for day in billed if day.is_whole}
    return dict(sorted(chosen.items()))


def method_notes(days: Sequence[KeyDay], *, has_estimates: bool) -> list[str]:
    """Return the sentences on how the cost of days by API key is known."""
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
    for one in reader.sums(
        Report.ANALYTICS_COST, _BILLED_COLUMNS, [one.day for one in billed.values()], lambda day: day
    ):
        billed[one.part.start].add_cost(dict(zip(_BILLED_COLUMNS, one.values, strict=True)), one.sums[0])
    allocated = _read_allocated_days(reader, request, [day for report, day in days.values() if report is Report.COST])
    return sorted([*billed.values(), *allocated], key=lambda one: one.day.start)


def _read_allocated_days(reader: ArchiveReader, request: ReportRequest, billed: Sequence[Day]) -> list[AllocatedDay]:
    """Read the cost rows of days, and usage by API key of the same days.

    Usage is read from the series of each day that keeps most prices apart.
    """
    used = _best_usage(reader, request)
    days = {day.start: AllocatedDay(day, used.get(day.start)) for day in billed}
    # The same values recur on nearly every day.
    bills: dict[tuple[Any, ...], _BillKey] = {}
    for one in reader.sums(Report.COST, COST_COLUMNS, billed, lambda day: day):
        day = days[one.part.start]
        known = (day.form, one.values)
        if known not in bills:
            bills[known] = day.bill_of(dict(zip(COST_COLUMNS, one.values, strict=True)))
        day.add_cost(bills[known], one.sums[0])
    users: dict[tuple[Any, ...], tuple[_PriceKey, Any]] = {}
    for one in reader.sums(Report.USAGE, _USAGE_COLUMNS, [d.used for d in days.values() if d.used], lambda day: day):
        day = days[one.part.start]
        known = (day.form, one.values)
        if known not in users:
            users[known] = day.user_of(dict(zip(_USAGE_COLUMNS, one.values, strict=True)))
        day.add_usage(users[known], one.sums)
    return list(days.values())


def _best_usage(reader: ArchiveReader, request: ReportRequest) -> dict[int, Day]:
    """Return the usage series that each day is allocated by.

    It is a series grouped by key, of those the one that has the most price columns. Without one it is the canonical
    series, and no cost is allocated to keys.
    """
    best = {day.start: day for day in reader.days(Report.USAGE, *request.bounds)}
    if reader.as_of is not None:
        return best  # the archive can be read at an earlier time for canonical series only
    # Of equally precise series the first is kept: the canonical one, or else the finest, as they come finest first.
    for day in reader.grouped_days(Report.USAGE, "api_key_id", *request.bounds):
        if day.is_whole and _precision(day) > _precision(best.get(day.start)):
            best[day.start] = day
    return best


def _precision(day: Day | None) -> tuple[bool, int, bool]:
    """Return a rank of usage series: whole days, then price columns, then the region, which prices differ by."""
    if day is None or "api_key_id" not in day.group_by:
        return (False, 0, False)
    priced = len(_PRICED_BY) - len(missing_columns(Report.USAGE, _PRICED_BY, day.group_by))
    return (day.is_whole, priced, "inference_geo" in day.group_by)
