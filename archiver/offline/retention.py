"""What the API will forget that is not archived.

The API answers the analytics reports for 365 days only. Days that are older are in the archive or nowhere. The
functions are pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from archiver.model import DAY, Report
from archiver.offline.reports.known_days import count
from archiver.reports import SPECS

if TYPE_CHECKING:
    from collections.abc import Iterator

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

    `now` is in UTC seconds. Series with filters do not count, because they have a part of a day only.
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
    for one in status.coverage:
        if one.report == report and not one.is_gap and not one.filters:
            # A day of which only some hours are archived is not archived.
            start, end = (int(datetime.fromisoformat(text).timestamp()) for text in (one.start, one.end))
            yield from map(_date, range(-(-start // DAY), end // DAY))


def _date(day: int) -> date:
    return datetime.fromtimestamp(day * DAY, UTC).date()
