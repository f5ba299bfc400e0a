"""Writing one window: its rows, their history and its coverage, inside one transaction."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from archiver.model import COVERED, DAY, BucketWidth, Report, RowCounts, Series, Span, State
from archiver.plan.calendar import ceiling
from archiver.reports.spec import LARGEST_INTEGER
from archiver.store.coverage import after_answer
from archiver.store.diff import Facts, Pairs, compare, facts_digest, pairs_digest
from archiver.store.history import History, Past
from archiver.store.keys import KeyDictionary
from archiver.store.statements import insert_many, sql
from archiver.store.suspects import Changes, Suspects, magnitude

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from archiver.answer import Answer, Buckets
    from archiver.model import Window
    from archiver.store.history import AnswerTime


@dataclass(frozen=True, slots=True)
class Written:
    """What writing one window did; `suspects` are the buckets whose answer was not believed yet.

    `rewritten` has the start of each bucket that was replaced, with its magnitude before and after.
    """

    rows: RowCounts
    suspects: tuple[int, ...] = ()
    rewritten: tuple[tuple[int, int, int], ...] = ()


class WindowWriter:
    """Writes answers over the one read-write connection. Every method runs within the caller's transaction."""

    def __init__(self, connection: sqlite3.Connection, reports: Sequence[Report]) -> None:
        self._connection = connection
        self._keys = {report: KeyDictionary(connection, report) for report in reports}
        self._history = History(connection)
        self._suspicions = Suspects(connection)

    def forget(self) -> None:
        """Forget what a rollback may have undone."""
        for keys in self._keys.values():
            keys.forget()

    def write(self, series_id: int, answer: Answer, moment: AnswerTime) -> Written:
        """Make the archive say what the answer says about its window, no more and no less.

        Only settled buckets that suddenly lost most of what they had are kept as they were: see `suspicion`.
        """
        window = answer.window
        before = self.spans(series_id, window.start, window.end)
        if answer.buckets is None:
            present: set[int] = set(_covered_starts(window, before))
            written = Written(RowCounts(unchanged=self._count_facts(series_id, window)))
        else:
            present = set(answer.buckets.starts)
            written = self._write_buckets(series_id, window, answer.buckets, before, moment)
            self._save_digest(series_id, answer, keep=not written.suspects)
        after = after_answer(window, before, present, moment.now, moment.settled_until)
        self.replace_coverage(series_id, window, before, after)
        self._offer_canonical_days(series_id, window)
        return written

    def spans(self, series_id: int, start: int, end: int) -> list[Span]:
        """Read the coverage that touches a range, in order."""
        rows = self._connection.execute(sql("spans"), {"series_id": series_id, "start": start, "end": end}).fetchall()
        return [Span(start, end, State(state), fetched_at) for start, end, state, fetched_at in rows]

    def replace_coverage(self, series_id: int, window: Window, before: Sequence[Span], after: Sequence[Span]) -> None:
        """Replace the coverage that touches a window, when it is not what it was."""
        if list(before) == list(after):
            return
        where = {"series_id": series_id, "start": window.start, "end": window.end}
        self._connection.execute(sql("remove_spans"), where)
        self.add_spans(series_id, after)

    def add_spans(self, series_id: int, spans: Sequence[Span]) -> None:
        """Add coverage where there is none."""
        self._connection.executemany(
            sql("add_span"),
            [
                {"series_id": series_id, "start": s.start, "end": s.end, "state": s.state, "fetched_at": s.fetched_at}
                for s in spans
            ],
        )

    def mark_damaged(self, report: Report, series_id: int, start: int, end: int, now: int) -> None:
        """Let a bucket be failed and without a digest; rows where no answer ever was are taken away."""
        before = self.spans(series_id, start, end)
        sound = self._are_archived(report, series_id, start, end)
        if not before and not sound:
            self._connection.execute(sql("remove_bucket"), (series_id, start))
            self._connection.execute(sql(f"{report}.remove_facts"), (series_id, start))
        if report is Report.USAGE:
            self._sum_days(series_id, [start])
        if not before and not sound:
            return
        kept = [Span(s.start, start, s.state, s.fetched_at) for s in before if s.start < start]
        kept += [Span(end, s.end, s.state, s.fetched_at) for s in before if s.end > end]
        where = {"series_id": series_id, "start": start, "end": end}
        self._connection.execute(sql("remove_spans"), where)
        self.add_spans(series_id, [*kept, Span(start, end, State.FAILED)])
        self._connection.execute(sql("remove_answers"), where)
        self._connection.execute(sql("mark_bucket_damaged"), where | {"now": now})

    def _are_archived(self, report: Report, series_id: int, start: int, end: int) -> bool:
        """Say whether the rows of a bucket are those that some answer brought."""
        where = {"series_id": series_id, "start": start, "end": end}
        known = {at: digest for at, digest, _ in self._connection.execute(sql("buckets"), where)}
        rows = self._connection.execute(sql(f"{report}.facts"), where).fetchall()
        return known.get(start) == facts_digest({key: tuple(values) for at, key, *values in rows if at == start})

    def _count_facts(self, series_id: int, window: Window) -> int:
        where = {"series_id": series_id, "start": window.start, "end": window.end}
        rows = self._connection.execute(sql(f"{window.series.report}.count_facts"), where).fetchall()
        return int(next(iter(rows))[0])

    def _write_buckets(
        self, series_id: int, window: Window, buckets: Buckets, before: Sequence[Span], moment: AnswerTime
    ) -> Written:
        """Write new buckets as they come; those that were known before are compared first, and doubted."""
        past = Past(self._known_buckets(series_id, window), before)
        seen = _Seen(past)
        ids = self._keys[window.series.report].ids(buckets.dimensions)
        new = seen.sift(buckets.by_key(ids))
        rows = ((series_id, start, key, *values) for start, pairs in new for key, values in pairs)
        insert_many(self._connection, f"{window.series.report}.add_fact", rows)
        written = self._rewrite(series_id, window, seen, moment)
        changed = [start for start in seen.digests if start not in written.suspects]
        if changed and has_day_sums(window.series):
            summed = self._sum_new_days(series_id, window, buckets, ids, seen.new)
            self._sum_days(series_id, (start for start in changed if start - start % DAY not in summed))
        learnt = ((s, seen.digests[s], _learnt_at(past.buckets.get(s), moment.now)) for s in changed)
        self._connection.executemany(sql("save_bucket"), ((series_id, *one) for one in learnt))
        return replace(written, rows=written.rows + seen.counts)

    def _rewrite(self, series_id: int, window: Window, seen: _Seen, moment: AnswerTime) -> Written:
        """Replace the rows of buckets that were known and say otherwise now, and are believed; keep what they said."""
        differing, past = seen.differing, seen.past
        was = self._stored_facts(series_id, window) if any(s in past.buckets for s in differing) else {}
        doubted = self._suspicions.sift(
            series_id, window, Changes(was, differing, seen.digests, seen.starts, past.spans), moment
        )
        changed = [start for start in differing if start not in doubted]
        self._replace(window.series.report, series_id, {start: differing[start] for start in changed}, was)
        differences = {start: compare(was.get(start, {}), differing[start]) for start in changed}
        self._history.keep(window.series, series_id, differences, past, moment)
        counts = sum((difference.counts for difference in differences.values()), RowCounts())
        report = window.series.report
        rewritten = ((s, magnitude(report, was.get(s, {})), magnitude(report, differing[s])) for s in changed)
        return Written(counts, tuple(doubted), tuple(rewritten))

    def _known_buckets(self, series_id: int, window: Window) -> dict[int, tuple[bytes, int]]:
        where = {"series_id": series_id, "start": window.start, "end": window.end}
        rows = self._connection.execute(sql("buckets"), where).fetchall()
        return {start: (digest, learnt_at) for start, digest, learnt_at in rows}

    def _stored_facts(self, series_id: int, window: Window) -> dict[int, Facts]:
        where = {"series_id": series_id, "start": window.start, "end": window.end}
        rows = self._connection.execute(sql(f"{window.series.report}.facts"), where).fetchall()
        facts: dict[int, Facts] = defaultdict(dict)
        for start, key, *values in rows:
            facts[start][key] = tuple(values)
        return facts

    def _replace(self, report: Report, series_id: int, now: Mapping[int, Facts], was: Mapping[int, Facts]) -> None:
        stale = [(series_id, start) for start in now if was.get(start)]
        if stale:
            self._connection.executemany(sql(f"{report}.remove_facts"), stale)
        rows = ((series_id, s, key, *values) for s in sorted(now) for key, values in now[s].items())
        insert_many(self._connection, f"{report}.add_fact", rows)

    def _sum_days(self, series_id: int, starts: Iterable[int]) -> None:
        """Sum the days of changed buckets anew, for the daily view."""
        days = sorted({start - start % DAY for start in starts})
        self._connection.execute(sql("forget_days"), {"series_id": series_id, "days": json.dumps(days)})
        self._connection.executemany(sql("sum_day"), [{"series_id": series_id, "day": day} for day in days])

    def _sum_new_days(
        self, series_id: int, window: Window, buckets: Buckets, ids: Sequence[int], new: Collection[int]
    ) -> set[int]:
        """Sum the days of which nothing was known before and all is now, without reading them again; say which."""
        width = window.series.bucket_width.seconds
        whole = range(ceiling(window.start, DAY), window.end - DAY + 1, DAY)
        days = {day for day in whole if all(start in new for start in range(day, day + DAY, width))}
        self._connection.execute(sql("forget_days"), {"series_id": series_id, "days": json.dumps(sorted(days))})
        rows = (
            (series_id, day, ids[place], *(value if value <= LARGEST_INTEGER else None for value in values))
            for day in sorted(days)
            for place, values in sorted(buckets.sums(day, day + DAY), key=lambda one: ids[one[0]])
        )
        insert_many(self._connection, "add_day", rows)
        return days

    def _save_digest(self, series_id: int, answer: Answer, *, keep: bool) -> None:
        window = answer.window
        where = {"series_id": series_id, "start": window.start, "end": window.end}
        self._connection.execute(sql("remove_answers"), where)
        if keep and answer.digest is not None:
            self._connection.execute(sql("add_answer"), where | {"digest": answer.digest})

    def _offer_canonical_days(self, series_id: int, window: Window) -> None:
        days = list(range(window.start - window.start % DAY, window.end, DAY))
        self._connection.execute(sql("offer_canonical_days"), {"series_id": series_id, "days": json.dumps(days)})


