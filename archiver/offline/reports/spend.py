"""`report spend`, `workspaces`, `models`, `people`: money by dimensions."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from archiver.model import Report
from archiver.offline.reports.daily_money import DIMENSIONS as MONEY_DIMENSIONS
from archiver.offline.reports.daily_money import TEAM_WORDS, read_daily_money
from archiver.offline.reports.grouped import is_by_time, read_grouped, times_of, total_row
from archiver.offline.reports.request import ANALYTICS_NOTE, COST_NOTE, select_of
from archiver.offline.tables.money import Estimate
from archiver.offline.tables.sparkline import add_sparklines
from archiver.offline.tables.table import Column, Kind, Ranked, Table, keep_top, money, plain, sum_by_currency
from archiver.reports.dimensions import BY_NAME, TIMES, dimensions_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from archiver.offline.reports.grouped import Grouped
    from archiver.offline.reports.request import ReportRequest
    from archiver.offline.tables.table import Row
    from archiver.store.read.daily_sums import Line
    from archiver.store.read.reader import ArchiveReader


def spend(reader: ArchiveReader, request: ReportRequest) -> Table:
    """Return money by month and workspace, or by the given dimensions.

    Rows are ordered by the values of the columns, or with `top` by amount, the largest first.
    """
    return _spend(reader, request, ("month", "workspace"), "spend", ranked=request.top is not None)


def people(reader: ArchiveReader, request: ReportRequest) -> Table:
    """Return billed money by person, the most expensive first.

    The dimension `id` is `person` without names and addresses.
    """
    only_ids = "id" in request.by
    by_person = replace(request, by=tuple("person" if name == "id" else name for name in request.by))
    table = _spend(
        reader, by_person, ("person",), "people", ranked=True, report=Report.ANALYTICS_COST, dimension="actor"
    )
    return without_names(table) if only_ids else table


def without_names(table: Table) -> Table:
    """Return a table without the names of people."""
    name = BY_NAME["person"].label_column
    columns = [column for column in table.columns if column.name != name]
    rows = [{key: value for key, value in row.items() if key != name} for row in table.rows]
    return replace(table, columns=columns, rows=rows)


def ranked_by(name: str, dimension: str) -> Callable[[ArchiveReader, ReportRequest], Table]:
    """Return the function of a report that ranks money by one dimension."""
    return lambda reader, request: _spend(reader, request, (dimension,), name, ranked=True)


def _spend(  # noqa: PLR0913  # the differences between the reports
    reader: ArchiveReader,
    request: ReportRequest,
    default: Sequence[str],
    name: str,
    *,
    ranked: bool,
    report: Report = Report.COST,
    dimension: str = "",
) -> Table:
    """Return money by dimensions, or by teams if the request has them.

    `default` are the dimensions without `--by`, `name` is the name of the report. `dimension` selects the series of
    analytics-cost, see `ArchiveReader.days`.
    """
    if set(request.by) & set(TEAM_WORDS):
        return team_spend(reader, request, name, ranked=ranked)
    by = request.grouped(dimensions_of(report), default, name)
    grouped = read_grouped(reader, report, request, by, dimension)
    if grouped.selected.known is None:
        return grouped.selected.unknown()
    table, parts = _table(grouped, request.top, ranked=ranked)
    table = add_sparklines(table, grouped.sparkline_days, parts, lambda sums: sums[0])
    return table.over(grouped.title).noting(grouped.note, COST_NOTE if report is Report.COST else ANALYTICS_NOTE)


def _table(grouped: Grouped, top: int | None, *, ranked: bool) -> tuple[Table, list[list[Line]]]:
    """Return the table, and for each of its rows the lines that it sums."""
    rows = [line.values | {"amount": line.sums[0]} for line in grouped.lines]
    if ranked:
        return ranked_money(rows, grouped.lines, top)
    lines = [[line] for line in grouped.lines]
    if is_by_time(grouped.by):
        rows, lines = _with_empty_times(grouped, rows)
    names = list(rows[0]) if rows else [*grouped.by, "currency", "amount"]
    totals = sum_by_currency(rows, "amount") or {"USD": 0}
    columns = [*plain(*names[:-1]), *money("amount")]
    return Table(columns, rows, total_row(names, amount=totals)), lines


def team_spend(reader: ArchiveReader, request: ReportRequest, name: str, *, ranked: bool) -> Table:
    """Return money by team or cost centre, and by other dimensions.

    Raises:
        ConfigurationError: There are no team rules, or no report has all of the dimensions.
    """
    by = request.grouped((*TIMES, *MONEY_DIMENSIONS), (), name)
    times = [name for name in TIMES if name in by]
    read = read_daily_money(reader, request, tuple(name for name in by if name not in TIMES), request.selects)
    selected = select_of(read.archived, read.what, request)
    if selected.known is None:
        return selected.unknown()
    found: dict[tuple[Any, ...], Row] = {}
    for group in read.groups:
        for day in group.amounts:
            # Dimension of `--by` → its column, and the value of the day in this column.
            time = {"day": ("date", f"{day}"), "month": ("month", f"{day:%Y-%m}")}
            values = dict(time[name] for name in times) | group.values
            row = found.setdefault(tuple(values.values()), values | {"amount": 0})
            amount = row["amount"] + group.amounts[day]
            is_estimate = group.is_estimate or isinstance(row["amount"], Estimate)
            row["amount"] = Estimate(amount) if is_estimate else amount
    rows = [found[key] for key in sorted(found, key=lambda key: tuple(map(str, key)))]
    if ranked:
        table, _ = ranked_money(rows, [], request.top)
    else:
        names = list(rows[0]) if rows else [*by, "currency", "amount"]
        totals = sum_by_currency(rows, "amount") or {"USD": 0}
        table = Table([*plain(*names[:-1]), *money("amount")], rows, total_row(names, amount=totals))
    return table.over(selected.known.title()).noting(selected.known.sentence(), *read.notes)


def ranked_money(rows: Sequence[Row], lines: Sequence[Line], top: int | None) -> tuple[Table, list[list[Line]]]:
    """Return a table of rows ranked by `amount`, and the lines of each row.

    The share of a row is its part of the total in its currency. `lines` has the line of each row, or is empty.
    """
    found: Ranked = keep_top(rows, top, lambda row: row["amount"], ["amount"], lines or None)
    # Shares are added after the rows beyond `top` are folded into one, so that this row gets a share too.
    totals = sum_by_currency(rows, "amount")
    for row in found.rows:
        total = totals[row["currency"]]
        row["share"] = row["amount"] / total if total else None
    names = list(found.rows[0]) if found.rows else ["currency", "amount", "share"]
    kinds = {"amount": Kind.MONEY, "share": Kind.SHARE}
    bottom = total_row(names, amount={currency: int(value) for currency, value in totals.items()} or {"USD": 0})
    return Table([Column(name, kinds.get(name, Kind.TEXT)) for name in names], found.rows, bottom), found.lines


def _with_empty_times(grouped: Grouped, rows: list[Row]) -> tuple[list[Row], list[list[Line]]]:
    """Add a row of zero for each archived day or month without cost.

    Returns the rows in order of time, and the lines of each row.
    """
    # The dimension `day` has the column `date`. A day without cost has no currency, so its zero is in USD.
    times = [{"day": "date"}.get(name, name) for name in TIMES if name in grouped.by]
    present = {tuple(row[column] for column in times) for row in rows}
    zero = {"currency": "USD", "amount": 0}
    filled: list[tuple[Row, list[Line]]] = [(row, [line]) for row, line in zip(rows, grouped.lines, strict=True)]
    filled += [(row | zero, []) for row in times_of(grouped.selected, grouped.by) if tuple(row.values()) not in present]
    filled.sort(key=lambda item: (*(item[0][column] for column in times), item[0]["currency"]))
    return [row for row, _ in filled], [lines for _, lines in filled]
