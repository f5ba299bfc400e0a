"""What one report can be asked, and how one of its rows reads."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import msgspec

from archiver.answer import Buckets

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from archiver.model import BucketWidth, Report

LARGEST_INTEGER = 2**63 - 1

Count = Annotated[int, msgspec.Meta(ge=0, le=LARGEST_INTEGER)]
"""A count as SQLite can hold it: 0 to 2^63 - 1."""


class WireRow(msgspec.Struct):
    """One row of an answer. `extra` is what it says of fields that are not known; it does not come over the wire."""

    extra: ClassVar[str | None] = None


@dataclass(frozen=True, slots=True)
class ReportSpec:
    """A report of the Admin API, as documented.

    Attributes:
        report: Which one.
        path: The path below the host.
        limits: Bucket width → the largest number of buckets a page may hold.
        group_by: Every dimension that can be asked for.
        default_dimensions: What the presets range over unless told otherwise, coarsest first.
        filters: Dimension → the name of its query parameter.
        betas: Dimension → the `anthropic-beta` it is behind.
        columns: What identifies a row within a bucket.
        measures: What a row measures.
        wire_measures: The fields of a wire row that are no dimensions, with their types; all are always there.
        parsed: Fields of a wire row that come with a dimension and need not be asked for by name.
        only_when_asked: Dimensions that a wire row does not even name unless they were asked for.
        read_dimensions: A wire row → the values of `columns`.
        read_measures: For each of `measures`, a wire row → its value; raises ValueError where types cannot tell.
        texts: Those of `measures` that are text; the others are whole numbers of at most 64 bits.
    """

    report: Report
    path: str
    limits: Mapping[BucketWidth, int]
    group_by: tuple[str, ...]
    default_dimensions: tuple[str, ...]
    columns: tuple[str, ...]
    measures: tuple[str, ...]
    wire_measures: Mapping[str, Any]
    read_dimensions: Callable[[Any], tuple[str | None, ...]]
    read_measures: tuple[Callable[[Any], Any], ...]
    texts: tuple[str, ...] = ()
    parsed: tuple[str, ...] = ()
    only_when_asked: tuple[str, ...] = ()
    filters: Mapping[str, str] = field(default_factory=dict)
    betas: Mapping[str, str] = field(default_factory=dict)

    def empty_buckets(self) -> Buckets:
        """Begin an answer about this report."""
        return Buckets(measure in self.texts for measure in self.measures)

    def wire_row(self, group_by: tuple[str, ...], *, complete: bool) -> type[msgspec.Struct]:
        """Build the type of a row of a series: what was asked for must be there, what was not must be null.

        With `complete`, every documented field must be there; without, those that say nothing may be absent.
        """
        fields: list[Any] = list(self.wire_measures.items())
        optional: list[Any] = []
        for name in dict.fromkeys((*self.group_by, *self.parsed)):
            if name in group_by:
                fields.append((name, str | None))
            elif complete and name not in self.only_when_asked:
                fields.append((name, str | None if name in self.parsed else None))
            else:
                optional.append((name, str | None if name in self.parsed else None, None))
        return msgspec.defstruct("Result", [*fields, *optional], bases=(WireRow,), forbid_unknown_fields=True, gc=False)
