"""SIGKILL at random times: no row is lost or doubled, and the next run completes the archive."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from archiver.model import Report
from archiver.plan.scope import Scope
from archiver.store.read.verify import verify_archive
from tests.support import day, dump, environment, select, sync

if TYPE_CHECKING:
    from pathlib import Path

    from archiver.simulator import Simulator

KILLS = int(os.environ.get("ARCHIVER_TEST_KILLS", "12"))
SINCE = "2025-12-01"


def test_a_killed_sync_loses_nothing_that_was_archived(api: Simulator, tmp_path: Path) -> None:
    chance = random.Random(KILLS)  # noqa: S311  # a fixed seed
    clean = tmp_path / "clean.db"
    scope = Scope(tuple(Report), group_by=("none", "finest"), since=day(SINCE))
    began = time.monotonic()
    sync(api, clean, scope, concurrency=2)
    whole = time.monotonic() - began
    expected = dump(clean)
    db = tmp_path / "archive.db"
    for _ in range(KILLS):
        if chance.random() < 0.3:
            for file in tmp_path.glob("archive.db*"):
                file.unlink()
        common = [
            "sync",
            "--api-url",
            api.url,
            "--db",
            str(db),
            "--rate",
            "none",
            "--concurrency",
            "2",
            "--since",
            SINCE,
            "--report",
            "all",
        ]
        process = subprocess.Popen(
            [sys.executable, "-m", "archiver", *common, "--group-by", "none", "--group-by", "finest", "--quiet"],
            env=environment(ANTHROPIC_ADMIN_API_KEY=api.key),
        )
        time.sleep(chance.uniform(0.25, 0.6 + 1.5 * whole))
        archived = windows(db)
        process.send_signal(signal.SIGKILL)
        process.wait(10)
        assert archived <= windows(db), "an archived window is lost"
        if db.exists() and db.stat().st_size:
            assert verify_archive(db) == []
    sync(api, db, scope)
    assert dump(db) == expected
    assert verify_archive(db) == []


def windows(db: Path) -> set[tuple[object, ...]]:
    """List the archived buckets that a reader sees."""
    if not db.exists() or not db.stat().st_size:
        return set()
    if select(db, "SELECT name FROM sqlite_master WHERE name = '_bucket'"):
        return set(select(db, "SELECT series_id, bucket_start, digest FROM _bucket"))
    return set()
