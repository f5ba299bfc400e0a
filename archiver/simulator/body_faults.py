"""Faults in the bytes and headers of an otherwise good response.

The first line of a function's docstring is its fault's description in `archiver simulate --list-faults`.
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
"""A function of the good body, and of the key or token in the request."""

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
    """The content type of a good body is text/plain (harmless)."""
    return body, {"content-type": "text/plain; charset=utf-8"}


@_fault
def duplicate_json_key(body: bytes, _: str) -> Sent:
    """The envelope has `data` twice, and the second one is empty."""
    # The body is a JSON object, so another field can be put in place of its last brace.
    return body[:-1] + b',"data":[]}', {}


@_fault
def key_in_body(body: bytes, credential: str) -> Sent:
    """The body repeats the key of the request in an unknown field."""
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
    """The content encoding is gzip, but the body is not gzip."""
    # The two magic bytes of gzip come first, so that the client fails in its decompressor.
    return b"\x1f\x8bnot really" + body[:40], {"content-encoding": "gzip"}


@_fault
def truncated_gzip(body: bytes, _: str) -> Sent:
    """The gzip of the body ends in the middle, and the content length agrees."""
    packed = gzip.compress(body, 9, mtime=0)
    return packed[: len(packed) // 2], {"content-encoding": "gzip"}


@_fault
def gzip_bomb(_: bytes, __: str) -> Sent:
    """The body is 65 KiB of gzip that inflate to just over 64 MiB of blanks."""
    # The largest body that the archiver accepts is 64 MiB: the JSON around the blanks makes this one just too large.
    return _bomb(64), {"content-encoding": "gzip"}


@_fault
def gzip_bomb_large(_: bytes, __: str) -> Sent:
    """The body is 406 KiB of gzip that inflate to 400 MiB of blanks."""
    # Far beyond any limit: a client that inflates all of it before it checks the size shows that in its memory.
    return _bomb(400), {"content-encoding": "gzip"}


@cache
def _bomb(mebibytes: int) -> bytes:
    """Return the gzip of a valid page with so many MiB of blanks in it."""
    head, blanks, tail = b'{"data":[', b" " * (1 << 20), b'],"has_more":false,"next_page":null}'
    # Negative bits make raw deflate, without the header and trailer of gzip, which are put around it below.
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    # After a full flush no piece refers back to another. So one MiB of blanks is compressed once, and its result is
    # repeated, instead of compressing hundreds of MiB.
    packed = [packer.compress(piece) + packer.flush(zlib.Z_FULL_FLUSH) for piece in (head, blanks)]
    checksum = zlib.crc32(head)
    for _ in range(mebibytes):
        checksum = zlib.crc32(blanks, checksum)
    checksum = zlib.crc32(tail, checksum)
    body = packed[0] + packed[1] * mebibytes + packer.compress(tail) + packer.flush()
    size = len(head) + len(blanks) * mebibytes + len(tail)
    # RFC 1952: magic bytes, deflate, no flags, no time, no extra flags, unknown system; at the end checksum and length.
    return b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + body + struct.pack("<II", checksum, size)
