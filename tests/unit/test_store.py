"""Coverage, differences, files and migrations, each by itself."""

from __future__ import annotations

import sqlite3
import stat
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from archiver.errors import ConfigurationError, DamagedError, LockedError, NewerError
from archiver.model import DAY, BucketWidth, Report, RowCounts, Series, Span, State, Window
from archiver.store.archive import fineness, held_archive
from archiver.store.coverage import after_answer, after_failure, merge
from archiver.store.diff import Facts, compare, facts_digest
from archiver.store.files import check_file, exclusive, lock_path
from archiver.store.migrate import Migration, migrate, pending, shipped_migrations
from archiver.store.read.reader import open_reader

if TYPE_CHECKING:
    from pathlib import Path

SERIES = Series(Report.USAGE, BucketWidth.DAY)
WINDOW = Window(SERIES, 10 * DAY, 14 * DAY)
NOW = 13 * DAY + 5
SETTLED, PROVISIONAL, MISSING, FAILED = State


def days(*spans: tuple[int, int, State, int | None]) -> list[Span]:
    return [Span(start * DAY, end * DAY, state, at) for start, end, state, at in spans]


def test_listed_buckets_are_settled_or_provisional_by_their_end() -> None:
    present = [day * DAY for day in (10, 11, 12, 13)]
    assert after_answer(WINDOW, [], present, NOW, 12 * DAY) == days((10, 12, SETTLED, NOW), (12, 14, PROVISIONAL, NOW))


def test_a_bucket_that_ended_and_was_left_out_is_missing_and_one_in_progress_is_nothing() -> None:
    assert after_answer(WINDOW, [], [10 * DAY, 12 * DAY], NOW, 0) == days(
        (10, 11, PROVISIONAL, NOW), (11, 12, MISSING, NOW), (12, 13, PROVISIONAL, NOW)
    )


def test_a_hole_does_not_undo_what_an_earlier_answer_said() -> None:
    before = days((8, 16, SETTLED, 7))
    after = after_answer(WINDOW, before, [10 * DAY], NOW, 11 * DAY)
    assert after == days((8, 10, SETTLED, 7), (10, 11, SETTLED, NOW), (11, 16, SETTLED, 7))


def test_coverage_beside_the_window_stays() -> None:
    before = days((8, 11, PROVISIONAL, 7), (13, 20, MISSING, None))
    after = after_answer(WINDOW, before, range(10 * DAY, 14 * DAY, DAY), NOW, 0)
    assert after == days((8, 10, PROVISIONAL, 7), (10, 14, PROVISIONAL, NOW), (14, 20, MISSING, None))


def test_what_was_settled_once_stays_settled() -> None:
    before = days((10, 11, SETTLED, 7))
    assert after_answer(WINDOW, before, [10 * DAY], NOW, 0)[0] == Span(10 * DAY, 11 * DAY, SETTLED, NOW)


def test_a_failure_marks_only_what_is_not_covered_and_had_ended() -> None:
    before = days((10, 11, SETTLED, 7), (11, 12, MISSING, None))
    assert after_failure(WINDOW, before, NOW) == days((10, 11, SETTLED, 7), (11, 13, FAILED, NOW))


def test_neighbours_that_say_the_same_are_one() -> None:
    assert merge(days((1, 2, SETTLED, 7), (2, 3, SETTLED, 7), (4, 5, SETTLED, 7))) == days(
        (1, 3, SETTLED, 7), (4, 5, SETTLED, 7)
    )


def test_a_difference_names_every_changed_row() -> None:
    was: Facts = {1: (10, None), 2: (20, None), 3: (30, None)}
    now: Facts = {1: (10, None), 2: (21, None), 4: (40, None)}
    difference = compare(was, now)
    assert difference.counts == RowCounts(inserted=1, updated=1, removed=1, unchanged=1)
    assert difference.changes == {2: ((20, None), (21, None)), 3: ((30, None), None), 4: (None, (40, None))}


def test_a_digest_depends_on_content_alone() -> None:
    assert facts_digest({1: (1, None), 2: (2, None)}) == facts_digest({2: (2, None), 1: (1, None)})
    assert facts_digest({1: (1, None)}) != facts_digest({1: (1, "{}")})
    assert facts_digest({1: ("1.0", 1)}) != facts_digest({1: ("1.00", 1)})


def test_the_canonical_series_is_the_finest_then_the_widest() -> None:
    finest = Series(Report.USAGE, BucketWidth.DAY, ("model", "workspace_id"))
    ranks = [
        fineness(finest),
        fineness(Series(Report.USAGE, BucketWidth.HOUR, finest.group_by)),
        fineness(Series(Report.USAGE, BucketWidth.DAY, ("model",))),
        fineness(Series(Report.USAGE, BucketWidth.DAY, ("speed",))),
    ]
    assert ranks == sorted(ranks, key=lambda rank: -(rank or 0))
    assert fineness(Series(Report.USAGE, BucketWidth.DAY, (), (("model", ("m",)),))) is None


