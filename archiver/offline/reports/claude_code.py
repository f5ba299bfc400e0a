"""`report claude-code`: people by their use of Claude Code."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from archiver.model import Report
from archiver.offline.reports.grouped import read_grouped, total_row
from archiver.offline.reports.spend import without_names
from archiver.offline.tables.table import Column, Kind, Table, counts, keep_top, money, plain
from archiver.reports.claude_code import COUNTS
from archiver.reports.cost import REMAINDER_UNITS_PER_MICROCENT
from archiver.reports.dimensions import TIMES, dimensions_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from archiver.offline.reports.request import ReportRequest
    from archiver.offline.tables.table import Row
    from archiver.store.read.reader import ArchiveReader

DIMENSIONS = (*dimensions_of(Report.CLAUDE_CODE), "id")
_SHOWN = ("sessions", "commits", "pull_requests", "lines_added", "lines_removed", "accepted", "rejected")
_NUMBERS = (*_SHOWN, "tokens", "estimated_cost")
_TOKENS = slice(COUNTS.index("input_tokens"), len(COUNTS))
_NOTE = (
    "estimated_cost is the API's estimate of money that the other reports have too: never add them up; "
    "acceptance_rate is of proposed edits"
)


def claude_code(reader: ArchiveReader, request: ReportRequest) -> Table:
    """Return sessions, commits, lines, acceptance rate and estimated cost.

    Rows are by person, or by some of person, terminal, kind of customer and time. The most expensive are first, but for
    rows by time. With the word `id` people have their ids alone.
    """
    words = tuple("person" if word == "id" else word for word in request.by)
    by = replace(request, by=words).grouped(dimensions_of(Report.CLAUDE_CODE), ("person",), "claude-code")
    grouped = read_grouped(reader, Report.CLAUDE_CODE, replace(request, sparklines=False), by)
    if grouped.selected.known is None:
        return grouped.selected.unknown()
    rows = [line.values | _numbers(line.sums) for line in grouped.lines]
    names = [*rows[0]][: -len(_NUMBERS)] if rows else [*by]
    total: dict[str, Any] = {name: sum(row[name] for row in rows) for name in _NUMBERS}
    kept = rows  # in order of time, unless the most expensive are wanted
    if request.top is not None or not set(by) & set(TIMES):
        kept = keep_top(rows, request.top, lambda row: (row["estimated_cost"], row["sessions"]), _NUMBERS).rows
    rate = Column("acceptance_rate", Kind.SHARE)
    columns = [*plain(*names), *counts(*_SHOWN), rate, *counts("tokens"), *money("estimated_cost")]
    totals = _with_rate(total) | {"estimated_cost": {"USD": total["estimated_cost"]}}
    table = Table(columns, [_with_rate(row) for row in kept], total_row([*names, *_NUMBERS], **totals))
    others = sum(line.sums[-1] for line in grouped.lines)
    note = "costs in other currencies than USD are not in these numbers" if others else ""
    return (without_names(table) if "id" in request.by else table).noting(grouped.note, note, _NOTE)


def _numbers(sums: Sequence[int]) -> dict[str, int]:
    of = dict(zip(COUNTS, sums, strict=False))
    microcents, remainder = sums[len(COUNTS)], sums[len(COUNTS) + 1]
    cost = microcents * REMAINDER_UNITS_PER_MICROCENT + remainder
    return {name: of[name] for name in _SHOWN} | {"tokens": sum(sums[_TOKENS]), "estimated_cost": cost}


def _with_rate(row: Row) -> Row:
    proposed = row["accepted"] + row["rejected"]
    return row | {"acceptance_rate": row["accepted"] / proposed if proposed else None}
