"""The archive's methods: each one transaction."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel
import pytest

from archiver.answer import Answer, Bucket, Buckets
from archiver.errors import DamagedError, OrganizationMismatchError
from archiver.model import DAY, BucketWidth, Organization, Report, RowCounts, Series, Window
from archiver.reports.spec import LARGEST_COUNT
from archiver.store.archive import fineness, held_archive, open_archive
from archiver.store.history import AnswerTime
from tests.archives import delete_coverage, delete_digests
from tests.support import select

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from archiver.store.archive import Archive

HOURS = Series(Report.USAGE, BucketWidth.HOUR)
START = 20_000 * DAY
WINDOW = Window(HOURS, START, START + DAY)
LATER = AnswerTime(START + 10 * DAY, START + 9 * DAY)


@asynccontextmanager
async def open_held(db: Path) -> AsyncIterator[Archive]:
    with held_archive(db, now=0):
        async with open_archive(db) as archive:
            yield archive


def answer(rows: int, count: int, window: Window = WINDOW) -> Answer:
    """Return a response with the same rows in every bucket of a day."""
    buckets = Buckets([False] * 6)
    for start in range(window.start, window.end, window.series.bucket_width.seconds):
        dimensions = [(None, None, f"model {n}", None, None, None, None, None, None) for n in range(rows)]
        buckets.append(Bucket(start, dict.fromkeys(dimensions, (count, 0, 0, 0, 0, 0, None))))
    return Answer(window, buckets, b"digest", LATER.now)


def test_the_canonical_series_is_the_finest_then_the_widest() -> None:
    finest = Series(Report.USAGE, BucketWidth.DAY, ("model", "workspace_id"))
    ranks = [
        fineness(finest),
        fineness(Series(Report.USAGE, BucketWidth.HOUR, finest.group_by)),
        fineness(Series(Report.USAGE, BucketWidth.DAY, ("model",))),
        fineness(Series(Report.USAGE, BucketWidth.DAY, ("speed",))),
    ]
    assert ranks == sorted(ranks, key=lambda rank: -(rank or 0))
    assert fineness(Series(Report.USAGE, BucketWidth.DAY, (), (("model", ("m",)),))) is None


async def test_rows_of_more_than_one_insert_statement_are_all_written(db: Path) -> None:
    async with open_held(db) as archive:
        written = await archive.record(answer(rows=11, count=1), LATER)
    assert written.rows == RowCounts(inserted=24 * 11)
    assert select(db, "SELECT count(*), sum(uncached_input_tokens) FROM usage") == [(264, 264)]


async def test_a_day_of_minutes_of_the_largest_counts_has_a_sum(db: Path) -> None:
    minutes = Window(Series(Report.USAGE, BucketWidth.MINUTE), WINDOW.start, WINDOW.end)
    async with open_held(db) as archive:
        await archive.record(answer(1, LARGEST_COUNT, minutes), LATER)
        first = select(db, "SELECT uncached_input_tokens FROM daily_tokens")
        await archive.record(answer(1, LARGEST_COUNT - 1, minutes), LATER)
    assert first == [(1440 * LARGEST_COUNT,)]
    assert select(db, "SELECT uncached_input_tokens FROM daily_tokens") == [(1440 * (LARGEST_COUNT - 1),)]


async def test_a_window_that_cannot_be_written_leaves_nothing_and_the_next_one_is_whole(db: Path) -> None:
    with held_archive(db, now=0):
        async with open_archive(db) as archive:
            await archive.record(answer(rows=1, count=1), LATER)
        delete_coverage(db)
        delete_digests(db)
        async with open_archive(db) as archive:
            with pytest.raises(DamagedError, match="rows without a matching API response"):
                await archive.record(answer(rows=3, count=1), LATER)
            assert select(db, "SELECT model FROM _usage_key") == [("model 0",)]
            other = answer(rows=3, count=1, window=Window(HOURS, START + DAY, START + 2 * DAY))
            assert (await archive.record(other, LATER)).rows == RowCounts(inserted=24 * 3)
    assert len(select(db, "SELECT DISTINCT model FROM usage")) == 3


async def test_a_cancelled_task_leaves_no_transaction_open(db: Path) -> None:
    async with open_held(db) as archive:
        with anyio.CancelScope() as scope:
            scope.cancel()
            await archive.remember("key", "value")
            await anyio.lowlevel.checkpoint()
        assert scope.cancelled_caught
        assert await archive.recall("key") == "value"


async def test_transactions_of_several_tasks_do_not_mix(db: Path) -> None:
    mine, other = Organization("mine", None), Organization("other", None)

    async with open_held(db) as archive:
        await archive.bind_organization(mine)

        async def fail() -> None:
            with pytest.raises(OrganizationMismatchError):
                await archive.bind_organization(other)

        async with anyio.create_task_group() as tasks:
            for number in range(20):
                tasks.start_soon(archive.remember, str(number), "kept")
                tasks.start_soon(fail)
        assert [await archive.recall(str(number)) for number in range(20)] == ["kept"] * 20
