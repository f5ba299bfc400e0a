"""One answer at a time is read; who waits for the network does not keep the desk."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from archiver.api.client import AdminClient, think_here
from archiver.api.endurance import Endurance
from archiver.api.fetch import fetch_window
from archiver.api.key import AdminKey
from archiver.api.pace import Pace
from archiver.api.rate import Rate
from archiver.api.transport import Reply
from archiver.clock import Clock
from archiver.desk import Place
from archiver.model import DAY, BucketWidth, Report, Series, Window, to_text

if TYPE_CHECKING:
    from collections.abc import Callable

START = 86_400 * 20_000
WINDOW = Window(Series(Report.USAGE, BucketWidth.DAY), START, START + 2 * DAY)


async def test_a_desk_is_taken_once_until_it_is_left() -> None:
    desk = anyio.Semaphore(1)
    place = Place(desk, think_here)
    assert await place.think(lambda: 1) == 1
    assert await place.think(lambda: 2) == 2
    assert desk.value == 0
    place.leave()
    place.leave()
    assert desk.value == 1


async def test_what_fails_leaves_the_desk() -> None:
    desk = anyio.Semaphore(1)

    def fail() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await Place(desk, think_here).think(fail)
    assert desk.value == 1


async def test_another_waits_for_the_desk() -> None:
    desk = anyio.Semaphore(1)
    first, second = Place(desk, think_here), Place(desk, think_here)
    order: list[str] = []

    async def work(place: Place, name: str) -> None:
        note: Callable[[], None] = lambda: order.append(name)  # noqa: E731  # one line of a test
        await place.think(note)

    await work(first, "first")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(work, second, "second")
        await anyio.lowlevel.checkpoint()
        order.append("leaves")
        first.leave()
    assert order == ["first", "leaves", "second"]


async def test_the_desk_is_free_while_a_further_page_is_asked_for() -> None:
    desk = anyio.Semaphore(1)
    place = Place(desk, think_here)
    seen: list[int] = []

    async def exchange(_session: Any, _url: str, query: Any, _headers: Any) -> Reply:
        seen.append(desk.value)
        page = 1 if dict(query).get("page") else 0
        start = WINDOW.start + page * DAY
        bucket = {"starting_at": to_text(start), "ending_at": to_text(start + DAY), "results": []}
        more = {"has_more": not page, "next_page": None if page else "second"}
        return Reply(200, {}, json.dumps({"data": [bucket], **more}).encode())

    clock = Clock()
    pace = Pace(Rate(None), 1, clock)
    key = AdminKey("sk-ant-admin01-invented", "a test")
    client = AdminClient(None, "http://x", key, pace, clock, Endurance(pace, clock), exchange)
    answer = await fetch_window(client, WINDOW, place.think, place.leave)
    assert len(answer.buckets or ()) == 2
    assert seen == [1, 1]
    assert desk.value == 0