def make(db: Path) -> None:
    with held_archive(db, now=NOW):
        pass


def test_a_new_archive_is_its_owners_alone(db: Path) -> None:
    make(db)
    assert stat.S_IMODE(db.stat().st_mode) == 0o600


def test_an_archive_says_whose_file_it_is_in_its_header(db: Path) -> None:
    make(db)
    assert db.read_bytes()[68:72] == b"ARCV"
    assert check_file(db)


def test_the_ledger_holds_the_hash_of_every_migration(db: Path) -> None:
    make(db)
    with open_reader(db) as connection:
        rows = connection.execute("SELECT version, name, sha256, applied_at FROM migration").fetchall()
    assert rows == [(m.version, m.name, m.sha256, NOW) for m in shipped_migrations()]


NOT_ARCHIVES = {
    "text": b"date,amount\n2026-01-01,5\n",
    "truncated": b"SQLite format 3\0",
    "zeros": bytes(4096),
}


@pytest.mark.parametrize("name", NOT_ARCHIVES)
def test_what_is_no_archive_is_refused_and_left_as_it_is(db: Path, name: str) -> None:
    db.write_bytes(NOT_ARCHIVES[name])
    with pytest.raises(DamagedError):
        make(db)
    assert db.read_bytes() == NOT_ARCHIVES[name]


def test_another_programs_database_is_refused_and_left_as_it_is(db: Path) -> None:
    with closing(sqlite3.connect(db)) as connection:
        connection.execute("CREATE TABLE mine (x)")
    before = db.read_bytes()
    with pytest.raises(DamagedError, match="another program"):
        make(db)
    assert db.read_bytes() == before


def test_a_link_or_a_folder_is_refused(db: Path, tmp_path: Path) -> None:
    make(tmp_path / "real.db")
    db.symlink_to(tmp_path / "real.db")
    for path in (db, tmp_path):
        with pytest.raises(DamagedError, match="not a regular file"):
            check_file(path)


def test_an_empty_file_becomes_an_archive(db: Path) -> None:
    db.touch()
    make(db)
    assert check_file(db)


def test_a_newer_file_is_refused_and_left_as_it_is(db: Path) -> None:
    make(db)
    with closing(sqlite3.connect(db)) as connection:
        connection.execute("PRAGMA user_version = 99")
    before = db.read_bytes()
    for use in (make, lambda path: open_reader(path).__enter__()):
        with pytest.raises(NewerError, match="schema 99"):
            use(db)
    assert db.read_bytes() == before


@pytest.mark.parametrize(
    "change", ["UPDATE migration SET sha256 = 'x'", "DELETE FROM migration", "UPDATE migration SET name = 'x'"]
)
def test_an_edited_ledger_is_refused(db: Path, change: str) -> None:
    make(db)
    with closing(sqlite3.connect(db)) as connection:
        connection.execute(change)
        connection.commit()
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
    with closing(sqlite3.connect(db)) as connection:
        assert connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'two'").fetchone() == (0,)


def test_an_older_file_is_brought_up_to_date_once(db: Path) -> None:
    make(db)
    newer = [*shipped_migrations(), GOOD]
    assert pending(db, newer) == [GOOD]
    assert migrate(db, NOW, newer) == [GOOD]
    assert migrate(db, NOW, newer) == []


def test_two_writers_do_not_meet(db: Path) -> None:
    with exclusive(db), pytest.raises(LockedError, match="process"), exclusive(db):
        pass


def test_a_writer_waits_for_another_as_long_as_it_is_told(db: Path) -> None:
    moments = iter([0.0, 1.0, 2.0, 3.0])
    slept: list[float] = []
    with exclusive(db), pytest.raises(LockedError), exclusive(db, 2.0, lambda: next(moments), slept.append):
        pass
    assert len(slept) == 1


def test_a_lock_is_free_once_its_holder_is_done(db: Path) -> None:
    with exclusive(db):
        pass
    with exclusive(db):
        pass


def test_a_reader_needs_an_archive(db: Path) -> None:
    with pytest.raises(ConfigurationError, match="no archive"), open_reader(db):
        pass
    assert not db.exists()


def test_a_holder_that_is_gone_is_not_named(db: Path) -> None:
    with exclusive(db):
        lock_path(db).write_text("4194999\n")  # more than a process number can be
        with pytest.raises(LockedError, match="another process"), exclusive(db, sleep=lambda _: None):
            pytest.fail("it was held")
