"""Revisions: the changed rows of a bucket, before and after the change."""

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
    """The times that belong to a response, in UTC seconds.

    Attributes:
        now: When the response was received, by the server's clock.
        settled_until: The time up to which buckets are settled.
        accept_restatements: Whether to write all changes without holding any back; see the module `suspects`.
        complete_until: The time up to which the response had all use, if the API reports it; None: up to `now`.
    """

    now: int
    settled_until: int
    accept_restatements: bool = False
    complete_until: int | None = None


@dataclass(frozen=True, slots=True)
class Prior:
    """The archived content of a window before a response.

    Attributes:
        buckets: Start of a bucket → the digest of its rows, and when these were first seen. Buckets that never had
            rows are left out.
        spans: The coverage of the window.
    """

    buckets: Mapping[int, tuple[bytes, int]]
    spans: Sequence[Span]

    def is_known(self, start: int) -> bool:
        """Return whether an earlier response contained the bucket."""
        # A bucket that never had rows has no digest: only the coverage shows that a response contained it.
        return start in self.buckets or any(s.start <= start < s.end and s.state in COVERED for s in self.spans)

    def seen_after_end(self, start: int, width: int) -> tuple[int | None, bool] | None:
        """Return when rows were first seen, and whether their bucket was settled.

        The time is in UTC seconds. Return None if no response contained the bucket after its end.
        """
        span = next((s for s in self.spans if s.start <= start < s.end), None)
        if span is None or span.state not in COVERED or span.known_until < start + width:
            return None
        # A bucket that was always read without rows has no digest: only its span has a time.
        first_seen_at = self.buckets[start][1] if start in self.buckets else span.fetched_at
        return first_seen_at, span.state is State.SETTLED


class History:
    """Writer of revisions.

    Every method runs within the caller's transaction.
    """

    def __init__(self, db: WriteConnection) -> None:
        self._db = db

    async def add(
        self, series: Series, series_id: int, diffs: Mapping[int, BucketDiff], prior: Prior, answer_time: AnswerTime
    ) -> None:
        """Add a revision for each changed bucket that was read after its end.

        While a bucket is in progress its rows grow. Those changes are not restatements, and are not kept.

        `diffs` has each changed bucket by its start. `prior` is the content before the response.
        """
        # Stands for the values of a row that does not exist: its measures and `extra`.
        absent = (None,) * (len(SPECS[series.report].measures) + 1)
        # Ids are assigned here and not by SQLite, so that two statements insert all revisions of a window. No other
        # writer can use the same ids, because the transaction holds the write lock.
        ((revision,),) = await self._db.fetch("select_next_revision")
        revisions: list[tuple[object, ...]] = []
        rows: list[tuple[object, ...]] = []
        for start, diff in diffs.items():
            previous = prior.seen_after_end(start, series.bucket_width.seconds)
            if previous is not None:
                revisions.append((revision, series_id, start, answer_time.now, *previous))
                changes = diff.changes.items()
                rows += [(revision, key_id, *(was or absent), *(now or absent)) for key_id, (was, now) in changes]
                revision += 1
        await self._db.execute_many("insert_revision", revisions)
        await self._db.insert_many(f"{series.report}.insert_change", rows)
