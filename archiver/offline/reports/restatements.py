"""`report restatements`: changes in settled buckets, by time first seen."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from archiver.model import to_text
from archiver.offline.tables.table import Column, Kind, Table, counts, plain

if TYPE_CHECKING:
    from archiver.offline.reports.request import ReportRequest
    from archiver.store.read.reader import ArchiveReader

_KEY = ("learnt_at", "report", "bucket_width", "group_by", "bucket_start", "field", "currency")
_VALUES = ("was", "now", "change")


def restatements(reader: ArchiveReader, request: ReportRequest) -> Table:
    """Return the fields of settled buckets that changed.

    Changes in one field of one bucket that were first seen at the same time are one row, with their number (`rows`) and
    the sums of their older and newer values. Values of the field `amount` are in decimal cents of the row's currency;
    values of all other fields are counts.
    """
    since, until = request.first_seen
    if request.as_of is not None:
        end = to_text(request.as_of + 1)  # `until` is exclusive, and `as_of` includes its second
        until = min(until or end, end)
    # For each key: the number of changes, the sum of the older values, and the sum of the newer values.
    sums: dict[tuple[Any, ...], list[Any]] = defaultdict(lambda: [0, Decimal(0), Decimal(0)])
    for row in reader.restatements(since, until):
        total = sums[tuple(row[name] for name in _KEY)]
        total[0] += 1
        # A row that appeared has no older value, and a row that disappeared has no newer value: both count as zero.
        total[1] += Decimal(row["was"] or 0)
        total[2] += Decimal(row["now"] or 0)
    rows = [
        dict(zip(_KEY, key, strict=True)) | {"rows": number, "was": str(was), "now": str(now), "change": str(now - was)}
        for key, (number, was, now) in sums.items()
    ]
    columns = [*plain(*_KEY), *counts("rows"), *(Column(name, Kind.EXACT) for name in _VALUES)]
    bounds = f"first seen {f'since {since}' if since else 'at any time'}{f' before {until}' if until else ''}"
    return Table(columns, rows, period=bounds, notes=("values are tokens; values of the field amount are cents",))


def restated_days(reader: ArchiveReader, request: ReportRequest) -> Table:
    """Return the changes in buckets of the selected days.

    The time at which a change was first seen does not matter.
    """
    table = restatements(reader, replace(request, first_seen=(None, None)))
    since, until = request.bounds
    # The first ten characters of a bucket's start are its date. Dates are compared as text: "" is before all dates, and
    # "~" is after them.
    kept = [row for row in table.rows if (since or "") <= row["bucket_start"][:10] < (until or "~")]
    return replace(table, rows=kept)