@dataclass(slots=True)
class _Seen:
    """What an answer says that was not known: the `digests` of such buckets, and of those that said otherwise the rows.

    `starts` are all buckets that it speaks of, `new` those of which nothing was known; `counts` are of the new rows and
    of those that are as they were.
    """

    past: Past
    starts: set[int] = field(default_factory=set)
    digests: dict[int, bytes] = field(default_factory=dict)
    differing: dict[int, Facts] = field(default_factory=dict)
    new: set[int] = field(default_factory=set)
    counts: RowCounts = field(default_factory=RowCounts)

    def sift(self, buckets: Iterable[tuple[int, Pairs]]) -> Iterator[tuple[int, Pairs]]:
        """Look at every bucket once; give those that are new, for writing."""
        inserted = unchanged = 0
        known = self.past.buckets
        for start, pairs in buckets:
            self.starts.add(start)
            digest = pairs_digest(pairs)
            if start in known and known[start][0] == digest:
                unchanged += len(pairs)
            elif self.past.is_known(start):
                if pairs or start in known:
                    self.digests[start], self.differing[start] = digest, dict(pairs)
            else:
                self.new.add(start)
                if pairs:
                    self.digests[start] = digest
                    inserted += len(pairs)
                    yield start, pairs
        self.counts = RowCounts(inserted=inserted, unchanged=unchanged)


def has_day_sums(series: Series) -> bool:
    """Say whether the days of a series are summed: those that may speak for a day and are not days themselves."""
    return series.report is Report.USAGE and series.bucket_width is not BucketWidth.DAY and not series.filters


def _learnt_at(known: tuple[bytes, int] | None, now: int) -> int:
    """Say since when a bucket says what it says; one that is healed said so before it was damaged."""
    return known[1] if known is not None and known[0] == b"" else now


def _covered_starts(window: Window, spans: Sequence[Span]) -> list[int]:
    width = window.series.bucket_width.seconds
    return [
        start
        for span in spans
        if span.state in COVERED
        for start in range(max(span.start, window.start), min(span.end, window.end), width)
    ]
