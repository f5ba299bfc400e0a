"""A server of the benchmark's pages, in its own process. It prints its port.

`python -m scripts.benchmark.server ROWS KEYS NEW_FIELD LATENCY`, with 0 or 1 for NEW_FIELD.
"""

from __future__ import annotations

import asyncio
import sys
from datetime import datetime
from typing import TYPE_CHECKING

from aiohttp import web

from scripts.benchmark.pages import Shape, page

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

NAMES = {"data": [], "has_more": False, "first_id": None, "last_id": None}


class Pages:
    """The handlers of all requests; each page is built once and cached."""

    def __init__(self, shape: Shape, latency: float) -> None:
        self._shape = shape
        self._latency = latency
        self._cache: dict[tuple[str, str, str, str], bytes] = {}

    def report(self, name: str) -> Callable[[web.Request], Awaitable[web.Response]]:
        """Return the handler of one report."""

        async def answer(request: web.Request) -> web.Response:
            await asyncio.sleep(self._latency)
            query = request.query
            key = (name, query["bucket_width"], query["starting_at"], query["ending_at"])
            if key not in self._cache:
                start, end = (int(datetime.fromisoformat(query[n]).timestamp()) for n in ("starting_at", "ending_at"))
                self._cache[key] = page(name, query["bucket_width"], start, end, self._shape)
            headers = {"content-encoding": "gzip", "content-type": "application/json"}
            return web.Response(body=self._cache[key], headers=headers)

        return answer

    async def names(self, _request: web.Request) -> web.Response:
        """Return an empty list of names."""
        await asyncio.sleep(self._latency)
        return web.json_response(NAMES)

    async def organization(self, _request: web.Request) -> web.Response:
        """Return the organisation."""
        await asyncio.sleep(self._latency)
        return web.json_response({"id": "org-invented", "type": "organization", "name": "Invented"})


async def main() -> None:
    """Serve until the process is ended."""
    rows, keys, new_field = map(int, sys.argv[1:4])
    pages = Pages(Shape(rows, keys, bool(new_field)), float(sys.argv[4]))
    app = web.Application()
    top = "/v1/organizations"
    app.router.add_get(f"{top}/usage_report/messages", pages.report("usage"))
    app.router.add_get(f"{top}/cost_report", pages.report("cost"))
    app.router.add_get(f"{top}/me", pages.organization)
    app.router.add_get(f"{top}/{{names}}", pages.names)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
