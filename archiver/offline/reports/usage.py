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
# The input tokens by their use of the prompt cache: not cached, written, and read.
_CACHE_COUNTS = ("uncached_input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")


def tokens(reader: ArchiveReader, request: ReportRequest) -> Table:
    """Return token counts, by default by month, workspace and model.

    Raises:
        ConfigurationError: The report cannot be grouped in this way.
    """
    by = request.grouped(DIMENSIONS, ("month", "workspace", "model"), "tokens")
    grouped = _read(reader, request, by)
    if grouped.selected.known is None:
        return grouped.selected.unknown()
    rows = [line.values | dict(zip(COUNTS, line.sums, strict=True)) for line in grouped.lines]
    lines_of_rows = [[line] for line in grouped.lines]
    if is_by_time(by) and request.top is None:
        # An archived day or month without usage gets a row of zeros, which has no lines. Here `by` has only times, so
        # the first len(by) values of a row are its times: they identify the row and order it.
        zeros = dict.fromkeys(COUNTS, 0)
        present = [tuple(row.values())[: len(by)] for row in rows]
        rows += [row | zeros for row in times_of(grouped.selected, by) if tuple(row.values()) not in present]
        lines_of_rows += [[] for _ in range(len(rows) - len(lines_of_rows))]
        # The order of indexes, because rows and their lines are sorted together.
        order = sorted(range(len(rows)), key=lambda i: tuple(rows[i].values())[: len(by)])
        rows, lines_of_rows = [rows[i] for i in order], [lines_of_rows[i] for i in order]
    # The columns before the counts are taken from a row, because it has columns of names too, not only those of `by`.
    names = [*rows[0]][: -len(COUNTS)] if rows else list(by)
    totals = {name: sum(row[name] for row in rows) for name in COUNTS}
    if request.top is not None:  # no rows of zeros were added: each row has one line
        ranked = keep_top(rows, request.top, _all_tokens_of, COUNTS, grouped.lines)
        rows, lines_of_rows = ranked.rows, ranked.lines
    table = Table([*plain(*names), *counts(*COUNTS)], rows, total_row([*names, *COUNTS], **totals) if names else None)
    table = add_sparklines(table, grouped.sparkline_days, lines_of_rows, all_tokens)
    return table.over(grouped.title).noting(grouped.note)


def cache(reader: ArchiveReader, request: ReportRequest) -> Table:
    """Return input tokens by cache use, and the cache hit rate.

    The default grouping is by month and model.

    Raises:
        ConfigurationError: The report cannot be grouped in this way.
    """
    by = request.grouped(DIMENSIONS, ("month", "model"), "cache")
    grouped = _read(reader, request, by)
    if grouped.selected.known is None:
        return grouped.selected.unknown()
    rows = []
    for line in grouped.lines:
        # The first four of COUNTS are all input tokens. Writes to the cache are counted by the lifetime in the cache.
        uncached, written_for_1h, written_for_5m, read = line.sums[:4]
        input_tokens = (uncached, written_for_1h + written_for_5m, read)
        rows.append(line.values | dict(zip(_CACHE_COUNTS, input_tokens, strict=True)))
    totals = {name: sum(row[name] for row in rows) for name in _CACHE_COUNTS}
    names = [*rows[0]][: -len(_CACHE_COUNTS)] if rows else list(by)
    if request.top is not None:
        rows = keep_top(rows, request.top, lambda row: row["cache_read_input_tokens"], _CACHE_COUNTS).rows
    # The rates are computed after `keep_top`, because the rate of the row `(others)` is not a sum of rates.
    for row in rows:
        row["cache_hit_rate"] = hit_rate(row)
    total = total_row([*names, *_CACHE_COUNTS], **totals) if names else None
    if total is not None:
        total["cache_hit_rate"] = hit_rate(total)
    columns = [*plain(*names), *counts(*_CACHE_COUNTS), Column("cache_hit_rate", Kind.SHARE)]
    return Table(columns, rows, total).over(grouped.title).noting(grouped.note)


def _read(reader: ArchiveReader, request: ReportRequest, by: tuple[str, ...]) -> Grouped:
    """Read the lines of a grouping."""
    # Usage by team or cost centre is computed with the rules for teams.
    if set(by) & set(TEAM_WORDS):
        return read_team_usage(reader, request, by)
    return read_grouped(reader, Report.USAGE, request, by)


def _all_tokens_of(row: Row) -> int:
    return all_tokens([row[name] for name in COUNTS])


def hit_rate(row: Row) -> float | None:
    """Return the share of the input tokens that were read from the cache.

    The share is from 0 to 1, rounded to four decimals; None if there are no input tokens.
    """
    input_tokens = sum(row[name] for name in _CACHE_COUNTS)
    return round(row["cache_read_input_tokens"] / input_tokens, 4) if input_tokens else None
