"""Keeping what a bucket said before it was answered differently."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from archiver.model import COVERED, State
from archiver.reports import SPECS
from archiver.store.statements import sql

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence

    from archiver.model import Series, Span
    from archiver.store.diff import BucketDiff


@dataclass(frozen=True, slots=True)
class AnswerTime:
    """When an answer was got, by the server's clock, and up to where buckets are settled by then.

    `accept_restatements` takes over at once what would be suspicious.
    """

    now: int
    settled_until: int
    accept_restatements: bool = False


@dataclass(frozen=True, slots=True)
class Past:
    """What was known of a window's buckets before an answer: digest and time of each, and the coverage."""

    buckets: Mapping[int, tuple[bytes, int]]
    spans: Sequence[Span]

    def is_known(self, start: int) -> bool:
        """Say whether any answer about the bucket came before."""
        return start in self.buckets or any(s.start <= start < s.end and s.state in COVERED for s in self.spans)

    def answer_after_end(self, start: int, width: int) -> tuple[int | None, bool] | None:
        """Say when the answer about an ended bucket was learnt, and whether it was settled.

        None when there was no answer yet, or only one from while the bucket was in progress.
        """
        span = next((s for s in self.spans if s.start <= start < s.end), None)
        if span is None or span.state not in COVERED or (span.fetched_at or 0) < start + width:
            return None
        learnt_at = self.buckets[start][1] if start in self.buckets else span.fetched_at
        return learnt_at, span.state is State.SETTLED


class History:
    """Writes revisions. Every method runs within the caller's transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def keep(
        self, series: Series, series_id: int, differences: Mapping[int, BucketDiff], past: Past, moment: AnswerTime
    ) -> None:
        """Keep the changed rows of every bucket that had ended when it was last answered."""
        absent = (None,) * (len(SPECS[series.report].measures) + 1)
        for start, difference in differences.items():
            previous = past.answer_after_end(start, series.bucket_width.seconds)
            if previous is None:
                continue
            revision = self._connection.execute(
                sql("add_revision"),
                {
                    "series_id": series_id,
                    "bucket_start": start,
                    "learnt_at": moment.now,
                    "previously_learnt_at": previous[0],
                    "was_settled": previous[1],
                },
            )
            changes = difference.changes.items()
            self._connection.executemany(
                sql(f"{series.report}.add_change"),
                [(revision.lastrowid, key, *(was or absent), *(now or absent)) for key, (was, now) in changes],
            )
