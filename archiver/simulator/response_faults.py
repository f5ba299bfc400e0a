"""Faults in place of a good response: errors, proxies, broken connections.

The first line of a function's docstring is its fault's description in `archiver simulate --list-faults`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, NamedTuple

from aiohttp import web

from archiver.simulator.errors import ApiError

if TYPE_CHECKING:
    import asyncio
    from datetime import datetime

    from archiver.simulator.clock import Clock

Headers = Callable[["datetime"], dict[str, str]]


@dataclass(frozen=True, slots=True)
class FaultContext:
    """A request that is to get a fault.

    `credential` is its key or token. `stopping` is set when the server stops.
    """

    request: web.Request
    credential: str
    clock: Clock
    stopping: asyncio.Event


ResponseFault = Callable[[FaultContext], Awaitable[web.StreamResponse]]


async def timeout(context: FaultContext) -> web.StreamResponse:
    """No response ever comes."""
    # The client has to give up by itself. Only the server's own end cuts the connection off, so that it can stop.
    await context.stopping.wait()
    return await disconnect(context)


async def disconnect(context: FaultContext) -> web.StreamResponse:
    """The connection is closed before a response."""
    if context.request.transport is not None:
        context.request.transport.abort()
    return web.Response()  # aiohttp wants a response, but there is no connection left to send it on


async def truncated_body(context: FaultContext) -> web.StreamResponse:
    """The connection is closed in the middle of the body."""
    response = web.StreamResponse(headers={"content-type": "application/json", "content-length": "4096"})
    await response.prepare(context.request)
    # The content length is larger than what is sent, so that a client can notice.
    await response.write(b'{"data":[{"starting_at":"20')
    if context.request.transport is not None:
        context.request.transport.close()
    return response


async def html_502(_: FaultContext) -> web.StreamResponse:
    """A proxy returns a 502 with a page of HTML."""
    page = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"
    return web.Response(status=502, text=page, content_type="text/html")


async def plain_413(_: FaultContext) -> web.StreamResponse:
    """A proxy returns a 413 in plain text."""
    return web.Response(status=413, text="Payload Too Large")


async def redirect(context: FaultContext) -> web.StreamResponse:
    """A redirect to another host, where the key must not go."""
    # The server's address is 127.0.0.1: "localhost" is another host for a client, and the same server.
    location = f"http://localhost:{context.request.url.port}{context.request.path_qs}"
    return web.Response(status=307, headers={"location": location})


async def key_in_error(context: FaultContext) -> web.StreamResponse:
    """A 400 that repeats the key of the request in its message."""
    raise ApiError(400, f"The request with the key {context.credential} is not valid (simulated)")


class ErrorFault(NamedTuple):
    """An error response.

    `headers` returns the extra headers at the given time. `code` is the `error.details.error_code`.
    """

    description: str
    status: int
    message: str
    headers: Headers = lambda _: {}
    code: str | None = None


def _header(name: str, value: str) -> Headers:
    return lambda _: {name: value}


def _reset(seconds: int) -> Headers:
    name = "anthropic-ratelimit-requests-reset"
    return lambda now: {name: (now + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")}


def _retry_date(now: datetime) -> dict[str, str]:
    return {"retry-after": format_datetime(now + timedelta(seconds=2), usegmt=True)}


_LIMITED = "This request would exceed your organization's rate limit"
_SPENT = "Your organization has reached a spend limit"
_NO_RETRY = _header("x-should-retry", "false")
_ERRORS: dict[str, ErrorFault] = {
    "400": ErrorFault("A 400 without a reason", 400, "Invalid request"),
    "401": ErrorFault("A 401: the key is not known", 401, "invalid x-api-key"),
    "402": ErrorFault("A 402: billing", 402, "Your credit balance is too low"),
    "403": ErrorFault("A 403: the key has no permission", 403, "This key has no permission to read this"),
    "404": ErrorFault("A 404", 404, "Not found"),
    "408": ErrorFault("A 408", 408, "Request timeout"),
    "409": ErrorFault("A 409", 409, "Conflict"),
    "429": ErrorFault("A 429 without advice, as these endpoints return", 429, _LIMITED),
    "429_retry_after": ErrorFault("A 429 with retry-after of 1 s", 429, _LIMITED, _header("retry-after", "1")),
    "429_retry_after_zero": ErrorFault(
        "A 429 with retry-after of 0, which is no advice", 429, _LIMITED, _header("retry-after", "0")
    ),
    "429_retry_after_ms": ErrorFault("A 429 with retry-after-ms", 429, _LIMITED, _header("retry-after-ms", "150")),
    "429_retry_after_date": ErrorFault("A 429 with retry-after as a date 2 s ahead", 429, _LIMITED, _retry_date),
    "429_retry_after_long": ErrorFault(
        "A 429 with retry-after of an hour", 429, _LIMITED, _header("retry-after", "3600")
    ),
    # isdigit() is true of this character, and int() refuses it.
    "429_retry_after_non_ascii": ErrorFault(
        "A 429 with a retry-after that is not ASCII", 429, _LIMITED, _header("retry-after", "\N{SUPERSCRIPT TWO}")
    ),
    "429_reset_past": ErrorFault("A 429 with a reset header that is already past", 429, _LIMITED, _reset(-30)),
    "429_reset_future": ErrorFault("A 429 with a reset header 2 s ahead", 429, _LIMITED, _reset(2)),
    "429_no_retry": ErrorFault("A 429 with x-should-retry false", 429, _LIMITED, _NO_RETRY),
    "500": ErrorFault("A 500", 500, "Internal server error"),
    "500_no_retry": ErrorFault("A 500 with x-should-retry false", 500, "Internal server error", _NO_RETRY),
    "503": ErrorFault("A 503", 503, "Service unavailable"),
    "504": ErrorFault("A 504", 504, "The request timed out"),
    "529": ErrorFault("A 529: overloaded", 529, "Overloaded"),
    "529_no_retry": ErrorFault("A 529 with x-should-retry false", 529, "Overloaded", _NO_RETRY),
}
# Error code → status, how long it lasts, message. The codes are documented, and the messages are invented.
_CODES = {
    "enforced_spend_limit_reached": (429, "lasts until the limit changes or the month ends", _SPENT),
    "contract_spend_limit_reached": (429, "lasts until the contract changes", _SPENT),
    "linked_organization_spend_limit_reached": (402, "lasts until the limit changes", _SPENT),
    "organization_on_hold": (400, "lasts until the hold ends", "Your organization is on hold"),
    "organization_type_not_supported": (400, "lasts", "This type of organization cannot use this endpoint"),
    "api_key_scope_missing": (403, "lasts", "This key lacks the scope org:admin"),
    "ramp_limit_exceeded": (429, "passes", "Your organization sends requests faster than it is used to"),
    "authorization_check_unavailable": (503, "passes", "The permissions of this key cannot be checked now"),
}
_ERRORS |= {
    code: ErrorFault(f"A {status} with the error code {code}, which {duration}", status, message, code=code)
    for code, (status, duration, message) in _CODES.items()
}


def _error_response(error: ErrorFault) -> ResponseFault:
    async def respond(context: FaultContext) -> web.StreamResponse:
        raise ApiError(error.status, f"{error.message} (simulated)", error.headers(context.clock.now), error.code)

    return respond


_BROKEN: tuple[ResponseFault, ...] = (
    timeout,
    disconnect,
    truncated_body,
    html_502,
    plain_413,
    redirect,
    key_in_error,
)
RESPONSE_FAULTS: dict[str, ResponseFault] = {
    **{name: _error_response(error) for name, error in _ERRORS.items()},
    **{broken.__name__: broken for broken in _BROKEN},
}
ERROR_DESCRIPTIONS: dict[str, str] = {name: error.description for name, error in _ERRORS.items()}
