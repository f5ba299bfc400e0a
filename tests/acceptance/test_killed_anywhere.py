"""SIGKILL at each write, sync, truncation and unlink: no row is lost, and the next run completes the archive."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from archiver.store.read.verify import verify_archive
from tests.strace import needs_strace, points, sample
from tests.witness import Trial

if TYPE_CHECKING:
    from pathlib import Path

    from archiver.simulator import Simulator

CHOSEN = os.environ.get("ARCHIVER_TEST_KILL_POINTS", "8")
CALLS = ("pwrite64", "fdatasync", "fsync", "ftruncate", "unlink")

pytestmark = needs_strace


@pytest.mark.parametrize("fresh", [True, False], ids=["a new archive", "an archive"])
def test_a_sync_killed_at_any_call_loses_nothing_that_was_reported(
    api: Simulator, tmp_path: Path, *, fresh: bool
) -> None:
    trial = Trial.prepare(api, tmp_path, fresh=fresh)
    problems, killed = list[str](), 0
    for point in sample(points(api, trial.db, CALLS), CHOSEN, share=2):
        trial.begin()
        outcome = point.reached(api, trial.db, "signal=SIGKILL")
        killed += outcome.code == -signal.SIGKILL
        assert outcome.code in {0, -signal.SIGKILL}, f"{point}: {outcome.output}"
        if not fresh:
            problems += [f"{point}: {finding}" for finding in verify_archive(trial.db)]
        problems += [f"{point}: {problem}" for problem in trial.harm(outcome.reported)]
    assert not problems
    assert killed, "no sync was killed"
