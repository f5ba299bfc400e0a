"""`report tokens` and `report cache`: token counts and cache hit rates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archiver.model import Report
from archiver.offline.reports.daily_money import TEAM_WORDS
from archiver.offline.reports.grouped import COUNTS, all_tokens, is_by_time, read_grouped, times_of, total_row
from archiver.offline.reports.team_usage import read_team_usage
from archiver.offline.tables.sparkline import add_sparklines
from archiver.offline.tables.table import Column, Kind, Table, counts, keep_top, plain
from archiver.reports.dimensions import dimensions_of

if TYPE_CHECKING:
    from archiver.offline.reports.grouped import Grouped
    from archiver.offline.reports.request import ReportRequest
    from archiver.offline.tables.table import Row
    from archiver.store.read.reader import ArchiveReader

DIMENSIONS = (*TEAM_WORDS, *dimensions_of(Report.USAGE))
_CACHE_COUNTS = ("uncached_input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")


def tokens(reader: ArchiveReader, request: ReportRequest) -> Table:
    """Return token counts by month, workspace and model."""
    by = request.grouped(DIMENSIONS, ("month", "workspace", "model"), "tokens")
    grouped = _read(reader, request, by)
    if grouped.selected.known is None:
        return grouped.selected.unknown()
    rows = [line.values | dict(zip(COUNTS, line.sums, strict=True)) for line in grouped.lines]
    parts = [[line] for line in grouped.lines]
    if is_by_time(by) and request.top is None:
        # An archived day or month without usage is a row of zeros, which sums no line. A row begins with its times, as
        # many as `by` has words, and rows are sorted by them.
        zeros = dict.fromkeys(COUNTS, 0)
        present = [tuple(row.values())[: len(by)] for row in rows]
        rows += [row | zeros for row in times_of(grouped.selected, by) if tuple(row.values()) not in present]
        parts += [[] for _ in range(len(rows) - len(parts))]
        order = sorted(range(len(rows)), key=lambda i: tuple(rows[i].values())[: len(by)])
        rows, parts = [rows[i] for i in order], [parts[i] for i in order]
    names = [*rows[0]][: -len(COUNTS)] if rows else list(by)
    totals = {name: sum(row[name] for row in rows) for name in COUNTS}
    if request.top is not None:
        found = keep_top(rows, request.top, _all_tokens_of, COUNTS, grouped.lines)
        rows, parts = found.rows, found.lines
    table = Table([*plain(*names), *counts(*COUNTS)], rows, total_row([*names, *COUNTS], **totals) if names else None)
    return add_sparklines(table, grouped.sparkline_days, parts, all_tokens).over(grouped.title).noting(grouped.note)


def cache(reader: ArchiveReader, request: ReportRequest) -> Table:
    """Return the share of input from the prompt cache, by month and model."""
    by = request.grouped(DIMENSIONS, ("month", "model"), "cache")
    grouped = _read(reader, request, by)
    if grouped.selected.known is None:
        return grouped.selected.unknown()
    rows = []
    for line in grouped.lines:
        uncached, hour, minutes, read = line.sums[:4]
        rows.append(line.values | dict(zip(_CACHE_COUNTS, (uncached, hour + minutes, read), strict=True)))
    totals = {name: sum(row[name] for row in rows) for name in _CACHE_COUNTS}
    names = [*rows[0]][: -len(_CACHE_COUNTS)] if rows else list(by)
    if request.top is not None:
        rows = keep_top(rows, request.top, lambda row: row["cache_read_input_tokens"], _CACHE_COUNTS).rows
    # After the folding: the rate of several rows is not the sum of theirs.
    for row in rows:
        row["cache_hit_rate"] = hit_rate(row)
    total = total_row([*names, *_CACHE_COUNTS], **totals) if names else None
    if total is not None:
        total["cache_hit_rate"] = hit_rate(total)
    columns = [*plain(*names), *counts(*_CACHE_COUNTS), Column("cache_hit_rate", Kind.SHARE)]
    return Table(columns, rows, total).over(grouped.title).noting(grouped.note)


def _read(reader: ArchiveReader, request: ReportRequest, by: tuple[str, ...]) -> Grouped:
    if set(by) & set(TEAM_WORDS):
        return read_team_usage(reader, request, by)
    return read_grouped(reader, Report.USAGE, request, by)


def _all_tokens_of(row: Row) -> int:
    return all_tokens([row[name] for name in COUNTS])


def hit_rate(row: Row) -> float | None:
    """Return the share of the input that was read from the cache.

    It is rounded to four digits, and None without input.
    """
    whole = sum(row[name] for name in _CACHE_COUNTS)
    return round(row["cache_read_input_tokens"] / whole, 4) if whole else None
