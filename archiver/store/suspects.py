"""Suspects: old buckets that lose most of their amount in a response.

The response is held back: the archived rows of the bucket stay until the API returns the same rows again, at least six
hours later.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from archiver.model import State
from archiver.reports import SPECS

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from archiver.model import Report, Span, Window
    from archiver.store.connection import WriteConnection
    from archiver.store.diff import Facts
    from archiver.store.history import AnswerTime


CONFIRMATION_SECONDS = 6 * 3600
"""The least time between the response that shows a loss and the one that confirms it.

A temporary fault of the API returns the same wrong rows for minutes.
"""


def lost_over_half(report: Report, was: Facts, now: Facts) -> bool:
    """Return whether a bucket lost more than half of its magnitude."""
    before, after = magnitude(report, was), magnitude(report, now)
    return before > 0 and 2 * after < before


def magnitude(report: Report, facts: Facts) -> int:
    """Return the size of a bucket, for comparing it before and after.

    For a report of money it is the sum of absolute amounts in microcents. For any other report it is the sum of all
    integer measures.
    """
    # Credits are negative: with signs, a day of 100 with a credit of 100 would have a size of 0. The second measure is
    # the amount in microcents.
    if SPECS[report].is_money:
        return sum(abs(values[1]) for values in facts.values() if isinstance(values[1], int))
    return sum(value for values in facts.values() for value in values if isinstance(value, int))


@dataclass(frozen=True, slots=True)
class Changes:
    """The buckets that a response changes.

    Attributes:
        was: Start of a bucket → its rows before the response.
        now: Start of a changed bucket → its rows in the response.
        digests: Start of a bucket → the digest of its rows in the response.
        listed: The starts of all buckets in the response, changed or not.
        before: The coverage before the response.
    """

    was: Mapping[int, Facts]
    now: Mapping[int, Facts]
    digests: Mapping[int, bytes]
    listed: Collection[int]
    before: Sequence[Span]


class Suspects:
    """The table of suspects.

    Every method runs within the caller's transaction.
    """

    def __init__(self, db: WriteConnection) -> None:
        self._db = db

    async def hold_back(self, series_id: int, window: Window, changes: Changes, answer_time: AnswerTime) -> set[int]:
        """Store the suspects of a response, and return their starts.

        The caller must leave the archived rows of these buckets as they are.
        """
        where = {"series_id": series_id, "start": window.start, "end": window.end}
        rows = await self._db.fetch("select_window_suspects", where)
        suspects = {start: (digest, seen_at) for start, digest, seen_at in rows}
        # Rows that equal those of a suspect keep the time at which they were first seen. Otherwise hourly runs would
        # start the six hours again each time.
        first_seen = {
            start: suspects[start][1]
            for start in changes.now
            if start in suspects and suspects[start][0] == changes.digests[start]
        }
        now = answer_time.now
        # A change that is seen for the first time has waited 0 seconds.
        held_back = {
            start
            for start in changes.now
            if not answer_time.accept_restatements
            and now - first_seen.get(start, now) < CONFIRMATION_SECONDS
            and self._is_suspicious(start, window, changes, answer_time)
        }
        # A suspect that is in the response and is not held back is confirmed, equal to the archived rows again, or no
        # longer suspicious.
        cleared = [(series_id, start) for start in suspects if start not in held_back and start in changes.listed]
        await self._db.execute_many("delete_suspect", cleared)
        stored = [(series_id, start, changes.digests[start], first_seen.get(start, now)) for start in sorted(held_back)]
        await self._db.execute_many("upsert_suspect", stored)
        return held_back

    @staticmethod
    def _is_suspicious(start: int, window: Window, changes: Changes, answer_time: AnswerTime) -> bool:
        was, now = changes.was.get(start, {}), changes.now[start]
        state = next((span.state for span in changes.before if span.start <= start < span.end), None)
        if state is State.SETTLED:
            return lost_over_half(window.series.report, was, now)
        # A provisional bucket may lose rows at any time. A bucket in any other state that has rows was damaged or lost
        # its coverage. If the API no longer has these rows, an empty response would delete the only copy of them.
        is_old = start + window.series.bucket_width.seconds <= answer_time.settled_until
        return state is not State.PROVISIONAL and is_old and bool(was) and not now
