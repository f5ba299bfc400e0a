"""`report keys`: billed money allocated to API keys by their tokens.

The cost report has no keys. Within one workspace, model, tier, window, region and token type all tokens of a day have
one price where the cost report has one row: then sharing that row by tokens is exact. Where several rows (of several
regions, speeds or windows that the usage series is not grouped by) share the same tokens, it is an estimate.
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
_MICROCENT = 10**12

_Kind = tuple[Any, ...]
"""The values of the columns that a price depends on, as far as both series of a day have them."""


@dataclass(slots=True)
class _Bill:
    """The cost of one kind of tokens on a day, and its number of cost rows."""

    amount: int = 0
    rows: int = 0


@dataclass(slots=True)
class AllocatedDay:
    """One day of cost, and of the usage that it is allocated by."""

    billed: Day
    used: Day | None
    bills: dict[tuple[_Kind, int | None, Any, str], _Bill] = field(default_factory=lambda: defaultdict(_Bill))
    counts: dict[_Kind, dict[Any, list[int]]] = field(default_factory=lambda: defaultdict(dict))

    @property
    def kind_columns(self) -> tuple[str, ...]:
        """The columns that a price depends on and both series are grouped by."""
        cost_lacks = missing_columns(Report.COST, _PRICED_BY, self.billed.group_by)
        usage_lacks = missing_columns(Report.USAGE, _PRICED_BY, self.used.group_by) if self.used else frozenset()
        return tuple(one for one in _PRICED_BY if one not in cost_lacks and one not in usage_lacks)

    def add_cost(self, values: Mapping[str, Any], amount: int) -> None:
        """Add one row of the cost report."""
        count = {"tokens": COUNT_OF_TOKEN_TYPE.get(values["token_type"]), "web_search": WEB_SEARCHES}
        number = count.get(values["cost_type"]) if "description" in self.billed.group_by else None
        kind = tuple(values[one] for one in self.kind_columns)
        workspace = values["workspace_id"] if "workspace_id" in self.billed.group_by else Label.NOT_GROUPED
        bill = self.bills[kind, number, workspace, values["currency"]]
        bill.amount += amount
        bill.rows += 1

    def add_usage(self, values: Mapping[str, Any], sums: list[int]) -> None:
        """Add the usage of one key."""
        assert self.used is not None
        key = values["api_key_id"] if "api_key_id" in self.used.group_by else Label.NOT_GROUPED
        of_kind = self.counts[tuple(values[one] for one in self.kind_columns)]
        of_kind[key] = list(map(add, of_kind[key], sums)) if key in of_kind else sums

    def shares(self) -> Iterator[tuple[Any, Any, str, int, bool]]:
        """Yield workspace, key, currency, amount, and whether it is an estimate."""
        for (kind, number, workspace, currency), bill in self.bills.items():
            weights = self._weights(kind, number)
            # Shares get no more digits than the bill has: of whole microcents they are whole microcents.
            grain = _MICROCENT if bill.amount % _MICROCENT == 0 else 1
            parts = allocate(bill.amount // grain, weights)
            shares = {key: part * grain for key, part in parts.items()} or {Label.NOT_ALLOCATED: bill.amount}
            used = sum(1 for weight in weights.values() if weight)
            for key, amount in shares.items():
                yield workspace, key, currency, amount, bill.rows > 1 and used > 1

    def _weights(self, kind: _Kind, number: int | None) -> dict[Any, int]:
        """Return the counts by key that a bill is shared by; web searches have one price in all of a workspace."""
        if number is None:
            return {}
        if number != WEB_SEARCHES:
            return {key: sums[number] for key, sums in self.counts.get(kind, {}).items()}
        weights: dict[Any, int] = defaultdict(int)
        for other, of_keys in self.counts.items():
            if not self.kind_columns or self.kind_columns[0] != "workspace_id" or other[0] == kind[0]:
                for key, sums in of_keys.items():
                    weights[key] += sums[number]
        return weights


def keys(reader: ArchiveReader, request: ReportRequest) -> Table:
    """Return billed money allocated to API keys.

    By their tokens of the same day and kind.
    """
    selected = select_days(reader, Report.COST, request)
    if selected.known is None:
        return selected.unknown()
    return keys_of_days(reader, request, read_allocated_days(reader, request, selected.days))


def keys_of_days(reader: ArchiveReader, request: ReportRequest, days: Sequence[AllocatedDay]) -> Table:
    """Return the report from days that are read already.

    So several groupings cost one read.
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
    """Read cost by row and usage by key of every day.

    Usage is of the series that separates most prices.
    """
    used = _best_usage(reader, request)
    days = {day.start: AllocatedDay(day, used.get(day.start)) for day in billed}
    for one in reader.sums(Report.COST, _BILLED, billed, lambda day: day):
        days[one.part.start].add_cost(dict(zip(_BILLED, one.values, strict=True)), one.sums[0])
    for one in reader.sums(Report.USAGE, _USED, [d.used for d in days.values() if d.used], lambda day: day):
        days[one.part.start].add_usage(dict(zip(_USED, one.values, strict=True)), one.sums)
    return list(days.values())


def _best_usage(reader: ArchiveReader, request: ReportRequest) -> dict[int, Day]:
    """Return the usage series of each day: the one by key with the most price columns, else the canonical one."""
    best = {day.start: day for day in reader.days(Report.USAGE, *request.bounds)}
    if reader.as_of is not None:
        return best  # other series than the canonical ones are not dated
    for day in reader.key_days(*request.bounds):
        if day.is_whole and _precision(day) > _precision(best.get(day.start)):
            best[day.start] = day
    return best


def _precision(day: Day | None) -> tuple[bool, int, bool]:
    if day is None or "api_key_id" not in day.group_by:
        return (False, 0, False)
    priced = len(_PRICED_BY) - len(missing_columns(Report.USAGE, _PRICED_BY, day.group_by))
    return (day.is_whole, priced, "inference_geo" in day.group_by)


def _lines(
    reader: ArchiveReader, days: Sequence[AllocatedDay], by: Sequence[str], slot_of: Any
) -> tuple[list[Line], int]:
    """Add up the shares of all days into lines; the second sum of a line is what of it is estimated."""
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
            split = is_estimate and "api_key" in by
            estimated += split
            identity = tuple(values.values())
            if identity not in lines:
                labels = frozenset(str(one) for one in identity if isinstance(one, Label))
                lines[identity] = Line(values, [], 0, labels)
            slot = slot_of(day.billed) if slot_of else None
            lines[identity].add(slot, day.billed.start, [amount, abs(amount) if split else 0])
    for line in lines.values():
        line.values = reader.with_labels(line.values, line.last_day)
    return list(lines.values()), estimated


def _known_days(days: Sequence[AllocatedDay], by: Sequence[str]) -> Iterable[tuple[Day, frozenset[str]]]:
    """Yield the days that are archived, once for each set of labels that a line of them can have."""
    for day in days:
        ungrouped = "workspace" in by and "workspace_id" not in day.billed.group_by
        base = {str(Label.NOT_GROUPED)} if ungrouped else set()
        yield day.billed, frozenset(base)
        if "api_key" in by:
            yield day.billed, frozenset({*base, str(Label.NOT_ALLOCATED)})
            yield day.billed, frozenset({*base, str(Label.NOT_GROUPED)})
