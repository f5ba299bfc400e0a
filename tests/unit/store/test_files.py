"""The file of an archive before SQLite opens it, and its lock."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from archiver.errors import ConfigurationError, DamagedError, LockedError
from archiver.store.archive import held_archive
from archiver.store.files import check_file, exclusive, lock_path
from archiver.store.read.reader import open_reader
from tests.archives import make_foreign_database

if TYPE_CHECKING:
    from pathlib import Path


def make(db: Path) -> None:
    with held_archive(db, now=0):
        pass


def test_only_the_owner_may_read_a_new_archive(db: Path) -> None:
    make(db)
    assert stat.S_IMODE(db.stat().st_mode) == 0o600


def test_the_header_has_the_application_id(db: Path) -> None:
    make(db)
    assert db.read_bytes()[68:72] == b"ARCV"
    assert check_file(db)


NOT_ARCHIVES = {
    "text": b"date,amount\n2026-01-01,5\n",
    "truncated": b"SQLite format 3\0",
    "zeros": bytes(4096),
}


@pytest.mark.parametrize("name", NOT_ARCHIVES)
def test_a_file_that_is_no_archive_is_refused_and_unchanged(db: Path, name: str) -> None:
    db.write_bytes(NOT_ARCHIVES[name])
    with pytest.raises(DamagedError):
        make(db)
    assert db.read_bytes() == NOT_ARCHIVES[name]


def test_the_database_of_another_program_is_refused_and_unchanged(db: Path) -> None:
    make_foreign_database(db)
    before = db.read_bytes()
    with pytest.raises(DamagedError, match="of another program"):
        make(db)
    assert db.read_bytes() == before


def test_a_link_or_a_folder_is_refused(db: Path, tmp_path: Path) -> None:
    make(tmp_path / "real.db")
    db.symlink_to(tmp_path / "real.db")
    for path in (db, tmp_path):
        with pytest.raises(DamagedError, match="not a regular file"):
            check_file(path)


def test_a_file_with_several_hard_links_is_refused_and_unchanged(db: Path) -> None:
    make(db)
    db.with_name("other.db").hardlink_to(db)
    before = db.read_bytes()
    for use in (make, check_file, lambda path: open_reader(path).__enter__()):
        with pytest.raises(ConfigurationError, match="2 hard links"):
            use(db)
    assert db.read_bytes() == before
    db.with_name("other.db").unlink()
    assert check_file(db)


def test_an_empty_file_becomes_an_archive(db: Path) -> None:
    db.touch()
    make(db)
    assert check_file(db)


def test_a_second_writer_is_refused(db: Path) -> None:
    with exclusive(db), pytest.raises(LockedError, match="process"), exclusive(db):
        pass


def test_a_writer_waits_for_the_lock_as_long_as_allowed(db: Path) -> None:
    moments = iter([0.0, 1.0, 2.0, 3.0])
    slept: list[float] = []
    with exclusive(db), pytest.raises(LockedError), exclusive(db, 2.0, lambda: next(moments), slept.append):
        pass
    assert len(slept) == 1


def test_a_released_lock_can_be_taken_again(db: Path) -> None:
    with exclusive(db):
        pass
    with exclusive(db):
        pass


def test_a_reader_refuses_a_missing_file_and_does_not_create_it(db: Path) -> None:
    with pytest.raises(ConfigurationError, match="no archive"), open_reader(db):
        pass
    assert not db.exists()


def test_a_holder_that_has_ended_is_not_named(db: Path) -> None:
    with exclusive(db):
        lock_path(db).write_text("4194999\n")  # more than a process number can be
        with pytest.raises(LockedError, match="another process"), exclusive(db, sleep=lambda _: None):
            pytest.fail("it was held")
