"""Children: each has bounds of its own, and what becomes of one is not the next one's affair."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support import environment

PROGRAM = """
import os, sys, threading
from contextlib import closing
from archiver.errors import ArchiverError, StorageError
from archiver.web.children import Bounds, Children

def spin():
    while True:
        pass

def fail():
    raise StorageError("no room", hint="make some")

works = {
    "add": lambda a, b: a + b,
    "spin": spin,
    "take": lambda: len(bytearray(2 ** 30)),
    "die": lambda: os.abort(),
    "fail": fail,
    "bug": lambda: {}["secret"],
}

def told(work, *arguments):
    try:
        return children.ask(work, Bounds(0.2, 128), *arguments)
    except ArchiverError as error:
        return [type(error).__name__, error.message, error.hint]

with closing(Children(works)) as children:
    print(told(sys.argv[1], *map(int, sys.argv[2:])))
    answers = []
    threads = [threading.Thread(target=lambda n=n: answers.append(told("add", n, n))) for n in range(20)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    assert sorted(answers) == [2 * n for n in range(20)], answers
"""

TOLD = {
    "add 1 2": "3",
    "spin": "['TimeLimitError', 'the query took too long', None]",
    "take": "['ConfigurationError', 'the query needs more memory than it may use', None]",
    "die": "['TimeLimitError', 'the query took too long', None]",
    "fail": "['StorageError', 'no room', 'make some']",
    "bug": "['ArchiverError', 'this is a bug in archiver', None]",
}


@pytest.mark.parametrize("work", TOLD)
def test_what_a_child_does_is_told_and_the_others_go_on(work: str) -> None:
    program = [sys.executable, "-c", PROGRAM, *work.split()]
    done = subprocess.run(program, capture_output=True, text=True, timeout=60, env=environment(), check=True)
    assert done.stdout.strip() == TOLD[work]
    assert "secret" not in done.stderr
