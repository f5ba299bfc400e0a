"""Writing of a response: its rows, history, coverage and digests.

All of it runs within the caller's transaction.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from archiver.model import COVERED, DAY, BucketWidth, Report, RowCounts, Series, Span, State
from archiver.plan.calendar import ceiling
from archiver.store.coverage import after_answer
from archiver.store.diff import Facts, Pairs, compare, facts_digest, pairs_digest
from archiver.store.history import History, Prior
from archiver.store.keys import KeyDictionary
from archiver.store.suspects import Changes, Suspects, magnitude

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from archiver.answer import Answer, Buckets
    from archiver.model import Window
    from archiver.store.connection import WriteConnection
    from archiver.store.history import AnswerTime


@dataclass(frozen=True, slots=True)
class Written:
    """The result of writing one window.

    Attributes:
        rows: The numbers of rows inserted, updated, removed and unchanged.
        suspects: The starts of the buckets that were held back: their archived rows were not replaced.
        rewritten: The start of each bucket that was replaced, and its magnitude before and after.
    """

    rows: RowCounts
    suspects: tuple[int, ...] = ()
    rewritten: tuple[tuple[int, int, int], ...] = ()


class WindowWriter:
    """Writer of responses over the read-write connection.

    Every method runs within the caller's transaction.
    """

    def __init__(self, db: WriteConnection, reports: Sequence[Report]) -> None:
        self._db = db
        self._keys = {report: KeyDictionary(db, report) for report in reports}
        self._history = History(db)
        self._suspects = Suspects(db)

    def clear_caches(self) -> None:
        """Empty all caches, after a rollback."""
        for keys in self._keys.values():
            keys.clear_cache()

    async def write(self, series_id: int, answer: Answer, answer_time: AnswerTime) -> Written:
        """Make the archived rows of a window equal to those of the response.

        Buckets that are held back stay as they were: see the module `suspects`.
        """
        window = answer.window
        before = await self.spans(series_id, window.start, window.end)
        if answer.buckets is None:
            # The response is byte for byte equal to the last one: the same buckets are present, and no row changes.
            present: set[int] = set(_covered_starts(window, before))
            written = Written(RowCounts(unchanged=await self._count_facts(series_id, window)))
        else:
            present = set(answer.buckets.starts)
            written = await self._write_buckets(series_id, window, answer.buckets, before, answer_time)
            # If a bucket is held back, the stored rows differ from the response. With the digest stored, an equal next
            # response would be skipped as unchanged and could not confirm the bucket.
            await self._replace_digest(series_id, answer, keep=not written.suspects)
        after = after_answer(window, before, present, answer_time)
        await self.replace_coverage(series_id, window, before, after)
        await self.refresh_days(window.series.report, series_id, window.start, window.end)
        return written

    async def spans(self, series_id: int, start: int, end: int) -> list[Span]:
        """Read the coverage that touches a range, in order."""
        rows = await self._db.fetch("select_spans", _range(series_id, start, end))
        return [Span(start, end, State(state), *times) for start, end, state, *times in rows]

    async def replace_coverage(
        self, series_id: int, window: Window, before: Sequence[Span], after: Sequence[Span]
    ) -> None:
        """Replace the spans that touch a window, if they changed."""
        if list(before) != list(after):
            await self._db.execute("delete_spans", _range(series_id, window.start, window.end))
            await self.add_spans(series_id, after)

    async def add_spans(self, series_id: int, spans: Sequence[Span]) -> None:
        """Add coverage where there is none."""
        rows = [(series_id, s.start, s.end, s.state, s.fetched_at, s.complete_until) for s in spans]
        await self._db.execute_many("insert_span", rows)

    async def mark_damaged(self, report: Report, series_id: int, start: int, end: int, now: int) -> None:
        """Mark one bucket as failed, and make its digests invalid.

        Its rows are deleted instead if no response can have contained them.
        """
        before = await self.spans(series_id, start, end)
        # Rows with neither coverage nor a matching digest came from no response: a request could not restore them.
        archived = bool(before) or await self._has_digest_of_rows(report, series_id, start, end)
        if not archived:
            await self._db.execute("delete_bucket", (series_id, start))
            await self._db.execute(f"{report}.delete_facts", (series_id, start))
        if report is Report.USAGE:
            await self._sum_days(series_id, [start])
        if not archived:
            return
        kept = [replace(s, end=start) for s in before if s.start < start]
        kept += [replace(s, start=end) for s in before if s.end > end]
        where = _range(series_id, start, end)
        await self._db.execute("delete_spans", where)
        await self.add_spans(series_id, [*kept, Span(start, end, State.FAILED)])
        # Without digests neither the next response nor this bucket in it is skipped as unchanged.
        await self._db.execute("delete_answers", where)
        await self._db.execute("upsert_damaged_bucket", where | {"now": now})
        await self.refresh_days(report, series_id, start, end)

    async def _has_digest_of_rows(self, report: Report, series_id: int, start: int, end: int) -> bool:
        """Return whether the rows of one bucket match its stored digest.

        If so, the bucket was archived, and only its coverage was lost.
        """
        where = _range(series_id, start, end)
        digests = {bucket_start: digest for bucket_start, digest, _ in await self._db.fetch("select_buckets", where)}
        facts = await self._stored_facts(report, where)
        return digests.get(start) == facts_digest(facts.get(start, {}))

    async def _count_facts(self, series_id: int, window: Window) -> int:
        where = _range(series_id, window.start, window.end)
        ((count,),) = await self._db.fetch(f"{window.series.report}.count_facts", where)
        return int(count)

    async def _write_buckets(
        self, series_id: int, window: Window, buckets: Buckets, before: Sequence[Span], answer_time: AnswerTime
    ) -> Written:
        """Write new buckets, and replace known buckets (contained in an earlier response) that changed."""
        prior = Prior(await self._prior_buckets(series_id, window), before)
        scan = _Scan(prior)
        ids = await self._keys[window.series.report].ids(buckets.dimensions)
        # One pass does two things: while INSERT consumes the rows of new buckets, the scan collects the known buckets
        # that changed. A generator makes the rows of one bucket at a time, so that a large window needs little memory.
        new = scan.split_new(buckets.by_key(ids))
        rows = ((series_id, start, key, *values) for start, pairs in new for key, values in pairs)
        await self._db.insert_many(f"{window.series.report}.insert_fact", rows)
        written = await self._rewrite(series_id, window, scan, answer_time)
        # Days with only new buckets are summed from the response in memory, all other days from the stored rows.
        changed = [start for start in scan.digests if start not in written.suspects]
        if changed and has_day_sums(window.series):
            summed = await self._sum_new_days(series_id, window, buckets, ids, scan.new)
            await self._sum_days(series_id, (start for start in changed if start - start % DAY not in summed))
        digests = ((series_id, s, scan.digests[s], _first_seen_at(prior.buckets.get(s), answer_time)) for s in changed)
        await self._db.execute_many("upsert_bucket", digests)
        return replace(written, rows=written.rows + scan.counts)

    async def _rewrite(self, series_id: int, window: Window, scan: _Scan, answer_time: AnswerTime) -> Written:
        """Replace the rows of changed buckets that are not held back.

        Their old rows are kept as revisions.
        """
        differing, prior, report = scan.differing, scan.prior, window.series.report
        was: Mapping[int, Facts] = {}
        # Stored rows are read only if there can be any: a bucket that never had rows has no digest.
        if any(start in prior.buckets for start in differing):
            was = await self._stored_facts(report, _range(series_id, window.start, window.end))
        changes = Changes(was, differing, scan.digests, scan.starts, prior.spans)
        held_back = await self._suspects.hold_back(series_id, window, changes, answer_time)
        changed = {start: facts for start, facts in differing.items() if start not in held_back}
        diffs = {start: compare(was.get(start, {}), facts) for start, facts in changed.items()}
        if changed:
            await self._replace(report, series_id, changed, was)
            await self._history.add(window.series, series_id, diffs, prior, answer_time)
        counts = sum((diff.counts for diff in diffs.values()), RowCounts())
        rewritten = ((s, magnitude(report, was.get(s, {})), magnitude(report, facts)) for s, facts in changed.items())
        return Written(counts, tuple(sorted(held_back)), tuple(rewritten))

    async def _prior_buckets(self, series_id: int, window: Window) -> dict[int, tuple[bytes, int]]:
        rows = await self._db.fetch("select_buckets", _range(series_id, window.start, window.end))
        return {start: (digest, first_seen_at) for start, digest, first_seen_at in rows}

    async def _stored_facts(self, report: Report, where: Mapping[str, object]) -> dict[int, Facts]:
        facts: dict[int, Facts] = defaultdict(dict)
        for start, key, *values in await self._db.fetch(f"{report}.select_facts", where):
            facts[start][key] = tuple(values)
        return facts

    async def _replace(
        self, report: Report, series_id: int, now: Mapping[int, Facts], was: Mapping[int, Facts]
    ) -> None:
        stale = [(series_id, start) for start in now if was.get(start)]
        await self._db.execute_many(f"{report}.delete_facts", stale)
        rows = ((series_id, start, key, *values) for start in sorted(now) for key, values in now[start].items())
        await self._db.insert_many(f"{report}.insert_fact", rows)

    async def _sum_days(self, series_id: int, starts: Iterable[int]) -> None:
        """Sum again, from stored rows, the days that contain some buckets."""
        days = sorted({start - start % DAY for start in starts})
        if not days:
            return
        await self._db.execute("delete_usage_days", {"series_id": series_id, "days": json.dumps(days)})
        await self._db.execute_many("insert_summed_usage_day", [{"series_id": series_id, "day": day} for day in days])

    async def _sum_new_days(
        self, series_id: int, window: Window, buckets: Buckets, ids: Sequence[int], new: Collection[int]
    ) -> set[int]:
        """Sum the days with only new buckets from the response alone, and return those days."""
        width = window.series.bucket_width.seconds
        complete_days = range(ceiling(window.start, DAY), window.end - DAY + 1, DAY)  # entirely in the window
        days = {day for day in complete_days if all(start in new for start in range(day, day + DAY, width))}
        if not days:
            return days
        await self._db.execute("delete_usage_days", {"series_id": series_id, "days": json.dumps(sorted(days))})
        # Sorted like the primary key, so that SQLite appends. Every sum fits 64 bits: see LARGEST_COUNT.
        rows = (
            (series_id, day, ids[key_index], *sums)
            for day in sorted(days)
            for key_index, sums in sorted(buckets.sums(day, day + DAY), key=lambda item: ids[item[0]])
        )
        await self._db.insert_many("insert_usage_day", rows)
        return days

    async def _replace_digest(self, series_id: int, answer: Answer, *, keep: bool) -> None:
        """Remove the digests of all responses that overlap the window. If `keep`, store the digest of this response."""
        where = _range(series_id, answer.window.start, answer.window.end)
        await self._db.execute("delete_answers", where)
        if keep and answer.digest is not None:
            await self._db.execute("insert_answer", where | {"digest": answer.digest})

    async def refresh_days(self, report: Report, series_id: int, start: int, end: int) -> None:
        """Choose the canonical series again, for all days in a range.

        The canonical series of a day is the series that the daily views use. Call this method after coverage changed
        between `start` and `end` (UTC seconds).
        """
        await self._choose_days(report, series_id, list(range(start - start % DAY, end, DAY)))

    async def recheck_days(self, report: Report, series_id: int, start: int, end: int) -> None:
        """Choose the canonical series again, for days that were wholly covered.

        The days are read from the archive, because a wrong clock can make a range too long to list all its days.
        """
        rows = await self._db.fetch("select_series_days", _range(series_id, start, end))
        await self._choose_days(report, series_id, [day for (day,) in rows])

    async def _choose_days(self, report: Report, series_id: int, days: Sequence[int]) -> None:
        values = {"report": report, "series_id": series_id, "days": json.dumps(days), "moment": None}  # None: now
        for name in ("delete_series_days", "upsert_series_days", "delete_chosen_days", "insert_chosen_days"):
            await self._db.execute(name, values)


@dataclass(slots=True)
class _Scan:
    """The buckets of a response, compared with the archived digests.

    Attributes:
        prior: The archived content of the window.
        starts: The starts of all buckets in the response.
        new: The starts of the new buckets, which no earlier response contained.
        digests: The digests of new buckets with rows, and of known buckets that changed.
        differing: The rows of known buckets that changed.
        counts: The numbers of inserted rows of new buckets, and of unchanged rows.
    """

    prior: Prior
    starts: set[int] = field(default_factory=set)
    new: set[int] = field(default_factory=set)
    digests: dict[int, bytes] = field(default_factory=dict)
    differing: dict[int, Facts] = field(default_factory=dict)
    counts: RowCounts = field(default_factory=RowCounts)

    def split_new(self, buckets: Iterable[tuple[int, Pairs]]) -> Iterator[tuple[int, Pairs]]:
        """Compare every bucket, and yield the new ones that have rows.

        The attributes are complete after the last bucket was consumed.
        """
        inserted = unchanged = 0
        prior_buckets = self.prior.buckets
        for start, pairs in buckets:
            self.starts.add(start)
            digest = pairs_digest(pairs)
            if start in prior_buckets and prior_buckets[start][0] == digest:
                unchanged += len(pairs)
            elif self.prior.is_known(start):
                # A bucket that was empty and is still empty did not change; it has no digest to compare.
                if pairs or start in prior_buckets:
                    self.digests[start], self.differing[start] = digest, dict(pairs)
            else:
                self.new.add(start)
                if pairs:
                    self.digests[start] = digest
                    inserted += len(pairs)
                    yield start, pairs
        self.counts = RowCounts(inserted=inserted, unchanged=unchanged)


def has_day_sums(series: Series) -> bool:
    """Return whether daily sums are stored for a series.

    They are stored for each unfiltered usage series of hours or minutes, because the daily views may use it.
    """
    return series.report is Report.USAGE and series.bucket_width is not BucketWidth.DAY and not series.filters


def _range(series_id: int, start: int, end: int) -> dict[str, object]:
    return {"series_id": series_id, "start": start, "end": end}


def _first_seen_at(prior: tuple[bytes, int] | None, answer_time: AnswerTime) -> int:
    """Return when rows were first seen. `prior` has the digest before the response, and when it was first seen."""
    # An empty digest marks a damaged bucket: writing it again restores the rows that were seen before the damage.
    return prior[1] if prior is not None and prior[0] == b"" else answer_time.now


def _covered_starts(window: Window, spans: Sequence[Span]) -> list[int]:
    # The last response was equal and left out no bucket (see `Answer.digest`), so it contained all covered buckets.
    width = window.series.bucket_width.seconds
    return [
        start
        for span in spans
        if span.state in COVERED
        for start in range(max(span.start, window.start), min(span.end, window.end), width)
    ]
