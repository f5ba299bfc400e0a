# ruff: noqa: S608 - statements are what this is about
"""Statements that try to write, to leave the file, or to use all time and memory do no more than read."""

from __future__ import annotations

import hashlib
import json
import resource
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from archiver.plan.scope import Scope
from archiver.simulator import background
from tests.runners import hosted
from tests.support import SMALL, archiver, day, environment, sync

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Ask = Callable[..., dict[str, Any]]

LONGEST_SECONDS = 15
MOST_MEBIBYTES = 700


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    db = tmp_path_factory.mktemp("hostile") / "archive.db"
    with background(SMALL) as api:
        sync(api, db, Scope(since=day("2026-01-10")))
    archiver("query", "--db", str(db), "SELECT 1")  # makes SQLite's own files next to it
    return db


@pytest.fixture(scope="module")
def ask(archive: Path) -> Iterator[Ask]:
    """Run `archiver query` in the archive's own folder, as fast as a fork."""
    with hosted(archive.parent) as host:

        def run(sql: str, *arguments: str) -> dict[str, Any]:
            return host.run("query", "--db", str(archive), "--timeout", "1s", *arguments, "-", stdin=sql)

        yield run


def everything(db: Path) -> dict[str, tuple[str, int]]:
    """Return the content and time of each file in the archive's folder, except the lock table in shared memory."""
    return {
        file.name: (hashlib.sha256(file.read_bytes()).hexdigest(), file.stat().st_mtime_ns)
        for file in db.parent.iterdir()
        if not file.name.endswith("-shm")
    }


@contextmanager
def untouched(db: Path) -> Iterator[None]:
    before, names = everything(db), {file.name for file in db.parent.iterdir()}
    yield
    assert everything(db) == before
    assert {file.name for file in db.parent.iterdir()} == names


def check_bounded(done: dict[str, Any]) -> None:
    assert done["seconds"] < LONGEST_SECONDS
    assert done["mebibytes"] < MOST_MEBIBYTES
    assert "Traceback" not in done["stderr"]


