"""HTTP responses and transport errors.

A response has its body as it was sent, and the body before compression.
"""

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
    from collections.abc import Iterable, Mapping

LARGEST_BODY = 64 * 1024 * 1024
_PIECE = 1024 * 1024
_DIGEST_BYTES = 16
_GZIP_OR_ZLIB = zlib.MAX_WBITS | 32


class TransportErrorKind(Enum):
    """Why an exchange brought no response."""

    NETWORK = "network"
    TIMEOUT = "timeout"
    DAMAGED = "damaged"
    TOO_LARGE = "too large"


class TransportError(Exception):
    """An exchange without a whole response.

    `kind` is the kind of the failure. `request_id` is the header as it was sent.
    """

    def __init__(self, kind: TransportErrorKind, message: str, request_id: str | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.request_id = request_id


@dataclass(slots=True)
class Response:
    """A whole response.

    `headers` are by lower-case name; `wire` is the body as it was sent.

    With a secret, headers that contain it are left out, and reading a body that contains it raises KeyEchoError.
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

        An unchanged body can be recognized before it is inflated.
        """
        encoding = self.headers.get("content-encoding", "")
        return blake2b(self.wire, digest_size=_DIGEST_BYTES, person=encoding.encode("utf-8", "replace")[:16]).digest()

    @property
    def request_id(self) -> str | None:
        """The vendor's id of the request, fit to be printed."""
        return response_headers.request_id(self.headers)

    def guarded(self, secret: str) -> Response:
        """Return the response with a secret that it must not contain."""
        clean = {name: value for name, value in self.headers.items() if secret not in value}
        return Response(self.status, clean, self.wire, secret, echoes_key=len(clean) < len(self.headers))

    def stripped(self) -> Response:
        """Return the response without the secret to look for, for another process."""
        return Response(self.status, self.headers, self.wire, echoes_key=self.echoes_key)

    def repeats_in(self, texts: Iterable[str | None]) -> bool:
        """Return whether one of some decoded texts contains the secret."""
        return bool(self._secret) and any(self._secret in text for text in texts if text is not None)


def _contains(body: bytes | bytearray, secret: str) -> bool:
    if secret.encode() in body:
        return True
    # JSON can escape any character. The search for a backslash comes first: pages of numbers have none, and it takes a
    # tenth of the time of the expression.
    return b"\\" in body and b"\\u00" in body and _escapable(secret).search(body) is not None


@cache
def _escapable(secret: str) -> re.Pattern[bytes]:
    """Match a secret in JSON, any of its characters escaped or not."""
    return re.compile(b"".join(b"(?:%s|(?i:\\\\u%04x))" % (re.escape(c.encode()), ord(c)) for c in secret))


def _inflate(body: bytes, headers: Mapping[str, str]) -> bytes | bytearray:
    encoding = headers.get("content-encoding", "identity").strip().lower()
    request_id = headers.get("request-id")
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
    """Return the message about a body above the limit."""
    return f"the answer is larger than {LARGEST_BODY // 1024 // 1024} MiB"
