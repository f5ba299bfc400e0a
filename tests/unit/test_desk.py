"""One answer at a time is read; who waits for the network does not keep the desk."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest

from archiver.api.client import think_here
from archiver.desk import Place

if TYPE_CHECKING:
    from collections.abc import Callable


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
