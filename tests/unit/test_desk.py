"""One answer at a time is read, here or in a process beside; who waits for the network does not keep a place."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
import pytest

from archiver.api.client import AdminClient
from archiver.api.decode.page import PageReader
from archiver.api.endpoints import fetch_window
from archiver.api.key import AdminKey
from archiver.api.rate_limit import Rate, RateLimiter
from archiver.api.response import Response
from archiver.api.retry import RetryPolicy
from archiver.clock import Clock
from archiver.crawl import decoding as desks
from archiver.crawl.beside import Beside
from archiver.crawl.decoding import DecodeSlots, Slot, open_decode_slots
from archiver.model import DAY, BucketWidth, Report, Series, Window, to_text

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

START = 86_400 * 20_000
WINDOW = Window(Series(Report.USAGE, BucketWidth.DAY), START, START + 2 * DAY)
REPLY = Response(200, {}, b"")
T = TypeVar("T")


@pytest.fixture
def always_beside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desks, "LARGE", 0)
    monkeypatch.setattr(desks, "MANY", 0)
    monkeypatch.setattr("os.cpu_count", lambda: 2)


def here(seen: list[str]) -> Callable[[Callable[[], Any]], Awaitable[Any]]:
    async def think(work: Callable[[], T]) -> T:
        seen.append("here")
        return work()

    return think


def page_of(*, page: int = 0, more: bool = False) -> bytes:
    start = WINDOW.start + page * DAY
    bucket = {"starting_at": to_text(start), "ending_at": to_text(start + DAY), "results": []}
    return json.dumps({"data": [bucket], "has_more": more, "next_page": "second" if more else None}).encode()


async def test_a_place_is_taken_once_until_it_is_left() -> None:
    desk = DecodeSlots(here([]), Beside())
    place = Slot(desk)
    free = desk.places.value
    assert await place.think(lambda _: 1, REPLY) == 1
    assert await place.think(lambda _: 2, REPLY) == 2
    assert desk.places.value == free - 1
    place.leave()
    place.leave()
    assert desk.places.value == free


async def test_what_fails_leaves_its_place() -> None:
    desk = DecodeSlots(here([]), Beside())
    free = desk.places.value

    def fail(_: Response) -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await Slot(desk).think(fail, REPLY)
    assert desk.places.value == free


async def test_another_waits_for_a_place() -> None:
    desk = DecodeSlots(here([]), Beside())
    places = [Slot(desk) for _ in range(desk.places.value + 1)]
    order: list[str] = []

    async def work(place: Slot, name: str) -> None:
        await place.think(lambda _: order.append(name), REPLY)

    for place in places[:-1]:
        await work(place, "early")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(work, places[-1], "late")
        await anyio.wait_all_tasks_blocked()
        order.append("leaves")
        places[0].leave()
    assert order == [*["early"] * (len(places) - 1), "leaves", "late"]


async def test_no_place_is_kept_while_a_further_page_is_asked_for() -> None:
    desk = DecodeSlots(here([]), Beside())
    free = desk.places.value
    place = Slot(desk)
    seen: list[int] = []

    async def exchange(_session: Any, _url: str, query: Any, _headers: Any) -> Response:
        seen.append(desk.places.value)
        page = 1 if dict(query).get("page") else 0
        return Response(200, {}, page_of(page=page, more=not page))

    clock = Clock()
    pace = RateLimiter(Rate(None), 1, clock)
    key = AdminKey("sk-ant-admin01-invented", "a test")
    client = AdminClient(None, "http://x", key, pace, clock, RetryPolicy(pace, clock), exchange)
    answer = await fetch_window(client, WINDOW, place.think, place.leave)
    assert len(answer.buckets or ()) == 2
    assert seen == [free, free]
    assert desk.places.value == free - 1


async def test_little_is_read_here() -> None:
    seen: list[str] = []
    await DecodeSlots(here(seen), Beside()).read(PageReader(WINDOW, WINDOW.start), Response(200, {}, page_of()))
    assert seen == ["here"]


@pytest.mark.usefixtures("always_beside")
async def test_much_is_read_beside_and_says_the_same() -> None:
    seen: list[str] = []
    reply = Response(200, {"request-id": "req_invented"}, page_of(), "sk-ant-admin01-invented")
    read = PageReader(WINDOW, WINDOW.start)
    async with open_decode_slots(here(seen)) as desk:
        told = await desk.read(read, reply)
        await desk.read(read, reply)
    assert seen == []
    expected = read(reply)
    assert (told.digest, told.request_id) == (expected.digest, "req_invented")
    assert told.buckets is not None
    assert expected.buckets is not None
    assert list(told.buckets) == list(expected.buckets)


@pytest.mark.usefixtures("always_beside")
async def test_what_is_known_already_is_not_sent_anywhere() -> None:
    seen: list[str] = []
    reply = Response(200, {}, page_of())
    async with open_decode_slots(here(seen)) as desk:
        assert (await desk.read(PageReader(WINDOW, WINDOW.start, reply.digest), reply)).buckets is None
    assert seen == ["here"]


@pytest.mark.usefixtures("always_beside")
async def test_a_dead_process_leaves_all_work_here(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    async with open_decode_slots(here(seen)) as desk:
        for _ in range(2):
            assert (await desk.read(PageReader(WINDOW, WINDOW.start), Response(200, {}, page_of()))).buckets
    assert seen == ["here", "here"]
