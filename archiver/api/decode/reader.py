"""Reading a page of an answer, as work that can be done elsewhere: in another thread, or another process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from archiver.api import retry
from archiver.api.decode.fast import read_page

if TYPE_CHECKING:
    from archiver.api.decode.page import Page
    from archiver.api.response import Response
    from archiver.model import Window


class DecodedReply(NamedTuple):
    """What a reply told: a page, or None when it is the answer that is known already."""

    page: Page | None
    digest: bytes
    server_time: int | None
    request_id: str | None


@dataclass(frozen=True, slots=True)
class PageReader:
    """Reads a page of the answer to a window, whose buckets may begin at `after`.

    A reply whose digest is `known` is not read.
    """

    window: Window
    after: int
    known: bytes | None = None

    def size(self, reply: Response) -> int:
        """Say how many bytes have to be read, as they came over the wire."""
        return 0 if self.known is not None and reply.digest == self.known else len(reply.wire)

    def __call__(self, reply: Response) -> DecodedReply:
        """Read it.

        Raises:
            TransportError: Its compression is damaged, or it is too large.
            DamagedAnswerError, ContractError: As it is.
        """
        digest = reply.digest
        page = None if digest == self.known else read_page(reply.body, self.window, after=self.after)
        return DecodedReply(page, digest, retry.server_time(reply.headers), reply.request_id)
