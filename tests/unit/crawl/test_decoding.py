"""One response is decoded at a time, in a thread of its own; a request that waits for the network holds no slot."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest

from archiver.api.client import AdminClient
from archiver.api.endpoints import fetch_window
from archiver.api.key import AdminKey
from archiver.api.rate_limit import Rate, RateLimiter
from archiver.api.response import Response
from archiver.api.retry import RetryPolicy
from archiver.clock import Clock
from archiver.crawl.decoding import SLOT_COUNT, DecodeSlots, Slot
from archiver.model import DAY, BucketWidth, Report, Series, Window, to_text

if TYPE_CHECKING:
    from collections.abc import Callable

START = 86_400 * 20_000
WINDOW = Window(Series(Report.USAGE, BucketWidth.DAY), START, START + 2 * DAY)
RESPONSE = Response(200, {}, b"")


def page_of(*, page: int = 0, more: bool = False) -> bytes:
    start = WINDOW.start + page * DAY
    bucket = {"starting_at": to_text(start), "ending_at": to_text(start + DAY), "results": []}
    return json.dumps({"data": [bucket], "has_more": more, "next_page": "second" if more else None}).encode()


async def test_a_slot_is_acquired_once_until_it_is_released() -> None:
    slots = DecodeSlots()
    slot = Slot(slots)
    assert await slot.decode(lambda _: 1, RESPONSE) == 1
    assert await slot.decode(lambda _: 2, RESPONSE) == 2
    assert slots.semaphore.value == SLOT_COUNT - 1
    slot.release()
    slot.release()
    assert slots.semaphore.value == SLOT_COUNT


async def test_a_failed_decoding_releases_the_slot() -> None:
    slots = DecodeSlots()

    def fail(_: Response) -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await Slot(slots).decode(fail, RESPONSE)
    assert slots.semaphore.value == SLOT_COUNT


async def test_a_window_waits_for_a_free_slot() -> None:
    slots = DecodeSlots()
    held = [Slot(slots) for _ in range(SLOT_COUNT)]
    order: list[str] = []
    for slot in held:
        await slot.decode(lambda _: order.append("early"), RESPONSE)

    async def wait() -> None:
        await Slot(slots).decode(lambda _: order.append("late"), RESPONSE)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        order.append("released")
        held[0].release()
    assert order == [*["early"] * SLOT_COUNT, "released", "late"]


async def test_one_response_is_decoded_at_a_time_and_never_in_the_event_loop() -> None:
    slots = DecodeSlots()
    first_began, first_may_end = threading.Event(), threading.Event()
    order: list[str] = []

    def record(name: str, *, waits: bool) -> Callable[[Response], None]:
        def decode(_: Response) -> None:
            assert threading.current_thread() is not threading.main_thread()
            order.append(f"{name} begins")
            if waits:
                first_began.set()
                assert first_may_end.wait(10)
            order.append(f"{name} ends")

        return decode

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(Slot(slots).decode, record("first", waits=True), RESPONSE)
        await anyio.to_thread.run_sync(first_began.wait)
        tasks.start_soon(Slot(slots).decode, record("second", waits=False), RESPONSE)
        await anyio.lowlevel.checkpoint()
        first_may_end.set()
    assert order == ["first begins", "first ends", "second begins", "second ends"]


async def test_no_slot_is_held_while_a_further_page_is_fetched() -> None:
    slots = DecodeSlots()
    slot = Slot(slots)
    seen: list[int] = []

    async def exchange(_session: Any, _url: str, query: Any, _headers: Any) -> Response:
        seen.append(slots.semaphore.value)
        page = 1 if dict(query).get("page") else 0
        return Response(200, {}, page_of(page=page, more=not page))

    clock = Clock()
    pace = RateLimiter(Rate(None), 1, clock)
    key = AdminKey("sk-ant-admin01-invented", "a test")
    client = AdminClient(None, "http://x", key, pace, clock, RetryPolicy(pace, clock), exchange)
    answer = await fetch_window(client, WINDOW, slot.decode, slot.release)
    assert len(answer.buckets or ()) == 2
    assert seen == [SLOT_COUNT, SLOT_COUNT]
    assert slots.semaphore.value == SLOT_COUNT - 1
