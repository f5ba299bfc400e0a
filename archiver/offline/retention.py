"""What the API will forget that is not archived.

The API answers the analytics reports for 365 days only. Days that are older are in the archive or nowhere. The
functions are pure.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from archiver.model import DAY, Report
from archiver.offline.reports.known_days import count
from archiver.reports import SPECS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from archiver.store.read.status import ArchiveStatus


@dataclass(frozen=True, slots=True)
class Retention:
    """Which days of one report are archived, and which are about to be lost.

    Attributes:
        report: The report.
        archived_since: The first archived day; None: no day is archived.
        forgotten_before: The API does not answer for days before this one.
        not_archived: The ended days that the API still answers for and that are not archived, in order.
        retention_days: For how many days the API answers.
    """

    report: Report
    archived_since: date | None
    forgotten_before: date
    not_archived: tuple[date, ...]
    retention_days: int

    @property
    def next_loss(self) -> date | None:
        """The day on which the first day that is not archived is lost.

        None: all are archived.
        """
        return self.not_archived[0] + timedelta(days=self.retention_days) if self.not_archived else None

    def sentence(self) -> str:
        """Return what is archived, and what will be lost when."""
        since = f"archived since {self.archived_since}" if self.archived_since else "not archived"
        text = f"{since}; forgotten by the API before {self.forgotten_before}"
        if not self.not_archived:
            return text
        days = count(len(self.not_archived), "day")
        verb, first = ("is", "it") if len(self.not_archived) == 1 else ("are", "the first of them")
        return (
            f"{text}; {days} from {self.not_archived[0]} {verb} not archived, and {first} is lost on {self.next_loss}"
        )


def retentions(status: ArchiveStatus, now: float) -> list[Retention]:
    """Return the retention of each report that the API forgets.

    `now` is in UTC seconds. A series with a filter does not count, nor one with rows that do not add up to the whole.
    """
    kept = {report: spec.rows.retention_days for report, spec in SPECS.items() if spec.rows is not None}
    return [_retention(status, report, days, now) for report, days in kept.items() if days is not None]


def _retention(status: ArchiveStatus, report: Report, retention_days: int, now: float) -> Retention:
    archived = set(_archived_days(status, report))
    oldest = SPECS[report].oldest(int(now), DAY)
    ended = range(oldest // DAY, int(now) // DAY)
    missing = tuple(one for one in map(_date, ended) if one not in archived)
    return Retention(report, min(archived, default=None), _date(oldest // DAY), missing, retention_days)


def _archived_days(status: ArchiveStatus, report: Report) -> Iterator[date]:
    of_series: dict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
    for one in status.coverage:
        # Groupings that leave something out, or have it twice, do not have a day.
        whole = SPECS[report].adds_up(one.group_by.split(",")) and not one.filters
        if one.report == report and whole and not one.is_gap:
            start, end = (int(datetime.fromisoformat(text).timestamp()) for text in (one.start, one.end))
            of_series[one.bucket_width, one.group_by].append((start, end))
    for ranges in of_series.values():
        # A day of which only some hours are archived is not archived. Its hours may be in several ranges, of which some
        # are settled and some are not.
        for start, end in _joined(ranges):
            yield from map(_date, range(-(-start // DAY), end // DAY))


def _joined(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return ranges with those joined that touch each other."""
    joined: list[tuple[int, int]] = []
    for start, end in sorted(ranges):
        if joined and joined[-1][1] == start:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return joined


def _date(day: int) -> date:
    return datetime.fromtimestamp(day * DAY, UTC).date()
