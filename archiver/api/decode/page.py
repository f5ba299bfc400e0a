"""What a page of a report is: as it comes over the wire, and once it is believed."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Generic, TypeVar

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from archiver.answer import Buckets

B = TypeVar("B")


class WirePage(msgspec.Struct, Generic[B], forbid_unknown_fields=True, gc=False):
    """The envelope of a page, around buckets of some type."""

    data: list[B]
    has_more: bool
    next_page: str | None


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a report, believed: its buckets, and the token of the next page if there is one."""

    buckets: Buckets
    next_page: str | None
    warnings: tuple[str, ...] = ()

    def texts(self) -> Iterator[str | None]:
        """Give every text of the page once."""
        return chain([self.next_page], self.warnings, self.buckets.texts())
