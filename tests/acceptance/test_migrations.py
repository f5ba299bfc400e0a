"""A migration keeps a copy of the file, and leaves it old or new, never in between."""

from __future__ import annotations

import gzip
import os
import sqlite3
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from archiver.plan.scope import Scope
from archiver.store.archive import held_archive
from archiver.store.migrate import Migration, backup_path, migrate, shipped_migrations
from archiver.store.read.verify import verify_archive
from tests.archives import copy_database
from tests.support import day, dump, select, sync

if TYPE_CHECKING:
    from archiver.simulator import Simulator

FIXTURES = Path(__file__).parents[1] / "fixtures"
SCOPE = Scope(group_by=("none",), since=day("2026-01-01"))
OLD = shipped_migrations()[-1].version
NEXT = Migration(
    OLD + 1,
    f"{OLD + 1:04d}_note.sql",
    "CREATE TABLE note (id INTEGER PRIMARY KEY, text TEXT) STRICT;\nINSERT INTO note (text) VALUES ('invented');",
)
AFTER = Migration(OLD + 2, f"{OLD + 2:04d}_more.sql", "ALTER TABLE note ADD COLUMN more TEXT;")
NEWER = [*shipped_migrations(), NEXT, AFTER]
KILLED = 9


@pytest.mark.parametrize("migration", shipped_migrations(), ids=lambda migration: migration.name)
def test_a_file_of_every_schema_is_migrated_and_synced(
    api: Simulator, db: Path, tmp_path: Path, migration: Migration
) -> None:
    """`WRITE_FIXTURE=1` writes the newest one; those of released schemas are never written again."""
    fixture = FIXTURES / f"schema-{migration.version:04d}.db.gz"
    clean = tmp_path / "clean.db"
    sync(api, clean, SCOPE)
    if os.environ.get("WRITE_FIXTURE") and migration == shipped_migrations()[-1]:
        fixture.write_bytes(gzip.compress(clean.read_bytes(), mtime=0))
    db.write_bytes(gzip.decompress(fixture.read_bytes()))
    with held_archive(db, now=0):
        pass
    assert select(db, "PRAGMA user_version") == [(OLD,)]
    assert verify_archive(db) == []
    assert dump(db) == dump(clean)
    assert sync(api, db, SCOPE).rows.changed == 0


def test_a_file_is_copied_before_its_first_change(api: Simulator, db: Path) -> None:
    sync(api, db, SCOPE)
    before = dump(db)
    assert migrate(db, 0, NEWER) == [NEXT, AFTER]
    copy = backup_path(db, OLD)
    assert dump(copy) == before
    assert verify_archive(copy) == []
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert select(db, "SELECT text, more FROM note") == [("invented", None)]


def test_a_new_file_has_nothing_to_copy(db: Path) -> None:
    migrate(db, 0, NEWER)
    assert sorted(path.name for path in db.parent.iterdir()) == [db.name]


def test_an_incomplete_copy_is_replaced(api: Simulator, db: Path) -> None:
    sync(api, db, SCOPE)
    part = db.with_name(f"{db.name}.schema-{OLD}.part")
    part.write_bytes(b"half a copy")
    migrate(db, 0, NEWER)
    assert not part.exists()
    assert verify_archive(backup_path(db, OLD)) == []


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # the child of a fork only runs SQLite, and exits
def test_killed_at_any_statement_the_file_is_old_or_new(api: Simulator, db: Path) -> None:
    sync(api, db, SCOPE)
    before = dump(db)
    states = set()
    for statement in range(60):
        work = db.with_name(f"killed-{statement}.db")
        copy_database(db, work)
        if _migrate_and_die(work, statement) != KILLED:
            break
        version = select(work, "PRAGMA user_version")[0][0]
        tables = select(work, "SELECT count(*) FROM sqlite_master WHERE name = 'note'")[0][0]
        assert tables == (version > OLD)
        assert dump(work) == before
        states.add(version)
        migrate(work, 0, NEWER)
        assert select(work, "PRAGMA user_version") == [(AFTER.version,)]
    else:
        pytest.fail("the migration did not end within 60 statements")
    assert states == {OLD, NEXT.version, AFTER.version}


def _migrate_and_die(path: Path, statement: int) -> int:
    """Migrate in a child that is killed before its n-th statement, and return its exit code."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    left = statement

    def count(_: str) -> None:
        nonlocal left
        if left == 0:
            os._exit(KILLED)
        left -= 1

    class Traced(sqlite3.Connection):
        def __init__(self, *arguments: object, **options: object) -> None:
            super().__init__(*arguments, **options)  # type: ignore[arg-type]  # as they were given
            self.set_trace_callback(count)

    connect = sqlite3.connect
    sqlite3.connect = lambda *a, **o: connect(*a, **o, factory=Traced)  # type: ignore[assignment]  # of this child
    code = 1
    try:
        migrate(path, 0, NEWER)
        code = 0
    finally:
        sys.stdout.flush()
        os._exit(code)
