"""The scope of a run: which series, over which range."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from archiver.errors import ConfigurationError
from archiver.model import DAY, BucketWidth, Filters, Report, Series
from archiver.plan.calendar import ceiling, floor, snap_since, snap_until
from archiver.plan.groupings import DEFAULT_CAP, Grouping, groupings
from archiver.reports import SPECS

DEFAULT_REFRESH_DAYS = 35


@dataclass(frozen=True, slots=True)
class Scope:
    """The options of `sync` that decide what is fetched.

    `since` None is the beginning of the archive, as its first run chose it; with `whole_history` (`--since auto`) it
    is the beginning of the organisation's history. `until` None is the end of the newest bucket. `dimensions` None are
    each report's own.
    """

    reports: tuple[Report, ...] = (Report.USAGE, Report.COST)
    bucket_widths: tuple[BucketWidth, ...] = (BucketWidth.DAY,)
    group_by: tuple[str | Grouping, ...] = ("finest",)
    filters: Filters = ()
    since: datetime | None = None
    until: datetime | None = None
    refresh_days: int = DEFAULT_REFRESH_DAYS
    dimensions: tuple[str, ...] | None = None
    group_by_cap: int = DEFAULT_CAP
    whole_history: bool = False

    def series(self) -> list[Series]:
        """Return the series to fetch, without repeats.

        Filters and widths other than `1d` concern usage only.

        Raises:
            ConfigurationError: A list of dimensions fits no selected report, or is longer than the cap.
        """
        # The API has no other widths and no filters for cost.
        chosen = groupings(self.group_by, [SPECS[r] for r in self.reports], self.dimensions, self.group_by_cap)
        wanted = []
        for report, sets in chosen.items():
            usage = report is Report.USAGE
            for width in dict.fromkeys(self.bucket_widths) if usage else (BucketWidth.DAY,):
                wanted += [Series(report, width, grouping, self.filters if usage else ()) for grouping in sets]
        return wanted

    def check(self) -> None:
        """Raise for options that no archive and no clock could make sense of.

        Raises:
            ConfigurationError: As `series`, or `--since` does not lie before `--until`.
        """
        self.series()
        if self.since is not None and self.until is not None and self.since >= self.until:
            raise no_bucket(f"from {_date(self.since)} to {_date(self.until)}")

    def range_of(self, series: Series, now: int, first_bucket: int | None) -> tuple[int, int]:
        """Return the whole buckets to archive of a series.

        Start and end are equal when there are none.

        `first_bucket` is the beginning of the report's history, used without `since`; None when it has no rows at all.
        """
        width = series.bucket_width.seconds
        # A report with a lag (cost) never returns the bucket in progress: it is neither fetched nor missing.
        newest = floor(now, width) if SPECS[series.report].lag_seconds else ceiling(now + 1, width)
        end = newest if self.until is None else min(newest, snap_until(self.until, width))
        if self.since is not None:
            start = snap_since(self.since, width)
        else:
            start = floor(now if first_bucket is None else first_bucket, width)
        # A start in the future is the caller's business: it makes an empty range here.
        return min(start, end), end

    def before(self, end: int) -> Scope:
        """Return the same scope, cut off at a time in UTC seconds."""
        until = datetime.fromtimestamp(end, UTC)
        return replace(self, until=until if self.until is None else min(self.until, until))

    def refresh_from(self, now: int) -> int:
        """Return the time from which settled buckets are fetched again too."""
        return max(0, now - self.refresh_days * DAY)


def no_bucket(where: str) -> ConfigurationError:
    """Return the error for a range that contains no bucket."""
    return ConfigurationError(
        f"the range {where} contains no bucket", hint="choose a --since before --until and before now"
    )


def _date(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")
