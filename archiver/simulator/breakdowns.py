"""Faults instead of an answer: refusals, proxies in the way, connections that break.

A breakdown's docstring is its description. It gets the request, the body that would have been sent and an
event that is set when the server stops; what it returns is sent as it is.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING

from aiohttp import web

from archiver.simulator.refusals import RefusalError

if TYPE_CHECKING:
    import asyncio
    from datetime import datetime

    from archiver.simulator.clock import Clock


@dataclass(frozen=True, slots=True)
class Scene:
    """What a breakdown may look at."""

    request: web.Request
    clock: Clock
    stopping: asyncio.Event


Breakdown = Callable[[Scene], Awaitable[web.StreamResponse]]


async def timeout(scene: Scene) -> web.StreamResponse:
    """The request is never answered."""
    await scene.stopping.wait()
    return await disconnect(scene)


async def disconnect(scene: Scene) -> web.StreamResponse:
    """The connection is closed before an answer."""
    if scene.request.transport is not None:
        scene.request.transport.abort()
    return web.Response()


async def truncated_body(scene: Scene) -> web.StreamResponse:
    """The connection is closed in the middle of the body."""
    response = web.StreamResponse(headers={"content-type": "application/json", "content-length": "4096"})
    await response.prepare(scene.request)
    await response.write(b'{"data":[{"starting_at":"20')
    if scene.request.transport is not None:
        scene.request.transport.close()
    return response


async def html_502(_: Scene) -> web.StreamResponse:
    """A proxy answers 502 with a page of HTML."""
    page = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"
    return web.Response(status=502, text=page, content_type="text/html")


async def plain_413(_: Scene) -> web.StreamResponse:
    """A proxy answers 413 in plain text."""
    return web.Response(status=413, text="Payload Too Large")


async def redirect(scene: Scene) -> web.StreamResponse:
    """The answer points to another host, where the key must not go."""
    location = f"http://localhost:{scene.request.url.port}{scene.request.path_qs}"
    return web.Response(status=307, headers={"location": location})


def _status(status: int, message: str, headers: Callable[[datetime], dict[str, str]]) -> Breakdown:
    async def refuse(scene: Scene) -> web.StreamResponse:
        raise RefusalError(status, f"{message} (simulated)", headers(scene.clock.now))

    return refuse


def _nothing(_: datetime) -> dict[str, str]:
    return {}


def _reset(seconds: int) -> Callable[[datetime], dict[str, str]]:
    name = "anthropic-ratelimit-requests-reset"
    return lambda now: {name: (now + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")}


def _retry_date(now: datetime) -> dict[str, str]:
    return {"retry-after": format_datetime(now + timedelta(seconds=2), usegmt=True)}


_LIMITED = "This request would exceed your organization's rate limit"
_REFUSALS: dict[str, tuple[str, int, str, Callable[[datetime], dict[str, str]]]] = {
    "400": ("A 400 for no reason", 400, "Invalid request", _nothing),
    "401": ("The key is not known", 401, "invalid x-api-key", _nothing),
    "402": ("A 402, billing", 402, "Your credit balance is too low", _nothing),
    "403": ("The key may not read this", 403, "This key has no permission to read this", _nothing),
    "404": ("A 404", 404, "Not found", _nothing),
    "408": ("A 408", 408, "Request timeout", _nothing),
    "409": ("A 409", 409, "Conflict", _nothing),
    "429": ("A 429 that says nothing, as these endpoints do", 429, _LIMITED, _nothing),
    "429_retry_after": ("A 429 with retry-after of 1 s", 429, _LIMITED, lambda _: {"retry-after": "1"}),
    "429_retry_after_ms": ("A 429 with retry-after-ms", 429, _LIMITED, lambda _: {"retry-after-ms": "150"}),
    "429_retry_after_date": ("A 429 with retry-after as a date 2 s ahead", 429, _LIMITED, _retry_date),
    "429_retry_after_long": (
        "A 429 with retry-after of an hour",
        429,
        _LIMITED,
        lambda _: {"retry-after": "3600"},
    ),
    "429_reset_past": ("A 429 whose reset header is already past", 429, _LIMITED, _reset(-30)),
    "429_reset_future": ("A 429 whose reset header is 2 s ahead", 429, _LIMITED, _reset(2)),
    "500": ("A 500", 500, "Internal server error", _nothing),
    "500_no_retry": (
        "A 500 that asks not to retry",
        500,
        "Internal server error",
        lambda _: {"x-should-retry": "false"},
    ),
    "503": ("A 503", 503, "Service unavailable", _nothing),
    "504": ("A 504", 504, "The request timed out", _nothing),
    "529": ("A 529, overloaded", 529, "Overloaded", _nothing),
}
_BROKEN: tuple[Breakdown, ...] = (timeout, disconnect, truncated_body, html_502, plain_413, redirect)

BREAKDOWNS: dict[str, Breakdown] = {
    **{name: _status(*refusal[1:]) for name, refusal in _REFUSALS.items()},
    **{broken.__name__: broken for broken in _BROKEN},
}
DESCRIPTIONS: dict[str, str] = {
    **{name: refusal[0] for name, refusal in _REFUSALS.items()},
    **{name: (BREAKDOWNS[name].__doc__ or "").rstrip(".") for name in BREAKDOWNS if name not in _REFUSALS},
}
