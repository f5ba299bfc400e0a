"""Fetch one window of an analytics report, and add up its buckets."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from archiver.answer import Answer, Bucket, distinguish
from archiver.api.decode.rows import RowPageReader
from archiver.errors import ContractError, TooWideError
from archiver.model import DAY, to_text
from archiver.reports import SPECS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from archiver.answer import Buckets, Row, RowPage
    from archiver.api.client import AdminClient, Decode
    from archiver.model import DimensionValues, NamedObject, Values, Window

# About 100 MB as rows of Python values. A window with more is fetched in halves.
_MOST_ROWS = 200_000
# This is more than any window has. It ends the reading of pages with tokens that form a circle.
_MOST_PAGES = 10_000


async def fetch_row_window(
    client: AdminClient,
    window: Window,
    query: Sequence[tuple[str, str]],
    decode: Decode,
    release: Callable[[], None],
) -> Answer:
    """Fetch all pages of a window, and return its buckets.

    Buckets without rows are among them. `query` is that of the first page.

    Raises:
        TooWideError: The window has several buckets, and more rows than fit in memory.
        ApiError: There is no answer, or it breaks the contract.
    """
    spec, read = SPECS[window.series.report], RowPageReader(window)
    rows = _Rows(window)
    seen: set[str] = set()
    page = first = await client.get(spec.path, query, read, beta=spec.beta, splittable=True, decode=decode)
    rows.add(page)
    while page.next_page is not None:
        if page.next_page in seen or len(seen) > _MOST_PAGES:
            raise ContractError("the page tokens form a circle", place="next_page", request_id=first.request_id)
        seen.add(page.next_page)
        rows.check_size()
        release()
        further = [*query, ("page", page.next_page)]
        page = await client.get(spec.path, further, read, beta=spec.beta, decode=decode)
        rows.add(page)
    try:
        return rows.answer(first)
    except ContractError as error:
        error.request_id = first.request_id
        raise


@dataclass(slots=True)
class _Rows:
    """The rows of the pages so far."""

    window: Window
    rows: dict[int, list[Row]] = field(default_factory=lambda: defaultdict(list))
    number: int = 0
    complete_until: int | None = None
    warnings: dict[str, None] = field(default_factory=dict)
    people: dict[str, NamedObject] = field(default_factory=dict)

    def add(self, page: RowPage) -> None:
        """Add the rows of a page."""
        for row in page.rows:
            self.rows[row.start].append(row)
        self.number += len(page.rows)
        self.warnings |= dict.fromkeys(page.warnings)
        self.people |= {one.id: one for one in page.people}
        if page.complete_until is not None:
            # Pages are read one after the other: the whole is as complete as the least complete of them.
            self.complete_until = min(page.complete_until, self.complete_until or page.complete_until)

    def check_size(self) -> None:
        """Check that the rest of the window fits in memory, by its part so far.

        Raises:
            TooWideError: The window has several buckets, and its rows do not fit.
        """
        width = self.window.series.bucket_width.seconds
        # Rows are in order of time, and more pages follow: of the newest bucket so far, some rows are still to come.
        done = max(max(self.rows, default=0) - self.window.start, width)
        expected = self.number * (self.window.end - self.window.start) // done
        if self.window.buckets > 1 and expected > _MOST_ROWS:
            raise TooWideError(f"the window from {to_text(self.window.start)} has about {expected:,} rows")

    def answer(self, first: RowPage) -> Answer:
        """Return the answer, with the time and the request of its first page.

        Raises:
            ContractError: As for `_buckets`.
        """
        now = first.server_time if first.server_time is not None else self.window.end
        # A time in the future would settle buckets too early. Without any time a day is a safe bound.
        complete = now - DAY if self.complete_until is None else min(self.complete_until, now)
        return Answer(
            self.window,
            self._buckets(now),
            None,  # `data_refreshed_at` changes all the time, so that no two responses are equal
            first.server_time,
            first.request_id,
            tuple(self.warnings),
            complete,
            tuple(self.people.values()),
        )

    def _buckets(self, now: int) -> Buckets:
        """Return every bucket of the window that has begun by `now`.

        The API lists no empty buckets: the range was answered whole, so one without rows had no use.

        Raises:
            ContractError: Two rows of a bucket have the same dimensions, and may not be added up.
        """
        spec = SPECS[self.window.series.report]
        buckets = spec.empty_buckets()
        for start in range(self.window.start, self.window.end, self.window.series.bucket_width.seconds):
            if start in self.rows or start <= now:
                buckets.append(Bucket(start, self._bucket(self.rows.get(start, []))))
        return buckets

    def _bucket(self, rows: Sequence[Row]) -> dict[DimensionValues, Values]:
        spec = SPECS[self.window.series.report]
        assert spec.rows is not None
        added: dict[tuple[DimensionValues, str | None], tuple[Any, ...]] = {}
        for row in rows:
            identity = (row.dimensions, row.extra)
            if identity not in added:
                added[identity] = row.values
            elif self._is_unknown_actor(row):
                # Identities that the API cannot show are null, each in a row of its own (documented).
                try:
                    added[identity] = spec.rows.add(added[identity], row.values)
                except ValueError as error:
                    raise ContractError(str(error), place=to_text(row.start)) from None
            else:
                raise ContractError("two rows of one bucket have the same dimensions", place=to_text(row.start))
        keys = distinguish([key for key, _ in added], [extra for _, extra in added])
        return {key: (*values, extra) for key, ((_, extra), values) in zip(keys, added.items(), strict=True)}

    def _is_unknown_actor(self, row: Row) -> bool:
        at = SPECS[self.window.series.report].columns.index("actor_id")
        return "actor" in self.window.series.group_by and row.dimensions[at] is None
