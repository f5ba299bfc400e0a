"""The scope of a run: its series and their time range."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from archiver.errors import ConfigurationError
from archiver.model import DAY, DEFAULT_REPORTS, BucketWidth, Filters, Report, Series
from archiver.plan.calendar import ceiling, floor, snap_since, snap_until
from archiver.plan.groupings import DEFAULT_CAP, Grouping, groupings
from archiver.reports import SPECS

DEFAULT_REFRESH_DAYS = 35


@dataclass(frozen=True, slots=True)
class Scope:
    """The options of `sync` that decide what is fetched.

    Attributes:
        since: The start of the range. None stands for the beginning of the archive, which its first run chose, or with
            `whole_history` for the beginning of the organisation's history.
        until: The end of the range; None stands for the end of the newest bucket.
        refresh_days: The number of last days of which settled buckets are fetched again too.
        dimensions: The dimensions that the presets of `group_by` combine; None for each report's defaults.
        group_by_cap: The largest number of dimensions in one request.
        whole_history: Whether `--since auto` was given.
    """

    reports: tuple[Report, ...] = DEFAULT_REPORTS
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

        A report that has none of the chosen bucket widths is fetched in days. A filter applies only to reports that
        have this filter. So cost is always `1d` and unfiltered.

        Raises:
            ConfigurationError: A list of dimensions or a filter fits no selected report, or a list is longer than the
                cap.
        """
        for dimension, _ in self.filters:
            if not any(dimension in SPECS[report].filters for report in self.reports):
                raise ConfigurationError(
                    f"no selected report has the filter {dimension}",
                    hint="leave the filter out, or choose other reports with --report",
                )
        chosen = groupings(self.group_by, [SPECS[r] for r in self.reports], self.dimensions, self.group_by_cap)
        wanted = []
        for report, sets in chosen.items():
            spec = SPECS[report]
            filters = tuple((dimension, values) for dimension, values in self.filters if dimension in spec.filters)
            widths = [width for width in dict.fromkeys(self.bucket_widths) if width in spec.limits]
            for width in widths or [BucketWidth.DAY]:
                wanted += [Series(report, width, grouping, filters) for grouping in sets]
        return wanted

    def check(self) -> None:
        """Check for options that are wrong for any archive at any time.

        Raises:
            ConfigurationError: As for `series`, or `--since` does not lie before `--until`.
        """
        self.series()
        if self.since is not None and self.until is not None and self.since >= self.until:
            raise no_bucket(f"from {_date(self.since)} to {_date(self.until)}")

    def range_of(self, series: Series, now: int, first_bucket: int | None) -> tuple[int, int]:
        """Return the range of a series to archive, aligned to buckets.

        Start and end are equal when the range holds no bucket. The last bucket of a report without a lag may be in
        progress.

        Without `since` the range begins at `first_bucket`, the beginning of the report's history. If the report has no
        rows, `first_bucket` is None, and the range begins with the bucket in progress.
        """
        width = series.bucket_width.seconds
        # Usage includes the bucket in progress, even at the second at which it begins: for this, 1 is added. The Claude
        # Code report includes it only after its first hour (`youngest_seconds`). A report with a lag (cost) never
        # returns the bucket in progress, so this bucket is neither fetched nor missing there.
        newest = (
            floor(now, width)
            if SPECS[series.report].lag_seconds
            else ceiling(now - SPECS[series.report].youngest_seconds + 1, width)
        )
        end = newest if self.until is None else min(newest, snap_until(self.until, width))
        if self.since is not None:
            start = snap_since(self.since, width)
        else:
            start = floor(now if first_bucket is None else first_bucket, width)
        # Buckets that the API does not keep any more cannot be fetched, whether they are archived or not.
        start = max(start, SPECS[series.report].oldest(now, width))
        # A start in the future makes an empty range here. The caller raises an error if no series has a bucket.
        return min(start, end), end

    def before(self, end: int) -> Scope:
        """Return the same scope, ended at `end` (UTC seconds) at the latest."""
        until = datetime.fromtimestamp(end, UTC)
        return replace(self, until=until if self.until is None else min(self.until, until))

    def refresh_from(self, now: int) -> int:
        """Return the time from which settled buckets are fetched again too."""
        # A very large number of days refreshes all history, and must not lead to a time before the epoch.
        return max(0, now - self.refresh_days * DAY)


def no_bucket(where: str) -> ConfigurationError:
    """Return the error for a range, described by `where`, without a bucket."""
    return ConfigurationError(
        f"the range {where} contains no bucket", hint="choose a --since before --until and before now"
    )


def _date(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")
