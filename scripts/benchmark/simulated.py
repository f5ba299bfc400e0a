"""Workloads against the simulator, which has dates, both reports and a rate limit: F and nightly.

All times are real: the pace of requests is what F measures, so it cannot be accelerated.
"""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.benchmark.peer_runs import measure_peer
from scripts.benchmark.running import run, sync_command

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

DAYS_OF_A_MONTH = 31
REQUESTS_A_MINUTE = 60
_SECONDS_BETWEEN_LOOKS = 0.1
_TIME = "%Y-%m-%dT%H:%M:%SZ"
# Coarse series find where history begins; only the finest one holds what a person asks of the archive.
_COVERAGE = "SELECT report, range_start, range_end FROM coverage WHERE group_by <> '' AND state IN (?, ?)"
_RUN = "SELECT requests, retries FROM sync_run ORDER BY id DESC LIMIT 1"


@contextmanager
def simulating(days: int, *options: str) -> Iterator[tuple[str, datetime]]:
    """Run the simulator with so many days of use; yields its URL and its clock's time.

    The clock is frozen at noon: nothing new becomes visible between two runs.
    """
    now = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
    first_day = f"{now - timedelta(days=days):%Y-%m-%d}"
    command = [sys.executable, "-m", "archiver", "simulate", "--first-day", first_day, "--now", f"{now:{_TIME}}"]
    with subprocess.Popen([*command, *options], stderr=subprocess.PIPE, text=True) as server:  # noqa: S603  # itself
        assert server.stderr is not None
        try:
            yield server.stderr.readline().split()[-1], now
        finally:
            server.terminate()


def measure_first_sync(days: int, peers: Sequence[str]) -> dict[str, Any]:
    """Measure F: a first sync of both reports, at the documented pace.

    Returns `requests`, `retries`, and the seconds to the first `month` and to `all`; of `peers` the seconds of the
    usage report, which is all that they fetch.
    """
    limit = ("--rate-limit", str(REQUESTS_A_MINUTE))
    with simulating(days, *limit) as (url, now), tempfile.TemporaryDirectory() as folder:
        db = Path(folder) / "archive.db"
        month = FirstMonth(db, now)
        month.start()
        whole = run(sync_command(url, db, [], rate=f"{REQUESTS_A_MINUTE}/min"))
        month.stop()
        requests, retries = _select(db, _RUN)[0]
    result = {"days": days, "requests": requests, "retries": retries, "month": month.seconds, "all": whole.seconds}
    return result | {"peers": {peer: _peer_seconds(peer, days, limit) for peer in peers}}


def _peer_seconds(peer: str, days: int, limit: Sequence[str]) -> float:
    # A new server for each: its token bucket is full at the start.
    with simulating(days, *limit) as (url, now), tempfile.TemporaryDirectory() as folder:
        first_day = f"{now - timedelta(days=days):%Y-%m-%d}"
        return measure_peer(peer, ["1d", first_day, str(days), "31"], url, Path(folder), runs=1)["seconds"]


class FirstMonth(threading.Thread):
    """Watches an archive until the newest month of both reports is in it."""

    def __init__(self, db: Path, now: datetime) -> None:
        """Measure from now on; today is left out, because cost never has it."""
        super().__init__(daemon=True)
        today = now.replace(hour=0)
        self._db = db
        self._start, self._end = (f"{day:{_TIME}}" for day in (today - timedelta(days=DAYS_OF_A_MONTH), today))
        self._stopping = threading.Event()
        self._began = time.perf_counter()
        self.seconds: float | None = None

    def run(self) -> None:
        """Look until the month is there, and once more at the end."""
        while not self._stopping.wait(_SECONDS_BETWEEN_LOOKS) and not self._is_there():
            pass
        if self._is_there():
            self.seconds = time.perf_counter() - self._began

    def stop(self) -> None:
        """End the watch, whether the month was archived or not."""
        self._stopping.set()
        self.join()

    def _is_there(self) -> bool:
        try:
            ranges = _select(self._db, _COVERAGE, "settled", "provisional")
        except sqlite3.OperationalError:  # no file yet, or no tables in it
            return False
        return {report for report in ("usage", "cost") if self._covers(report, ranges)} == {"usage", "cost"}

    def _covers(self, report: str, ranges: list[tuple[Any, ...]]) -> bool:
        # Texts of one form sort by time. Ranges of two states meet: walk from one to the next.
        reached = self._start
        for _, start, end in sorted(one for one in ranges if one[0] == report):
            reached = max(reached, end) if start <= reached else reached
        return reached >= self._end


def measure_nightly(days: int, runs: int) -> dict[str, Any]:
    """Measure a run over a settled archive that finds nothing new, without a rate limit.

    Returns `requests`, the median of `seconds`, and `bytes` that one run wrote to the disk.
    """
    with simulating(days) as (url, _), tempfile.TemporaryDirectory() as folder:
        db = Path(folder) / "archive.db"
        run(sync_command(url, db, []))
        # The second run may still settle what the first one left open, so nights begin with the third.
        run(sync_command(url, db, []))
        nights = sorted(run(sync_command(url, db, [])) for _ in range(runs))
        ((requests, _),) = _select(db, _RUN)
        middle = nights[len(nights) // 2]
        return {"days": days, "requests": requests, "seconds": middle.seconds, "bytes": middle.written}


def _select(db: Path, sql: str, *values: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(f"{db.as_uri()}?mode=ro", uri=True)) as connection:
        return connection.execute(sql, values).fetchall()
