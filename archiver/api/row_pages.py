"""Fetch one window of a report that is paged by rows.

The rows of all pages are collected by bucket. Paged by rows are the two analytics reports and the Claude Code report;
usage and cost are paged by buckets.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from archiver.answer import Answer, Bucket, distinguish
from archiver.api.decode.page import RowPageReader
from archiver.errors import ContractError, TooWideError
from archiver.model import to_text
from archiver.reports import SPECS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from archiver.answer import Buckets, Row, RowPage
    from archiver.api.client import AdminClient, Decode
    from archiver.model import DimensionValues, NamedObject, Values, Window
    from archiver.reports.spec import Repeats

# The most rows of a window in memory: as Python values they take about 100 MB. A window with more is fetched in halves.
_MOST_ROWS = 200_000
# With 1,000 rows a page this is a million rows, more than any window has. The limit ends an endless list of pages.
_MOST_PAGES = 1_000


async def fetch_row_window(
    client: AdminClient,
    window: Window,
    query: Sequence[tuple[str, str]],
    decode: Decode,
    release: Callable[[], None],
) -> Answer:
    """Fetch all pages of a window, and return its buckets.

    Buckets that have begun are included even if they have no rows. `query` is the query of the first page. `decode`
    chooses when and where a page is decoded. `release` is called between two pages, so that other windows can be
    decoded while this window waits for the API.

    Raises:
        TooWideError: The window has several buckets, and its answer is too slow, too large, or has too many rows.
        ApiError: There is no answer, or it breaks the contract.
    """
    spec = SPECS[window.series.report]
    read = RowPageReader(window)
    rows = _Rows(window)
    seen: set[str] = set()
    splittable = window.buckets > 1
    page = first = await client.get(spec.path, query, read, beta=spec.beta, splittable=splittable, decode=decode)
    rows.add(page)
    while page.next_page is not None:
        if page.next_page in seen:
            raise ContractError("the page tokens form a circle", place="next_page", request_id=first.request_id)
        if len(seen) >= _MOST_PAGES:
            raise ContractError(f"more than {_MOST_PAGES:,} pages", place="next_page", request_id=first.request_id)
        if not page.rows:
            raise ContractError("a page without rows is not the last", place="data", request_id=first.request_id)
        seen.add(page.next_page)
        rows.check_size()
        release()
        page_query = [*query, ("page", page.next_page)]
        page = await client.get(spec.path, page_query, read, beta=spec.beta, decode=decode)
        rows.add(page)
    return rows.answer(first)


@dataclass(slots=True)
class _Rows:
    """The rows of the pages so far.

    Attributes:
        window: The window that was requested.
        buckets: Start of a bucket → (dimensions, `extra`) of a row → its measures.
        row_count: The number of rows in all pages so far; rows that were added up count one by one.
        newest_start: The start of the newest bucket so far.
        complete_until: The earliest `data_refreshed_at` of the pages so far; None without any.
        keys_of_page: (bucket, dimensions, `extra`) of the rows of the page that is being added.
        warnings: The sentences about new fields. The keys of a dict keep their order and do not repeat.
        people: Id → person.
    """

    window: Window
    buckets: dict[int, dict[tuple[DimensionValues, str | None], Values]] = field(
        default_factory=lambda: defaultdict(dict)
    )
    row_count: int = 0
    newest_start: int = 0
    complete_until: int | None = None
    keys_of_page: set[tuple[int, DimensionValues, str | None]] = field(default_factory=set)
    warnings: dict[str, None] = field(default_factory=dict)
    people: dict[str, NamedObject] = field(default_factory=dict)

    def add(self, page: RowPage) -> None:
        """Add the rows of a page.

        Raises:
            ContractError: A row is older than the row before it. Or it has the dimensions of another row of its bucket,
                and the report does not allow that. Or the sum of such rows is too large.
        """
        self.keys_of_page.clear()
        try:
            for row in page.rows:
                self._add_row(row)
        except ContractError as error:
            error.request_id = page.request_id
            raise
        self.row_count += len(page.rows)
        self.warnings |= dict.fromkeys(page.warnings)
        self.people |= {person.id: person for person in page.people}
        if page.complete_until is not None:
            # Pages are read one after the other, and their data may be refreshed in between. So the whole answer is
            # complete only up to the earliest of their times.
            self.complete_until = min(page.complete_until, self.complete_until or page.complete_until)

    def _add_row(self, row: Row) -> None:
        spec = SPECS[self.window.series.report]
        assert spec.rows is not None
        if row.start < self.newest_start:
            raise ContractError("the rows are not in order of time", place=to_text(row.start))
        self.newest_start = row.start
        bucket, identity = self.buckets[row.start], (row.dimensions, row.extra)
        if identity not in bucket:
            bucket[identity] = row.values
        elif (repeats := spec.rows.repeats) is not None and self._may_repeat(row, repeats):
            try:
                bucket[identity] = repeats.add(bucket[identity], row.values)
            except ValueError as error:
                raise ContractError(str(error), place=to_text(row.start)) from None
        else:
            raise ContractError("two rows of one bucket have the same dimensions", place=to_text(row.start))
        self.keys_of_page.add((row.start, *identity))

    def _may_repeat(self, row: Row, repeats: Repeats) -> bool:
        """Return whether a row may have the dimensions of an earlier row."""
        return repeats.allowed(self.window.series.group_by, row.dimensions) and (
            repeats.across_pages or (row.start, row.dimensions, row.extra) in self.keys_of_page
        )

    def check_size(self) -> None:
        """Check that all rows of the window will fit in memory.

        Their number is estimated from the rows so far and from the part of the window that these rows cover. A window
        of one bucket cannot be split, so it always passes.

        Raises:
            TooWideError: The window has several buckets, and its rows will not fit.
        """
        width = self.window.series.bucket_width.seconds
        # Rows are in order of time and more pages follow. So the newest bucket may lack rows, and does not count as
        # read. At least one bucket counts, to avoid a division by zero.
        seconds_read = max(self.newest_start - self.window.start, width)
        expected = self.row_count * (self.window.end - self.window.start) // seconds_read
        if self.window.buckets > 1 and expected > _MOST_ROWS:
            raise TooWideError(f"the window from {to_text(self.window.start)} has about {expected:,} rows")

    def answer(self, first: RowPage) -> Answer:
        """Return the answer, with the time and the request id of its first page."""
        now = first.server_time if first.server_time is not None else self.window.end
        spec = SPECS[self.window.series.report]
        assert spec.rows is not None
        # Without `data_refreshed_at`, the answer is complete up to the report's delay before now. A `data_refreshed_at`
        # in the future would settle buckets too early.
        complete_until = now - spec.rows.delay if self.complete_until is None else min(self.complete_until, now)
        return Answer(
            self.window,
            self._all_buckets(now),
            None,  # no digest: `data_refreshed_at` changes all the time, so that no two responses are equal
            first.server_time,
            first.request_id,
            tuple(self.warnings),
            complete_until,
            tuple(self.people.values()),
        )

    def _all_buckets(self, now: int) -> Buckets:
        """Return the buckets of the window that have rows or have begun by `now`.

        The API lists no empty buckets. All pages were read, so a bucket without rows is a bucket without use.
        """
        buckets = SPECS[self.window.series.report].empty_buckets()
        for start in range(self.window.start, self.window.end, self.window.series.bucket_width.seconds):
            if start in self.buckets or start <= now:
                buckets.append(Bucket(start, _with_extra(self.buckets.get(start, {}))))
        return buckets


def _with_extra(rows: dict[tuple[DimensionValues, str | None], Values]) -> dict[DimensionValues, Values]:
    """Return the rows of a bucket by dimensions, with `extra` as last value."""
    keys = distinguish([key for key, _ in rows], [extra for _, extra in rows])
    return {key: (*values, extra) for key, ((_, extra), values) in zip(keys, rows.items(), strict=True)}
