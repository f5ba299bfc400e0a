"""The served archive in Chromium: pages work, load nothing from elsewhere, and run no code of a name."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from archiver.offline.schema import VIEWS
from archiver.plan.scope import Scope
from archiver.simulator import background
from tests.bills import billed, exactly
from tests.browser.browsing import CHROMIUM, Seen, Watched, chromium, watching
from tests.serving import Server, serving
from tests.support import SMALL, day, sync

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium: name one in CHROMIUM")

FIRST = "2026-01-05"
HOSTILE = [
    "<script>document.title='owned'</script>",
    "<img src=x onerror=\"document.title='owned'\">",
    "https://evil.example/leave",
    "javascript:document.title='owned'",
    "'\"><svg onload=alert(1)>",
    "{{ 7 * 7 }}",
]


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Archive a few days; every name in it is hostile, that of the organisation too."""
    db = tmp_path_factory.mktemp("browsed") / "archive.db"
    with background(SMALL) as api:
        sync(api, db, Scope(since=day(FIRST)))
    with closing(sqlite3.connect(db)) as connection:
        ids = connection.execute("SELECT kind, id FROM _name ORDER BY kind DESC, id").fetchall()
        for number, (kind, identifier) in enumerate(ids):
            name = HOSTILE[number % len(HOSTILE)]
            connection.execute("UPDATE _name SET name = ? WHERE kind = ? AND id = ?", (name, kind, identifier))
        connection.execute("UPDATE _organization SET name = ?", (HOSTILE[1],))
        connection.commit()
    return db


@pytest.fixture(scope="module")
def server(archive: Path) -> Iterator[Server]:
    with serving(archive) as one:
        yield one


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as one:
        yield one


@pytest.fixture
def watched(server: Server, browser: Browser) -> Iterator[Watched]:
    """Open the first page, and check at the end that there were no errors, foreign requests or injected code."""
    with watching(browser) as one:
        one.page.goto(server.url)
        yield one
        assert one.page.title() != "owned"
        assert one.page.locator("img, svg[onload]").count() == 0
        links = one.page.evaluate("[...document.links].map(link => link.href)")
        assert [link for link in links if not link.startswith(server.url)] == []
        assert one.complaints == []
        assert [url for url in one.requests if not url.startswith((server.url, "data:"))] == []


def test_the_first_page_is_drawn_exact_and_filtered(watched: Watched) -> None:
    watched.page.locator("html[data-drawn]").wait_for(state="attached")
    seen = Seen(watched.page)
    assert watched.page.locator("#spend .chart svg .mark-rect path").count() > 0
    whole, of_a_day = billed(lambda bill: bill.day >= FIRST), billed(lambda bill: bill.day == "2026-01-08")
    assert seen.text("#spend .shown b") == f"{exactly(whole)} USD"
    seen.choose("2026-01-08", "2026-01-08")
    total = next(line for line in seen.hover("spend").splitlines() if line.startswith("total"))
    assert total.split("\t")[-1].strip() == exactly(of_a_day)
    watched.page.locator("#spend .legend button").first.click()
    seen.settle()
    assert seen.text("#spend .shown b") != f"{exactly(of_a_day)} USD"


def test_the_first_page_leads_to_a_saved_query_that_runs(watched: Watched) -> None:
    watched.page.get_by_role("link", name="Saved queries").click()
    watched.page.get_by_role("link", name="cost_by_day").click()
    watched.page.wait_for_url("**/archive/cost_by_day")
    cells = watched.page.locator("table.rows-and-columns tbody tr").first.locator("td").all_inner_texts()
    assert cells[:3] == [FIRST, "USD", str(billed(lambda bill: bill.day == FIRST))]


@pytest.mark.parametrize("path", ["", "archive", "archive/usage", "archive/cost_by_day"])
def test_every_page_leads_back_to_the_first_one(watched: Watched, server: Server, path: str) -> None:
    watched.page.goto(f"{server.url}{path}")
    watched.page.get_by_role("link", name="Views").click()
    watched.page.get_by_role("link", name="Overview").click()
    watched.page.wait_for_url(server.url)


def test_a_statement_runs_and_its_error_is_shown_with_it(watched: Watched, server: Server) -> None:
    page = watched.page
    page.get_by_role("link", name="SQL", exact=True).click()
    page.locator(".CodeMirror").click()
    page.keyboard.press("Control+A")
    page.keyboard.type("SELECT 6 * 7 AS answer")
    page.get_by_role("button", name="Run SQL").click()
    assert page.locator("td.col-answer").inner_text() == "42"
    page.goto(f"{server.url}archive?sql=SELECT+nope")
    assert "no such column: nope" in page.locator(".message-error").inner_text()
    assert watched.complaints == ["Failed to load resource: the server responded with a status of 400 (Bad Request)"]
    watched.complaints.clear()


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_is_shown_with_hostile_names_as_text(watched: Watched, server: Server, view: str) -> None:
    watched.page.goto(f"{server.url}archive/{view}")
    assert watched.page.locator("h1").inner_text().startswith(view)


def test_hostile_names_are_there_to_be_read(watched: Watched, server: Server) -> None:
    assert watched.page.locator("h1").inner_text() == HOSTILE[1]
    watched.page.goto(f"{server.url}archive/workspace")
    assert watched.page.get_by_role("cell", name=HOSTILE[0], exact=True).count() >= 1


def test_a_column_has_a_menu_that_counts_its_values(watched: Watched, server: Server) -> None:
    page = watched.page
    page.goto(f"{server.url}archive/daily_cost")
    page.locator("th.col-workspace .dropdown-menu-icon").click()
    page.get_by_role("link", name="Facet by this").click()
    page.locator("#facet-workspace").wait_for()
    assert HOSTILE[0] in page.locator("#facet-workspace").inner_text()


@pytest.mark.parametrize("path", ["", "archive", "archive/daily_cost", "archive/cost_by_day"])
def test_a_phone_does_not_scroll_sideways(server: Server, browser: Browser, path: str) -> None:
    with watching(browser, viewport={"width": 390, "height": 800}) as one:
        one.page.goto(f"{server.url}{path}")
        assert one.page.evaluate("document.documentElement.scrollWidth") == 390


@pytest.mark.parametrize(("width", "box"), [(1280, ".advanced-export"), (390, ".rows-and-columns tbody tr")])
def test_no_box_stays_white_on_a_dark_screen(server: Server, browser: Browser, width: int, box: str) -> None:
    ground = f"getComputedStyle(document.querySelector('{box}')).backgroundColor"
    with watching(browser, color_scheme="dark", viewport={"width": width, "height": 800}) as one:
        one.page.goto(f"{server.url}archive/daily_cost")
        assert one.page.evaluate(ground) == "rgb(31, 34, 38)"
