"""The process beside: it knows no key, picks nothing up, and when it fails or is slow the work is done elsewhere."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from archiver.api.decode.page import PageReader
from archiver.api.response import Response
from archiver.crawl import beside
from archiver.crawl.beside import Beside
from archiver.model import DAY, BucketWidth, Report, Series, Window, to_text

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

START = 86_400 * 20_000
WINDOW = Window(Series(Report.USAGE, BucketWidth.DAY), START, START + DAY)
SECRET = "sk-ant-admin01-invented"


def page(**more: Any) -> bytes:
    bucket = {"starting_at": to_text(START), "ending_at": to_text(START + DAY), "results": []}
    return json.dumps({"data": [bucket], "has_more": False, "next_page": None, **more}).encode()


@pytest.fixture
async def process() -> AsyncIterator[Beside]:
    one = Beside()
    one.broken = False
    yield one
    await one.close()


@dataclass(frozen=True, slots=True)
class Telling(PageReader):
    """Tells of the process that reads, in the place of the request's id."""

    def __call__(self, reply: Response) -> Any:
        import sys  # noqa: PLC0415  # that of the process

        about = {"pid": os.getpid(), "reply": repr(reply) + reply._secret, "environment": dict(os.environ)}
        told = PageReader(self.window, self.after)(reply)
        return replace(told, request_id=json.dumps(about | {"path": sys.path, "session": os.getsid(0)}))


@dataclass(frozen=True, slots=True)
class Dying(PageReader):
    """Ends the process that reads."""

    def __call__(self, _: Response) -> Any:
        os.kill(os.getpid(), signal.SIGKILL)


@dataclass(frozen=True, slots=True)
class Slow(PageReader):
    """Says which process it is read in, and never ends."""

    told: str = ""

    def __call__(self, _: Response) -> Any:
        Path(self.told).write_text(str(os.getpid()))
        signal.pause()


async def about(process: Beside, reply: Response) -> Any:
    told = await process.read(Telling(WINDOW, START), reply)
    assert told is not None
    assert told.request_id is not None
    return json.loads(told.request_id)


async def test_it_is_told_nothing_of_the_key(process: Beside, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_ADMIN_API_KEY", SECRET)
    monkeypatch.setenv("ARCHIVER_ADMIN_KEY_COMMAND", f"echo {SECRET}")
    assert SECRET not in json.dumps(await about(process, Response(200, {}, page(), SECRET)))


async def test_it_runs_nothing_of_the_current_folder(
    process: Beside, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("json", "pickle", "random", "sitecustomize", "archiver", "anyio"):
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'a').write({name!r})")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert str(tmp_path) not in (await about(process, Response(200, {}, page())))["path"]
    assert not (tmp_path / "ran").exists()


async def test_the_terminals_signals_do_not_reach_it(process: Beside) -> None:
    assert (await about(process, Response(200, {}, page())))["session"] != os.getsid(0)


async def test_it_is_one_process_for_many_replies(process: Beside) -> None:
    assert len({(await about(process, Response(200, {}, page())))["pid"] for _ in range(3)}) == 1


@pytest.mark.parametrize(
    "body",
    [b"{", page(data=1), page(more="field", next_page=SECRET, has_more=True), page(**{SECRET: 1})],
    ids=["no JSON", "no page", "the key as a token", "the key as a field"],
)
async def test_what_may_be_refused_or_tells_the_key_is_read_where_the_key_is_known(
    process: Beside, body: bytes
) -> None:
    assert await process.read(PageReader(WINDOW, START), Response(200, {}, body, SECRET)) is None
    assert not process.broken
    assert await process.read(PageReader(WINDOW, START), Response(200, {}, page(), SECRET))


async def test_one_that_dies_is_not_asked_again(process: Beside) -> None:
    assert await process.read(Dying(WINDOW, START), Response(200, {}, page())) is None
    assert process.broken


async def test_one_that_does_not_answer_is_given_up(
    process: Beside, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(beside, "PATIENCE", 2.0)
    told = tmp_path / "pid"
    assert await process.read(Slow(WINDOW, START, told=str(told)), Response(200, {}, page())) is None
    assert process.broken
    with pytest.raises(ProcessLookupError):
        os.kill(int(told.read_text()), 0)


@pytest.mark.parametrize("wait", [0.0, 0.03, None], ids=["at once", "while it begins", "while it reads"])
async def test_a_run_that_is_stopped_ends_it(process: Beside, tmp_path: Path, wait: float | None) -> None:
    told = tmp_path / "pid"
    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(process.read, Slow(WINDOW, START, told=str(told)), Response(200, {}, page()))
            if wait is not None:
                await anyio.sleep(wait)
            while wait is None and not (told.exists() and told.read_text()):  # noqa: ASYNC110  # another process writes it
                await anyio.sleep(0.01)
            tasks.cancel_scope.cancel()
    assert process._process is None
    if told.exists() and told.read_text():
        with pytest.raises(ProcessLookupError):
            os.kill(int(told.read_text()), 0)
