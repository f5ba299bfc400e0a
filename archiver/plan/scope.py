"""What a run is asked to archive: which series, over which range."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from archiver.errors import ConfigurationError
from archiver.model import DAY, BucketWidth, Filters, Report, Series, to_text
from archiver.plan.calendar import ceiling, floor, snap_since, snap_until
from archiver.plan.groupings import DEFAULT_CAP, Grouping, groupings
from archiver.reports import SPECS

if TYPE_CHECKING:
    from datetime import datetime

DEFAULT_REFRESH_DAYS = 35


@dataclass(frozen=True, slots=True)
class Scope:
    """What `sync` was asked for.

    `since` None means `auto`: from where the history of a report begins. `until` None means now: the end of the
    bucket in progress. `dimensions` None means the report's own.
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

    def series(self) -> list[Series]:
        """List the series that are asked for, without repeats.

        Filters and widths other than `1d` concern usage only.

        Raises:
            ConfigurationError: A list of dimensions fits no chosen report, or is longer than the cap.
        """
        chosen = groupings(self.group_by, [SPECS[r] for r in self.reports], self.dimensions, self.group_by_cap)
        wanted = []
        for report, sets in chosen.items():
            usage = report is Report.USAGE
            for width in dict.fromkeys(self.bucket_widths) if usage else (BucketWidth.DAY,):
                wanted += [Series(report, width, grouping, self.filters if usage else ()) for grouping in sets]
        return wanted

    def range_of(self, series: Series, now: int, first_bucket: int | None) -> tuple[int, int]:
        """Give the whole buckets to archive of a series; nothing reaches beyond the bucket in progress.

        `first_bucket` is where the report's history begins, for `--since auto`; None when it has no rows at all.

        Raises:
            ConfigurationError: An explicit range that holds no bucket.
        """
        width = series.bucket_width.seconds
        end_of_now = ceiling(now + 1, width)
        end = end_of_now if self.until is None else min(end_of_now, snap_until(self.until, width))
        if self.since is None:
            start = floor(now if first_bucket is None else first_bucket, width)
            return min(start, end), end
        start = snap_since(self.since, width)
        if start >= end:
            raise ConfigurationError(
                f"the range from {to_text(start)} to {to_text(end)} holds no bucket",
                hint="--since has to lie before --until and before now",
            )
        return start, end

    def refresh_from(self, now: int) -> int:
        """Say from when on everything is asked again."""
        return max(0, now - self.refresh_days * DAY)
