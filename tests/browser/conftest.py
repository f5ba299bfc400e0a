"""A real browser, Debian's Chromium, that may see the page's file and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import sync_playwright

from archiver.plan.scope import Scope
from archiver.simulator import background
from tests.browser.browsing import CHROMIUM, SWITCHES, Seen
from tests.support import SMALL, day, sync

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Dialog, Route


@pytest.fixture(scope="module")
def browser(archive: Path, gaping: Path) -> Iterator[Browser]:
    """Start the browser once the archives are made: its loop and that of a sync cannot share a thread."""
    assert archive.exists()
    assert gaping.exists()
    if CHROMIUM is None:
        pytest.skip("no Chromium was found: scripts/browser installs it, or name one in CHROMIUM")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=SWITCHES)
        yield started
        started.close()


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Archive the invented organisation, once."""
    made = tmp_path_factory.mktemp("browser") / "archive.db"
    with background(SMALL) as api:
        sync(api, made)
    return made


@pytest.fixture(scope="session")
def gaping(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Archive two days in November and two a week later, and nothing between."""
    made = tmp_path_factory.mktemp("browser") / "gaping.db"
    with background(SMALL) as api:
        sync(api, made, Scope(since=day("2025-11-10"), until=day("2025-11-12")))
        sync(api, made, Scope(since=day("2025-11-18"), until=day("2025-11-20")))
    return made


class Opener:
    """Opens pages, each in a context of its own."""

    def __init__(self, browser: Browser, folder: Path) -> None:
        """Files are written to `folder`."""
        self._browser = browser
        self._folder = folder
        self.contexts: list[Any] = []

    def __call__(self, html: str, **context: Any) -> Seen:
        """Open a page from its file and wait until it is drawn; any request but for the file is refused and noted."""
        file = self._folder / "page.html"
        file.write_text(html, "utf-8")
        self.contexts.append(self._browser.new_context(**({"viewport": {"width": 1200, "height": 900}} | context)))
        seen = Seen(self.contexts[-1].new_page())

        def route(one: Route) -> None:
            if one.request.url == file.as_uri():
                one.continue_()
            else:
                seen.asked.append(one.request.url)
                one.abort()

        def dismiss(dialog: Dialog) -> None:
            seen.messages.append(f"dialog: {dialog.message}")
            dialog.dismiss()

        seen.page.set_default_timeout(10_000)
        seen.page.route("**/*", route)
        seen.page.on("console", lambda message: seen.messages.append(f"{message.type}: {message.text}"))
        seen.page.on("pageerror", lambda error: seen.messages.append(f"error: {error}"))
        seen.page.on("dialog", dismiss)
        seen.page.goto(file.as_uri())
        if context.get("java_script_enabled", True):
            seen.page.locator("html[data-drawn]").wait_for(state="attached")
        return seen


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Iterator[Opener]:
    """Open pages, and close them."""
    opener = Opener(browser, tmp_path)
    yield opener
    for context in opener.contexts:
        context.close()
