"""`report claude-code`: the use of Claude Code, by person."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from archiver.model import Report
from archiver.offline.reports.grouped import read_grouped, total_row
from archiver.offline.reports.known_days import count
from archiver.offline.reports.spend import without_names
from archiver.offline.tables.table import Column, Kind, Table, counts, keep_top, money, plain
from archiver.reports.claude_code import COUNTS
from archiver.reports.cost import REMAINDER_UNITS_PER_MICROCENT
from archiver.reports.dimensions import TIMES, dimensions_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from archiver.offline.reports.request import ReportRequest
    from archiver.offline.tables.table import Row
    from archiver.store.read.reader import ArchiveReader

DIMENSIONS = (*dimensions_of(Report.CLAUDE_CODE), "id")
_SHOWN = ("sessions", "commits", "pull_requests", "lines_added", "lines_removed", "accepted", "rejected")
_NUMBERS = (*_SHOWN, "tokens", "estimated_cost")
_TOKENS = slice(COUNTS.index("input_tokens"), len(COUNTS))  # the counts of tokens are the last ones of COUNTS
_NOTE = (
    "estimated_cost is the API's estimate of cost that the other reports also have: never add the two; "
    "acceptance_rate is of proposed edits"
)


def claude_code(reader: ArchiveReader, request: ReportRequest) -> Table:
    """Return sessions, commits, lines, acceptance rate and estimated cost.

    Rows are by person, or by the given dimensions: person, terminal, kind of customer and time. Rows by time are in
    order of time unless `top` is given; other rows begin with the most expensive. The dimension `id` is `person`
    without names.
    """
    dimensions = tuple("person" if name == "id" else name for name in request.by)
    by = replace(request, by=dimensions).grouped(dimensions_of(Report.CLAUDE_CODE), ("person",), "claude-code")
    grouped = read_grouped(reader, Report.CLAUDE_CODE, replace(request, sparklines=False), by)
    if grouped.selected.known is None:
        return grouped.selected.unknown()
    rows = [line.values | _numbers(line.sums) for line in grouped.lines]
    names = [*rows[0]][: -len(_NUMBERS)] if rows else [*by]
    total: dict[str, Any] = {name: _sum(row[name] for row in rows) for name in _NUMBERS}
    kept = rows  # in order of time, unless the most expensive are wanted
    if request.top is not None or not set(by) & set(TIMES):
        kept = keep_top(rows, request.top, lambda row: (row["estimated_cost"] or 0, row["sessions"]), _NUMBERS).rows
    rate = Column("acceptance_rate", Kind.SHARE)
    columns = [*plain(*names), *counts(*_SHOWN), rate, *counts("tokens"), *money("estimated_cost")]
    cost = total["estimated_cost"]
    totals = _with_rate(total) | {"estimated_cost": None if cost is None else {"USD": cost}}
    table = Table(columns, [_with_rate(row) for row in kept], total_row([*names, *_NUMBERS], **totals))
    # The last two sums count rows: those with a cost in another currency, and those without a cost.
    others, without_cost = (sum(line.sums[index] for line in grouped.lines) for index in (-2, -1))
    notes = (
        "costs in other currencies than USD are not in these numbers" if others else "",
        f"{count(without_cost, 'row')} for models came without a cost and add nothing to estimated_cost"
        if without_cost
        else "",
    )
    shown = without_names(table) if "id" in request.by else table
    return shown.over(grouped.title).noting(grouped.note, *notes, _NOTE)


def _numbers(sums: Sequence[int]) -> dict[str, int | None]:
    """Return the numbers of a row.

    After the counts, `sums` has the cost in whole microcents and its remainder, and the numbers of rows with a cost in
    USD, with a cost in another currency, and without a cost.
    """
    number_of = dict(zip(COUNTS, sums, strict=False))
    microcents, remainder, in_usd, in_others, without_cost = sums[len(COUNTS) :]
    # The cost is unknown if models were used, but none has a cost in USD. Without any use of models it is zero.
    is_unknown = not in_usd and (in_others or without_cost)
    cost = None if is_unknown else microcents * REMAINDER_UNITS_PER_MICROCENT + remainder
    return {name: number_of[name] for name in _SHOWN} | {"tokens": sum(sums[_TOKENS]), "estimated_cost": cost}


def _sum(numbers: Iterable[int | None]) -> int | None:
    """Add up the numbers that are not None; None if all of them are None.

    The sum of no numbers is zero.
    """
    values = list(numbers)
    known = [value for value in values if value is not None]
    return sum(known) if known or not values else None


def _with_rate(row: Row) -> Row:
    """Return a row with the part of the proposed edits that were accepted."""
    proposed = row["accepted"] + row["rejected"]
    return row | {"acceptance_rate": row["accepted"] / proposed if proposed else None}
