"""Query workers: each child has bounds of its own, and its end changes nothing for the next one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import environment

BEGIN = """
import os, signal, sys, threading
from archiver.errors import ArchiverError, StorageError
from archiver.web.query_worker import Bounds, QueryWorkers
from tests.unit.web import work

workers = QueryWorkers(["archiver.web.query_worker"], patience=float(sys.argv[1]))

def run(name, *arguments):
    try:
        return workers.run(getattr(work, name), Bounds(0.2, 128), *arguments)
    except ArchiverError as error:
        return [type(error).__name__, error.message, error.hint]
"""
ONE_AND_TWENTY_MORE = """
print(run(sys.argv[2], *map(int, sys.argv[3:])))
sums = []
threads = [threading.Thread(target=lambda n=n: sums.append(run("add", n, n))) for n in range(20)]
for thread in threads: thread.start()
for thread in threads: thread.join()
assert sorted(sums) == [2 * n for n in range(20)], sums
"""
A_CHILD_THAT_WAITS = """
print(run("wait_forever", sys.argv[2]))
"""
ANOTHER_FORK_SERVER = """
before = run("fork_server")
os.kill(before, signal.SIGKILL)
os.waitid(os.P_PID, before, os.WEXITED | os.WNOWAIT)
assert run("fork_server") != before
print(run("read_environment"))
"""

RESULTS = {
    "add 1 2": "3",
    "loop_forever": "['TimeLimitError', 'the query took too long', None]",
    "use_a_gibibyte": "['ConfigurationError', 'the query needs more memory than it may use', None]",
    "abort": "['ConfigurationError', 'the query needs more memory than it may use', None]",
    "fail": "['StorageError', 'no room', 'make some']",
    "raise_a_bug": "['ArchiverError', 'this is a bug in archiver', None]",
}


def python(program: str, *arguments: str, patience: float = 30, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a program of its own, as the server is one: without the modules of pytest to import in each child."""
    return subprocess.run(
        [sys.executable, "-c", BEGIN + program, str(patience), *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env=environment(**variables),
        cwd=Path(__file__).parents[3],
        check=True,
    )


@pytest.mark.parametrize("work", RESULTS)
def test_the_end_of_one_child_is_reported_and_the_next_ones_run(work: str) -> None:
    done = python(ONE_AND_TWENTY_MORE, *work.split())
    assert done.stdout.strip() == RESULTS[work]
    assert "secret" not in done.stderr
    assert "Traceback" not in done.stderr


def test_a_child_that_waits_is_killed_when_patience_ends(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    done = python(A_CHILD_THAT_WAITS, str(pid_file), patience=1)
    assert done.stdout.strip() == RESULTS["loop_forever"]
    assert not Path(f"/proc/{pid_file.read_text()}").exists()


@pytest.mark.parametrize("program", ["print(run('read_environment'))", ANOTHER_FORK_SERVER])
def test_children_have_no_key_in_their_environment(program: str) -> None:
    done = python(program, ANTHROPIC_ADMIN_API_KEY="invented-key", ARCHIVER_ADMIN_KEY_FILE="invented")
    assert "PYTHONWARNINGS" in done.stdout
    assert "ANTHROPIC" not in done.stdout
    assert "ARCHIVER" not in done.stdout
