"""One exchange over HTTP: a request out, a whole and undamaged reply back, or a reason why not."""

from __future__ import annotations

import os
import re
import zlib
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum
from functools import cache
from hashlib import blake2b
from typing import TYPE_CHECKING

import aiohttp
from yarl import URL

from archiver import __version__
from archiver.api.text import excerpt

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

LARGEST_BODY = 64 * 1024 * 1024
_CHUNK = 256 * 1024
_PIECE = 1024 * 1024
_LONGEST_REQUEST_ID = 80
_HIDDEN = "[key]"
_DIGEST_BYTES = 16
PATIENCE = aiohttp.ClientTimeout(total=300, sock_connect=30, sock_read=120)
_GZIP_OR_ZLIB = zlib.MAX_WBITS | 32
USER_AGENT = f"claude-usage-archiver/{__version__}"


class Trouble(Enum):
    """Why there is no reply."""

    NETWORK = "network"
    TIMEOUT = "timeout"
    DAMAGED = "damaged"
    TOO_LARGE = "too large"


class TransportError(Exception):
    """No whole reply came; `trouble` says of which kind, the message what happened."""

    def __init__(self, trouble: Trouble, message: str, request_id: str | None = None) -> None:
        super().__init__(message)
        self.trouble = trouble
        self.request_id = request_id

    def __reduce__(self) -> tuple[type[TransportError], tuple[Trouble, str, str | None]]:
        """Let it come whole from another process."""
        return TransportError, (self.trouble, str(self), self.request_id)


@dataclass(slots=True)
class Reply:
    """A whole reply: its status, its headers by lower-case name, and its body as it came over the wire."""

    status: int
    headers: Mapping[str, str]
    wire: bytes
    _secret: str = field(default="", repr=False)
    _body: bytes | bytearray | None = field(default=None, repr=False)

    @property
    def body(self) -> bytes | bytearray:
        """The body as it was before compression.

        Raises:
            TransportError: It is damaged, or too large.
        """
        if self._body is None:
            body = _inflate(self.wire, self.headers)
            self._body = _scrubbed(body, self._secret) if self._secret else body
        return self._body

    @property
    def digest(self) -> bytes:
        """A digest of the body as it came, for knowing it again before it is inflated."""
        encoding = self.headers.get("content-encoding", "")
        return blake2b(self.wire, digest_size=_DIGEST_BYTES, person=encoding.encode()[:16]).digest()

    @property
    def request_id(self) -> str | None:
        """The vendor's name for the request, fit to be shown."""
        return _shown_id(self.headers)

    def without(self, secret: str) -> Reply:
        """Take a secret out, should the reply repeat it: nothing that comes after can tell it then."""
        headers = {name: value.replace(secret, _HIDDEN) for name, value in self.headers.items()}
        return Reply(self.status, headers, self.wire, secret)


def _scrubbed(body: bytes | bytearray, secret: str) -> bytes | bytearray:
    plain, hidden = secret.encode(), _HIDDEN.encode()
    if plain in body:
        body = body.replace(plain, hidden)
    # A backslash is looked for first: that takes a tenth of the time, and pages of numbers have none.
    return _spelled(secret).sub(hidden, body) if b"\\" in body and b"\\u00" in body else body


@cache
def _spelled(secret: str) -> re.Pattern[bytes]:
    """Match a secret however JSON's escapes spell it."""
    return re.compile(b"".join(b"(?:%s|(?i:\\\\u%04x))" % (re.escape(c.encode()), ord(c)) for c in secret))


def _shown_id(headers: Mapping[str, str]) -> str | None:
    given = headers.get("request-id")
    return None if given is None else excerpt(given, _LONGEST_REQUEST_ID)


@asynccontextmanager
async def open_session(
    api_url: str, patience: aiohttp.ClientTimeout = PATIENCE
) -> AsyncIterator[aiohttp.ClientSession]:
    """Open a session that keeps no cookies; a proxy of the environment is used for https alone."""
    async with aiohttp.ClientSession(
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=patience,
        trust_env=api_url.startswith("https:"),
    ) as session:
        # aiohttp repeats a GET by itself when a kept connection turns out to be closed: unpaced and uncounted.
        session._retry_connection = False  # noqa: SLF001  # there is no public way, and a test sees it hold
        yield session


async def exchange(
    session: aiohttp.ClientSession, url: str, query: Sequence[tuple[str, str]], headers: Mapping[str, str]
) -> Reply:
    """Send one GET and read all of its reply; redirects are not followed.

    Raises:
        TransportError: The network failed, or the reply is damaged or too large.
    """
    try:
        async with session.get(URL(url).with_query(query), headers=headers, allow_redirects=False) as response:
            received = {name.lower(): value for name, value in response.headers.items()}
            body = await _read(response, _shown_id(received))
    except aiohttp.ClientPayloadError:
        raise TransportError(Trouble.NETWORK, "the connection broke in the middle of an answer") from None
    except TimeoutError:
        raise TransportError(Trouble.TIMEOUT, "the API did not answer in time") from None
    except aiohttp.ClientConnectorError as error:
        number = error.os_error.errno
        reason = os.strerror(number) if number is not None and number > 0 else "the host is not known"
        raise TransportError(Trouble.NETWORK, f"no connection to {URL(url).host}: {reason}") from None
    except aiohttp.ServerDisconnectedError:
        raise TransportError(Trouble.NETWORK, "the API closed the connection without an answer") from None
    except (aiohttp.ClientError, OSError) as error:
        raise TransportError(Trouble.NETWORK, f"the connection failed ({type(error).__name__})") from None
    return Reply(response.status, received, body)


async def _read(response: aiohttp.ClientResponse, request_id: str | None) -> bytes:
    chunks: list[bytes] = []
    size = 0
    async for chunk in response.content.iter_chunked(_CHUNK):
        size += len(chunk)
        if size > LARGEST_BODY:
            raise TransportError(Trouble.TOO_LARGE, _too_large(), request_id)
        chunks.append(chunk)
    return b"".join(chunks)


def _inflate(body: bytes, headers: Mapping[str, str]) -> bytes | bytearray:
    encoding = headers.get("content-encoding", "identity").strip().lower()
    request_id = _shown_id(headers)
    if encoding in {"identity", ""} or not body:
        return body
    if encoding not in {"gzip", "deflate"}:
        raise TransportError(Trouble.DAMAGED, "the answer has an unknown encoding", request_id)
    inflater = zlib.decompressobj(_GZIP_OR_ZLIB)
    inflated = bytearray()  # in pieces: at once, zlib would need twice the memory
    left, piece = body, b"more"
    try:
        while not inflater.eof and (piece or left):
            piece = inflater.decompress(left, _PIECE)
            left = inflater.unconsumed_tail
            inflated += piece
            if len(inflated) > LARGEST_BODY:
                raise TransportError(Trouble.TOO_LARGE, _too_large(), request_id)
    except zlib.error:
        raise TransportError(Trouble.DAMAGED, "the answer's compression is damaged", request_id) from None
    if not inflater.eof or inflater.unused_data:
        raise TransportError(Trouble.DAMAGED, "the answer's compression ends too early or too late", request_id)
    return inflated


def _too_large() -> str:
    return f"the answer is larger than {LARGEST_BODY // 1024 // 1024} MiB"
