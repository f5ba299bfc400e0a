"""The changed rows of a bucket: archived rows against those of a response.

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

A bucket is compared with its own last digest only: eight bytes miss one change in 2**64.
"""

_id = itemgetter(0)
_encode = msgspec.msgpack.Encoder().encode


def facts_digest(facts: Facts) -> bytes:
    """Return the digest of a bucket's rows, independent of their order."""
    return pairs_digest(sorted(facts.items(), key=_id))


def pairs_digest(pairs: Pairs) -> bytes:
    """Return the digest of a bucket's rows, which are in order of ids."""
    # msgpack encodes 1 and "1" differently, and an amount as its text: "1.0" and "1.00" have different digests.
    return blake2b(_encode(pairs), digest_size=_DIGEST_BYTES).digest()


@dataclass(frozen=True, slots=True)
class BucketDiff:
    """The changed rows of a bucket.

    Attributes:
        counts: The numbers of rows inserted, updated, removed and unchanged.
        changes: The id of a row's dimension values → its values before and after. None stands for no row.
    """

    counts: RowCounts
    changes: dict[int, tuple[Values | None, Values | None]] = field(default_factory=dict)


def compare(was: Facts, now: Facts) -> BucketDiff:
    """Compare the rows of one bucket."""
    changes = {key: (was.get(key), now.get(key)) for key in sorted(was.keys() | now.keys())}
    changes = {key: pair for key, pair in changes.items() if pair[0] != pair[1]}
    removed = sum(1 for _, after in changes.values() if after is None)
    inserted = sum(1 for before, _ in changes.values() if before is None)
    # Every change except an insertion concerns an earlier row; all other earlier rows are unchanged.
    counts = RowCounts(inserted, len(changes) - inserted - removed, removed, len(was) - (len(changes) - inserted))
    return BucketDiff(counts, changes)
