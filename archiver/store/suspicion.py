"""Settled buckets that suddenly come back empty, or with less than half: not believed until the API says it twice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from archiver.model import Report, State
from archiver.store.statements import sql

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence

    from archiver.model import Span, Window
    from archiver.store.diff import Facts
    from archiver.store.history import Moment


def is_suspicious(report: Report, was: Facts, now: Facts) -> bool:
    """Say whether an answer lost more than half of a bucket's tokens or money."""
    before, after = _magnitude(report, was), _magnitude(report, now)
    return before > 0 and 2 * after < before


def _magnitude(report: Report, facts: Facts) -> int:
    if report is Report.COST:
        return sum(abs(value) for _, value, _ in facts.values() if isinstance(value, int))
    return sum(value for values in facts.values() for value in values if isinstance(value, int))


@dataclass(frozen=True, slots=True)
class News:
    """What an answer changes: the changed buckets, their rows before and now, their digests, and the old coverage."""

    changed: Sequence[int]
    was: Mapping[int, Facts]
    now: Mapping[int, Facts]
    digests: Mapping[int, bytes]
    before: Sequence[Span]


class Suspicions:
    """Keeps the digests of suspicious answers. Every method runs within the caller's transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def sift(self, series_id: int, window: Window, news: News, moment: Moment) -> list[int]:
        """Say which of the changed buckets are not to be believed yet, and remember them."""
        where = {"series_id": series_id, "start": window.start, "end": window.end}
        rows = self._connection.execute(sql("suspects"), where).fetchall()
        known: dict[int, bytes] = dict(rows)
        doubted = [
            start
            for start in news.changed
            if not moment.accept_restatements
            and _is_settled(start, news.before)
            and known.get(start) != news.digests[start]
            and is_suspicious(window.series.report, news.was.get(start, {}), news.now[start])
        ]
        settled_again = [(series_id, start) for start in known if start not in doubted and start in news.now]
        self._connection.executemany(sql("unsuspect"), settled_again)
        self._connection.executemany(
            sql("suspect"), [(series_id, start, news.digests[start], moment.now) for start in doubted]
        )
        return doubted


def _is_settled(start: int, spans: Sequence[Span]) -> bool:
    return any(span.start <= start < span.end and span.state is State.SETTLED for span in spans)
