"""`report keys`: billed money allocated to API keys by their tokens.

The cost report has no API keys, the usage report has no money. Of each day, the cost of one workspace, model, tier,
context window, region and token type is shared by the tokens of the keys with the same values.

A share is exact if all of these tokens have one price, that is, if they match one row of the cost report. They match
several rows if the usage series is not grouped by something that changes the price: region, speed or context window.
The share is an estimate then.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from operator import add
from typing import TYPE_CHECKING, Any

from archiver.model import Report
from archiver.offline.reports.allocation import allocate
from archiver.offline.reports.grouped import COUNT_OF_TOKEN_TYPE, WEB_SEARCHES, slots_for
from archiver.offline.reports.request import COST_NOTE, select_days
from archiver.offline.reports.spend import ranked_money
from archiver.offline.tables.money import Estimate
from archiver.offline.tables.sparkline import SlotDays, add_sparklines
from archiver.offline.tables.table import Table, plain
from archiver.reports.dimensions import Label, columns_of, missing_columns
from archiver.store.read.daily_sums import Line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from archiver.offline.reports.request import ReportRequest
    from archiver.store.read.daily_sums import Day
    from archiver.store.read.reader import ArchiveReader

_PRICED_BY = ("workspace_id", "model", "service_tier", "context_window", "inference_geo")
_BILLED = (*columns_of(Report.COST), "currency")
_USED = (*_PRICED_BY, "api_key_id")
_BY = ("day", "month", "workspace", "api_key")
_MICROCENT = 10**12  # in 1e-18 cents

_PriceKey = tuple[Any, ...]
"""The values of `AllocatedDay.price_columns`: cost and usage are matched by them."""


@dataclass(slots=True)
class _Bill:
    """The cost that is shared by one count of one price key, and its rows."""

    amount: int = 0
    rows: int = 0


@dataclass(slots=True)
class AllocatedDay:
    """One day of cost, and of the usage that it is allocated by.

    Attributes:
        used: The day of usage; None: none is archived.
        bills: Cost by price key, index of the count that it is shared by (None: no count fits), workspace, currency.
        counts: Usage, by price key and API key.
    """

    billed: Day
    used: Day | None
    bills: dict[tuple[_PriceKey, int | None, Any, str], _Bill] = field(default_factory=lambda: defaultdict(_Bill))
    counts: dict[_PriceKey, dict[Any, list[int]]] = field(default_factory=lambda: defaultdict(dict))

    @property
    def price_columns(self) -> tuple[str, ...]:
        """The columns that affect the price and that both series are grouped by."""
        cost_lacks = missing_columns(Report.COST, _PRICED_BY, self.billed.group_by)
        usage_lacks = missing_columns(Report.USAGE, _PRICED_BY, self.used.group_by) if self.used else frozenset()
        return tuple(one for one in _PRICED_BY if one not in cost_lacks and one not in usage_lacks)

    def add_cost(self, values: Mapping[str, Any], amount: int) -> None:
        """Add one row of the cost report."""
        # Code execution and session usage have no count in the usage report, and a cost row without description has no
        # token type to choose a count by. Both stay unallocated.
        count = {"tokens": COUNT_OF_TOKEN_TYPE.get(values["token_type"]), "web_search": WEB_SEARCHES}
        number = count.get(values["cost_type"]) if "description" in self.billed.group_by else None
        price_key = tuple(values[one] for one in self.price_columns)
        workspace = values["workspace_id"] if "workspace_id" in self.billed.group_by else Label.NOT_GROUPED
        bill = self.bills[price_key, number, workspace, values["currency"]]
        bill.amount += amount
        bill.rows += 1

    def add_usage(self, values: Mapping[str, Any], sums: list[int]) -> None:
        """Add the usage of one key."""
        assert self.used is not None
        key = values["api_key_id"] if "api_key_id" in self.used.group_by else Label.NOT_GROUPED
        of_price = self.counts[tuple(values[one] for one in self.price_columns)]
        of_price[key] = list(map(add, of_price[key], sums)) if key in of_price else sums

    def shares(self) -> Iterator[tuple[Any, Any, str, int, bool]]:
        """Yield workspace, key, currency, amount, and whether it is an estimate."""
        for (price_key, number, workspace, currency), bill in self.bills.items():
            weights = self._weights(price_key, number)
            # A bill in whole microcents is shared in whole microcents, so that shares have no more digits than it has.
            grain = _MICROCENT if bill.amount % _MICROCENT == 0 else 1
            parts = allocate(bill.amount // grain, weights)
            shares = {key: part * grain for key, part in parts.items()} or {Label.NOT_ALLOCATED: bill.amount}
            used = sum(1 for weight in weights.values() if weight)
            # Of several prices it is not known which key paid which. With a single key there is nothing to guess.
            for key, amount in shares.items():
                yield workspace, key, currency, amount, bill.rows > 1 and used > 1

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


def keys(reader: ArchiveReader, request: ReportRequest) -> Table:
    """Return billed money, allocated to API keys by their tokens."""
    selected = select_days(reader, Report.COST, request)
    if selected.known is None:
        return selected.unknown()
    return keys_of_days(reader, request, read_allocated_days(reader, request, selected.days))


def keys_of_days(reader: ArchiveReader, request: ReportRequest, days: Sequence[AllocatedDay]) -> Table:
    """Return the report of days that `read_allocated_days` returned.

    A page that shows several groupings reads the days once.
    """
    by = request.grouped(_BY, ("api_key",), "keys")
    selected = select_days(reader, Report.COST, request)
    slots = slots_for(request, selected, by)
    lines, estimated = _lines(reader, days, by, slots.of if slots else None)
    rows = []
    for line in lines:
        is_estimate = bool(line.sums[1])
        amount = Estimate(line.sums[0]) if is_estimate else line.sums[0]
        rows.append(line.values | {"amount": amount, "method": "estimated" if is_estimate else "exact"})
    table, parts = ranked_money(rows, lines, request.top)
    slot_days = SlotDays(_known_days(days, by), slots) if slots else None
    sentence = selected.known.sentence() if selected.known else ""
    return add_sparklines(_with_method_last(table), slot_days, parts, lambda sums: sums[0]).noting(
        sentence, *_notes(days, estimated), COST_NOTE
    )


def _with_method_last(table: Table) -> Table:
    columns = [*(column for column in table.columns if column.name != "method"), *plain("method")]
    rows = [{column.name: row[column.name] for column in columns} for row in table.rows]
    return Table(columns, rows, table.total)


def _notes(days: Sequence[AllocatedDay], estimated: int) -> list[str]:
    notes = ["allocated: billed money is shared by the tokens of the same day and kind"]
    if estimated:
        notes.append(
            "estimated amounts are to the cent: several prices (by region, speed or window) share tokens that the "
            "archived usage does not tell apart; archiver sync --group-by "
            "workspace_id,api_key_id,model,service_tier,inference_geo archives usage by region"
        )
    ungrouped = sum(1 for day in days if day.used is None or "api_key_id" not in day.used.group_by)
    if ungrouped:
        notes.append(f"usage of {ungrouped} of {len(days)} days is not archived by API key")
    return notes


def read_allocated_days(reader: ArchiveReader, request: ReportRequest, billed: Sequence[Day]) -> list[AllocatedDay]:
    """Read the cost rows of days, and usage by API key of the same days.

    Usage is read from the series of each day that keeps most prices apart.
    """
    used = _best_usage(reader, request)
    days = {day.start: AllocatedDay(day, used.get(day.start)) for day in billed}
    for one in reader.sums(Report.COST, _BILLED, billed, lambda day: day):
        days[one.part.start].add_cost(dict(zip(_BILLED, one.values, strict=True)), one.sums[0])
    for one in reader.sums(Report.USAGE, _USED, [d.used for d in days.values() if d.used], lambda day: day):
        days[one.part.start].add_usage(dict(zip(_USED, one.values, strict=True)), one.sums)
    return list(days.values())


def _best_usage(reader: ArchiveReader, request: ReportRequest) -> dict[int, Day]:
    """Return the usage series that each day is allocated by.

    It is the one grouped by key that has the most price columns, and without such a series the canonical one.
    """
    best = {day.start: day for day in reader.days(Report.USAGE, *request.bounds)}
    if reader.as_of is not None:
        return best  # the archive can be read at an earlier time for canonical series only
    # Of equally precise series the first is kept: the canonical one, or else the finest, as they come finest first.
    for day in reader.key_days(*request.bounds):
        if day.is_whole and _precision(day) > _precision(best.get(day.start)):
            best[day.start] = day
    return best


def _precision(day: Day | None) -> tuple[bool, int, bool]:
    """Return a rank of usage series: whole days, then price columns, then the region, which prices differ by."""
    if day is None or "api_key_id" not in day.group_by:
        return (False, 0, False)
    priced = len(_PRICED_BY) - len(missing_columns(Report.USAGE, _PRICED_BY, day.group_by))
    return (day.is_whole, priced, "inference_geo" in day.group_by)


def _lines(
    reader: ArchiveReader, days: Sequence[AllocatedDay], by: Sequence[str], slot_of: Any
) -> tuple[list[Line], int]:
    """Add up the shares of all days into lines, and count the estimated shares.

    The sums of a line are its amount, and the size of the estimated shares within it.
    """
    lines: dict[tuple[Any, ...], Line] = {}
    estimated = 0
    for day in days:
        date = day.billed.date
        for workspace, key, currency, amount, is_estimate in day.shares():
            values = {
                **({"date": f"{date}"} if "day" in by else {}),
                **({"month": f"{date:%Y-%m}"} if "month" in by else {}),
                **({"workspace_id": workspace} if "workspace" in by else {}),
                **({"api_key_id": key} if "api_key" in by else {}),
                "currency": currency,
            }
            # Without keys in the grouping the shares of a bill add up to it again, which is exact.
            split = is_estimate and "api_key" in by
            estimated += split
            identity = tuple(values.values())
            if identity not in lines:
                # In place of the columns that a series lacks, as in `_known_days`.
                labels = frozenset(str(one) for one in identity if isinstance(one, Label))
                lines[identity] = Line(values, [], 0, labels)
            slot = slot_of(day.billed) if slot_of else None
            # Absolute, or an estimated charge and an estimated credit could cancel out and look exact.
            lines[identity].add(slot, day.billed.start, [amount, abs(amount) if split else 0])
    # Only now, as names are those at the last day of a line.
    for line in lines.values():
        line.values = reader.with_labels(line.values, line.last_day)
    return list(lines.values()), estimated


def _known_days(days: Sequence[AllocatedDay], by: Sequence[str]) -> Iterable[tuple[Day, frozenset[str]]]:
    """Yield each day once for every set of labels that a line of it can have.

    Cost without matching usage can occur on any day, so every day is known for each of these lines.
    """
    for day in days:
        ungrouped = "workspace" in by and "workspace_id" not in day.billed.group_by
        base = {str(Label.NOT_GROUPED)} if ungrouped else set()
        yield day.billed, frozenset(base)
        if "api_key" in by:
            yield day.billed, frozenset({*base, str(Label.NOT_ALLOCATED)})
            yield day.billed, frozenset({*base, str(Label.NOT_GROUPED)})
