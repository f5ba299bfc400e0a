"""A process beside this one that reads replies: it is told nothing of the key, runs nothing of the current folder.

What it cannot read plainly and well comes back as nothing, and is read by the process that asks: it may be refused
there, with its reasons. So whatever befalls this process, nothing is lost but time.
"""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import anyio
from anyio.streams.buffered import BufferedByteReceiveStream

if TYPE_CHECKING:
    from anyio.abc import Process

    from archiver.answer import DecodedPage
    from archiver.api.decode.page import PageReader
    from archiver.api.response import Response

PATIENCE = 120.0
"""Seconds after which a process that does not answer is given up; the largest answer takes a few."""

_BEGIN = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from archiver.crawl.beside import serve; serve()"
_LENGTH = 8
_PRIVATE = ("ANTHROPIC_", "ARCHIVER_")


class Beside:
    """A process that reads replies, begun when it is first asked. It is used by one task at a time."""

    def __init__(self) -> None:
        self._process: Process | None = None
        self.broken = (os.cpu_count() or 1) < 2  # noqa: PLR2004  # one core has no use for two processes

    async def read(self, read: PageReader, reply: Response) -> DecodedPage | None:
        """Let a reply be read; None for whatever has to be read here, and always once the process is `broken`."""
        try:
            with anyio.fail_after(PATIENCE):
                told = await self._ask(pickle.dumps((read, reply.stripped()), pickle.HIGHEST_PROTOCOL))
        except (OSError, anyio.EndOfStream, anyio.IncompleteRead, anyio.BrokenResourceError, pickle.PickleError):
            self.broken = True
            await self.close()
            return None
        except BaseException:  # it was half way through a question, and has to go with it
            await self.close()
            raise
        return None if told is None or reply.repeats_in(told.texts()) else told

    async def _ask(self, question: bytes) -> DecodedPage | None:
        process = await self._begun()
        assert process.stdin is not None
        assert process.stdout is not None
        await process.stdin.send(len(question).to_bytes(_LENGTH) + question)
        answer = BufferedByteReceiveStream(process.stdout)
        length = int.from_bytes(await answer.receive_exactly(_LENGTH))
        told: DecodedPage | None = pickle.loads(await answer.receive_exactly(length))  # noqa: S301  # of our own process
        return told

    async def _begun(self) -> Process:
        if self._process is None:
            with anyio.CancelScope(shield=True):  # one that is cancelled while it is begun would be nobody's
                self._process = await _begin()
        assert self._process is not None
        return self._process

    async def close(self) -> None:
        """End the process; may come twice."""
        process, self._process = self._process, None
        if process is not None:
            with anyio.CancelScope(shield=True):
                with suppress(ProcessLookupError):
                    process.kill()
                await process.aclose()


async def _begin() -> Process:
    """Begin the process: apart from the terminal's signals, without the key, and without what Python would pick up."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(_PRIVATE)}
    command = [sys.executable or "python3", "-I", "-c", _BEGIN, json.dumps(sys.path)]
    return await anyio.open_process(command, stderr=subprocess.DEVNULL, env=environment, start_new_session=True)


def serve() -> None:
    """Read replies from standard input until it ends."""
    questions, answers = sys.stdin.buffer, sys.stdout.buffer
    while length := questions.read(_LENGTH):
        read, reply = pickle.loads(questions.read(int.from_bytes(length)))  # noqa: S301  # of the process that began us
        told = pickle.dumps(_read(read, reply), pickle.HIGHEST_PROTOCOL)
        answers.write(len(told).to_bytes(_LENGTH) + told)
        answers.flush()


def _read(read: Any, reply: Any) -> Any:
    try:
        return read(reply)
    except Exception:  # noqa: BLE001  # whatever it is, it is found out where the key is known, and told there
        return None
