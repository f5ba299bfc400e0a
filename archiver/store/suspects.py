"""Settled buckets that suddenly come back empty, or with less than half: not believed until the API says it twice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from archiver.model import Report, State
from archiver.store.statements import sql

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Mapping, Sequence

    from archiver.model import Span, Window
    from archiver.store.diff import Facts
    from archiver.store.history import AnswerTime


CONFIRMATION_SECONDS = 6 * 3600
"""Two answers confirm a loss only so far apart: a passing fault of the API returns the same wrong rows for minutes."""


def lost_most(report: Report, was: Facts, now: Facts) -> bool:
    """Say whether an answer lost more than half of a bucket's tokens or money."""
    before, after = magnitude(report, was), magnitude(report, now)
    return before > 0 and 2 * after < before


def magnitude(report: Report, facts: Facts) -> int:
    """Return a bucket's tokens and requests, or its absolute microcents: credits must not hide a loss."""
    if report is Report.COST:
        return sum(abs(value) for _, value, _ in facts.values() if isinstance(value, int))
    return sum(value for values in facts.values() for value in values if isinstance(value, int))


@dataclass(frozen=True, slots=True)
class Changes:
    """What an answer says otherwise: rows before and now, their digests, all it speaks of, and the old coverage."""

    was: Mapping[int, Facts]
    now: Mapping[int, Facts]
    digests: Mapping[int, bytes]
    listed: Collection[int]
    before: Sequence[Span]


class Suspects:
    """Keeps the digests of suspicious answers. Every method runs within the caller's transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def sift(self, series_id: int, window: Window, news: Changes, moment: AnswerTime) -> list[int]:
        """Say which of the changed buckets are not to be believed yet, and remember them."""
        where = {"series_id": series_id, "start": window.start, "end": window.end}
        rows = self._connection.execute(sql("suspects"), where).fetchall()
        known: dict[int, tuple[bytes, int]] = {start: (digest, seen_at) for start, digest, seen_at in rows}
        # The same answer again keeps the time at which it was first seen: else hourly runs would never confirm it.
        first_seen = {s: known[s][1] for s in news.now if s in known and known[s][0] == news.digests[s]}
        doubted = [
            start
            for start in news.now
            if not moment.accept_restatements
            and moment.now - first_seen.get(start, moment.now) < CONFIRMATION_SECONDS
            and self._is_doubtful(start, window, news, moment)
        ]
        settled_again = [(series_id, start) for start in known if start not in doubted and start in news.listed]
        self._connection.executemany(sql("unsuspect"), settled_again)
        self._connection.executemany(
            sql("suspect"),
            [(series_id, start, news.digests[start], first_seen.get(start, moment.now)) for start in doubted],
        )
        return doubted

    @staticmethod
    def _is_doubtful(start: int, window: Window, news: Changes, moment: AnswerTime) -> bool:
        """Doubt a loss of most of a settled bucket; and of all that stands in one that nothing vouches for any more.

        The latter was damaged, or its coverage was lost, and the API may have forgotten it since.
        """
        was, now = news.was.get(start, {}), news.now[start]
        state = next((span.state for span in news.before if span.start <= start < span.end), None)
        if state is State.SETTLED:
            return lost_most(window.series.report, was, now)
        old = start + window.series.bucket_width.seconds <= moment.settled_until
        return state is not State.PROVISIONAL and old and bool(was) and not now
