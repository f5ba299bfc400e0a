"""Migrations: the ledger, and all or nothing."""

from __future__ import annotations

import sqlite3
from functools import partial
from typing import TYPE_CHECKING

import pytest

from archiver.errors import DamagedError, NewerError
from archiver.store.archive import held_archive
from archiver.store.migrate import Migration, migrate, pending, shipped_migrations
from archiver.store.read.reader import open_reader
from tests.archives import delete_ledger, set_ledger, set_schema_version
from tests.support import select

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NOW = 1_000_000


def make(db: Path) -> None:
    with held_archive(db, now=NOW):
        pass


def test_the_ledger_holds_the_hash_of_every_migration(db: Path) -> None:
    make(db)
    with open_reader(db) as connection:
        rows = connection.execute("SELECT version, name, sha256, applied_at FROM _migration").fetchall()
    assert rows == [(m.version, m.name, m.sha256, NOW) for m in shipped_migrations()]


def test_a_newer_file_is_refused_and_unchanged(db: Path) -> None:
    make(db)
    set_schema_version(db, 99)
    before = db.read_bytes()
    for use in (make, lambda path: open_reader(path).__enter__()):
        with pytest.raises(NewerError, match="schema 99"):
            use(db)
    assert db.read_bytes() == before


EDITS = {
    "another hash": partial(set_ledger, column="sha256", value="x"),
    "another name": partial(set_ledger, column="name", value="x"),
    "no entry": delete_ledger,
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
def test_an_edited_ledger_is_refused(db: Path, edit: Callable[[Path], None]) -> None:
    make(db)
    edit(db)
    with pytest.raises(DamagedError, match="other migrations"):
        make(db)


BROKEN = Migration(2, "0002_broken.sql", "CREATE TABLE two (x) STRICT; CREATE TABLE two (x);")
GOOD = Migration(2, "0002_good.sql", "CREATE TABLE two (x TEXT) STRICT;")


def test_a_migration_is_all_or_nothing(db: Path) -> None:
    make(db)
    shipped = shipped_migrations()
    with pytest.raises(sqlite3.OperationalError):
        migrate(db, NOW, [*shipped, BROKEN])
    assert pending(db, shipped) == []
    assert select(db, "SELECT count(*) FROM sqlite_master WHERE name = 'two'") == [(0,)]


def test_an_older_file_is_brought_up_to_date_once(db: Path) -> None:
    make(db)
    newer = [*shipped_migrations(), GOOD]
    assert pending(db, newer) == [GOOD]
    assert migrate(db, NOW, newer) == [GOOD]
    assert migrate(db, NOW, newer) == []
