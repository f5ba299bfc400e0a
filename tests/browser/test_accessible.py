"""axe-core, the field's checker of accessible pages, over written and served pages, light and dark."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]  # it ships no types

from archiver.offline import page
from archiver.offline.reports.request import ReportRequest
from tests.browser.browsing import CHROMIUM, watching
from tests.serving import Server, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium: name one in CHROMIUM")

SCHEMES = ["light", "dark"]
GRAVE = {"serious", "critical"}
WRITTEN = ["overview", "spend", "compare", "growth", "forecast", "reconcile", "why"]
SERVED = [
    "",
    "report",
    "report/spend",
    "report/compare",
    "archive",
    "archive/daily_cost?_facet=model",
    "archive/cost_by_day",
]


def violations(shown: Page) -> list[str]:
    """Return the grave violations of a page: rule, element and reason."""
    found: list[dict[str, Any]] = Axe().run(shown).response["violations"]
    return [
        f"{one['id']}: {node['html'][:120]}: {node['failureSummary'][:240]}"
        for one in found
        if one["impact"] in GRAVE
        for node in one["nodes"]
    ]


@pytest.fixture(scope="module")
def server(archive: Path) -> Iterator[Server]:
    with serving(archive) as one:
        yield one


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_page_without_names_is_found_out(browser: Browser, scheme: str) -> None:
    with watching(browser, color_scheme=scheme) as one:
        one.page.set_content("<button></button><p style='color: #aaa; background: #bbb'>text</p>")
        assert {line.split(":")[0] for line in violations(one.page)} >= {"button-name", "color-contrast"}


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("name", WRITTEN)
def test_a_written_page_is_accessible(archive: Path, browser: Browser, tmp_path: Path, name: str, scheme: str) -> None:
    with ThreadPoolExecutor(1) as aside:  # the browser's own event loop runs in this thread
        html = aside.submit(_written, archive, name).result()
    file = tmp_path / "page.html"
    file.write_text(html, "utf-8")
    with watching(browser, color_scheme=scheme) as one:
        one.page.goto(file.as_uri())
        one.page.locator("html[data-drawn]").wait_for(state="attached")
        one.page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
        assert violations(one.page) == []


def _written(archive: Path, name: str) -> str:
    return page.of_report(archive, name, ReportRequest())[0]


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("path", SERVED)
def test_a_served_page_is_accessible(server: Server, browser: Browser, path: str, scheme: str) -> None:
    with watching(browser, color_scheme=scheme) as one:
        one.page.goto(f"{server.url}{path}")
        assert violations(one.page) == []
