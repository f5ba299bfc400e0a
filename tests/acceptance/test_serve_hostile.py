"""Statements that try to write, to leave the file, or to use all time and memory, sent to the server."""

from __future__ import annotations

import socket
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from archiver.plan.scope import Scope
from archiver.simulator import background
from tests.acceptance.test_hostile_sql import BOMBS, ENDS_BY_ITSELF, HARMLESS, REFUSED, untouched
from tests.serving import Server, begin, serving
from tests.support import SMALL, archiver, day, sync

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_MEBIBYTES = 500


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    db = tmp_path_factory.mktemp("asked") / "archive.db"
    with background(SMALL) as api:
        sync(api, db, Scope(since=day("2026-01-10")))
    archiver("query", "--db", str(db), "SELECT 1")  # makes SQLite's own files next to it
    return db


@pytest.fixture(scope="module")
def server(archive: Path) -> Iterator[Server]:
    with serving(archive) as one:
        yield one


@pytest.mark.parametrize("name", [n for n in REFUSED if "null" not in n])
def test_a_statement_that_does_more_than_read_is_refused(server: Server, archive: Path, name: str) -> None:
    with untouched(archive):
        assert server.query(REFUSED[name]).status == 400


@pytest.mark.parametrize("name", [n for n, (sql, _) in BOMBS.items() if len(sql) < 60_000])
def test_a_statement_that_uses_too_much_leaves_the_server_as_it_was(server: Server, archive: Path, name: str) -> None:
    with untouched(archive):
        began = time.monotonic()
        reply = server.query(BOMBS[name][0])
        assert time.monotonic() - began < 20
    assert reply.status in ({200, 400} if name in ENDS_BY_ITSELF else {400})
    assert len(reply.text) < 100_000
    assert server.query("SELECT 1 AS x").json()["rows"] == [[1]]
    assert peak_mebibytes(server) < 500


@pytest.mark.parametrize("name", [n for n, (sql, _) in BOMBS.items() if len(sql) >= 300_000])
def test_a_statement_that_is_too_long_is_not_read(server: Server, name: str) -> None:
    with suppress(ConnectionError):  # it may hang up in the middle
        assert server.query(BOMBS[name][0]).status == 400
    assert server.query("SELECT 1 AS x").json()["rows"] == [[1]]


@pytest.mark.parametrize(
    "name", [n for n, sql in HARMLESS.items() if len(sql) < 60_000 and not n.startswith("the col")]
)
def test_a_strange_statement_that_only_reads_is_run(server: Server, name: str) -> None:
    assert server.query(HARMLESS[name]).status == 200


def test_a_statement_that_begins_with_a_comment_and_blanks_takes_no_time(server: Server) -> None:
    began = time.monotonic()
    assert server.query("/**/" + " " * 60_000 + "x").status == 400
    assert time.monotonic() - began < 3


def test_other_pages_are_answered_while_a_statement_takes_its_time(server: Server) -> None:
    with closing(socket.create_connection(("127.0.0.1", server.port))) as slow:
        path = (
            "/archive.json?sql=WITH+RECURSIVE+n(x)+AS+(SELECT+1+UNION+ALL+SELECT+x%2B1+FROM+n)+SELECT+count(*)+FROM+n"
        )
        slow.sendall(f"GET {path} HTTP/1.1\r\nHost: {server.host}\r\n\r\n".encode())
        began = time.monotonic()
        assert server.query("SELECT 1 AS x").status == 200
        assert time.monotonic() - began < 2
        slow.settimeout(20)
        assert b" 400 " in slow.recv(100)


def peak_mebibytes(server: Server) -> int:
    status = Path(f"/proc/{server.process.pid}/status")
    if not status.exists():
        return 0
    (line,) = (line for line in status.read_text("ascii").splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) // 1024


def family(pid: int) -> set[int]:
    """Return a process and all that descend from it."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # one that ended meanwhile
            parents[int(stat.parent.name)] = int(stat.read_text("ascii").rpartition(") ")[2].split()[1])
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="this system does not list open files")
def test_no_process_that_stays_has_a_file_of_the_archive_open(server: Server, archive: Path) -> None:
    """Closing any descriptor of a file drops all of a process's locks on it, also those of another thread."""
    assert server.get("/").status == server.get("/archive/usage").status == 200
    opened = []
    processes = family(server.process.pid)
    for one in (fd for pid in processes for fd in Path(f"/proc/{pid}/fd").iterdir()):
        with suppress(FileNotFoundError):  # a socket that was closed meanwhile
            opened.append(one.readlink().name)
    assert len(processes) >= 2  # the server and its fork server
    assert opened
    assert not [name for name in opened if name.startswith(archive.name)]


def test_a_server_that_is_killed_leaves_no_process_behind(archive: Path) -> None:
    server = Server(begin(archive))
    assert server.get("/archive/usage").status == 200
    server.process.kill()
    assert server.process.communicate(timeout=20)  # ends when the last one who could write there is gone


@pytest.mark.parametrize("query", ["_sort=zzz", "_sort_desc=zzz", "_sort=date&_sort_desc=date"])
@pytest.mark.parametrize("kind", ["", ".json", ".csv"])
def test_an_unknown_column_to_sort_by_is_a_mistake_in_the_address(server: Server, query: str, kind: str) -> None:
    assert server.get(f"/archive/daily_cost{kind}?{query}").status == 400
