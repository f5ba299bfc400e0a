"""Decode and check a page of any report.

No page is archived unless it passes the checks here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from archiver.answer import DecodedPage
from archiver.api import headers
from archiver.api.decode.analytics import read_analytics_page
from archiver.api.decode.claude_code import read_claude_code_page
from archiver.api.decode.fast import read_fast
from archiver.api.decode.jsontext import read_json
from archiver.api.decode.strict import read_strict
from archiver.api.decode.structs import with_excerpt
from archiver.errors import ContractError
from archiver.model import Report

if TYPE_CHECKING:
    from archiver.answer import RowPage
    from archiver.api.response import Response
    from archiver.model import Window


def read_page(body: bytes | bytearray, window: Window, *, after: int) -> DecodedPage:
    """Decode a page of the answer to `window`.

    The first bucket may not begin before `after`.

    Raises:
        DamagedAnswerError: The body is not JSON.
        ContractError: The body is JSON, and breaks the contract.
    """
    # The strict decoder is many times slower. It accepts some pages that the fast decoder does not, and reports where a
    # wrong value is.
    return read_fast(body, window, after) or read_strict(body, window, after)


@dataclass(frozen=True, slots=True)
class PageReader:
    """A decoder for responses to one window.

    Attributes:
        window: The window that was requested.
        after: The earliest time at which the first bucket may begin: the window's start for the first page, and the end
            of the last bucket so far for a further page.
        known: The digest of the response with which the archive is up to date; None without such a response. An equal
            response is not decoded.
    """

    window: Window
    after: int
    known: bytes | None = None

    def __call__(self, response: Response) -> DecodedPage:
        """Decode the response.

        Raises:
            TransportError: The response's compression is damaged, or its body is too large.
            KeyEchoError: The response contains the admin key.
            DamagedAnswerError: The body is not JSON.
            ContractError: The body is JSON, and breaks the contract.
        """
        digest = response.digest
        # The digest is computed from the bytes as they were sent, so an unchanged response is not even inflated.
        page = DecodedPage(None) if digest == self.known else read_page(response.body, self.window, after=self.after)
        return replace(
            page, digest=digest, server_time=headers.server_time(response.headers), request_id=response.request_id
        )


@dataclass(frozen=True, slots=True)
class RowPageReader:
    """A decoder for the pages of a report that is paged by rows.

    Attributes:
        window: The window that was requested.
    """

    window: Window

    def __call__(self, response: Response) -> RowPage:
        """Decode a page.

        Raises:
            TransportError: The response's compression is damaged, or its body is too large.
            KeyEchoError: The response contains the admin key.
            DamagedAnswerError: The body is not JSON.
            ContractError: The body is JSON, and breaks the contract.
        """
        is_claude_code = self.window.series.report is Report.CLAUDE_CODE
        raw = read_json(response.body)
        try:
            page = (read_claude_code_page if is_claude_code else read_analytics_page)(raw, self.window)
        except ContractError as error:
            raise with_excerpt(error, raw) from None
        return replace(page, server_time=headers.server_time(response.headers), request_id=response.request_id)
