"""The tables of chosen days in a real browser, against the bills of the simulator."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from archiver.offline import page
from archiver.offline.reports.request import ReportRequest
from tests.bills import billed, bills, exactly

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.bills import Bill
    from tests.browser.conftest import Opener

ROWS = "table => [...table.tBodies[0].rows].map(row => [...row.cells].map(cell => cell.textContent))"


def in_range(first: str, last: str, workspace: str) -> Callable[[Bill], bool]:
    """Return whether a bill is of a workspace, and of days from the first to the last."""
    return lambda bill: bill.workspace == workspace and first <= bill.day <= last


def test_a_table_follows_the_chosen_days(archive: Path, opened: Opener) -> None:
    seen = opened(page.overview(archive, ReportRequest(today=date(2026, 1, 15))))
    seen.choose("2025-12-10", "2026-01-05")
    table = seen.page.locator("#spend details.chosen table")
    assert seen.page.locator("#spend details.chosen summary").inner_text() == "Chosen days, by month and workspace"
    rows = table.evaluate(ROWS)
    months = {"2025-12": ("2025-12-10", "2025-12-31"), "2026-01": ("2026-01-01", "2026-01-05")}
    expected = {
        (month, where): exactly(billed(in_range(first, last, where)))
        for month, (first, last) in months.items()
        for where in {bill.workspace for bill in bills() if first <= bill.day <= last}
    }
    assert {(month, name): money for month, name, money in rows} == expected
    whole = exactly(billed(lambda bill: "2025-12-10" <= bill.day <= "2026-01-05"))
    assert table.locator("tfoot td").last.text_content() == whole
    rates = seen.page.locator("#cache details.chosen table").evaluate(ROWS)
    for _, _, whole_input, read, rate in rates:
        share = int(read.replace(",", "")) / int(whole_input.replace(",", ""))
        assert abs(float(rate.rstrip("%")) - share * 100) <= 0.05
    seen.page.locator("#spend details.chosen summary").click()
    seen.choose("2025-12-10", "2025-12-12")
    assert table.is_visible()  # an open one stays open
    seen.page.locator("#spend .choice button", has_text="model").click()
    seen.settle()
    assert seen.page.locator("#spend details.chosen summary").inner_text() == "Chosen days, by month and model"
    seen.page.locator("#last button", has_text="All").click()
    seen.settle()
    assert seen.page.locator("details.chosen").count() == 0
    assert seen.messages == []
