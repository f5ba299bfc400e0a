"""A server that forwards requests to the simulator and can return any bytes."""

from __future__ import annotations

import asyncio
import re
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

import aiohttp
from yarl import URL

from archiver.reports import SPECS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from archiver.simulator import Simulator

REPORTS = {spec.path for spec in SPECS.values()}
_PASSED_ON = ("date", "request-id", "anthropic-organization-id", "content-type", "retry-after")


@dataclass(frozen=True)
class Good:
    """A good response of the simulator, of which a fault makes bytes."""

    path: str
    query: list[tuple[str, str]]
    status: int
    headers: dict[str, str]
    body: bytes
    number: int
    """The number of earlier requests to this path."""

    def bytes(self, body: bytes | None = None, status: int | None = None, /, **headers: str | None) -> bytes:
        """Return the bytes of a response. Headers of None are left out, and underscores stand for hyphens."""
        body = self.body if body is None else body
        sent: dict[str, str | None] = {**self.headers, "content-length": str(len(body)), "connection": "close"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        lines = [f"HTTP/1.1 {status or self.status} Invented", *(f"{n}: {v}" for n, v in sent.items() if v is not None)]
        return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


@dataclass
class RawServer:
    """A server on the loopback address; `spoil` changes the response to every report request.

    If it returns None, there is never a response."""

    upstream: Simulator
    spoil: Callable[[Good], bytes | None] | None = None
    port: int = 0
    asked: list[str] = field(default_factory=list)
    _counts: dict[str, int] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """The base URL."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def key(self) -> str:
        """The Admin API key that is accepted."""
        return self.upstream.key

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Respond to the requests of one connection."""
        try:
            while (reply := await self._answer(reader)) is not None:
                writer.write(reply)
                await writer.drain()
                if b"connection: close" in reply or not reply.startswith(b"HTTP/1.1"):
                    break
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()  # or the loop may end before the socket is closed

    async def _answer(self, reader: asyncio.StreamReader) -> bytes | None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        target = head.split(" ", 2)[1]
        headers = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
        path = urlsplit(target).path
        self.asked.append(target)
        good = await self._ask_upstream(target, headers)
        if self.spoil is None or path not in REPORTS:
            return good.bytes()
        spoilt = self.spoil(good)
        if spoilt is None:
            await asyncio.sleep(3600)
        return spoilt

    async def _ask_upstream(self, target: str, headers: dict[str, str]) -> Good:
        parts = urlsplit(target)
        sent = {n: v for n, v in headers.items() if n.lower().startswith(("x-api", "anthropic"))}
        url = self.upstream.url + re.sub(r"&page=[^&]*", "", target)  # the tokens of faults are not the simulator's
        async with aiohttp.ClientSession() as session, session.get(URL(url, encoded=True), headers=sent) as reply:
            body = await reply.read()
            passed_on = {n.lower(): v for n, v in reply.headers.items() if n.lower() in _PASSED_ON}
        number = self._counts.get(parts.path, 0)
        self._counts[parts.path] = number + 1
        return Good(parts.path, parse_qsl(parts.query), reply.status, passed_on, body, number)


@contextmanager
def raw_server(upstream: Simulator) -> Iterator[RawServer]:
    """Run a server in a thread of its own."""
    server = RawServer(upstream)
    loop = asyncio.new_event_loop()
    ready = threading.Event()
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(server.handle(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    listeners: list[asyncio.Server] = []

    async def start() -> None:
        listening = await asyncio.start_server(serve, "127.0.0.1", 0)
        listeners.append(listening)
        server.port = listening.sockets[0].getsockname()[1]
        ready.set()

    async def stop() -> None:
        for listening in listeners:
            listening.close()
        await asyncio.sleep(0)  # a connection that has just come gets its task
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def run() -> None:
        loop.run_until_complete(start())
        loop.run_forever()
        loop.run_until_complete(stop())
        loop.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    ready.wait(10)
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
