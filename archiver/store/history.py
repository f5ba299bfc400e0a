"""Revisions: the rows of a bucket before and after a later response changed them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from archiver.model import COVERED, State
from archiver.reports import SPECS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from archiver.model import Series, Span
    from archiver.store.connection import WriteConnection
    from archiver.store.diff import BucketDiff


@dataclass(frozen=True, slots=True)
class AnswerTime:
    """When a response was received, by the server's clock, and up to which time buckets are settled.

    `accept_restatements` accepts a drop of more than half in a settled bucket without a second confirmation.
    """

    now: int
    settled_until: int
    accept_restatements: bool = False


@dataclass(frozen=True, slots=True)
class Prior:
    """What is archived of a window's buckets before a response: digest and first-seen time of each, and coverage."""

    buckets: Mapping[int, tuple[bytes, int]]
    spans: Sequence[Span]

    def is_known(self, start: int) -> bool:
        """Whether an earlier response contained the bucket."""
        return start in self.buckets or any(s.start <= start < s.end and s.state in COVERED for s in self.spans)

    def seen_after_end(self, start: int, width: int) -> tuple[int | None, bool] | None:
        """Return when the rows of an ended bucket were first seen, and whether it was settled.

        None without an earlier response, or with one from while the bucket was in progress.
        """
        span = next((s for s in self.spans if s.start <= start < s.end), None)
        if span is None or span.state not in COVERED or (span.fetched_at or 0) < start + width:
            return None
        # A bucket that was read and had no rows has no digest: its span has the only time.
        first_seen_at = self.buckets[start][1] if start in self.buckets else span.fetched_at
        return first_seen_at, span.state is State.SETTLED


class History:
    """Writes revisions. Every method runs within the caller's transaction."""

    def __init__(self, db: WriteConnection) -> None:
        self._db = db

    async def add(
        self, series: Series, series_id: int, diffs: Mapping[int, BucketDiff], prior: Prior, answer_time: AnswerTime
    ) -> None:
        """Add a revision for each changed bucket that had ended when it was last read.

        The growing rows of a bucket in progress are no restatement, and are not kept.
        """
        absent = (None,) * (len(SPECS[series.report].measures) + 1)
        # Ids are assigned here, so that two statements insert all revisions of a window; there is no other writer.
        ((revision,),) = await self._db.fetch("select_next_revision")
        revisions: list[tuple[object, ...]] = []
        rows: list[tuple[object, ...]] = []
        for start, diff in diffs.items():
            previous = prior.seen_after_end(start, series.bucket_width.seconds)
            if previous is not None:
                revisions.append((revision, series_id, start, answer_time.now, *previous))
                changes = diff.changes.items()
                rows += [(revision, key, *(was or absent), *(now or absent)) for key, (was, now) in changes]
                revision += 1
        await self._db.execute_many("insert_revision", revisions)
        await self._db.insert_many(f"{series.report}.insert_change", rows)
