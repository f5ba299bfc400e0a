"""Concurrency: syncs that start together, readers during a sync, twelve first runs, and a killed lock holder."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections import defaultdict
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from archiver.model import BucketWidth, Report, Series, to_text
from archiver.plan.scope import Scope
from archiver.plan.windows import cut
from archiver.reports import SPECS
from archiver.simulator import Settings, background
from archiver.store.archive import held_archive
from archiver.store.diff import facts_digest
from archiver.store.files import exclusive, lock_path, read_only_uri
from archiver.store.migrate import shipped_migrations
from archiver.store.read.verify import verify_archive
from tests.runners import PATIENCE, Runner, together
from tests.support import FIRST_DAY, NOW, SMALL, day, dump, select, sync

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from archiver.simulator import Simulator

RACES = int(os.environ.get("ARCHIVER_TEST_RACES", "4"))
SINCE = "2025-12-20"
UNTIL = "2026-01-10"
VERIFY_LOOP = """
import sys, threading
from pathlib import Path
from archiver.store.read.verify import verify_archive
stop = threading.Thread(target=sys.stdin.read, daemon=True)
stop.start()
while True:
    print(verify_archive(Path(sys.argv[1])), flush=True)
    if not stop.is_alive():
        break
"""


def command(api: Simulator, db: Path, *more: str, since: str = SINCE) -> list[str]:
    return ["sync", "--api-url", api.url, "--db", str(db), "--rate", "none", "--since", since, "--quiet", *more]


@pytest.fixture(scope="module")
def slow_api() -> Iterator[Simulator]:
    with background(Settings(first_day=FIRST_DAY, now=NOW, size=SMALL.size, latency=0.02)) as simulator:
        yield simulator


@dataclass(frozen=True)
class Goal:
    """The content after a clean run, and an archive that an earlier run began."""

    dump: str
    begun: Path


@pytest.fixture(scope="module")
def goal(slow_api: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Goal:
    folder = tmp_path_factory.mktemp("clean")
    sync(slow_api, folder / "clean.db", Scope(since=day(SINCE)))
    sync(slow_api, folder / "begun.db", Scope(since=day(SINCE), until=day("2026-01-05")))
    return Goal(dump(folder / "clean.db"), folder / "begun.db")


@pytest.mark.parametrize("wait", [False, True], ids=["at once", "with --wait"])
@pytest.mark.parametrize("there", [False, True], ids=["a fresh file", "a file that is there"])
def test_of_two_syncs_that_start_together_one_writes_and_the_other_names_it(
    slow_api: Simulator, goal: Goal, db: Path, *, there: bool, wait: bool
) -> None:
    for _ in range(max(1, RACES // 4)):
        for file in db.parent.glob("archive.db*"):
            file.unlink()
        if there:
            shutil.copy(goal.begun, db)
        both = together([command(slow_api, db, *(["--wait", "2m"] if wait else []))] * 2, slow_api.key)
        both.sort(key=lambda one: one.process.returncode)
        winner, loser = both
        assert winner.process.returncode == 0, winner.stderr
        if wait or loser.process.returncode == 0:
            assert loser.process.returncode == 0, loser.stderr
        else:
            assert loser.process.returncode == 11, loser.stderr
            assert loser.seconds < 2
            assert f"is locked by process {winner.process.pid}\n" in loser.stderr
        assert dump(db) == goal.dump
        assert verify_archive(db) == []


def test_twelve_first_runs_at_once_create_one_complete_archive(slow_api: Simulator, db: Path) -> None:
    patient, migration = ["--wait", "2m"], ["migrate", "--db", str(db)]
    first = command(slow_api, db, since="2026-01-12")
    three = [[*first, *patient], [*migration, *patient], first]
    twelve = together([*three, migration, *three, first, *three, first], slow_api.key)
    for one in twelve:
        waits, migrates = "--wait" in one.arguments, "migrate" in one.arguments
        allowed = {0, *([] if waits else [11]), *([2] if migrates else [])}  # 2: no archive to migrate yet
        assert one.process.returncode in allowed, one.stderr
    ledger = [(m.version, m.name, m.sha256) for m in shipped_migrations()]
    assert select(db, "SELECT version, name, sha256 FROM _migration") == ledger
    assert verify_archive(db) == []
    clean = db.with_name("clean.db")
    sync(slow_api, clean, Scope(since=day("2026-01-12")))
    assert dump(db) == dump(clean)


def test_a_lock_is_free_at_once_when_its_holder_is_killed(slow_api: Simulator, db: Path) -> None:
    runner = Runner(*command(slow_api, db, "--bucket-width", "1m", since="2025-11-01"), key=slow_api.key)
    runner.wait_until_ready()
    runner.go()
    until = time.monotonic() + PATIENCE
    while not (lock_path(db).exists() and lock_path(db).read_text() == f"{runner.process.pid}\n"):
        assert time.monotonic() < until
        time.sleep(0.01)
    runner.process.kill()
    runner.end()
    with exclusive(db):
        assert lock_path(db).read_text() == f"{os.getpid()}\n"


# Readers during a sync ----------------------------------------------------------------------------------------------

WindowKey = tuple[int, int, int]


@dataclass
class Seen:
    """The reads of one reader: their number, the problems, and the rows that each covered window had."""

    reads: int = 0
    problems: list[str] = field(default_factory=list)
    rows: dict[WindowKey, set[int]] = field(default_factory=lambda: defaultdict(set))
    covered: set[tuple[int, int]] = field(default_factory=set)


def read_all(connection: sqlite3.Connection, since: int, until: int, seen: Seen) -> None:
    """Read all series in one transaction: rows, digests and coverage must agree."""
    connection.execute("BEGIN")
    covered: set[tuple[int, int]] = set()
    for identity, report, width in connection.execute("SELECT id, report, bucket_width FROM _series").fetchall():
        series = Series(Report(report), BucketWidth(width))
        spans = connection.execute(
            "SELECT span_start, span_end FROM _span WHERE series_id = ? AND state IN ('settled', 'provisional')",
            (identity,),
        )
        step = series.bucket_width.seconds
        mine = {start for begin, end in spans for start in range(begin, end, step)}
        covered |= {(identity, start) for start in mine}
        facts = facts_of(connection, series.report, identity)
        digests = dict(connection.execute("SELECT bucket_start, digest FROM _bucket WHERE series_id = ?", (identity,)))
        if digests != {start: facts_digest(rows) for start, rows in facts.items()}:
            seen.problems.append(f"series {identity}: digests and rows disagree")
        seen.problems += [f"series {identity}: rows where nothing is covered"] * bool(facts.keys() - mine)
        for start, end in cut(since, until, step, SPECS[series.report].limits[series.bucket_width]):
            whole = set(range(start, end, step))
            if mine & whole and not whole <= mine:
                seen.problems.append(f"series {identity}, {to_text(start)}: a part of a window is covered")
            if mine & whole:
                seen.rows[identity, start, end].add(sum(len(facts.get(at, ())) for at in whole))
    connection.execute("COMMIT")
    seen.problems += ["coverage was lost"] * bool(seen.covered - covered)
    seen.covered |= covered
    seen.reads += 1


def facts_of(connection: sqlite3.Connection, report: Report, series_id: int) -> dict[int, dict[int, Any]]:
    measures = ", ".join(SPECS[report].measures)
    facts: dict[int, dict[int, Any]] = defaultdict(dict)
    rows = connection.execute(
        f"SELECT bucket_start, key_id, {measures}, extra FROM _{report}_fact WHERE series_id = ?",  # noqa: S608  # names
        (series_id,),
    )
    for start, key, *values in rows:
        facts[start][key] = tuple(values)
    return facts


@contextmanager
def reading(count: int, one: Callable[[Seen, threading.Event], None]) -> Iterator[list[Seen]]:
    """Run readers in threads, again and again, as long as the context lasts."""
    seen = [Seen() for _ in range(count)]
    over = threading.Event()

    def guarded(mine: Seen) -> None:
        try:
            one(mine, over)
        except Exception as error:  # noqa: BLE001  # every error of a reader is a result of the test
            mine.problems.append(f"{type(error).__name__}: {error}")

    threads = [threading.Thread(target=guarded, args=(mine,)) for mine in seen]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        over.set()
        for thread in threads:
            thread.join(PATIENCE)


def impatient(db: Path) -> AbstractContextManager[sqlite3.Connection]:
    """Connect like another program, without waiting for locks."""
    return closing(sqlite3.connect(read_only_uri(db), uri=True, timeout=0, isolation_level=None))


def busy_sync(api: Simulator, db: Path) -> Runner:
    """Prepare a sync of many windows, on an archive that exists."""
    with held_archive(db, now=0):
        pass
    more = ["--bucket-width", "1h", "--bucket-width", "1d", "--group-by", "none", "--group-by", "model"]
    runner = Runner(*command(api, db, *more, "--until", UNTIL, since="2025-11-10"), key=api.key)
    runner.wait_until_ready()
    return runner


@pytest.mark.parametrize("manner", ["one connection each", "a new connection for every read"])
def test_readers_during_a_sync_see_whole_windows_and_no_lock(slow_api: Simulator, db: Path, manner: str) -> None:
    since, until = int(day("2025-11-10").timestamp()), int(day(UNTIL).timestamp())
    kept = manner == "one connection each"

    def read(seen: Seen, over: threading.Event) -> None:
        with impatient(db) if kept else nullcontext(None) as own:
            while not (over.is_set() and seen.reads):
                with nullcontext(own) if own else impatient(db) as connection:
                    read_all(connection, since, until, seen)

    runner = busy_sync(slow_api, db)
    with closing(sqlite3.connect(read_only_uri(db), uri=True)) as present:
        # SQLite locks the file while its first connection opens and its last one closes; neither happens here.
        present.execute("SELECT count(*) FROM _series").fetchall()
        with reading(8, read) as seen:
            runner.go()
            assert runner.end() == 0, runner.stderr
    assert [problem for one in seen for problem in one.problems] == []
    final = Seen()
    with impatient(db) as connection:
        read_all(connection, since, until, final)
    assert final.problems == []
    assert len(final.rows) > 20
    for one in seen:
        assert all(counts == final.rows[window] for window, counts in one.rows.items())


def test_verify_during_a_sync_finds_nothing(slow_api: Simulator, db: Path) -> None:
    runner = busy_sync(slow_api, db)
    verifiers = [
        subprocess.Popen(
            [sys.executable, "-c", VERIFY_LOOP, str(db)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    for verifier in verifiers:
        assert verifier.stdout is not None
        assert verifier.stdout.readline() == "[]\n"
    runner.go()
    assert runner.end() == 0, runner.stderr
    lines = [verifier.communicate("", timeout=PATIENCE)[0].splitlines() for verifier in verifiers]
    assert {line for one in lines for line in one} == {"[]"}
    assert [verifier.returncode for verifier in verifiers] == [0] * 4
