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
    """Return money by API key, billed or allocated to keys by their tokens."""
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
    slot_days = SlotDays(_known_days(days, by), slots) if slots else None
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

    # A page shows several groupings of the same days.
    return reader.once(("key days", request.since, request.until, request.as_of), read)


def _with_method_last(table: Table) -> Table:
    columns = [*(column for column in table.columns if column.name != "method"), *plain("method")]
    rows = [{column.name: row[column.name] for column in columns} for row in table.rows]
    return Table(columns, rows, table.total)


def _lines(reader: ArchiveReader, days: Sequence[KeyDay], by: Sequence[str], slot_of: Any) -> tuple[list[Line], bool]:
    """Add up the shares of all days into lines, and return whether some are estimates.

    The sums of a line are its amount, the size of the estimated shares within it, and the number of allocated ones.
    """
    lines: dict[tuple[Any, ...], Line] = {}
    has_estimates = False
    for one in days:
        day = one.day
        slot = slot_of(day) if slot_of else None
        for share in one.shares():
            values = {
                **({"date": f"{day.date}"} if "day" in by else {}),
                **({"month": f"{day.date:%Y-%m}"} if "month" in by else {}),
                **({"workspace_id": share.workspace} if "workspace" in by else {}),
                **({"api_key_id": share.key} if "api_key" in by else {}),
                "currency": share.currency,
            }
            # Without keys in the grouping the shares of a bill add up to it again, which is exact.
            estimated = share.method is Method.ESTIMATED and "api_key" in by
            has_estimates |= estimated
            identity = tuple(values.values())
            if identity not in lines:
                # In place of the columns that a series lacks, as in `_known_days`.
                labels = frozenset(str(one) for one in identity if isinstance(one, Label))
                lines[identity] = Line(values, [], 0, labels)
            # Absolute, or an estimated charge and an estimated credit could cancel out and look exact.
            sums = [share.amount, share.size if estimated else 0, int(share.method is not Method.BILLED)]
            lines[identity].add(slot, day.start, sums)
    # Only now, as names are those at the last day of a line.
    for line in lines.values():
        line.values = reader.with_labels(line.values, line.last_day)
    return list(lines.values()), has_estimates


def _method(sums: Sequence[int]) -> Method:
    """Return the method of a line: the least sure of its parts."""
    return Method.ESTIMATED if sums[1] else Method.EXACT if sums[2] else Method.BILLED


def _known_days(days: Sequence[KeyDay], by: Sequence[str]) -> Iterable[tuple[Day, frozenset[str]]]:
    """Yield each day once for every set of labels that a line of it can have.

    Cost without matching usage can occur on any day, so every day is known for each of these lines.
    """
    for one in days:
        day = one.day
        ungrouped = "workspace" in by and "workspace_id" not in day.group_by
        base = {str(Label.NOT_GROUPED)} if ungrouped else set()
        yield day, frozenset(base)
        if "api_key" in by:
            yield day, frozenset({*base, str(Label.NOT_ALLOCATED)})
            yield day, frozenset({*base, str(Label.NOT_GROUPED)})
