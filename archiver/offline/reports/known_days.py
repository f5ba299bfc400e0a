"""The archived days of a period, and notes about the others.

The notes go with every report, so that unknown is never read as zero. Pure functions.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from archiver.model import DEFAULT_REPORTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from archiver.offline.periods import Period
    from archiver.store.read.daily_sums import Day


@dataclass(frozen=True, slots=True)
class KnownDays:
    """A period, and which of its days are archived.

    Attributes:
        period: The period that the numbers should cover.
        whole: The days that were fetched after they had ended.
        in_progress: The days that were fetched before they had ended. They count as archived, but a projection
            completes them.
        provisional: The days of `whole` that the API may still change.
    """

    period: Period
    whole: frozenset[date]
    in_progress: frozenset[date]
    provisional: frozenset[date] = frozenset()

    @classmethod
    def of(cls, period: Period, days: Iterable[Day]) -> KnownDays:
        """Return the archived days of a period; `days` may have others too."""
        inside = [day for day in days if period.since <= day.date < period.until]
        whole, in_progress = (
            frozenset(day.date for day in inside if day.is_whole is is_whole) for is_whole in (True, False)
        )
        return cls(period, whole, in_progress, frozenset(day.date for day in inside if day.is_provisional))

    @property
    def archived(self) -> frozenset[date]:
        """The days that are archived whole or in part."""
        return self.whole | self.in_progress

    @property
    def missing(self) -> int:
        """The number of days in the period that are not archived."""
        return self.period.days - len(self.archived)

    def holes(self) -> int:
        """Return the number of missing days before the last archived day.

        Days after the last archived one are expected to be missing: they may lie in the future.
        """
        if not self.archived:
            return 0
        # All days up to the last archived day, without the archived days.
        return (max(self.archived) - self.period.since).days + 1 - len(self.archived)

    def title(self) -> str:
        """Return the period in words.

        It has the numbers of days that are provisional, in progress or not archived, unless they are zero.
        """
        counts = {"provisional": self.provisional, "in progress": self.in_progress}
        parts = [f"{len(days):,} {state}" for state, days in counts.items() if days]
        parts += [f"{self.missing:,} not archived"] if self.missing else []
        last = self.period.until - timedelta(days=1)
        # A single day needs neither its end nor the number of days.
        days = (
            [f"{last}"] if self.period.days == 1 else [f"{self.period.since} to {last}", f"{self.period.days:,} days"]
        )
        return ", ".join([*days, *parts])

    def sentence(self) -> str:
        """Return the note on days that are missing or in progress; "" for none."""
        notes = []
        if self.missing:
            verb = "is" if self.missing == 1 else "are"
            notes.append(
                f"{self.missing:,} of {count(self.period.days, 'day')} from {self.period.since} to "
                f"{self.period.until - timedelta(days=1)} {verb} not archived and not in these numbers"
            )
        if self.in_progress:
            listed = ", ".join(map(str, sorted(self.in_progress)))
            ended = "was read before the day ended" if len(self.in_progress) == 1 else "were read before they ended"
            notes.append(f"{listed} {ended}")
        return "; ".join(notes)


def count(number: int, noun: str) -> str:
    """Return a number with its noun: `1 day`, `1,234 days`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def not_archived(
    what: str, period: Period | None, archived: Sequence[Day], as_of: str | None = None, option: str = "--as-of"
) -> str:
    """Return the note for a report without archived days, with a hint.

    `what` names the report that was read, `period` is the requested period, and `archived` are all archived days of the
    report. `as_of` is the earlier time that the archive was read at, as text, and `option` the option that gave it.
    """
    then = f" as of {as_of}" if as_of else ""
    if not archived:
        report = "" if what in DEFAULT_REPORTS else f" --report {what}"
        hint = f"choose a later {option}" if as_of else f"run archiver sync{report}"
        return f"no {what} was archived{then}: {hint}" if as_of else f"no {what} is archived yet: {hint}"
    requested = ""
    if period is not None:
        last = period.until - timedelta(days=1)
        requested = f" of {last}" if period.since == last else f" from {period.since} to {last}"
    return f"no {what}{requested} is archived{then}; archived are {archived[0].date} to {archived[-1].date}"
