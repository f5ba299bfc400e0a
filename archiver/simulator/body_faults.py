"""Faults in the bytes and headers of an otherwise good answer.

The docstring of a function is the description of its fault.
"""

from __future__ import annotations

import gzip
import struct
import zlib
from collections.abc import Callable
from functools import cache

Sent = tuple[bytes, dict[str, str]]
"""The body, and the headers that differ from the usual ones."""
BodyFault = Callable[[bytes, str], Sent]
"""A function of the good body and of the request's key or token."""

BODY_FAULTS: dict[str, BodyFault] = {}


def _fault(function: BodyFault) -> BodyFault:
    BODY_FAULTS[function.__name__] = function
    return function


@_fault
def not_json(_: bytes, __: str) -> Sent:
    """The body is plain text with the content type of JSON."""
    return b"upstream connect error or disconnect/reset before headers", {}


@_fault
def empty_body(_: bytes, __: str) -> Sent:
    """The body is empty."""
    return b"", {}


@_fault
def wrong_content_type(body: bytes, _: str) -> Sent:
    """The body is right, the content type is text/plain (harmless)."""
    return body, {"content-type": "text/plain; charset=utf-8"}


@_fault
def duplicate_json_key(body: bytes, _: str) -> Sent:
    """`data` comes twice in the envelope, empty the second time."""
    # The body is a JSON object: without its last brace it takes another field.
    return body[:-1] + b',"data":[]}', {}


@_fault
def key_in_body(body: bytes, credential: str) -> Sent:
    """The answer repeats the key of the request in an unknown field."""
    return body[:-1] + f',"invented":"{credential}"}}'.encode(), {}


@_fault
def non_ascii_header(body: bytes, _: str) -> Sent:
    """The request id in the header is not ASCII (harmless)."""
    return body, {"request-id": "req_invent\N{LATIN SMALL LETTER E WITH ACUTE}"}


@_fault
def bad_utf8(body: bytes, _: str) -> Sent:
    """A string in the body is not UTF-8."""
    return body[:-1] + b',"invented":"\xff\xfe"}', {}


@_fault
def bad_gzip(body: bytes, _: str) -> Sent:
    """The content encoding is gzip, the body is not."""
    return b"\x1f\x8bnot really" + body[:40], {"content-encoding": "gzip"}


@_fault
def truncated_gzip(body: bytes, _: str) -> Sent:
    """The compressed body ends in the middle, with a content length that fits."""
    packed = gzip.compress(body, 9, mtime=0)
    return packed[: len(packed) // 2], {"content-encoding": "gzip"}


@_fault
def gzip_bomb(_: bytes, __: str) -> Sent:
    """64 KB of gzip that become 64 MiB of blanks."""
    return _bomb(64), {"content-encoding": "gzip"}


@_fault
def gzip_bomb_large(_: bytes, __: str) -> Sent:
    """400 KB of gzip that become 400 MiB of blanks."""
    return _bomb(400), {"content-encoding": "gzip"}


@cache
def _bomb(mebibytes: int) -> bytes:
    """Return valid JSON as gzip, mostly blanks."""
    head, blanks, tail = b'{"data":[', b" " * (1 << 20), b'],"has_more":false,"next_page":null}'
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    # A full flush makes pieces independent, so one compressed piece of blanks can be repeated: a test does not wait.
    packed = [packer.compress(piece) + packer.flush(zlib.Z_FULL_FLUSH) for piece in (head, blanks)]
    checksum = zlib.crc32(head)
    for _ in range(mebibytes):
        checksum = zlib.crc32(blanks, checksum)
    checksum = zlib.crc32(tail, checksum)
    body = packed[0] + packed[1] * mebibytes + packer.compress(tail) + packer.flush()
    size = len(head) + len(blanks) * mebibytes + len(tail)
    return b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + body + struct.pack("<II", checksum, size)
