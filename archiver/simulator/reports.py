"""Pages of the usage and the cost report, as of the clock's time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archiver.simulator.aggregate import cost_rows, sum_usage, usage_rows
from archiver.simulator.clock import DAY, stamp
from archiver.simulator.usage_patterns import DIMENSIONS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from archiver.simulator.activity import UsageEvent
    from archiver.simulator.aggregate import Row, Sums
    from archiver.simulator.invented_data import InventedData
    from archiver.simulator.query import Filters, Query, Selection

Bucket = dict[str, Any]


class Reports:
    """Buckets and pages in the API's shape, computed anew at every call."""

    def __init__(self, data: InventedData) -> None:
        """Read everything from `data`."""
        self._data = data
        self._cost_lag = int(data.settings.cost_lag.total_seconds())

    def page(self, query: Query) -> dict[str, Any]:
        """Return one page: `data`, `has_more` and `next_page`."""
        selection = query.selection
        starts = self.starts(selection)
        page = range(max(starts.start, query.first), starts.stop, selection.width)[: query.limit]
        # A page that begins after the last bucket is empty and the last one.
        more = bool(page) and page[-1] != starts[-1]
        following = query.token(page[-1] + selection.width) if more else None
        return {"data": self.buckets(selection, page), "has_more": more, "next_page": following}

    def starts(self, selection: Selection) -> range:
        """Return the starts (UTC seconds) of the buckets that exist by now.

        The usage report includes the bucket in progress if the range covers its end. The cost report never includes
        today, nor days that ended less than the setting `cost_lag` ago.
        """
        width = selection.width
        usage = selection.report == "usage"
        shown_until = self._data.clock.seconds + (width if usage else -self._cost_lag)
        return range(selection.start, min(selection.end, shown_until // width * width), width)

    def is_final(self, selection: Selection) -> bool:
        """Return whether time alone can no longer change the buckets."""
        # A day more than needed: a range that ends within a day counts as final only after that day.
        return selection.end + self._data.settling + self._cost_lag + DAY <= self._data.clock.seconds

    def buckets(self, selection: Selection, starts: Sequence[int]) -> list[Bucket]:
        """Return the buckets at these starts, also those without use."""
        rows = self._usage(selection, starts) if selection.report == "usage" else self._cost(selection, starts)
        return [
            {"starting_at": stamp(start), "ending_at": stamp(start + selection.width), "results": results}
            for start, results in zip(starts, rows, strict=True)
        ]

    def _usage(self, selection: Selection, starts: Sequence[int]) -> Iterator[list[Row]]:
        day: int | None = None
        sums: dict[int, Sums] = {}
        for start in starts:
            # One pass over the events of a day serves all of its minutes or hours.
            if start // DAY != day:
                day = start // DAY
                events = _filtered(self._data.events(day), selection.filters)
                sums = sum_usage(events, selection.width, selection.group_by)
            bucket = sums.get(start % DAY // selection.width, {})
            yield usage_rows(bucket, selection.group_by, self._data.settings)

    def _cost(self, selection: Selection, starts: Sequence[int]) -> Iterator[list[Row]]:
        data = self._data
        for start in starts:
            day = start // DAY
            yield cost_rows(data.events(day), data.charges(day), selection.group_by, data.currency_of)


def _filtered(events: Sequence[UsageEvent], filters: Filters) -> Sequence[UsageEvent]:
    """Return the events that pass every filter; null passes none."""
    for name, values in filters:
        index = DIMENSIONS.index(name)
        events = [event for event in events if event.values[index] in values]
    return events
