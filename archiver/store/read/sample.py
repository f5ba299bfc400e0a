"""Settled windows of an archive and their rows, to compare with the API."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from archiver.answer import distinguish
from archiver.model import BucketWidth, Report, Series, Window, make_filters
from archiver.plan.windows import cut
from archiver.reports import SPECS
from archiver.store.read.verify import Finding, repair_options
from archiver.store.statements import series_values, sql

if TYPE_CHECKING:
    import sqlite3

# By default, a sync requests settled buckets of the last 35 days only. A hundred years include all buckets.
_ALL_DAYS = "--refresh 36500 --accept-restatements"


class Sample:
    """Settled windows of an archive and their rows."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def organization(self) -> str | None:
        """Return the id of the organisation; None if the archive has none."""
        row = self._connection.execute(sql("select_organization")).fetchone()
        return None if row is None else str(row[0])

    def settled_windows(self) -> list[Window]:
        """Return windows that cover all settled buckets, one for each request."""
        windows = []
        rows = self._connection.execute(sql("settled_spans")).fetchall()
        for report, bucket_width, group_by, filters, start, end in rows:
            series = read_series(report, bucket_width, group_by, filters)
            limit = SPECS[series.report].limits[series.bucket_width]
            pieces = cut(start, end, series.bucket_width.seconds, limit)
            windows += [Window(series, *piece) for piece in pieces]
        return windows

    def rows(self, window: Window) -> dict[int, dict[tuple[str | None, ...], tuple[Any, ...]]]:
        """Read the rows of a window.

        Return start of bucket → dimension values → values. The values of each row are its measures and `extra`. As in a
        response, `extra` is appended to dimension values that occur more than once in a bucket.
        """
        (series_id,) = self._connection.execute(sql("select_series_id"), series_values(window.series)).fetchone()
        where = {"series_id": series_id, "start": window.start, "end": window.end}
        width = len(SPECS[window.series.report].columns)  # the measures and `extra` follow the dimension values
        rows: dict[int, list[tuple[Any, ...]]] = defaultdict(list)
        for start, *values in self._connection.execute(sql(f"{window.series.report}.sample_rows"), where):
            rows[start].append(tuple(values))
        found = {}
        for start, stored in rows.items():
            keys = distinguish([values[:width] for values in stored], [values[-1] for values in stored])
            found[start] = {key: values[width:] for key, values in zip(keys, stored, strict=True)}
        return found

    @staticmethod
    def finding(series: Series, start: int, end: int, message: str) -> Finding:
        """Return a finding for a difference from the API.

        Its `repair` is a sync that requests settled buckets of all days again.
        """
        repair = repair_options(series.report, series.bucket_width, series.group_by_text, series.filters_text)
        return Finding("online", message, None, series.report, start, end, None, f"{repair} {_ALL_DAYS}")


def read_series(report: str, bucket_width: str, group_by: str, filters: str) -> Series:
    """Return a series from the texts that identify it in the archive."""
    values_of: dict[str, tuple[str, ...]] = defaultdict(tuple)
    for dimension, value in parse_qsl(filters, keep_blank_values=True):
        values_of[dimension] += (value,)
    # An empty `group_by` splits into one empty text, which `filter` removes.
    dimensions = tuple(filter(None, group_by.split(",")))
    return Series(Report(report), BucketWidth(bucket_width), dimensions, make_filters(values_of))
