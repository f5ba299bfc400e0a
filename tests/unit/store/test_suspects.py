"""When a loss in a settled bucket is held back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from archiver.answer import Answer, Bucket, Buckets
from archiver.model import DAY, BucketWidth, Report, Series, Window
from archiver.store.archive import held_archive, open_archive
from archiver.store.history import AnswerTime
from archiver.store.suspects import lost_over_half
from tests.support import select

if TYPE_CHECKING:
    from pathlib import Path

    from archiver.store.diff import Facts

START = 20_000 * DAY
WINDOW = Window(Series(Report.USAGE, BucketWidth.DAY), START, START + DAY)


@pytest.mark.parametrize(("after", "suspicious"), [(50, False), (49, True), (0, True)])
def test_half_is_not_more_than_half(after: int, suspicious: bool) -> None:  # noqa: FBT001  # of a table
    was: Facts = {1: (100, 0, 0, 0, 0, 0, None)}
    now: Facts = {1: (after, 0, 0, 0, 0, 0, None)}
    assert lost_over_half(Report.USAGE, was, now) is suspicious


def test_a_credit_does_not_hide_what_a_day_can_lose() -> None:
    was: Facts = {1: ("100", 100, 0, None), 2: ("-100", -100, 0, None)}
    assert lost_over_half(Report.COST, was, {})


async def test_a_loss_is_accepted_when_the_same_rows_are_returned_again(db: Path) -> None:
    kept = []
    with held_archive(db, now=0):
        async with open_archive(db) as archive:
            for number, tokens in enumerate((100, 40, 30, 30)):
                now = START + (50 + number) * DAY
                buckets = Buckets([False] * 6)
                buckets.append(Bucket(START, {(None,) * 9: (tokens, 0, 0, 0, 0, 0, None)}))
                await archive.record(Answer(WINDOW, buckets, None, now), AnswerTime(now, now - 35 * DAY))
                kept.append(select(db, "SELECT uncached_input_tokens, (SELECT count(*) FROM _suspect) FROM usage"))
    assert kept == [[(100, 0)], [(100, 1)], [(100, 1)], [(30, 0)]]
