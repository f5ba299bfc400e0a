"""What is different between two answers about one bucket. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import blake2b
from operator import itemgetter
from typing import TYPE_CHECKING

import msgspec

from archiver.model import RowCounts

if TYPE_CHECKING:
    from archiver.model import Values

Facts = dict[int, "Values"]
"""The rows of one bucket by the id of their dimensions."""

Pairs = list[tuple[int, "Values"]]
"""The same as pairs, in the order of the ids."""

_DIGEST_BYTES = 8
_id = itemgetter(0)
_encode = msgspec.msgpack.Encoder().encode


def facts_digest(facts: Facts) -> bytes:
    """Give the digest of a bucket's stored rows, whatever order they came in."""
    return pairs_digest(sorted(facts.items(), key=_id))


def pairs_digest(pairs: Pairs) -> bytes:
    """Give the digest of the rows of a bucket in the order of their ids."""
    return blake2b(_encode(pairs), digest_size=_DIGEST_BYTES).digest()


@dataclass(frozen=True, slots=True)
class BucketDiff:
    """The rows that changed, by the id of their dimensions: (was, now), None where there is no row."""

    counts: RowCounts
    changes: dict[int, tuple[Values | None, Values | None]] = field(default_factory=dict)


def compare(was: Facts, now: Facts) -> BucketDiff:
    """Compare the rows of one bucket."""
    changes = {key: (was.get(key), now.get(key)) for key in sorted(was.keys() | now.keys())}
    changes = {key: pair for key, pair in changes.items() if pair[0] != pair[1]}
    removed = sum(1 for _, after in changes.values() if after is None)
    inserted = sum(1 for before, _ in changes.values() if before is None)
    counts = RowCounts(inserted, len(changes) - inserted - removed, removed, len(was) - (len(changes) - inserted))
    return BucketDiff(counts, changes)
