"""HTTP responses with their bodies, inflated on use, and transport errors."""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass, field
from enum import Enum
from functools import cache
from hashlib import blake2b
from typing import TYPE_CHECKING

from archiver.api import headers as response_headers
from archiver.errors import KeyEchoError

if TYPE_CHECKING:
    from collections.abc import Mapping

# The limit for a body as it was sent, and for the inflated body: a small compressed body could else fill the memory.
LARGEST_BODY = 64 * 1024 * 1024
# The most bytes that one step of inflating returns.
_PIECE = 1024 * 1024
_DIGEST_BYTES = 16
# The flag 32 makes zlib detect whether the body has the header of gzip or the header of zlib (`deflate`).
_GZIP_OR_ZLIB = zlib.MAX_WBITS | 32


class TransportErrorKind(Enum):
    """The cause of a TransportError."""

    NETWORK = "network"
    TIMEOUT = "timeout"
    DAMAGED = "damaged"
    TOO_LARGE = "too large"


class TransportError(Exception):
    """An exchange that ended without a complete body.

    The connection failed, or the received body is damaged or too large. `request_id` is the header as it was sent; None
    without it.
    """

    def __init__(self, kind: TransportErrorKind, message: str, request_id: str | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.request_id = request_id


@dataclass(slots=True)
class Response:
    """A response that was read to its end.

    Attributes:
        status: The HTTP status.
        headers: The headers by lower-case name.
        wire: The body as it was sent, compressed or not.
        echoes_key: Whether a header contained the admin key.
        _secret: The admin key; a body that contains it cannot be read. Empty for a response that is not guarded.
    """

    status: int
    headers: Mapping[str, str]
    wire: bytes
    _secret: str = field(default="", repr=False)
    echoes_key: bool = False
    _body: bytes | bytearray | None = field(default=None, repr=False)

    @property
    def body(self) -> bytes | bytearray:
        """The body before compression, inflated on first use.

        Raises:
            TransportError: The compression is damaged or unknown, or the body is too large.
            KeyEchoError: The body or a header contains the secret.
        """
        if self.echoes_key:
            raise KeyEchoError
        if self._body is None:
            body = _inflate(self.wire, self.headers)
            if self._secret and _contains(body, self._secret):
                raise KeyEchoError
            self._body = body
        return self._body

    @property
    def digest(self) -> bytes:
        """A digest of the body as it was sent.

        With the digest, an unchanged body is recognised without being inflated.
        """
        # The digest depends on the encoding too, because the same bytes mean another body in another encoding. `person`
        # is BLAKE2's parameter for such a context, and takes at most 16 bytes.
        encoding = self.headers.get("content-encoding", "")
        return blake2b(self.wire, digest_size=_DIGEST_BYTES, person=encoding.encode("utf-8", "replace")[:16]).digest()

    @property
    def request_id(self) -> str | None:
        """The vendor's id of the request, fit to be printed, or None."""
        return response_headers.request_id(self.headers)

    def guarded(self, secret: str) -> Response:
        """Return the response, guarded against an echo of a secret.

        Headers that contain the secret are left out. If a header or the body contains it, the body cannot be read.
        """
        clean = {name: value for name, value in self.headers.items() if secret not in value}
        return Response(self.status, clean, self.wire, secret, echoes_key=len(clean) < len(self.headers))


def _contains(body: bytes | bytearray, secret: str) -> bool:
    if secret.encode() in body:
        return True
    # JSON can write any character as an escape, like \u0073 or \/. The search for a backslash comes first, because most
    # pages have none, and the regular expression takes ten times as long.
    return b"\\" in body and _escapable(secret).search(body) is not None


@cache
def _escapable(secret: str) -> re.Pattern[bytes]:
    """Return a pattern that matches a secret in JSON, with escapes or without."""
    # Each character has two alternatives. The first is the character itself, with or without a backslash
    # in front: JSON has the escapes \/, \" and \\. The second is \uXXXX, with hexadecimal digits in either case.
    return re.compile(b"".join(b"(?:\\\\?%s|(?i:\\\\u%04x))" % (re.escape(c.encode()), ord(c)) for c in secret))


def _inflate(body: bytes, headers: Mapping[str, str]) -> bytes | bytearray:
    encoding = headers.get("content-encoding", "identity").strip().lower()
    request_id = headers.get("request-id")
    if encoding in {"identity", ""} or not body:
        return body
    if encoding not in {"gzip", "deflate"}:
        raise TransportError(TransportErrorKind.DAMAGED, "the answer has an unknown encoding", request_id)
    inflater = zlib.decompressobj(_GZIP_OR_ZLIB)
    inflated = bytearray()  # filled in pieces, because inflating at once would need twice the memory
    remaining = body
    try:
        while not inflater.eof:
            piece = inflater.decompress(remaining, _PIECE)
            remaining = inflater.unconsumed_tail
            inflated += piece
            if len(inflated) > LARGEST_BODY:
                raise TransportError(TransportErrorKind.TOO_LARGE, too_large(), request_id)
            if not piece and not remaining:  # the body is cut short: there is no more input and no more output
                break
    except zlib.error:
        raise TransportError(TransportErrorKind.DAMAGED, "the answer's compression is damaged", request_id) from None
    # zlib stops at the end of the compressed data, and would ignore other data behind it.
    if not inflater.eof or inflater.unused_data:
        message = "the answer's compressed body is cut short, or has other data behind it"
        raise TransportError(TransportErrorKind.DAMAGED, message, request_id)
    return inflated


def too_large() -> str:
    """Return the message about a body that is larger than `LARGEST_BODY`."""
    return f"the answer is larger than {LARGEST_BODY // 1024 // 1024} MiB"
