"""What stands before the pages: who may ask, for what, and what a browser may do with the answer."""

from __future__ import annotations

import re
import secrets
import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode

from archiver.offline.page.html import own_policy
from archiver.web.dashboard import POLICY
from archiver.web.database import Wanted, wanted
from archiver.web.reading import MOST_ROWS_OF_A_FILE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    Scope = dict[str, Any]
    Receive = Callable[[], Awaitable[Any]]
    Send = Callable[[Any], Awaitable[None]]
    App = Callable[[Scope, Receive, Send], Awaitable[None]]

_PAGES = re.compile(rb"/|/charts|/archive(?:/[A-Za-z0-9_~+-]+)?(?:\.json|\.csv)?|/favicon\.ico")
_ASSETS = re.compile(rb"/-/(?:static|archiver)/[A-Za-z0-9_.-]+")
_OURS = frozenset({b"none", b"same-origin"})
_PARTS_OF_A_FILE = {"_size", "_next", "_stream", "_timelimit"}
_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_DATASETTE_POLICY = (
    "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


class Guard:
    """An ASGI application before another: it lets requests for pages of the archive through, and nothing else."""

    def __init__(self, app: App, hosts: Iterable[str]) -> None:
        """`hosts` are the values of `Host` that mean this server."""
        self._app = app
        self._hosts = frozenset(host.lower().encode("latin-1", "replace") for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        refusal = self._refusal(scope)
        if refusal is not None:
            await _say(send, *refusal)
            return
        nonce = secrets.token_urlsafe(16)
        path, query, asks = _wanted(_path(scope), scope["query_string"])
        token = wanted.set(asks)
        try:
            inner = {**scope, "nonce": nonce, "query_string": query}
            await self._app(inner, receive, _guarded(send, path, nonce))
        except Exception as error:  # noqa: BLE001  # told without any value of the archive's
            sys.stderr.write(f"error: a page failed: {type(error).__name__}\n")
        finally:
            wanted.reset(token)

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        headers = scope["headers"]
        hosts = [value for name, value in headers if name == b"host"]
        if len(hosts) != 1 or hosts[0].lower() not in self._hosts:
            return 421, "this server does not answer to that name; archiver serve --allow-host NAME lets it"
        if scope["method"] not in {"GET", "HEAD"}:
            return 405, "the archive is read here, and nothing else"
        sent = {name: value for name, value in headers if name.startswith(b"sec-fetch-")}
        visits = (sent.get(b"sec-fetch-mode"), sent.get(b"sec-fetch-dest")) == (b"navigate", b"document")
        if sent.get(b"sec-fetch-site", b"none") not in _OURS and not visits:
            return 403, "another site asked for this"
        path = _path(scope)
        if not (_PAGES.fullmatch(path) or (_ASSETS.fullmatch(path) and b".." not in path)):
            return 404, "there is no such page"
        return None


def _path(scope: Scope) -> bytes:
    path: bytes = scope["raw_path"]
    return path.partition(b"?")[0]


def _wanted(path: bytes, query: bytes) -> tuple[bytes, bytes, Wanted]:
    """Say what an answer is for: a file of rows is whole, or refused."""
    pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
    if path.endswith(b".csv"):
        kept = [(name, value) for name, value in pairs if name not in _PARTS_OF_A_FILE]
        whole = urlencode([*kept, ("_size", "max")]).encode("ascii")
        return path, whole, Wanted(MOST_ROWS_OF_A_FILE, whole=True, inert=True)
    whole_json = path.endswith(b".json") and any(name == "_shape" for name, _ in pairs)
    return path, query, Wanted(whole=whole_json)


def _policy(path: bytes, nonce: str) -> str:
    if path == b"/charts":
        return f"{own_policy()}; frame-ancestors 'none'"
    return POLICY if path == b"/" else _DATASETTE_POLICY.format(nonce=nonce)


def _guarded(send: Send, path: bytes, nonce: str) -> Send:
    """Send with the headers that keep an answer in its place."""
    policy = _policy(path, nonce)
    mine = [*_HEADERS, (b"content-security-policy", policy.encode("ascii"))]
    if not _ASSETS.fullmatch(path):
        mine.append((b"cache-control", b"no-store"))
    replaced = {name for name, _ in mine}

    async def guarded(message: Any) -> None:
        if message["type"] == "http.response.start":
            kept = [(name, value) for name, value in message.get("headers", []) if name.lower() not in replaced]
            message = {**message, "headers": [*kept, *mine]}
        await send(message)

    return guarded


async def _say(send: Send, status: int, text: str) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"allow", b"GET, HEAD")]
    policy = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")
    body = f"{text}\n".encode()
    length = (b"content-length", str(len(body)).encode("ascii"))
    start = {"type": "http.response.start", "status": status, "headers": [*headers, length, *_HEADERS, policy]}
    await send(start)
    await send({"type": "http.response.body", "body": body})
