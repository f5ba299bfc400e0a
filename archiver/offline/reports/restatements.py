"""`report restatements`: what changed in settled buckets."""

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

    Changes of one field of one bucket that were first seen at the same time are one row, with their number and sums.
    The values of the field `amount` are decimal cents of its currency, those of all other fields counts.
    """
    since, until = request.first_seen
    if request.as_of is not None:
        then = to_text(request.as_of + 1)  # `until` is exclusive, and `as_of` includes its second
        until = min(until or then, then)
    sums: dict[tuple[Any, ...], list[Any]] = defaultdict(lambda: [0, Decimal(0), Decimal(0)])
    for row in reader.restatements(since, until):
        total = sums[tuple(row[name] for name in _KEY)]
        total[0] += 1
        # A row that appeared has no older value, and one that is gone no newer value: both count as zero.
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
    """Return the changes of buckets in the selected days, whenever first seen."""
    table = restatements(reader, replace(request, first_seen=(None, None)))
    since, until = request.bounds
    # Dates compare as text; "" is before and "~" after all of them.
    kept = [row for row in table.rows if (since or "") <= row["bucket_start"][:10] < (until or "~")]
    return replace(table, rows=kept)
