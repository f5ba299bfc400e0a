"""The HTTP rules of the site: accepted requests and security headers.

A request is accepted by its host, method, origin and path.
"""

from __future__ import annotations

import re
import secrets
import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from archiver.offline.page.html import page_policy
from archiver.web.database import ResultPolicy, result_policy

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    Scope = dict[str, Any]
    Receive = Callable[[], Awaitable[Any]]
    Send = Callable[[Any], Awaitable[None]]
    App = Callable[[Scope, Receive, Send], Awaitable[None]]

_PAGES = re.compile(
    rb"/|/charts|/healthz|/report(?:/[a-z-]+)?|/archive(?:/[A-Za-z0-9_~+-]+)?(?:\.json|\.csv)?|/favicon\.ico"
)
_ASSETS = re.compile(rb"/-/(?:static|archiver)/[A-Za-z0-9_.-]+")
_CSP = b"content-security-policy"
_OK = 200
_OWN_SITES = frozenset({b"none", b"same-origin"})
_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
# Pages of Datasette have style attributes, hence inline styles. Its scripts run by the nonce alone.
_DATASETTE_POLICY = (
    "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


class Guard:
    """An ASGI application that forwards accepted requests only."""

    def __init__(self, app: App, hosts: Iterable[str]) -> None:
        """`hosts` are the values of the `Host` header that are accepted."""
        self._app = app
        self._hosts = frozenset(host.lower().encode("latin-1", "replace") for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a request, or forward it to the application."""
        refusal = self._refusal(scope)
        if refusal is not None:
            await _send_text(send, *refusal)
            return
        nonce = secrets.token_urlsafe(16)
        path = _path(scope)
        token = result_policy.set(_policy_of_rows(path, scope["query_string"]))
        try:
            await self._app({**scope, "nonce": nonce}, receive, _with_headers(send, path, nonce))
        except Exception as error:  # noqa: BLE001  # reported by its type alone: the message may contain data
            sys.stderr.write(f"error: a page failed: {type(error).__name__}\n")
        finally:
            result_policy.reset(token)

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        headers = scope["headers"]
        # A page of another site can make the browser resolve its own name to this address (DNS rebinding). It would
        # then read the archive as its own origin: only the names that the user allowed are served.
        hosts = [value for name, value in headers if name == b"host"]
        if len(hosts) != 1 or hosts[0].lower() not in self._hosts:
            return 421, "this host name is not allowed here: start archiver serve with --allow-host NAME"
        if scope["method"] not in {"GET", "HEAD"}:
            return 405, "only GET and HEAD are allowed: the archive is read-only here"
        # Links from other sites work. Requests of their images, frames and scripts are refused.
        fetch = {name: value for name, value in headers if name.startswith(b"sec-fetch-")}
        is_link = (fetch.get(b"sec-fetch-mode"), fetch.get(b"sec-fetch-dest")) == (b"navigate", b"document")
        if fetch.get(b"sec-fetch-site", b"none") not in _OWN_SITES and not is_link:
            return 403, "requests from other sites are refused"
        path = _path(scope)
        if not (_PAGES.fullmatch(path) or (_ASSETS.fullmatch(path) and b".." not in path)):
            return 404, "page not found"
        return None


def _path(scope: Scope) -> bytes:
    path: bytes = scope["raw_path"]
    return path.partition(b"?")[0]


def _policy_of_rows(path: bytes, query: bytes) -> ResultPolicy:
    # With `_shape`, Datasette's JSON lacks the field "truncated".
    pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
    return ResultPolicy(complete=path.endswith(b".json") and any(name == "_shape" for name, _ in pairs))


def _policy(path: bytes, status: int, nonce: str) -> str:
    # An error has the page of Datasette in any case.
    is_page = path in {b"/", b"/report"} or path.startswith(b"/report/")
    if is_page and status == _OK:
        return f"{page_policy()}; frame-ancestors 'none'"
    return _DATASETTE_POLICY.format(nonce=nonce)


def _with_headers(send: Send, path: bytes, nonce: str) -> Send:
    """Return a `send` that adds the security headers.

    They replace those of the application.
    """
    added = [*_HEADERS]
    if not _ASSETS.fullmatch(path):
        added.append((b"cache-control", b"no-store"))
    replaced = {_CSP, *(name for name, _ in added)}

    async def with_headers(message: Any) -> None:
        if message["type"] == "http.response.start":
            policy = (_CSP, _policy(path, message["status"], nonce).encode("ascii"))
            kept = [(name, value) for name, value in message.get("headers", []) if name.lower() not in replaced]
            message = {**message, "headers": [*kept, *added, policy]}
        await send(message)

    return with_headers


async def _send_text(send: Send, status: int, text: str) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"allow", b"GET, HEAD")]
    policy = (_CSP, b"default-src 'none'; frame-ancestors 'none'")
    body = f"{text}\n".encode()
    length = (b"content-length", str(len(body)).encode("ascii"))
    start = {"type": "http.response.start", "status": status, "headers": [*headers, length, *_HEADERS, policy]}
    await send(start)
    await send({"type": "http.response.body", "body": body})
