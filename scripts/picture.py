"""Draw docs/overview-light.png and -dark.png: the overview page of the invented organisation, in Chromium."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from playwright.sync_api import sync_playwright

if TYPE_CHECKING:
    from playwright.sync_api import Browser, FloatRect

DOCS = Path(__file__).parents[1] / "docs"
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
WIDTH, HEIGHT = 1180, 1700
# No sandbox, which root cannot use, and no requests of Chromium itself.
QUIET = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync")
MOST_BYTES = 300_000  # pictures are committed, and every change of one stays in the history


def make_page(folder: Path) -> Path:
    """Archive the invented organisation, and write its overview page."""
    for arguments in (["demo", "--quiet"], ["report", "overview", "--db", "archiver-demo.db", "--html", "page.html"]):
        command = [sys.executable, "-m", "archiver", *arguments]
        subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)  # noqa: S603  # the program itself
    return folder / "page.html"


def draw(browser: Browser, page: Path, scheme: Literal["light", "dark"]) -> Path:
    """Take a screenshot of the page down to its second chart, with a tooltip."""
    target = DOCS / f"overview-{scheme}.png"
    context = browser.new_context(color_scheme=scheme, viewport={"width": WIDTH, "height": HEIGHT})
    shown = context.new_page()
    shown.goto(page.as_uri())
    shown.wait_for_function("document.documentElement.dataset.drawn")
    box = shown.locator("#spend .chart").bounding_box()
    assert box is not None
    shown.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + box["height"] * 0.45)
    shown.locator("#tip").wait_for(state="visible")
    end = shown.locator("#tokens").bounding_box()
    assert end is not None
    clip: FloatRect = {"x": 0, "y": 0, "width": WIDTH, "height": end["y"] + end["height"] + 24}
    shown.screenshot(path=target, clip=clip)
    context.close()
    assert target.stat().st_size < MOST_BYTES
    return target


def main() -> None:
    """Write both pictures."""
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        page = make_page(Path(folder))
        browser = playwright.chromium.launch(executable_path=chromium, args=QUIET)
        for scheme in SCHEMES:
            print(f"wrote {draw(browser, page, scheme).name}")
        browser.close()


if __name__ == "__main__":
    main()
