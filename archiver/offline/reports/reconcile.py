"""`report reconcile`: compare tokens with billed money."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from archiver.model import DEFAULT_REPORTS, Report
from archiver.offline.reports.against import against
from archiver.offline.reports.grouped import COUNT_OF_TOKEN_TYPE
from archiver.offline.reports.known_days import count
from archiver.offline.reports.request import COST_NOTE, select_days
from archiver.offline.reports.sources import SOURCE, sources
from archiver.offline.tables.table import Table, counts, keep_top, money, plain
from archiver.reports.dimensions import TIMES, missing_columns
from archiver.store.read.daily_sums import group_columns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from archiver.offline.reports.request import ReportRequest
    from archiver.offline.tables.table import Row
    from archiver.store.read.daily_sums import Day
    from archiver.store.read.reader import ArchiveReader

_COMPARED_BY = ("model", "service_tier", "context_window", "token_type")
_A_MILLION = 1_000_000


def reconcile(reader: ArchiveReader, request: ReportRequest) -> Table:
    """Return tokens, their cost and the implied price of a million tokens.

    Rows are by month, model, tier, context window and token type, or by the given dimensions. The state of a row is
    `billed and used`, `billed without usage`, or `used without billing`, for example for priority tier. Days are left
    out unless both reports are archived by all of these dimensions.

    With the dimension `source`, the two reports that have money are compared instead: see `sources`. With a file, the
    archive is compared with the log of another program: see `against`.
    """
    if request.against_file is not None:
        return against(reader, request, request.against_file)
    if SOURCE in request.by:
        return sources(reader, request)
    by = request.grouped(("day", "month", *_COMPARED_BY), ("month", *_COMPARED_BY), "reconcile")
    selected = {report: select_days(reader, report, request) for report in DEFAULT_REPORTS}
    for report_days in (selected[Report.COST], selected[Report.USAGE]):
        if report_days.known is None:
            return report_days.unknown()
    # In place of the dimension `token_type`, usage rows have a count for each token type. Cost rows need `cost_type`,
    # because only the cost of tokens is compared.
    groupings = {Report.USAGE: tuple(name for name in by if name != "token_type"), Report.COST: (*by, "cost_type")}
    days = {report: _grouped_days(report, selected[report].days, grouping) for report, grouping in groupings.items()}
    common = {day.start for day in days[Report.USAGE]} & {day.start for day in days[Report.COST]}
    left_out = {day.start for report_days in selected.values() for day in report_days.days} - common
    used, billed = (
        reader.lines(report, grouping, [day for day in days[report] if day.start in common])
        for report, grouping in groupings.items()
    )
    names = [column for column in group_columns(Report.COST, by) if column != "currency"]
    rows = _rows(names, _tokens(names, [(line.values, line.sums) for line in used]), billed)
    if request.top is not None:
        rows = keep_top(rows, request.top, lambda row: abs(row["amount"] or 0), ["tokens", "amount"]).rows
    columns = [*plain(*names, "currency"), *counts("tokens"), *money("amount", "implied_price"), *plain("state")]
    dimensions = ", ".join(name for name in by if name not in TIMES)
    note = f"{count(len(left_out), 'day')} left out: usage and cost are not both archived" + (
        f" by {dimensions}" if dimensions else ""
    )
    known = selected[Report.COST].known
    return Table(columns, rows, period=known.title() if known else "").noting(
        *(report_days.known.sentence() for report_days in selected.values() if report_days.known),
        note if left_out else "",
        f"only token costs; the implied price is for a million tokens; {COST_NOTE}",
    )


def _grouped_days(report: Report, days: Sequence[Day], by: Sequence[str]) -> list[Day]:
    """Return the days that have a series grouped by all dimensions of `by`."""
    columns = tuple(group_columns(report, by))
    return [day for day in days if not missing_columns(report, columns, day.group_by)]


def _tokens(names: Sequence[str], used: Sequence[tuple[Row, list[int]]]) -> dict[tuple[Any, ...], int]:
    """Return tokens by the values of the columns `names`.

    A usage row has counts of five token types. It becomes five entries, because a cost row has one token type.
    """
    tokens: dict[tuple[Any, ...], int] = defaultdict(int)
    for values, sums in used:
        for token_type, index in COUNT_OF_TOKEN_TYPE.items():
            key = tuple(token_type if name == "token_type" else values[name] for name in names)
            tokens[key] += sums[index]  # without `token_type` in the columns, all five add up to one entry
    return tokens


def _rows(names: Sequence[str], tokens: dict[tuple[Any, ...], int], billed: Sequence[Any]) -> list[Row]:
    """Join tokens and cost lines by the values of the columns `names`."""
    amounts: dict[tuple[Any, ...], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for line in billed:
        if line.values["cost_type"] == "tokens":
            amounts[tuple(line.values[name] for name in names)][line.values["currency"]] += line.sums[0]
    used = {key for key, number in tokens.items() if number}  # most token types of a usage row have zero tokens
    groups = sorted({*amounts} | used, key=lambda key: tuple(map(str, key)))  # as text: None cannot be compared
    not_billed: dict[Any, Any] = {None: None}  # one row without currency and amount
    return [
        dict(zip(names, key, strict=True)) | _compared(tokens.get(key, 0), currency, amount)
        for key in groups
        for currency, amount in (amounts.get(key) or not_billed).items()
    ]


def _compared(tokens: int, currency: str | None, amount: int | None) -> Row:
    """Return a row's numbers and state; `amount` is None without billing."""
    if amount is None:
        state = "used without billing"
    elif tokens:
        state = "billed and used"
    else:
        state = "billed without usage"
    price = amount * _A_MILLION // tokens if amount is not None and tokens else None
    return {"currency": currency, "tokens": tokens, "amount": amount, "implied_price": price, "state": state}
