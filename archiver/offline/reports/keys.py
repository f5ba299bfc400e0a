"""`report keys`: money by API key, billed or allocated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archiver.model import Report
from archiver.offline.reports.daily_money import TEAM_WORDS
from archiver.offline.reports.grouped import slots_for
from archiver.offline.reports.key_days import Method, choose_days, method_notes, read_key_days
from archiver.offline.reports.request import select_of
from archiver.offline.reports.spend import ranked_money, team_spend
from archiver.offline.tables.money import Estimate
from archiver.offline.tables.sparkline import SlotDays, add_sparklines
from archiver.offline.tables.table import Table, plain
from archiver.reports.dimensions import Label
from archiver.store.read.daily_sums import Line

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from archiver.offline.reports.key_days import KeyDay
    from archiver.offline.reports.request import ReportRequest, SelectedDays
    from archiver.store.read.daily_sums import Day
    from archiver.store.read.reader import ArchiveReader

BY = ("day", "month", "workspace", "api_key")


def keys(reader: ArchiveReader, request: ReportRequest) -> Table:
    """Return money by API key, billed or allocated by tokens, with the method.

    If the request is by team or cost centre, the rows are those of `team_spend`, without a method.
    """
    if set(request.by) & set(TEAM_WORDS):
        return team_spend(reader, request, "keys", ranked=True)
    selected, days = select_key_days(reader, request)
    if selected.known is None:
        return selected.unknown()
    by = request.grouped(BY, ("api_key",), "keys")
    slots = slots_for(request, selected, by)
    lines, has_estimates = _lines(reader, days, by, slots.of if slots else None)
    rows = []
    for line in lines:
        method = _method(line.sums)
        amount = Estimate(line.sums[0]) if method is Method.ESTIMATED else line.sums[0]
        rows.append(line.values | {"amount": amount, "method": method.name.lower()})
    table, parts = ranked_money(rows, lines, request.top)
    slot_days = SlotDays(_days_with_labels(days, by), slots) if slots else None
    table = add_sparklines(_with_method_last(table), slot_days, parts, lambda sums: sums[0])
    return table.over(selected.known.title()).noting(
        selected.known.sentence(), *method_notes(days, has_estimates=has_estimates)
    )


def select_key_days(reader: ArchiveReader, request: ReportRequest) -> tuple[SelectedDays, list[KeyDay]]:
    """Return the days that a request selects, and their cost by API key."""

    def read() -> tuple[SelectedDays, list[KeyDay]]:
        chosen = choose_days(reader)
        selected = select_of([day for _, day in chosen.values()], str(Report.COST), request)
        return selected, read_key_days(reader, request, {day.start: chosen[day.start] for day in selected.days})

    # Read once, because a page shows several groupings of the same days.
    return reader.once(("key days", request.since, request.until, request.as_of), read)


def _with_method_last(table: Table) -> Table:
    """Return a table with the column `method` last."""
    columns = [*(column for column in table.columns if column.name != "method"), *plain("method")]
    rows = [{column.name: row[column.name] for column in columns} for row in table.rows]
    return Table(columns, rows, table.total)


def _lines(reader: ArchiveReader, days: Sequence[KeyDay], by: Sequence[str], slot_of: Any) -> tuple[list[Line], bool]:
    """Return the shares of all days as lines, and whether any is estimated.

    The sums of a line are its amount, the total size of its estimated shares, and the number of its allocated shares.
    """
    lines: dict[tuple[Any, ...], Line] = {}
    has_estimates = False
    for key_day in days:
        day = key_day.day
        slot = slot_of(day) if slot_of else None
        for share in key_day.shares():
            values = {
                **({"date": f"{day.date}"} if "day" in by else {}),
                **({"month": f"{day.date:%Y-%m}"} if "month" in by else {}),
                **({"workspace_id": share.workspace} if "workspace" in by else {}),
                **({"api_key_id": share.key} if "api_key" in by else {}),
                "currency": share.currency,
            }
            # Only the division among keys is an estimate: without keys in the grouping, the sum of the shares is exact.
            is_estimate = share.method is Method.ESTIMATED and "api_key" in by
            has_estimates |= is_estimate
            identity = tuple(values.values())
            if identity not in lines:
                # In place of the columns that a series lacks, `Line.missing` has labels here, see `_days_with_labels`.
                labels = frozenset(str(value) for value in identity if isinstance(value, Label))
                lines[identity] = Line(values, [], 0, labels)
            # The absolute size: otherwise an estimated charge and an estimated credit could cancel out and look exact.
            sums = [share.amount, share.size if is_estimate else 0, int(share.method is not Method.BILLED)]
            lines[identity].add(slot, day.start, sums)
    # Only now, because a line shows the names of its last day.
    for line in lines.values():
        line.values = reader.with_labels(line.values, line.last_day)
    return list(lines.values()), has_estimates


def _method(sums: Sequence[int]) -> Method:
    """Return the least sure method of a line's shares, from its sums."""
    _, estimated_size, allocated = sums
    if estimated_size:
        return Method.ESTIMATED
    return Method.EXACT if allocated else Method.BILLED


def _days_with_labels(days: Sequence[KeyDay], by: Sequence[str]) -> Iterable[tuple[Day, frozenset[str]]]:
    """Yield each day once for every set of labels that its lines can have.

    `SlotDays` divides the sum of a line by the days with the labels of the line. Cost that is not allocated can occur
    on any day, so every day counts for such a line.
    """
    for key_day in days:
        day = key_day.day
        is_ungrouped = "workspace" in by and "workspace_id" not in day.group_by
        base = {str(Label.NOT_GROUPED)} if is_ungrouped else set()
        yield day, frozenset(base)
        if "api_key" in by:
            yield day, frozenset({*base, str(Label.NOT_ALLOCATED)})
            yield day, frozenset({*base, str(Label.NOT_GROUPED)})
