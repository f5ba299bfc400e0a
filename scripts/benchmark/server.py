"""A server of the benchmark's pages, in its own process. It prints its port.

`python -m scripts.benchmark.server ROWS KEYS LATENCY`
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
    """Answers windows; each page is built once and kept."""

    def __init__(self, shape: Shape, latency: float) -> None:
        self._shape = shape
        self._latency = latency
        self._built: dict[tuple[str, str, str, str], bytes] = {}

    def report(self, name: str) -> Callable[[web.Request], Awaitable[web.Response]]:
        """Make the handler of one report."""

        async def answer(request: web.Request) -> web.Response:
            await asyncio.sleep(self._latency)
            asked = request.query
            key = (name, asked["bucket_width"], asked["starting_at"], asked["ending_at"])
            if key not in self._built:
                start, end = (int(datetime.fromisoformat(asked[n]).timestamp()) for n in ("starting_at", "ending_at"))
                self._built[key] = page(name, asked["bucket_width"], start, end, self._shape)
            headers = {"content-encoding": "gzip", "content-type": "application/json"}
            return web.Response(body=self._built[key], headers=headers)

        return answer

    async def names(self, _request: web.Request) -> web.Response:
        """Answer any list of names: there are none."""
        await asyncio.sleep(self._latency)
        return web.json_response(NAMES)

    async def organization(self, _request: web.Request) -> web.Response:
        """Answer whose key it is."""
        await asyncio.sleep(self._latency)
        return web.json_response({"id": "org-invented", "type": "organization", "name": "Invented"})


async def main() -> None:
    """Serve until the process is ended."""
    pages = Pages(Shape(int(sys.argv[1]), int(sys.argv[2])), float(sys.argv[3]))
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
