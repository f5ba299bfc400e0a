"""A reply as it came over the wire, and what it was before compression, or why there is none."""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass, field
from enum import Enum
from functools import cache
from hashlib import blake2b
from typing import TYPE_CHECKING

from archiver.api.text import excerpt

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

LARGEST_BODY = 64 * 1024 * 1024
_PIECE = 1024 * 1024
_LONGEST_REQUEST_ID = 80
_HIDDEN = "[key]"
_DIGEST_BYTES = 16
_GZIP_OR_ZLIB = zlib.MAX_WBITS | 32


class TransportErrorKind(Enum):
    """Why there is no reply."""

    NETWORK = "network"
    TIMEOUT = "timeout"
    DAMAGED = "damaged"
    TOO_LARGE = "too large"


class TransportError(Exception):
    """No whole reply came; `trouble` says of which kind, the message what happened."""

    def __init__(self, trouble: TransportErrorKind, message: str, request_id: str | None = None) -> None:
        super().__init__(message)
        self.trouble = trouble
        self.request_id = request_id


@dataclass(slots=True)
class Response:
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
        return shown_id(self.headers)

    def without(self, secret: str) -> Response:
        """Take a secret out, should the reply repeat it: nothing that comes after can tell it then."""
        headers = {name: value.replace(secret, _HIDDEN) for name, value in self.headers.items()}
        return Response(self.status, headers, self.wire, secret)

    def stripped(self) -> Response:
        """Give the reply without what is to be taken out of its body: whoever reads that one must not know it."""
        return Response(self.status, self.headers, self.wire)

    def repeats_in(self, texts: Iterable[str | None]) -> bool:
        """Say whether what is to be taken out is in one of some texts of the body."""
        return bool(self._secret) and any(self._secret in text for text in texts if text is not None)


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


def shown_id(headers: Mapping[str, str]) -> str | None:
    """Give the vendor's name for a request, fit to be shown."""
    given = headers.get("request-id")
    return None if given is None else excerpt(given, _LONGEST_REQUEST_ID)


def _inflate(body: bytes, headers: Mapping[str, str]) -> bytes | bytearray:
    encoding = headers.get("content-encoding", "identity").strip().lower()
    request_id = shown_id(headers)
    if encoding in {"identity", ""} or not body:
        return body
    if encoding not in {"gzip", "deflate"}:
        raise TransportError(TransportErrorKind.DAMAGED, "the answer has an unknown encoding", request_id)
    inflater = zlib.decompressobj(_GZIP_OR_ZLIB)
    inflated = bytearray()  # in pieces: at once, zlib would need twice the memory
    left, piece = body, b"more"
    try:
        while not inflater.eof and (piece or left):
            piece = inflater.decompress(left, _PIECE)
            left = inflater.unconsumed_tail
            inflated += piece
            if len(inflated) > LARGEST_BODY:
                raise TransportError(TransportErrorKind.TOO_LARGE, too_large(), request_id)
    except zlib.error:
        raise TransportError(TransportErrorKind.DAMAGED, "the answer's compression is damaged", request_id) from None
    if not inflater.eof or inflater.unused_data:
        raise TransportError(
            TransportErrorKind.DAMAGED, "the answer's compression ends too early or too late", request_id
        )
    return inflated


def too_large() -> str:
    """Say that a body is too large."""
    return f"the answer is larger than {LARGEST_BODY // 1024 // 1024} MiB"
