"""A real Chromium, headless, that keeps count of what a page tries."""

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
_SWITCHES = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@dataclass
class Watched:
    """A page, and what it asked for and complained of."""

    page: Page
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start a browser with nothing in it."""
    with sync_playwright() as play, play.chromium.launch(executable_path=CHROMIUM, args=_SWITCHES) as browser:
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
