"""The chart of the cache hit rate ends with the last whole day."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from archiver.offline import page
from archiver.offline.reports.request import ReportRequest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.browser.browsing import Seen
    from tests.browser.conftest import Opener


def places(seen: Seen) -> int:
    """Count the days that have a point."""
    points = seen.page.locator("#cache .chart svg .mark-symbol path")
    moved = [str(points.nth(number).get_attribute("transform")) for number in range(points.count())]
    return len({one.partition(",")[0] for one in moved})


def test_the_day_in_progress_is_left_out_of_the_line(archive: Path, opened: Opener) -> None:
    seen = opened(page.overview(archive, ReportRequest(today=date(2026, 1, 15))))
    assert seen.page.locator("#until").input_value() == "2026-01-15"
    seen.choose("2026-01-13", "2026-01-15")
    assert places(seen) == 2
    assert "leaves out the day in progress" in seen.hover("cache", across=0.9)
    seen.choose("2026-01-12", "2026-01-14")
    assert places(seen) == 3
    assert seen.messages == []
