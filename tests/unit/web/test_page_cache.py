"""Kept pages: one is made again when the archive or the day is another, and only so many are kept."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from archiver.web import page_cache
from archiver.web.page_cache import PageCache
from archiver.web.pages_ahead import make_ahead

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


class Maker:
    """Makes pages, and counts them."""

    def __init__(self) -> None:
        self.made = 0

    async def __call__(self) -> str:
        self.made += 1
        return f"page {self.made}"


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "archive.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE t (x)")
    return path


async def test_a_page_is_kept_until_the_archive_is_written_to(archive: Path) -> None:
    cache, make = PageCache(archive), Maker()
    with closing(sqlite3.connect(archive)) as writer:
        writer.execute("INSERT INTO t VALUES (1)")
        writer.commit()
        assert [await cache.get("a", make) for _ in range(3)] == ["page 1"] * 3
        for number in (2, 3):
            writer.execute("INSERT INTO t VALUES (2)")
            writer.commit()  # the -wal alone is written to
            assert [await cache.get("a", make) for _ in range(2)] == [f"page {number}"] * 2
    assert await cache.get("a", make) == "page 4"  # the last connection has moved the rows into the file itself


async def test_a_page_is_made_again_on_the_next_day(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Tomorrow(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override]  # with a zone in any case
            assert tz is UTC
            return datetime(2099, 1, 1, tzinfo=UTC)

    cache, make = PageCache(archive), Maker()
    await cache.get("a", make)
    monkeypatch.setattr(page_cache, "datetime", Tomorrow)
    assert await cache.get("a", make) == "page 2"


async def test_the_pages_that_were_asked_for_last_are_kept(archive: Path) -> None:
    cache, make = PageCache(archive), Maker()
    await cache.get("first", make)
    for number in range(100):
        await cache.get(number, make)
        await cache.get("first", make)
    made = make.made
    assert made == 101
    await cache.get(99, make)
    assert make.made == made
    await cache.get(1, make)
    assert make.made == made + 1


async def test_a_page_that_fails_is_not_kept(archive: Path) -> None:
    async def fail() -> str:
        raise OSError

    cache = PageCache(archive)
    with pytest.raises(OSError):  # noqa: PT011  # the one from above
        await cache.get("a", fail)
    assert await cache.get("a", Maker()) == "page 1"


async def test_two_who_ask_at_once_wait_for_one_page_that_goes_on_when_one_leaves(archive: Path) -> None:
    begun, ended, make = asyncio.Event(), asyncio.Event(), Maker()

    async def slow() -> str:
        begun.set()
        await ended.wait()
        return await make()

    cache = PageCache(archive)
    first, second = (asyncio.create_task(cache.get("a", slow)) for _ in range(2))
    await begun.wait()
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    ended.set()
    assert await second == "page 1"
    assert await cache.get("a", slow) == "page 1"
    assert make.made == 1


class Ahead:
    """Makes pages ahead for some looks at an archive, each with something done before it."""

    def __init__(self, archive: Path) -> None:
        self.cache, self.made = PageCache(archive), list[str]()

    async def page(self, name: str) -> None:
        self.made.append(name)

    async def fail(self) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    async def looks(self, *steps: Callable[[], object]) -> None:
        left = iter(steps)

        async def sleep(_: float) -> None:
            step = next(left, None)
            if step is None:
                raise asyncio.CancelledError
            step()

        pages: list[Callable[[], Awaitable[object]]] = [partial(self.page, "a"), self.fail, partial(self.page, "b")]
        with contextlib.suppress(asyncio.CancelledError):
            await make_ahead(self.cache, pages, sleep)


async def test_pages_are_made_ahead_at_the_start_and_after_a_change_that_has_ended(archive: Path) -> None:
    ahead = Ahead(archive)
    with closing(sqlite3.connect(archive, isolation_level=None)) as writer:

        def write() -> None:
            writer.execute("INSERT INTO t VALUES (1)")

        def nothing() -> None:
            pass

        await ahead.looks(nothing, nothing)
        assert ahead.made == ["a", "b"]
        # The archive changes between all looks of a sync; pages are made once it is the same for two.
        await ahead.looks(write, write, write, nothing, nothing)
        assert ahead.made == ["a", "b", "a", "b", "a", "b"]


async def test_pages_of_an_older_state_are_not_made_on(archive: Path) -> None:
    with closing(sqlite3.connect(archive, isolation_level=None)) as writer:

        class Changed(Ahead):
            async def page(self, name: str) -> None:
                await super().page(name)
                writer.execute("INSERT INTO t VALUES (1)")

        ahead = Changed(archive)
        await ahead.looks()
    assert ahead.made == ["a"]


async def test_a_wal_that_goes_away_at_any_time_is_no_error(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite removes it when a sync ends: here between any two looks at it."""
    monkeypatch.setattr(Path, "exists", lambda _: True)
    assert await PageCache(archive).get("a", Maker()) == "page 1"
