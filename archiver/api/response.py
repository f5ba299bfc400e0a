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

# The limit for a body as it was sent and for the inflated one: a small compressed body could else fill the memory.
LARGEST_BODY = 64 * 1024 * 1024
_PIECE = 1024 * 1024
_DIGEST_BYTES = 16
# The flag 32 makes zlib detect by itself whether the body has the header of gzip or that of zlib (`deflate`).
_GZIP_OR_ZLIB = zlib.MAX_WBITS | 32


class TransportErrorKind(Enum):
    """The cause of a TransportError."""

    NETWORK = "network"
    TIMEOUT = "timeout"
    DAMAGED = "damaged"
    TOO_LARGE = "too large"


class TransportError(Exception):
    """An exchange that brought no whole body.

    The connection failed, or the body that came is damaged or too large. `request_id` is the header as it was sent.
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
            TransportError: The compression is damaged, or the body too large.
            KeyEchoError: The body, or a header, contains the secret.
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

        An unchanged body is recognized by it without being inflated.
        """
        # The digest depends on the encoding too: the same bytes mean another body in another encoding. `person` is
        # BLAKE2's parameter for such a context, of at most 16 bytes.
        encoding = self.headers.get("content-encoding", "")
        return blake2b(self.wire, digest_size=_DIGEST_BYTES, person=encoding.encode("utf-8", "replace")[:16]).digest()

    @property
    def request_id(self) -> str | None:
        """The vendor's id of the request, fit to be printed."""
        return response_headers.request_id(self.headers)

    def guarded(self, secret: str) -> Response:
        """Return the response with a secret that it must not contain.

        Headers that contain it are left out, and the body of such a response cannot be read.
        """
        clean = {name: value for name, value in self.headers.items() if secret not in value}
        return Response(self.status, clean, self.wire, secret, echoes_key=len(clean) < len(self.headers))


def _contains(body: bytes | bytearray, secret: str) -> bool:
    if secret.encode() in body:
        return True
    # JSON can write any character as an escape, like \u0073 or \/. The search for a backslash comes first: most pages
    # have none, and the expression takes ten times as long.
    return b"\\" in body and _escapable(secret).search(body) is not None


@cache
def _escapable(secret: str) -> re.Pattern[bytes]:
    """Return a pattern that matches a secret in JSON, with escapes or without."""
    # Each character matches itself, with a backslash in front (JSON has \/, \" and \\) or not, or its \uXXXX, where the
    # letters of hexadecimal digits are upper or lower case.
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
    left = body
    try:
        while not inflater.eof:
            piece = inflater.decompress(left, _PIECE)
            left = inflater.unconsumed_tail
            inflated += piece
            if len(inflated) > LARGEST_BODY:
                raise TransportError(TransportErrorKind.TOO_LARGE, too_large(), request_id)
            if not piece and not left:  # the body is cut short: no input is left, and no output comes
                break
    except zlib.error:
        raise TransportError(TransportErrorKind.DAMAGED, "the answer's compression is damaged", request_id) from None
    if not inflater.eof or inflater.unused_data:
        message = "the answer's compressed body is cut short, or has other data behind it"
        raise TransportError(TransportErrorKind.DAMAGED, message, request_id)
    return inflated


def too_large() -> str:
    """Return the message about a body that is larger than `LARGEST_BODY`."""
    return f"the answer is larger than {LARGEST_BODY // 1024 // 1024} MiB"
