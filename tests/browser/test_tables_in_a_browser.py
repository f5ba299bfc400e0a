"""Tables of pages in a real browser: sort, filter, copy and download."""

from __future__ import annotations

import csv
import io
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from archiver.model import NameKind
from archiver.offline import page
from archiver.offline.reports.request import ReportRequest
from tests.handmade import Handmade, cost_row

if TYPE_CHECKING:
    from tests.browser.conftest import Opener

REQUEST = ReportRequest(today=date(2026, 3, 1), by=("workspace",))


@pytest.fixture
def shown(db: Path, opened: Opener) -> Any:
    """Open the workspaces of an invented organisation: 1,000, 20 and 3.50 USD, with a hostile name."""
    with ThreadPoolExecutor(1) as aside:  # the browser's own event loop runs in this thread
        aside.submit(_make, db).result()
    return opened(page.of_report(db, "workspaces", REQUEST)[0])


def _make(db: Path) -> None:
    handmade = Handmade(db)
    amounts = {"a": "100000", "b": "2000", "c": "350"}
    names = {"a": "Beta", "b": "=cmd|'x'", "c": 'Alpha, "quoted"'}
    handmade.names(NameKind.WORKSPACE, names, read_at="2026-01-01T00:00:00")
    rows = [cost_row(amount, workspace_id=where, description="d", model="m") for where, amount in amounts.items()]
    handmade.cost({"2026-02-01": rows}, read_at="2026-04-01T00:00:00")


def column(seen: Any, number: int) -> list[str]:
    return [text.strip() for text in seen.page.locator(f"tbody tr:visible td:nth-child({number})").all_inner_texts()]


def test_a_click_on_a_title_sorts_numbers_as_numbers(shown: Any) -> None:
    button = shown.page.get_by_role("button", name="amount usd")
    assert column(shown, 3) == ["1,000.00", "20.00", "3.50"]
    button.click()
    assert column(shown, 3) == ["1,000.00", "20.00", "3.50"]  # numbers begin with the largest
    button.click()
    assert column(shown, 3) == ["3.50", "20.00", "1,000.00"]
    assert shown.page.locator("th[aria-sort='ascending']").inner_text().startswith("amount usd")
    shown.page.get_by_role("button", name="workspace").first.focus()
    shown.page.keyboard.press("Enter")
    assert column(shown, 1) == ["=cmd|'x'", 'Alpha, "quoted"', "Beta"]
    assert shown.page.locator("tfoot").inner_text().split() == ["total", "1,023.50"]


def test_lines_are_filtered_and_the_total_of_all_is_hidden(shown: Any) -> None:
    shown.page.get_by_role("searchbox").fill("ALPHA")
    assert column(shown, 1) == ['Alpha, "quoted"']
    assert not shown.page.locator("tfoot").is_visible()
    shown.page.get_by_role("searchbox").fill("")
    assert len(column(shown, 1)) == 3
    assert shown.page.locator("tfoot").is_visible()


def test_a_download_is_csv_that_no_spreadsheet_runs(shown: Any) -> None:
    shown.page.get_by_role("searchbox").fill("a")
    with shown.page.expect_download() as download:
        shown.page.get_by_role("button", name="CSV").click()
    assert download.value.suggested_filename == "table.csv"
    text = Path(download.value.path()).read_text("utf-8")
    assert list(csv.reader(io.StringIO(text)))[1:] == [
        ["Beta", "USD", "1000.00", "97.7%"],
        ['Alpha, "quoted"', "USD", "3.50", "0.3%"],
    ]
    shown.page.get_by_role("searchbox").fill("cmd")
    with shown.page.expect_download() as download:
        shown.page.get_by_role("button", name="CSV").click()
    assert list(csv.reader(io.StringIO(Path(download.value.path()).read_text("utf-8"))))[1][0] == "'=cmd|'x'"
