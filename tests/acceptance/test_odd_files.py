"""Files that are no archive: every command refuses them with the documented exit code, and does not change them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from archiver.plan.scope import Scope
from archiver.simulator import background
from tests.archives import make_foreign_database, set_schema_version
from tests.runners import hosted
from tests.support import INVENTED_KEY, SMALL, archiver, day, environment, sync

COMMANDS = ["sync", "sync --dry-run", "query", "status", "verify", "report", "snapshot", "migrate", "migrate --check"]
READERS = ["query", "status", "verify", "report", "snapshot", "migrate", "migrate --check"]
NO_SERVER = "http://127.0.0.1:9"


Run = Callable[[str, Path], Any]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """Run a command on a file; none of them sends a request."""
    with hosted(tmp_path_factory.mktemp("elsewhere")) as host:

        def run_one(command: str, db: Path) -> SimpleNamespace:
            word, *more = command.split()
            own = {
                "sync": ["--api-url", NO_SERVER],
                "query": ["SELECT 1"],
                "report": ["spend"],
                "snapshot": [str(db.with_name("copy.db"))],
            }.get(word, [])
            done = host.run(word, *own, *more, "--db", str(db), ANTHROPIC_ADMIN_API_KEY=INVENTED_KEY)
            return SimpleNamespace(returncode=done["code"], stdout=done["stdout"], stderr=done["stderr"])

        yield run_one


@dataclass(frozen=True)
class Picture:
    """The state of a folder: names, kinds, times, targets of links, contents."""

    entries: tuple[Any, ...]


def picture(folder: Path) -> Picture:
    entries = []
    for path in sorted(folder.rglob("*")):
        seen = path.lstat()
        target = path.readlink() if path.is_symlink() else None
        content = path.read_bytes() if path.is_file() and not path.is_symlink() else None
        entries.append((path.name, seen.st_mode, seen.st_size, seen.st_mtime_ns, target, content))
    return Picture(tuple(entries))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    db = tmp_path_factory.mktemp("whole") / "archive.db"
    with background(SMALL) as api:
        sync(api, db, Scope(since=day("2026-01-10")))
    return db


ODD: dict[str, Callable[[Path, Path], Any]] = {
    "a text": lambda db, _: db.write_text("date,amount\n2026-01-01,5\n"),
    "zeros": lambda db, _: db.write_bytes(bytes(8192)),
    "half a header": lambda db, whole: db.write_bytes(whole.read_bytes()[:50]),
    "another program's database": lambda db, _: make_foreign_database(db),
    "a link to an archive": lambda db, whole: db.symlink_to(whole),
    "a link to nothing": lambda db, _: db.symlink_to(db.with_name("nothing")),
    "a link to itself": lambda db, _: db.symlink_to(db),
    "a folder": lambda db, _: db.mkdir(),
    "a FIFO": lambda db, _: os.mkfifo(db),
}


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("command", ["sync", "query", "status", "verify"])
def test_a_file_that_is_no_archive_is_exit_8_and_unchanged(
    run: Run, whole: Path, db: Path, command: str, name: str
) -> None:
    ODD[name](db, whole)
    before, target = picture(db.parent), picture(whole.parent)
    done = run(command, db)
    assert done.returncode == 8, done.stderr
    assert done.stderr.splitlines()[0].removeprefix("the file: ").startswith("error: ")
    assert picture(db.parent) == before
    assert picture(whole.parent) == target


@pytest.mark.parametrize("command", ["sync --dry-run", "report", "snapshot", "migrate", "migrate --check"])
@pytest.mark.parametrize("name", ["a FIFO", "a link to an archive"])
def test_no_command_reads_from_a_fifo_or_through_a_link(
    run: Run, whole: Path, db: Path, command: str, name: str
) -> None:
    ODD[name](db, whole)
    before = picture(db.parent)
    assert run(command, db).returncode == 8
    assert picture(db.parent) == before


@pytest.mark.parametrize("command", COMMANDS)
def test_an_archive_with_two_hard_links_is_exit_2_and_unchanged(run: Run, whole: Path, db: Path, command: str) -> None:
    shutil.copy(whole, db)
    db.with_name("linked.db").hardlink_to(db)
    before = picture(db.parent)
    done = run(command, db)
    assert done.returncode == 2, done.stderr
    assert "2 hard links" in done.stderr
    assert picture(db.parent) == before


@pytest.mark.parametrize("command", ["sync", "query"])
@pytest.mark.parametrize("device", ["/dev/null", "/dev/zero"])
def test_a_device_is_exit_8(run: Run, command: str, device: str) -> None:
    done = run(command, Path(device))
    assert done.returncode == 8
    assert "not a regular file" in done.stderr
    assert not Path(device + ".lock").exists()


TRUNCATED = {"after its header": 100, "after its first page": 4096, "in the middle": 20_000, "one page short": -4096}


@pytest.mark.parametrize("name", TRUNCATED)
@pytest.mark.parametrize("command", ["sync", "query", "status", "verify"])
def test_a_truncated_archive_is_exit_8_and_unchanged(run: Run, whole: Path, db: Path, command: str, name: str) -> None:
    db.write_bytes(whole.read_bytes()[: TRUNCATED[name]])
    before = (db.read_bytes(), db.stat().st_mtime_ns)
    done = run(command, db)
    assert done.returncode == 8, (done.stdout, done.stderr)
    assert "Traceback" not in done.stderr
    assert (db.read_bytes(), db.stat().st_mtime_ns) == before


@pytest.mark.parametrize("command", COMMANDS)
def test_a_newer_archive_is_exit_9_and_unchanged(run: Run, whole: Path, db: Path, command: str) -> None:
    shutil.copy(whole, db)
    set_schema_version(db, 99)
    before = (db.read_bytes(), db.stat().st_mtime_ns)
    done = run(command, db)
    assert done.returncode == 9, done.stderr
    assert "schema 99" in done.stderr
    assert (db.read_bytes(), db.stat().st_mtime_ns) == before
    assert {file.name.removeprefix(db.name) for file in db.parent.iterdir()} <= {"", "-wal", "-shm", ".lock"}


@pytest.mark.parametrize("command", READERS)
def test_a_reader_reports_an_empty_file_as_no_archive(run: Run, db: Path, command: str) -> None:
    db.touch()
    before = picture(db.parent)
    done = run(command, db)
    assert done.returncode == 2
    assert "there is no archive" in done.stderr
    assert picture(db.parent) == before


def test_an_empty_file_becomes_an_archive_by_a_sync(db: Path) -> None:
    db.touch()
    with background(SMALL) as api:
        done = archiver(
            "sync", "--api-url", api.url, "--db", str(db), "--since", "2026-01-15", "--rate", "none", "-q",
            ANTHROPIC_ADMIN_API_KEY=api.key,
        )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert archiver("verify", "--db", str(db)).returncode == 0


@pytest.mark.parametrize("command", READERS)
def test_a_reader_creates_no_folder(run: Run, tmp_path: Path, command: str) -> None:
    done = run(command, tmp_path / "nowhere" / "archive.db")
    assert done.returncode == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", COMMANDS)
def test_a_file_where_a_folder_should_be_is_exit_7(run: Run, tmp_path: Path, command: str) -> None:
    (tmp_path / "file").write_text("mine")
    before = picture(tmp_path)
    done = run(command, tmp_path / "file" / "archive.db")
    assert done.returncode == 7, done.stderr
    assert picture(tmp_path) == before


def without_power(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the program without the privilege to ignore permissions, which root has."""
    before = []
    if os.geteuid() == 0:
        setpriv = shutil.which("setpriv")
        if setpriv is None:
            pytest.skip("an administrator may write everywhere, and there is no setpriv")
        before = [setpriv, "--bounding-set", "-dac_override,-dac_read_search", "--inh-caps", "-all"]
    return subprocess.run(
        [*before, sys.executable, "-m", "archiver", *arguments],
        env=environment(ANTHROPIC_ADMIN_API_KEY=INVENTED_KEY),
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_sync_into_a_folder_that_cannot_be_written_is_exit_7(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir(mode=0o555)
    for db in (folder / "archive.db", folder / "below" / "archive.db"):
        done = without_power("sync", "--api-url", NO_SERVER, "--db", str(db))
        assert done.returncode == 7, done.stderr
        assert "Permission denied" in done.stderr
    assert list(folder.iterdir()) == []


def test_an_archive_that_may_not_be_read_is_exit_7(whole: Path, db: Path) -> None:
    shutil.copy(whole, db)
    db.chmod(0)
    for command in (["status"], ["query", "SELECT 1"], ["verify"], ["sync", "--api-url", NO_SERVER]):
        done = without_power(*command, "--db", str(db))
        assert done.returncode == 7, done.stderr
        assert "Permission denied" in done.stderr


def test_an_archive_in_a_folder_that_cannot_be_written_can_be_read(whole: Path, db: Path) -> None:
    shutil.copy(whole, db)
    db.parent.chmod(0o555)
    try:
        for command in (["status"], ["query", "SELECT count(*) FROM usage"], ["verify"]):
            assert without_power(*command, "--db", str(db)).returncode == 0
        assert [file.name for file in db.parent.iterdir()] == [db.name]
    finally:
        db.parent.chmod(0o755)
