"""Decode and check a page of a report.

No page is archived unless it passes the checks here.
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
        ContractError: The body is JSON, and breaks the contract.
    """
    # The strict decoder is many times slower. It accepts some pages that the fast one does not, and reports the place
    # of a wrong value.
    return read_fast(body, window, after) or read_strict(body, window, after)


@dataclass(frozen=True, slots=True)
class PageReader:
    """A decoder for responses to one window.

    Attributes:
        window: The window that was requested.
        after: The time at which the first bucket may begin; later than the window's start on a further page.
        known: The digest of a response that is not decoded, because its rows are in the archive already.
    """

    window: Window
    after: int
    known: bytes | None = None

    def __call__(self, response: Response) -> DecodedPage:
        """Decode the response.

        Raises:
            TransportError: Its compression is damaged, or it is too large.
            KeyEchoError: It contains the admin key.
            DamagedAnswerError, ContractError: As for `read_page`.
        """
        digest = response.digest
        # The digest is that of the bytes as they were sent, so an unchanged response is not even inflated.
        page = DecodedPage(None) if digest == self.known else read_page(response.body, self.window, after=self.after)
        return replace(
            page, digest=digest, server_time=headers.server_time(response.headers), request_id=response.request_id
        )
