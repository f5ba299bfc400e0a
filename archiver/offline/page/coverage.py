"""The coverage of an archive as a chart and a table."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from archiver.model import COVERED
from archiver.offline.tables.table import Table, plain
from archiver.offline.tables.write import show

if TYPE_CHECKING:
    from collections.abc import Sequence

    from archiver.store.read.status import CoverageRange

STATES = {"settled": "#228833", "provisional": "#66ccee", "missing": "#ee6677", "failed": "#aa3377"}
_MIDNIGHT = "T00:00:00Z"
_UNKNOWN_STATE = "#999999"


def coverage_table(coverage: Sequence[CoverageRange]) -> Table:
    """Return a table with a row for each range of one state.

    Times at midnight are shown as dates.
    """
    rows = [
        {
            "report": one.report,
            "bucket_width": one.bucket_width,
            "group_by": one.group_by.replace(",", ", "),
            "filters": one.filters,
            "start": one.start.removesuffix(_MIDNIGHT),
            "end": one.end.removesuffix(_MIDNIGHT),
            "state": one.state,
            "fetched_at": one.fetched_at,
        }
        for one in coverage
    ]
    names = ("report", "bucket_width", "group_by", "filters", "start", "end", "state", "fetched_at")
    return Table(plain(*names), rows)


def coverage_strips(coverage: Sequence[CoverageRange]) -> dict[str, Any]:
    """Return the chart of coverage, as page.js draws it.

    It has a row for each series, and in it a strip for each range of one state. Times are in UTC milliseconds.
    """
    names = list(dict.fromkeys(map(_series_name, coverage)))
    rows = [
        {
            "place": names.index(_series_name(one)),
            "key": str(key),
            "begin": _moment(one.start),
            "end": _moment(one.end),
            "colour": STATES.get(one.state, _UNKNOWN_STATE),
            "title": f"{_series_name(one)}: {one.state}",
            "texts": [
                ("from", one.start),
                ("to", one.end),
                *([("read", f"{one.fetched_at} or later")] if one.fetched_at and one.state in COVERED else []),
            ],
        }
        for key, one in enumerate(coverage)
    ]
    # The names are a data set of their own, or each would be drawn once for every range of its series.
    rows_of_names = [{"place": place, "name": name} for place, name in enumerate(names)]
    legend = list(STATES.items())
    return {"id": "coverage", "kind": "strips", "rows": rows, "names": rows_of_names, "legend": legend}


def in_progress(coverage: Sequence[CoverageRange], day: str, as_of: int | None) -> str:
    """Return `day` if its usage was last fetched before it ended, else "".

    `as_of` is the moment that the archive is read at: what was fetched later does not count.
    """
    # Times are ISO texts in UTC, which compare as texts.
    begin, end = f"{day}T00:00:00Z", f"{date.fromisoformat(day) + timedelta(days=1)}T00:00:00Z"
    # A range that is missing or failed has the time of a request that returned none of it.
    covered = [one for one in coverage if one.report == "usage" and one.state in COVERED]
    reads = [one.fetched_at for one in covered if one.fetched_at and begin < one.end and one.start < end]
    then = f"{datetime.fromtimestamp(as_of, UTC):%Y-%m-%dT%H:%M:%SZ}" if as_of is not None else end
    return day if reads and min(max(reads), then) < end else ""


def _series_name(one: CoverageRange) -> str:
    where = f" where {show(one.filters)}" if one.filters else ""
    return f"{one.report} {one.bucket_width} by {one.group_by.replace(',', ', ') or 'nothing'}{where}"


def _moment(time: str) -> int:
    return int(datetime.fromisoformat(time).timestamp()) * 1000  # milliseconds, as times in JavaScript
