"""Full and failing disks: system calls on the archive's files fail, once or from then on.

After each of them the exit code is the documented one, no archived row is lost, and the next run completes the archive.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.strace import FAST, Outcome, Point, needs_strace, points, sample
from tests.support import environment
from tests.witness import SINCE, Trial

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from archiver.simulator import Simulator

CHOSEN = os.environ.get("ARCHIVER_TEST_DISK", "12")
WRITES = {
    "pwrite64": ("error=ENOSPC", "error=EIO"),
    "fdatasync": ("error=EIO",),
    "fsync": ("error=EIO",),
    "ftruncate": ("error=EIO",),
    "unlink": ("error=EIO",),
    "openat": ("error=EMFILE", "error=EACCES"),
    "mmap": ("error=ENOMEM",),
}
READS = {"pread64": ("error=EIO",)}
OK, STORAGE, DAMAGED = 0, 7, 8
READ_ONLY = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"'


@needs_strace
@pytest.mark.parametrize("on", ["", "+"], ids=["once", "from then on"])
@pytest.mark.parametrize("fresh", [True, False], ids=["a new archive", "an archive"])
def test_a_write_that_fails_is_a_storage_error_and_loses_nothing(
    api: Simulator, tmp_path: Path, *, fresh: bool, on: str
) -> None:
    trial = Trial.prepare(api, tmp_path, fresh=fresh)
    assert not try_all(trial, WRITES, on, share=4 + fresh)


@needs_strace
@pytest.mark.parametrize("on", ["", "+"], ids=["once", "from then on"])
def test_a_read_that_fails_loses_nothing(api: Simulator, tmp_path: Path, on: str) -> None:
    assert not try_all(Trial.prepare(api, tmp_path, fresh=False), READS, on, share=8)


@needs_strace
def test_a_disk_that_cannot_be_read_is_not_reported_as_a_damaged_archive(api: Simulator, tmp_path: Path) -> None:
    trial = Trial.prepare(api, tmp_path, fresh=False)
    codes = {nth: Point("pread64", "", nth).reached(api, trial.db, "error=EIO+", FAST).code for nth in (1, 2)}
    assert set(codes.values()) == {STORAGE}, codes


def try_all(trial: Trial, faults: Mapping[str, Sequence[str]], on: str, share: int) -> list[str]:
    """Inject faults into selected calls, one sync each, and return the problems found."""
    problems = []
    every = points(trial.api, trial.db, list(faults))
    for point in sample(every, CHOSEN, share):
        kinds = faults[point.call]
        for fault in kinds if CHOSEN == "all" else [kinds[point.nth % len(kinds)]]:
            trial.begin()
            outcome = point.reached(trial.api, trial.db, fault + on, FAST)
            found = [*against_contract(outcome, point.call), *trial.harm(outcome.reported)]
            problems += [f"{point}, {fault}{on}: {problem}" for problem in found]
    return problems


def against_contract(outcome: Outcome, call: str) -> list[str]:
    """Return how the end of a run differs from the documented exit codes.

    SQLite reports a failing read as corruption. The program then checks the file again, but in another thread, where
    strace counts anew and may make that read fail, too: so both exit codes are right after a failing read.
    """
    fine = {OK, STORAGE} | ({DAMAGED} if call in READS else set()) if outcome.injected else {OK}
    if outcome.code not in fine:
        return [f"exit code {outcome.code}: {outcome.output}"]
    return [outcome.output] if "Traceback" in outcome.output or "a bug" in outcome.output else []


@pytest.fixture(scope="module")
def with_few_files(
    shared_api: Simulator, tmp_path_factory: pytest.TempPathFactory
) -> dict[int, subprocess.CompletedProcess[str]]:
    """Run a small sync with each of some low limits of open files."""
    db = tmp_path_factory.mktemp("few") / "archive.db"
    set_limit = partial(partial, resource.setrlimit, resource.RLIMIT_NOFILE)
    return {most: run(shared_api, db, preexec_fn=set_limit((most, most))) for most in range(6, 11)}


def test_too_few_open_files_are_a_storage_error(with_few_files: dict[int, subprocess.CompletedProcess[str]]) -> None:
    codes = {limit: process.returncode for limit, process in with_few_files.items()}
    assert set(codes.values()) <= {OK, STORAGE}, codes


def test_too_few_open_files_are_reported_in_one_sentence(
    with_few_files: dict[int, subprocess.CompletedProcess[str]],
) -> None:
    # With the lowest limit the event loop adds a message of its own while it closes.
    messages = [process.stderr for limit, process in with_few_files.items() if process.returncode and limit > 6]
    assert messages
    assert not [text for text in messages if not text.startswith("error: ") or "Traceback" in text or "a bug" in text]


@pytest.mark.parametrize("fresh", [True, False], ids=["a new archive", "an archive"])
def test_a_folder_that_cannot_be_written_is_a_storage_error(api: Simulator, tmp_path: Path, *, fresh: bool) -> None:
    trial = Trial.prepare(api, tmp_path, fresh=fresh)
    before = sorted((file.name, file.read_bytes()) for file in trial.db.parent.iterdir())
    process = run(api, trial.db, *read_only(trial.db.parent))
    assert process.returncode == STORAGE, process.stderr
    trial.db.parent.chmod(0o700)
    assert before == sorted((file.name, file.read_bytes()) for file in trial.db.parent.iterdir())


def read_only(folder: Path) -> list[str]:
    """Make a folder read-only, and return a prefix for commands: root can write anywhere but to a read-only mount."""
    if os.geteuid():
        folder.chmod(0o500)
        return []
    mounted = ["unshare", "--mount", "sh", "-c", READ_ONLY, str(folder)]
    if not shutil.which("unshare") or subprocess.run([*mounted, "true"], capture_output=True, check=False).returncode:
        pytest.skip("root can write everywhere, and mounting is not allowed")
    return mounted


def run(
    api: Simulator, db: Path, *before: str, preexec_fn: Callable[[], None] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a small sync."""
    command = [sys.executable, "-m", "archiver", "sync", "--api-url", api.url, "--db", str(db)]
    return subprocess.run(
        [*before, *command, "--rate", "none", "--since", SINCE, "--quiet"],
        capture_output=True,
        text=True,
        timeout=120,
        env=environment(ANTHROPIC_ADMIN_API_KEY=api.key, XDG_CONFIG_HOME=str(db.parent), PYTHONWARNINGS=""),
        preexec_fn=preexec_fn,  # it makes one system call
        check=False,
    )
