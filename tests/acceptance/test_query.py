"""`archiver query` as a person runs it: formats, parameters, and the sandbox around foreign SQL."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from archiver.plan.scope import Scope
from tests.support import archiver, day, environment, sync, truth

if TYPE_CHECKING:
    from pathlib import Path

    from archiver.simulator import Simulator


@pytest.fixture(scope="module")
def small_db(shared_api: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Path:
    db = tmp_path_factory.mktemp("query") / "archive.db"
    sync(shared_api, db, Scope(since=day("2026-01-10")))
    return db


def query(db: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return archiver("query", "--db", str(db), *arguments)


SQL = "SELECT 'a,b' AS name, NULL AS void, 1 AS number, 'x' || char(9) || 'y' AS tabbed"


def test_csv_has_a_header_and_empty_nulls(small_db: Path) -> None:
    done = query(small_db, "--csv", SQL)
    assert list(csv.reader(io.StringIO(done.stdout))) == [
        ["name", "void", "number", "tabbed"],
        ["a,b", "", "1", "x\ty"],
    ]


def test_tsv_has_a_header_and_empty_nulls(small_db: Path) -> None:
    done = query(small_db, "--tsv", SQL)
    rows = list(csv.reader(io.StringIO(done.stdout), dialect="excel-tab"))
    assert rows == [["name", "void", "number", "tabbed"], ["a,b", "", "1", "x\ty"]]


def test_json_is_one_array_of_objects(small_db: Path) -> None:
    done = query(small_db, "--json", SQL)
    assert json.loads(done.stdout) == [{"name": "a,b", "void": None, "number": 1, "tabbed": "x\ty"}]
    assert json.loads(query(small_db, "--json", "SELECT 1 AS x WHERE 0").stdout) == []


def test_nl_is_one_object_a_line(small_db: Path) -> None:
    done = query(small_db, "--nl", "SELECT 1 AS x UNION ALL SELECT 2")
    assert done.stdout == '{"x": 1}\n{"x": 2}\n'


def test_a_table_is_aligned_with_numbers_to_the_right(small_db: Path) -> None:
    done = query(small_db, "SELECT 'a' AS name, 1 AS n UNION ALL SELECT 'long', 1000")
    assert done.stdout == "name  n\n----  ----\na        1\nlong  1000\n".replace("name  n\n", "name     n\n")


def test_a_table_shows_foreign_text_inert(small_db: Path) -> None:
    done = query(small_db, "SELECT char(27) || '[31mred' || char(10) AS text")
    assert "\x1b" not in done.stdout
    assert "\\x1b[31mred\\n" in done.stdout


def test_parameters_are_bound(small_db: Path) -> None:
    done = query(small_db, "--json", "--param", "day=2026-01-12", "--param", "n=5", "SELECT :day AS day, :n + 1 AS n")
    assert json.loads(done.stdout) == [{"day": "2026-01-12", "n": 6}]


def test_a_query_has_the_numbers_of_the_api(shared_api: Simulator, small_db: Path) -> None:
    done = query(
        small_db,
        "--json",
        "SELECT sum(amount_microcents) AS m FROM daily_cost WHERE date >= :d",
        "--param",
        "d=2026-01-10",
    )
    expected = sum(int(row[-1].replace(".", "")) for row in truth(shared_api, "cost", "1d", (), day("2026-01-10")))
    assert json.loads(done.stdout) == [{"m": expected}]


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM _usage_fact",
        "WITH x AS (SELECT 1) DELETE FROM _usage_fact",
        "ATTACH 'other.db' AS other",
        "VACUUM INTO 'copy.db'",
        "PRAGMA user_version = 7",
        "PRAGMA writable_schema = ON",
        "SELECT load_extension('x')",
        "SELECT 1; SELECT 2",
        "SELECT * FROM nowhere",
        "SELECT :missing",
        "",
        "nonsense",
        "/* SELECT */ DROP TABLE _usage_fact",
    ],
)
def test_a_query_can_only_read(small_db: Path, sql: str) -> None:
    before = small_db.read_bytes()
    done = query(small_db, sql)
    assert done.returncode == 2
    assert "error: " in done.stderr
    assert small_db.read_bytes() == before
    assert not (small_db.parent / "copy.db").exists()


def test_a_slow_reader_does_not_count_as_a_slow_query(small_db: Path) -> None:
    many = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 30000) SELECT x, x FROM n"
    pipe = f"{sys.executable} -m archiver query --db {small_db} --csv --timeout 1s '{many}' | (sleep 3; wc -l)"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", pipe], env=environment(), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.strip()) == (0, "30001")


def test_output_that_cannot_be_written_is_exit_7(small_db: Path) -> None:
    for command in (["query", "SELECT 1"], ["status"], ["report", "spend"]):
        program = [sys.executable, "-m", "archiver", *command, "--db", str(small_db)]
        with open("/dev/full", "w", encoding="utf-8") as full:  # noqa: PTH123  # a device
            done = subprocess.run(
                program, env=environment(), stdout=full, stderr=subprocess.PIPE, text=True, check=False
            )
        assert done.returncode == 7
        assert "cannot write the output" in done.stderr


def test_sql_that_is_not_text_is_exit_2(small_db: Path) -> None:
    program = [sys.executable, "-m", "archiver", "query", "--db", str(small_db), "-"]
    done = subprocess.run(program, env=environment(), input=b"SELECT '\xff'", capture_output=True, check=False)
    assert done.returncode == 2


def test_a_query_without_end_is_stopped(small_db: Path) -> None:
    endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n"
    assert query(small_db, "--timeout", "1s", endless).returncode == 10


BOMBS = [
    "SELECT length(group_concat(hex(zeroblob(30000000)))) FROM (SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3), cost",
    "SELECT printf('%.*c', 60000000, 'x') || printf('%.*c', 60000000, 'x')",
    "SELECT sum(length(replace(hex(zeroblob(20000000)), '0', '00'))) FROM cost",
    "SELECT hex(zeroblob(60000000)) LIKE '%0%0%0%0%0%0%0%0%0%0%1%'",
]


@pytest.mark.parametrize("sql", BOMBS)
def test_a_bomb_of_one_step_is_stopped_in_time(small_db: Path, sql: str) -> None:
    done = query(small_db, "--timeout", "2s", "--max-memory", "100", sql)
    assert done.returncode in {2, 10}
    assert "Traceback" not in done.stderr


def test_a_query_that_wants_all_memory_is_stopped(small_db: Path) -> None:
    greedy = "WITH RECURSIVE n(x) AS (SELECT hex(randomblob(1000)) UNION ALL SELECT x || x FROM n) SELECT max(x) FROM n"
    assert query(small_db, "--max-memory", "64", greedy).returncode == 2


def test_a_closed_pipe_is_no_error(small_db: Path) -> None:
    many = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 1000000) SELECT x FROM n"
    pipe = f"{sys.executable} -m archiver query --db {small_db} --csv '{many}' | head -1"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", pipe], env=environment(), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "x\n", "")
