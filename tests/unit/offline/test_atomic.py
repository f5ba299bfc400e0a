"""Files that are written whole or not at all, and never over an archive."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from archiver.errors import ConfigurationError, StorageError
from archiver.offline.atomic import write_atomic

if TYPE_CHECKING:
    from pathlib import Path


def test_a_new_file_is_its_owners_alone_and_an_old_one_keeps_its_mode(tmp_path: Path) -> None:
    new, old = tmp_path / "new", tmp_path / "old"
    old.write_text("before")
    old.chmod(0o644)
    for one in (new, old):
        write_atomic(one, b"after", tmp_path / "archive.db")
        assert one.read_bytes() == b"after"
    assert stat.S_IMODE(new.stat().st_mode) == 0o600
    assert stat.S_IMODE(old.stat().st_mode) == 0o644
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new", "old"]


def test_a_failure_leaves_what_was_there_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "page.html"
    target.write_text("before")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="No space left"):
        write_atomic(target, b"after", tmp_path / "archive.db")
    assert target.read_text() == "before"
    assert list(tmp_path.iterdir()) == [target]


def test_a_link_is_followed_and_a_folder_refused(tmp_path: Path) -> None:
    link, target = tmp_path / "link", tmp_path / "target"
    link.symlink_to(target)
    write_atomic(link, b"after", tmp_path / "archive.db")
    assert link.is_symlink()
    assert target.read_bytes() == b"after"
    for wrong in (tmp_path, tmp_path / "nowhere" / "page.html"):
        with pytest.raises((StorageError, ConfigurationError)):
            write_atomic(wrong, b"after", tmp_path / "archive.db")


def test_an_archive_is_never_written_over(tmp_path: Path) -> None:
    archive, other = tmp_path / "archive.db", tmp_path / "other.db"
    for one in (archive, other):
        one.write_bytes(b"SQLite format 3\0 and so on")
    for wrong in (archive, other, tmp_path / "archive.db-wal", tmp_path / "archive.db.lock"):
        with pytest.raises(ConfigurationError, match="is an archive"):
            write_atomic(wrong, b"after", archive)
    assert archive.read_bytes() == other.read_bytes() == b"SQLite format 3\0 and so on"


def test_what_is_no_plain_file_is_written_to_as_it_is(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        write_atomic(pipe, b"after", tmp_path / "archive.db")
        assert os.read(reader, 100) == b"after"
    finally:
        os.close(reader)
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_what_a_killed_process_left_is_removed_and_what_a_running_one_has_is_not(tmp_path: Path) -> None:
    target, folders = tmp_path / "a[1].csv", []
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as running:
        ended = subprocess.Popen([sys.executable, "-c", ""])
        ended.wait()
        for name in (
            f".a[1].csv.{ended.pid}.abcdefg_",
            f".a[1].csv.{running.pid}.abcdefg_",
            ".a[1].csv.other",
            f".b.csv.{ended.pid}.abcdefg_",
        ):
            folder = tmp_path / name
            folder.mkdir()
            (folder / "new.csv").write_text("half", "utf-8")
            folders.append(folder)
        write_atomic(target, b"whole", tmp_path / "archive.db")
        running.communicate(b"\n")
    assert target.read_bytes() == b"whole"
    assert [folder.exists() for folder in folders] == [False, True, True, True]


def test_a_folder_that_no_process_of_ours_made_is_left_alone(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    mine = [tmp_path / ".a.csv.20260101", tmp_path / f".a.csv.{ended.pid}.abcdefgh"]
    for folder in mine:
        folder.mkdir()
        (folder / "letter.txt").write_text("mine", "utf-8")
    write_atomic(tmp_path / "a.csv", b"whole", tmp_path / "archive.db")
    assert all((folder / "letter.txt").exists() for folder in mine)
