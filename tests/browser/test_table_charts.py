"""The charts of tables in a real browser: what a hover says is what the table and the bills say."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest

from archiver.offline import page
from archiver.offline.periods import Period
from archiver.offline.reports.request import ReportRequest
from tests.bills import billed, exactly

if TYPE_CHECKING:
    from pathlib import Path

    from tests.browser.browsing import Seen
    from tests.browser.conftest import Opener

JANUARY = ReportRequest(today=date(2026, 1, 15), period=Period(date(2026, 1, 1), date(2026, 2, 1)))
DAYS = {"before": "2025-12", "now": "2026-01"}


def of_month(name: str, month: str, until: str) -> str:
    """Return what a workspace was billed in a month up to a day, exactly."""
    return exactly(billed(lambda bill: bill.workspace == name and f"{month}-01" <= bill.day <= f"{month}-{until}"))


def hover_bar(seen: Seen, name: str) -> str:
    """Point at the first bar of a chart, and return the text of its tooltip."""
    seen.page.locator(f"#{name} .chart svg .mark-rect path").first.hover(force=True)
    seen.page.locator("#tip").wait_for(state="visible")
    return seen.text("#tip")


def test_a_bar_of_compare_says_both_amounts(archive: Path, opened: Opener) -> None:
    seen = opened(page.of_report(archive, "compare", JANUARY)[0])
    assert [one.strip() for one in seen.page.locator("#compare .legend li").all_inner_texts()] == ["before", "now"]
    tip = dict(line.split("\t") for line in hover_bar(seen, "compare").splitlines() if "\t" in line)
    name = seen.text("#tip .title")
    row = seen.page.locator("#compare tbody tr", has_text=name)
    cells = row.locator("td").all_inner_texts()
    shown = {text.split(" ")[0] for text in tip.values()}
    # The days that both months have: cost is there up to the fourteenth.
    assert {of_month(name, month, "14") for month in DAYS.values()} <= shown
    assert shown & set(cells)
    assert seen.messages == []


@pytest.mark.parametrize("name", ["forecast", "growth", "reconcile", "savings", "changes"])
def test_a_chart_is_drawn_and_answers_a_hover(archive: Path, opened: Opener, name: str) -> None:
    request = ReportRequest(today=date(2026, 1, 15), first_seen=("2025-01-01T00:00:00Z", None))
    seen = opened(page.of_report(archive, name, request)[0])
    if name != "changes":  # nothing was changed in this archive
        assert seen.hover(name) if name == "forecast" else hover_bar(seen, name)
        assert seen.text("#tip .title")
    assert seen.messages == []
    assert seen.asked == []
