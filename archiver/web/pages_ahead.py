"""Making pages before they are asked for.

The overview and the reports take up to some seconds each. They are made when the server begins, and again when the
archive has changed, one after the other, so that they are there when a person clicks.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from archiver.web.page_cache import PageCache

_SECONDS_BETWEEN_LOOKS = 5.0


async def make_ahead(
    cache: PageCache,
    pages: Sequence[Callable[[], Awaitable[object]]],
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Make pages whenever the archive has changed, until it is cancelled.

    `pages` has a function for each page, which puts it into the cache. While a sync writes, the archive changes all the
    time: pages are made when it has been the same for two looks.
    """
    made, seen = None, cache.state()
    while True:
        now = cache.state()
        if made != now == seen:
            for page in pages:
                if cache.state() != now:
                    break
                try:
                    await page()
                except Exception:  # noqa: BLE001, S112  # whoever asks for the page sees the error; the others are made
                    continue
            made = now
        seen = now
        await sleep(_SECONDS_BETWEEN_LOOKS)
