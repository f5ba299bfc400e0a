"""Processes of the program that have imported it, to start several at the same moment or many quickly."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.support import environment

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE = 120.0
READY = """
import sys, archiver.cli.migrate, archiver.cli.sync, archiver.crawl.run
from archiver.cli import main
print("ready", flush=True)
sys.stdin.readline()
main()
"""


class Runner:
    """One process of the program, which starts its work when `go` is called."""

    def __init__(self, *arguments: str, key: str) -> None:
        self.arguments = arguments
        self.process = subprocess.Popen(
            [sys.executable, "-c", READY, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(ANTHROPIC_ADMIN_API_KEY=key),
        )
        self.seconds = 0.0
        self.stderr = ""
        self._watcher = threading.Thread(target=self._watch)

    def wait_until_ready(self) -> None:
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"

    def go(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        self._began = time.monotonic()
        self._watcher.start()

    def _watch(self) -> None:
        self.stderr = self.process.communicate(timeout=PATIENCE)[1]
        self.seconds = time.monotonic() - self._began

    def end(self) -> int:
        self._watcher.join(PATIENCE)
        assert self.process.returncode is not None
        return self.process.returncode


def together(commands: list[list[str]], key: str) -> list[Runner]:
    """Run commands that start at the same moment, and wait for all of them."""
    runners = [Runner(*command, key=key) for command in commands]
    for runner in runners:
        runner.wait_until_ready()
    for runner in runners:
        runner.go()
    for runner in runners:
        runner.end()
    return runners


class Host:
    """A process that has imported the program and runs it in forks, which saves the time of imports."""

    def __init__(self, folder: Path) -> None:
        script = Path(__file__).with_name("cli_host.py")
        self._process = subprocess.Popen(
            [sys.executable, str(script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=folder,
            env=environment(),
        )

    def run(self, *arguments: str, stdin: str = "", **variables: str) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        asked = {"arguments": arguments, "stdin": stdin, "variables": variables}
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        result: dict[str, Any] = json.loads(self._process.stdout.readline())
        return result

    def close(self) -> None:
        self._process.communicate()


@contextmanager
def hosted(folder: Path) -> Iterator[Host]:
    """Yield a host for many runs of the program in a folder."""
    host = Host(folder)
    try:
        yield host
    finally:
        host.close()