REFUSED = {
    "attach": "ATTACH 'stolen.db' AS other",
    "attach behind a comment": "/* SELECT */ ATTACH 'stolen.db' AS other",
    "attach behind a line comment": "-- SELECT\nATTACH 'stolen.db' AS other",
    "attach in a second statement": "SELECT 1; ATTACH 'stolen.db' AS other",
    "a vacuum": "VACUUM",
    "a vacuum into a file": "VACUUM INTO 'stolen.db'",
    "another journal": "PRAGMA journal_mode = DELETE",
    "no journal": "PRAGMA journal_mode(OFF)",
    "a checkpoint": "PRAGMA wal_checkpoint(TRUNCATE)",
    "writing again": "PRAGMA query_only = OFF",
    "a writable schema": "PRAGMA writable_schema = ON",
    "another version": "PRAGMA user_version = 7",
    "another application": "PRAGMA application_id = 7",
    "all of memory": "PRAGMA hard_heap_limit = 0",
    "a folder for temporary files": "PRAGMA temp_store_directory = '.'",
    "a pragma of a schema": "PRAGMA main.user_version = 7",
    "a pragma behind a comment": "/**/PRAGMA/**/user_version/**/=/**/7",
    "a pragma as a table": "SELECT * FROM pragma_user_version",
    "the names of files": "SELECT * FROM pragma_database_list",
    "the journal as a table": "SELECT * FROM pragma_journal_mode('delete')",
    "an explained pragma": "EXPLAIN PRAGMA user_version = 7",
    "optimising": "PRAGMA optimize",
    "an insert": "INSERT INTO _run (started_at, version) VALUES (1, 'x')",
    "an insert behind a table": "WITH x AS (SELECT 1) INSERT INTO _run (started_at, version) SELECT 1, 'x' FROM x",
    "an insert that returns": "WITH x AS (SELECT 1) INSERT INTO _memory VALUES ('a', 'b') RETURNING key",
    "an update": "UPDATE _usage_fact SET output_tokens = 0",
    "an update behind a table": "WITH x AS (SELECT 1) UPDATE _usage_fact SET output_tokens = 0",
    "a replace": "REPLACE INTO _memory VALUES ('a', 'b')",
    "a replace behind a table": "WITH x AS (SELECT 1) REPLACE INTO _memory VALUES ('a', 'b')",
    "an upsert": "WITH x AS (SELECT 1) INSERT INTO _memory VALUES ('a', 'b') ON CONFLICT DO UPDATE SET value = 'c'",
    "a delete behind a table": "WITH RECURSIVE x (a) AS (SELECT 1) DELETE FROM _usage_fact WHERE 1 IN x",
    "an explained delete": "EXPLAIN DELETE FROM _usage_fact",
    "a delete from the schema": "WITH x AS (SELECT 1) DELETE FROM sqlite_master",
    "a temporary table": "CREATE TEMP TABLE mine (x)",
    "a temporary view": "CREATE TEMP VIEW usage AS SELECT 1",
    "a trigger": "CREATE TRIGGER t AFTER INSERT ON run BEGIN DELETE FROM _usage_fact; END",
    "a virtual table": "CREATE VIRTUAL TABLE temp.t USING fts5(x)",
    "a dropped view": "DROP VIEW usage",
    "an altered table": "ALTER TABLE _usage_fact RENAME TO mine",
    "an index made anew": "REINDEX",
    "statistics": "ANALYZE",
    "a transaction": "BEGIN EXCLUSIVE",
    "a savepoint": "SAVEPOINT mine",
    "an extension": "SELECT load_extension('stolen.so')",
    "an extension in capitals": "SELECT LOAD_EXTENSION('stolen.so', 'main')",
    "an extension in quotes": "SELECT \"load_extension\"('stolen.so')",
    "an extension in a view's place": "WITH x AS (SELECT load_extension('stolen.so') AS y) SELECT y FROM x",
    "writing a file": "SELECT writefile('stolen.txt', 'x')",
    "reading a file": "SELECT readfile('archive.db')",
    "an editor": "SELECT edit('x', 'true')",
    "a folder": "SELECT * FROM fsdir('.')",
    "the pages of the file": "SELECT * FROM sqlite_dbpage",
    "inner functions": "SELECT sqlite_rename_table('main', 'x', 'y', 'z', 'a', 'b', 0)",
    "a null character": "SELECT 1\0; DELETE FROM _usage_fact",
    "a comment without an end": "/* SELECT 1",
    "half a character": "SELECT char(0xD800)",
    "bytes that are no text": "SELECT CAST(x'ff' AS TEXT)",
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_statement_that_wants_more_than_to_read_is_exit_2(archive: Path, ask: Ask, name: str) -> None:
    with untouched(archive):
        done = ask(REFUSED[name])
    assert done["code"] == 2, done
    assert done["stderr"].startswith("error: ")
    check_bounded(done)


COUNT = "WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 100000000) "
DOUBLED = ", ".join(f"a{i} AS (SELECT p.x FROM a{i - 1} AS p, a{i - 1} AS q)" for i in range(1, 30))
TOO_LARGE = "string or blob too big"
TOO_MUCH = "more memory"
TOO_LONG = "took too long"
BOMBS = {
    "a count without end": (COUNT + "SELECT count(*) FROM n", TOO_LONG),
    "a set without end": (
        "WITH RECURSIVE n (x) AS (SELECT 1 UNION SELECT x + 1 FROM n) SELECT max(x) FROM n",
        TOO_LONG,
    ),
    "a join of many": (f"SELECT count(*) FROM {', '.join(f'daily_tokens AS t{i}' for i in range(12))}", TOO_LONG),
    "a join of too many": (f"SELECT 1 FROM {', '.join(f'cost AS t{i}' for i in range(65))}", "at most 64 tables"),
    "a thousand laughs": (f"WITH a0 AS (SELECT 1 AS x), {DOUBLED} SELECT count(*) FROM a29", ""),
    "a gigabyte of chance": ("SELECT randomblob(1e9)", TOO_LARGE),
    "a gigabyte of nothing": ("SELECT zeroblob(1e9)", TOO_LARGE),
    "a gigabyte of one letter": ("SELECT printf('%.*c', 1000000000, 'x')", ""),
    "hexadecimal digits": ("SELECT hex(zeroblob(60000000))", TOO_LARGE),
    "a quoted blob": ("SELECT quote(zeroblob(60000000))", TOO_LARGE),
    "a replacement of replacements": (
        "SELECT length(replace(replace(hex(zeroblob(1000000)), '0', '00000000'), '0', '0000000000'))",
        TOO_LARGE,
    ),
    "letters upon letters": (COUNT + "SELECT length(group_concat(hex(zeroblob(1000000)))) FROM n", ""),
    "an array without end": (COUNT + "SELECT length(json_group_array(x)) FROM n", ""),
    "brackets within brackets": ("SELECT json(replace(hex(zeroblob(500000)), '00', '['))", "malformed JSON"),
    "a search in one step": ("SELECT instr(hex(zeroblob(30000000)), hex(zeroblob(15000000)) || '1')", TOO_LONG),
    "a window over all": (COUNT + "SELECT group_concat(x) OVER (ORDER BY x), sum(x) OVER () FROM n", ""),
    "a table of broad cells": (COUNT + "SELECT hex(zeroblob(10000000)) FROM n", ""),
    "brackets of an expression": (f"SELECT {'(' * 100_000}1{')' * 100_000}", "parser stack overflow"),
    "additions": (f"SELECT {'1+' * 400_000}1", "Expression tree is too large"),
    "nots": (f"SELECT {'NOT ' * 200_000}1", "parser stack overflow"),
    "selects within selects": (f"SELECT * FROM {'(SELECT * FROM ' * 5000}cost{')' * 5000}", "parser stack overflow"),
    "cases within cases": (f"SELECT {'CASE WHEN 1 THEN ' * 30_000}1{' END' * 30_000}", "overflow"),
    "too many columns": (f"SELECT {','.join(['1'] * 400_000)}", "too many columns"),
    "long names many times": (f'SELECT {",".join(["t.*"] * 1900)} FROM (SELECT 1 AS "{"a" * 900_000}") AS t', TOO_MUCH),
    "too many unions": (" UNION ALL ".join(["SELECT 1"] * 50_000), "too many terms"),
    "too long a statement": (f"SELECT '{'x' * 2_000_000}'", "too large"),
    "nothing but space": (" " * 900_000 + "x", "only a statement that reads"),
    "a parameter beyond all": ("SELECT ?999999", "variable number"),
}


# SQLite makes the text letter by letter and answers NULL in the end. On a fast machine that takes less than the limit.
ENDS_BY_ITSELF = {"a gigabyte of one letter"}


@pytest.mark.parametrize("name", BOMBS)
def test_a_statement_that_wants_too_much_is_stopped_with_a_sentence(archive: Path, ask: Ask, name: str) -> None:
    sql, sentence = BOMBS[name]
    with untouched(archive):
        done = ask(sql)
    allowed = {10} if sentence == TOO_LONG else {2} if sentence else {2, 10}
    allowed |= {0} if name in ENDS_BY_ITSELF else set()
    assert done["code"] in allowed, done
    assert sentence in done["stderr"]
    check_bounded(done)


HARMLESS = {
    "a hundred thousand in a list": f"SELECT 1 WHERE 1 IN ({','.join(map(str, range(100_000)))})",
    "a statement after a comment": "-- who reads this?\n/* nobody */ SELECT 1;  -- nobody",
    "the columns of a view": "PRAGMA table_info(usage)",
    "how it would be done": "EXPLAIN QUERY PLAN SELECT * FROM daily_tokens",
    "a pattern of stars": "SELECT hex(zeroblob(1000000)) GLOB replace(hex(zeroblob(9)), '00', '*0*0') || '1' AS x",
    "a pattern of anything": f"SELECT hex(zeroblob(1000000)) LIKE '{'%0' * 20_000}%1' AS x",
    "words that only look like writing": "SELECT 'DELETE FROM _usage_fact' AS \"DROP TABLE\"",
    "as many columns as there may be": f"SELECT {','.join(['t.*'] * 1999)} FROM (SELECT 1 AS x) AS t",
}


@pytest.mark.parametrize("name", HARMLESS)
def test_a_strange_statement_that_only_reads_is_answered(archive: Path, ask: Ask, name: str) -> None:
    with untouched(archive):
        done = ask(HARMLESS[name], "--json")
    assert (done["code"], done["stderr"]) == (0, "")
    check_bounded(done)


@pytest.mark.parametrize("mebibytes", ["1", "2", "4", "8"])
@pytest.mark.parametrize("sql", ["SELECT 1", "SELECT * FROM daily_tokens", "SELECT hex(zeroblob(3000000))"])
def test_a_query_with_hardly_any_memory_does_not_end_as_a_bug(
    archive: Path, ask: Ask, sql: str, mebibytes: str
) -> None:
    with untouched(archive):
        done = ask(sql, "--max-memory", mebibytes)
    assert done["code"] in {0, 2}, done
    assert done["code"] == 0 or TOO_MUCH in done["stderr"]


@pytest.mark.parametrize("name", ["attach", "an insert behind a table", "an extension", "another journal"])
def test_a_process_of_its_own_is_as_strict(archive: Path, name: str) -> None:
    with untouched(archive):
        done = archiver("query", "--db", str(archive), "--as-of", "2026-01-12", REFUSED[name])
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")


def test_the_views_of_an_earlier_time_cannot_be_written(archive: Path, ask: Ask) -> None:
    views = ask("SELECT name FROM sqlite_temp_master ORDER BY name", "--as-of", "2026-01-12", "--nl")
    names = [json.loads(line)["name"] for line in views["stdout"].splitlines()]
    assert "daily_cost" in names
    with untouched(archive):
        for name in names:
            assert ask(f"WITH x AS (SELECT 1) DELETE FROM temp.{name}", "--as-of", "2026-01-12")["code"] == 2


def test_comments_before_a_wrong_word_take_no_time(ask: Ask) -> None:
    assert ask("/**/" * 40 + "x")["code"] == 2


@pytest.mark.parametrize("sql", ["SELECT fts3_tokenizer(:name)", "SELECT fts3_tokenizer(:name, :address)"])
def test_addresses_in_memory_are_neither_shown_nor_accepted(ask: Ask, sql: str) -> None:
    done = ask(sql, "--param", "name=simple", "--param", "address=AAAAAAAA")
    assert done["code"] == 2, done["stdout"]


@pytest.mark.parametrize("name", ["\x1b]0;owned\x07", "x\nerror: forged", "\x9b31mred"], ids=["title", "line", "red"])
def test_an_error_shows_foreign_text_inert(ask: Ask, name: str) -> None:
    done = ask(f'SELECT * FROM "{name}"')
    assert done["code"] == 2
    assert done["stderr"].rstrip("\n").isprintable()


SPILL = """
import os, sys, time
from pathlib import Path
from archiver.store.read.sandbox import Limits, run_query
sql = "WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 20000) " \
      "SELECT hex(randomblob(5000)) AS y FROM n ORDER BY y"
with run_query(Path(sys.argv[1]), sql, {}, Limits(60, 512), time.process_time) as result:
    next(result.rows)
    for name in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{name}")
        except OSError:
            continue
        if "etilqs" in target:
            print(target, os.stat(f"/proc/self/fd/{name}").st_size)
"""


def test_a_query_fills_no_disk(archive: Path) -> None:
    program = [sys.executable, "-c", SPILL, str(archive)]
    assert subprocess.run(program, env=environment(), capture_output=True, text=True, check=True).stdout == ""


CORE = """
import resource, sys
from archiver.offline.limits import run_limited
most = resource.getrlimit(resource.RLIMIT_CORE)[1]
resource.setrlimit(resource.RLIMIT_CORE, (most, most))
sys.exit(run_limited(lambda: int(resource.getrlimit(resource.RLIMIT_CORE)[0] != 0), 5, 512))
"""


@pytest.mark.skipif(resource.getrlimit(resource.RLIMIT_CORE)[1] == 0, reason="this system allows no core files")
def test_a_query_that_is_stopped_leaves_no_core_file() -> None:
    assert subprocess.run([sys.executable, "-c", CORE], env=environment(), check=False).returncode == 0
