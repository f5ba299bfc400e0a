"""The changed rows of a bucket between the archive and a response.

All functions are pure.
"""

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
"""The rows of one bucket, by the id of their dimension values."""

Pairs = list[tuple[int, "Values"]]
"""The rows of one bucket as (id, values), in the order of the ids."""

_DIGEST_BYTES = 8
"""Length of a digest.

A bucket is compared only with its own last digest, so that eight bytes miss one change in 2**64.
"""

_id = itemgetter(0)
_encode = msgspec.msgpack.Encoder().encode


def facts_digest(facts: Facts) -> bytes:
    """Return the digest of a bucket's rows, independent of their order."""
    return pairs_digest(sorted(facts.items(), key=_id))


def pairs_digest(pairs: Pairs) -> bytes:
    """Return the digest of a bucket's rows, which are in order of ids."""
    # msgpack encodes 1 and "1" differently. It encodes an amount as text, so "1.0" and "1.00" have different digests.
    return blake2b(_encode(pairs), digest_size=_DIGEST_BYTES).digest()


@dataclass(frozen=True, slots=True)
class BucketDiff:
    """The changed rows of a bucket.

    Attributes:
        counts: The numbers of rows inserted, updated, removed and unchanged.
        changes: Id of a row's dimension values → the values of the row before and after; None: there was no row.
    """

    counts: RowCounts
    changes: dict[int, tuple[Values | None, Values | None]] = field(default_factory=dict)


def compare(was: Facts, now: Facts) -> BucketDiff:
    """Compare the archived rows of one bucket with its rows in a response."""
    pairs = {key_id: (was.get(key_id), now.get(key_id)) for key_id in sorted(was.keys() | now.keys())}
    changes = {key_id: pair for key_id, pair in pairs.items() if pair[0] != pair[1]}
    removed = sum(1 for _, after in changes.values() if after is None)
    inserted = sum(1 for before, _ in changes.values() if before is None)
    # Every change except an insertion concerns an earlier row; all other earlier rows are unchanged.
    counts = RowCounts(inserted, len(changes) - inserted - removed, removed, len(was) - (len(changes) - inserted))
    return BucketDiff(counts, changes)
