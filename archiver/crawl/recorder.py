"""What becomes of each result of the crawl: in the archive, in the summary, and on the screen."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from archiver.answer import Answer
from archiver.crawl.summary import Failure
from archiver.errors import ApiError, GroupByCapError, KeyRefusedError, NotReadyError
from archiver.model import Organization, Report, Window, to_text
from archiver.store.history import AnswerTime

if TYPE_CHECKING:
    from collections.abc import Sequence

    from archiver.api.client import AdminClient
    from archiver.clock import Clock
    from archiver.crawl.progress import Progress
    from archiver.crawl.summary import Summary
    from archiver.store.archive import Archive


_MOST_NAMED = 3


@dataclass(slots=True)
class Recorder:
    """Takes the results of one run, one after the other.

    Attributes:
        refresh: How many seconds after its end a bucket is settled.
        accept_restatements: Whether settled buckets that lost most of what they had are believed at once.
        closed: Reports that the key may not read, so that nobody asks for more of them.
        cap: How many dimensions one request may ask for, when the API said so in this run.
        claimed: Whether the archive is known to be of the organisation that answers.
    """

    archive: Archive
    client: AdminClient
    clock: Clock
    summary: Summary
    progress: Progress
    refresh: int
    accept_restatements: bool = False
    closed: set[Report] = field(default_factory=set)
    cap: int | None = None
    claimed: bool = False

    async def write(self, window: Window, result: Answer | ApiError) -> bool:
        """Write one result; False ends the crawl."""
        summary = self.summary
        if isinstance(result, Answer):
            await self._record(result)
        elif isinstance(result, NotReadyError):
            summary.fetched += 1
            summary.not_ready += 1
            self._note_hole(window, _ended(window, self._now()), result.request_id)
        elif isinstance(result, GroupByCapError) and result.cap < len(window.series.group_by):
            self.cap = min(result.cap, self.cap or result.cap)
            return False
        elif isinstance(result, KeyRefusedError) or result.ends_run:
            self.refuse(window, result)
            return not result.ends_run
        else:
            summary.failures.append(Failure.of(window, result))
            summary.failed += 1
            await self.archive.record_failure(window, self._now())
            self.progress.failed(window, result)
        return True

    def refuse(self, window: Window, error: ApiError) -> None:
        """Note what ends the run, or closes one report: a 403 may be about that alone."""
        report = window.series.report
        if report not in self.closed:
            self.summary.failures.append(Failure.of(window, error))
        if error.ends_run:
            self.summary.stopped = error
        else:
            self.closed.add(report)

    async def _claim(self) -> None:
        """Make sure that the answers are the archive's organisation's, where only their headers say whose."""
        if not self.claimed and self.client.organization_id is not None:
            await self.archive.bind_organization(Organization(self.client.organization_id, None))
            self.claimed = True

    async def _record(self, answer: Answer) -> None:
        await self._claim()
        now = answer.server_time or self._now()
        # Without the server's clock nothing is settled: the local one alone is not believed.
        settled_until = 0 if answer.server_time is None else max(0, now - self.refresh)
        written = await self.archive.record(answer, AnswerTime(now, settled_until, self.accept_restatements))
        rows, summary = written.rows, self.summary
        if written.suspects:
            self._warn_of_suspects(answer.window, written.suspects)
        summary.rows += rows
        summary.fetched += 1
        summary.unchanged += not rows.changed
        summary.warnings |= dict.fromkeys(answer.warnings)
        if answer.buckets is not None:
            listed = set(answer.buckets.starts)
            self._note_hole(answer.window, _ended(answer.window, now) - listed, answer.request_id)
        self.progress.done(answer.window, rows)

    def _warn_of_suspects(self, window: Window, suspects: Sequence[int]) -> None:
        days = ", ".join(to_text(start) for start in suspects[:_MOST_NAMED])
        more = " and more" if len(suspects) > _MOST_NAMED else ""
        what = (
            "settled buckets came back empty or with less than half, and are kept as they were until the API repeats it"
        )
        self.summary.warnings[f"{window.series}: {what} (or --accept-restatements): {days}{more}"] = None

    def _note_hole(self, window: Window, missing: set[int], request_id: str | None) -> None:
        if missing:
            message = f"the API left out {len(missing)} of {window.buckets} buckets"
            self.summary.failures.append(Failure(window, "missing", message, 3, request_id))

    def _now(self) -> int:
        return self.client.server_time or int(self.clock.now())


def _ended(window: Window, now: int) -> set[int]:
    """List the buckets of a window that have ended."""
    width = window.series.bucket_width.seconds
    return set(range(window.start, min(window.end, now - now % width), width))
