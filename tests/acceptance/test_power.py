"""Power cuts: no window that was reported as archived is lost, in any state that the disk may be in."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.power import Disk, Operation, record, states
from tests.strace import needs_strace
from tests.support import dump, sync
from tests.witness import SINCE, content, lost, promised, scope

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from archiver.simulator import Simulator
    from tests.power import State
    from tests.support import Row

STATES = int(os.environ.get("ARCHIVER_TEST_POWER", "200"))
RERUN_EVERY = 40
OFTEN = "wal_autocheckpoint = 20"

pytestmark = needs_strace


class Recording(NamedTuple):
    """The operations of several syncs on their files, and the content of a clean archive."""

    operations: list[Operation]
    files: dict[str, bytes]
    expected: str
    clean: set[Row]


def make_recording(api: Simulator, folder: Path, *pragmas: str) -> Recording:
    """Record a first sync, one that is killed, and one that checkpoints often after it."""
    clean = folder / "clean.db"
    sync(api, clean, scope())
    (folder / "recorded").mkdir()
    db = folder / "recorded" / "archive.db"
    operations = record(api, db, "2026-01-13", pragmas=pragmas)
    operations += record(api, db, "2026-01-12", pragmas=pragmas, die_after=4)
    operations += record(api, db, SINCE, pragmas=[*pragmas, OFTEN])
    files = {path.name: path.read_bytes() for path in db.parent.glob("archive.db*") if path.suffix != ".lock"}
    assert dump(db) == dump(clean)
    return Recording(operations, files, dump(clean), content(clean))


@pytest.fixture(scope="module")
def recording(shared_api: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Recording:
    return make_recording(shared_api, tmp_path_factory.mktemp("power"))


def test_the_recording_is_complete(recording: Recording) -> None:
    disk = Disk()
    for operation in recording.operations:
        if operation.what != "reported":
            disk.do(operation)
    assert disk.whole() == recording.files
    assert {operation.what for operation in recording.operations} == {
        "make",
        "write",
        "size",
        "sync",
        "unlink",
        "reported",
    }


def test_after_a_power_cut_nothing_that_was_reported_is_lost(recording: Recording, tmp_path: Path) -> None:
    for state in each_state(recording, tmp_path, range(STATES)):
        assert not lost(tmp_path / "archive.db", promised(state.reported, recording.clean)), state


def test_a_sync_after_a_power_cut_completes_the_archive(
    shared_api: Simulator, recording: Recording, tmp_path: Path
) -> None:
    for state in each_state(recording, tmp_path, range(0, STATES, RERUN_EVERY)):
        sync(shared_api, tmp_path / "archive.db", scope())
        assert dump(tmp_path / "archive.db") == recording.expected, state


def test_commits_without_a_sync_lose_reported_windows(shared_api: Simulator, tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    unsynced = make_recording(shared_api, tmp_path, "synchronous = NORMAL")
    found = (
        lost(tmp_path / "state" / "archive.db", promised(state.reported, unsynced.clean))
        for state in each_state(unsynced, tmp_path / "state", range(100))
        if state.reported
    )
    assert any(found)


def each_state(recording: Recording, folder: Path, numbers: range) -> Iterator[State]:
    """Write the files of each state to a folder in turn; those of a failing one stay there for inspection."""
    for state in states(recording.operations, numbers):
        state.lay_out(folder)
        yield state
