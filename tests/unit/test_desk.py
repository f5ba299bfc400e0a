"""One answer at a time is read, here or in a process beside; who waits for the network does not keep a place."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
import pytest

from archiver import desk as desks
from archiver.api.client import AdminClient
from archiver.api.endurance import Endurance
from archiver.api.fetch import fetch_window
from archiver.api.key import AdminKey
from archiver.api.pace import Pace
from archiver.api.rate import Rate
from archiver.api.reading import PageReader
from archiver.api.transport import Reply, TransportError, Trouble
from archiver.clock import Clock
from archiver.desk import Desk, Place
from archiver.errors import ContractError, DamagedAnswerError
from archiver.model import DAY, BucketWidth, Report, Series, Window, to_text

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

START = 86_400 * 20_000
WINDOW = Window(Series(Report.USAGE, BucketWidth.DAY), START, START + 2 * DAY)
REPLY = Reply(200, {}, b"")
T = TypeVar("T")


@pytest.fixture
def always_beside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desks, "LARGE", 0)
    monkeypatch.setattr(desks, "MANY", 0)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)


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
    desk = Desk(here([]))
    place = Place(desk)
    free = desk.places.value
    assert await place.think(lambda _: 1, REPLY) == 1
    assert await place.think(lambda _: 2, REPLY) == 2
    assert desk.places.value == free - 1
    place.leave()
    place.leave()
    assert desk.places.value == free


async def test_what_fails_leaves_its_place() -> None:
    desk = Desk(here([]))
    free = desk.places.value

    def fail(_: Reply) -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await Place(desk).think(fail, REPLY)
    assert desk.places.value == free


async def test_another_waits_for_a_place() -> None:
    desk = Desk(here([]))
    places = [Place(desk) for _ in range(desk.places.value + 1)]
    order: list[str] = []

    async def work(place: Place, name: str) -> None:
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
    desk = Desk(here([]))
    free = desk.places.value
    place = Place(desk)
    seen: list[int] = []

    async def exchange(_session: Any, _url: str, query: Any, _headers: Any) -> Reply:
        seen.append(desk.places.value)
        page = 1 if dict(query).get("page") else 0
        return Reply(200, {}, page_of(page=page, more=not page))

    clock = Clock()
    pace = Pace(Rate(None), 1, clock)
    key = AdminKey("sk-ant-admin01-invented", "a test")
    client = AdminClient(None, "http://x", key, pace, clock, Endurance(pace, clock), exchange)
    answer = await fetch_window(client, WINDOW, place.think, place.leave)
    assert len(answer.buckets or ()) == 2
    assert seen == [free, free]
    assert desk.places.value == free - 1


@pytest.mark.usefixtures("always_beside")
async def test_much_is_read_beside_and_says_the_same() -> None:
    seen: list[str] = []
    reply = Reply(200, {"request-id": "req_invented"}, page_of(), "sk-ant-admin01-invented")
    read = PageReader(WINDOW, WINDOW.start)
    beside = await Desk(here(seen)).read(read, reply)
    assert seen == []
    expected = read(reply)
    assert (beside.digest, beside.request_id) == (expected.digest, "req_invented")
    assert beside.page is not None
    assert expected.page is not None
    assert list(beside.page.buckets) == list(expected.page.buckets)


@pytest.mark.usefixtures("always_beside")
async def test_what_is_known_already_is_not_sent_anywhere() -> None:
    seen: list[str] = []
    reply = Reply(200, {}, page_of())
    assert (await Desk(here(seen)).read(PageReader(WINDOW, WINDOW.start, reply.digest), reply)).page is None
    assert seen == ["here"]


async def test_little_is_read_here() -> None:
    seen: list[str] = []
    await Desk(here(seen)).read(PageReader(WINDOW, WINDOW.start), Reply(200, {}, page_of()))
    assert seen == ["here"]


@pytest.mark.usefixtures("always_beside")
async def test_refusals_come_whole_from_beside() -> None:
    read = PageReader(WINDOW, WINDOW.start)
    with pytest.raises(DamagedAnswerError, match="is not JSON"):
        await Desk(here([])).read(read, Reply(200, {}, b"{"))
    with pytest.raises(TransportError, match="compression is damaged") as damaged:
        await Desk(here([])).read(read, Reply(200, {"content-encoding": "gzip", "request-id": "req_1"}, b"xx"))
    assert (damaged.value.trouble, damaged.value.request_id) == (Trouble.DAMAGED, "req_1")
    with pytest.raises(ContractError, match=r"Expected .?array") as refused:
        await Desk(here([])).read(read, Reply(200, {}, b'{"data":1,"has_more":false,"next_page":null}'))
    assert (refused.value.place, refused.value.message.count("at data")) == ("data", 1)


@dataclass(frozen=True, slots=True)
class Dying(PageReader):
    """Ends the process that reads, unless that is the one of the test."""

    home: int = 0
    by: int = signal.SIGKILL

    def __call__(self, reply: Reply) -> Any:
        if os.getpid() != self.home:
            os.kill(os.getpid(), self.by)
        return PageReader(self.window, self.after)(reply)


@pytest.mark.usefixtures("always_beside")
async def test_when_the_process_beside_is_killed_the_work_is_done_here() -> None:
    seen: list[str] = []
    desk = Desk(here(seen))
    reply = Reply(200, {}, page_of())
    told = await desk.read(Dying(WINDOW, WINDOW.start, home=os.getpid()), reply)
    assert told.page is not None
    await desk.read(PageReader(WINDOW, WINDOW.start), reply)
    assert seen == ["here", "here"], "it is not tried again"


@pytest.mark.usefixtures("always_beside")
async def test_a_ctrl_c_of_the_terminal_does_not_disturb_the_process_beside() -> None:
    seen: list[str] = []
    told = await Desk(here(seen)).read(
        Dying(WINDOW, WINDOW.start, home=os.getpid(), by=signal.SIGINT), Reply(200, {}, page_of())
    )
    assert told.page is not None
    assert seen == []


@pytest.mark.usefixtures("always_beside")
async def test_without_another_process_the_work_is_done_here(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    assert (await Desk(here(seen)).read(PageReader(WINDOW, WINDOW.start), Reply(200, {}, page_of()))).page
    assert seen == ["here"]


@dataclass(frozen=True, slots=True)
class Slow(PageReader):
    """Says which process it is read in, and never ends."""

    told: str = ""

    def __call__(self, _: Reply) -> Any:
        with open(self.told, "w") as file:  # noqa: PTH123  # in another process
            file.write(str(os.getpid()))
        signal.pause()


@pytest.mark.usefixtures("always_beside")
async def test_a_run_that_is_stopped_does_not_wait_for_the_process_beside(tmp_path: Any) -> None:
    told = anyio.Path(tmp_path / "pid")
    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(
                partial(Desk(here([])).read, Slow(WINDOW, WINDOW.start, told=str(told)), Reply(200, {}, page_of()))
            )
            while not await told.exists() or not await told.read_text():  # noqa: ASYNC110  # another process writes it
                await anyio.sleep(0.01)
            tasks.cancel_scope.cancel()
    with pytest.raises(ProcessLookupError):
        os.kill(int(await told.read_text()), 0)
