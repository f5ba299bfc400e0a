"""A headless Chromium that records the messages and requests of a page."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from playwright.sync_api import sync_playwright

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium")
BAD = {"error", "warning"}
SWITCHES = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@dataclass
class Seen:
    """An open page, its console messages and its requests."""

    page: Page
    messages: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def text(self, selector: str) -> str:
        """Read the text of one element."""
        return self.page.locator(selector).first.inner_text()

    def hover(self, chart: str, across: float = 0.5, down: float = 0.5) -> str:
        """Point at a place of a chart, and return the text of its tooltip."""
        place = self.page.locator(f"#{chart} .chart")
        place.scroll_into_view_if_needed()
        self.page.evaluate("scrollBy(0, -80)")
        box = place.bounding_box()
        assert box is not None
        x, y = box["x"] + box["width"] * across, box["y"] + box["height"] * down
        self.page.mouse.move(x - 1, y)
        self.page.mouse.move(x, y)
        self.page.locator("#tip").wait_for(state="visible")
        return self.text("#tip")

    def choose(self, since: str, until: str) -> None:
        """Choose days as a person does."""
        for name, value in (("since", since), ("until", until)):
            self.page.locator(f"#{name}").fill(value)
            self.page.locator(f"#{name}").dispatch_event("change")
        self.settle()

    def settle(self) -> None:
        """Wait until everything is drawn."""
        self.page.locator("html[data-drawn]").wait_for(state="attached")


@dataclass
class Watched:
    """A page, its requests and its error messages."""

    page: Page
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start a browser with nothing in it."""
    with sync_playwright() as play, play.chromium.launch(executable_path=CHROMIUM, args=SWITCHES) as browser:
        yield browser


@contextmanager
def watching(browser: Browser, **context: Any) -> Iterator[Watched]:
    """Open a page in a context of its own; `context` is what playwright makes one with."""
    with browser.new_context(**context) as fresh:
        watched = Watched(fresh.new_page())
        page = watched.page
        page.on("request", lambda request: watched.requests.append(request.url))
        page.on("pageerror", lambda error: watched.complaints.append(str(error)))
        page.on("dialog", lambda dialog: watched.complaints.append(f"a dialog: {dialog.message}"))
        page.on("console", lambda message: watched.complaints.append(message.text) if message.type in BAD else None)
        yield watched
