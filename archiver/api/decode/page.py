"""Decode and check a page of a report.

Every page is checked here before it is archived.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from archiver.answer import DecodedPage
from archiver.api import headers
from archiver.api.decode.fast import read_fast
from archiver.api.decode.strict import read_strict

if TYPE_CHECKING:
    from archiver.api.response import Response
    from archiver.model import Window


def read_page(body: bytes | bytearray, window: Window, *, after: int) -> DecodedPage:
    """Decode a page of the answer to `window`.

    Its buckets may not begin before `after`.

    Raises:
        DamagedAnswerError: The body is not JSON.
        ContractError: It is, and breaks the contract.
    """
    # The strict decoder is many times slower, but reports the place of the value that the fast one does not accept.
    return read_fast(body, window, after) or read_strict(body, window, after)


@dataclass(frozen=True, slots=True)
class PageReader:
    """A decoder for responses to one window.

    Buckets must begin at `after` or later. A response with the digest `known` is not decoded: its rows are in the
    archive already. It is a value, so that it
    can be sent to another thread or process.
    """

    window: Window
    after: int
    known: bytes | None = None

    def size(self, response: Response) -> int:
        """Return the number of bytes to decode, as they were sent."""
        return 0 if self.known is not None and response.digest == self.known else len(response.wire)

    def __call__(self, response: Response) -> DecodedPage:
        """Decode the response.

        Raises:
            TransportError: Its compression is damaged, or it is too large.
            DamagedAnswerError, ContractError: As for `read_page`.
        """
        digest = response.digest
        # Nothing has to be inflated when the bytes are those of the last answer.
        page = DecodedPage(None) if digest == self.known else read_page(response.body, self.window, after=self.after)
        return replace(
            page, digest=digest, server_time=headers.server_time(response.headers), request_id=response.request_id
        )
