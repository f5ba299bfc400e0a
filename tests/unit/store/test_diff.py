"""The difference between two responses about a bucket, and the digest of its rows."""

from __future__ import annotations

from archiver.model import RowCounts
from archiver.store.diff import Facts, compare, facts_digest


def test_a_difference_names_every_changed_row() -> None:
    was: Facts = {1: (10, None), 2: (20, None), 3: (30, None)}
    now: Facts = {1: (10, None), 2: (21, None), 4: (40, None)}
    difference = compare(was, now)
    assert difference.counts == RowCounts(inserted=1, updated=1, removed=1, unchanged=1)
    assert difference.changes == {2: ((20, None), (21, None)), 3: ((30, None), None), 4: (None, (40, None))}


def test_a_digest_depends_on_content_alone() -> None:
    assert facts_digest({1: (1, None), 2: (2, None)}) == facts_digest({2: (2, None), 1: (1, None)})
    assert facts_digest({1: (1, None)}) != facts_digest({1: (1, "{}")})
    assert facts_digest({1: ("1.0", 1)}) != facts_digest({1: ("1.00", 1)})
