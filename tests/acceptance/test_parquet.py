"""`archiver export parquet` and `query --parquet`, read by another engine to the last digit."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest

from archiver.model import NameKind, Report
from archiver.plan.scope import Scope
from archiver.simulator import Settings, background
from tests.handmade import Handmade, cost_row, days, usage_row
from tests.support import NOW, archiver, environment, select, sync

if TYPE_CHECKING:
    from pathlib import Path

VIEWS = ("daily_cost", "daily_tokens", "daily_cost_by_key", "daily_cost_by_person", "claude_code")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Archive three months of all reports of an invented organisation."""
    db = tmp_path_factory.mktemp("parquet") / "archive.db"
    reports = (Report.USAGE, Report.COST, Report.ANALYTICS_COST, Report.CLAUDE_CODE)
    with background(Settings(first_day=date(2026, 1, 1), now=NOW, size=0.1)) as api:
        sync(api, db, Scope(reports))
    return db


def exported(db: Path, folder: Path, *arguments: str, code: int = 0) -> str:
    done = archiver("export", "parquet", str(folder), "--db", str(db), *arguments)
    assert done.returncode == code, done.stderr
    return done.stderr


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def values(value: Any) -> Any:
    """Return a value of DuckDB as SQLite has it, and an amount as a number."""
    return f"{value}" if isinstance(value, date) else value


def numbers(row: Any) -> tuple[tuple[bool, str], ...]:
    """Return a row that can be ordered, where 1 and 1.00 are one amount."""
    return tuple((one is None, str(one.normalize() if isinstance(one, Decimal) else one)) for one in row)


@pytest.mark.parametrize("view", VIEWS)
def test_every_row_of_a_view_is_read_by_duckdb(whole: Path, tmp_path: Path, view: str) -> None:
    exported(whole, tmp_path / "set")
    with duckdb.connect() as engine:
        found = engine.sql(f"FROM read_parquet('{tmp_path}/set/{view}/*/*.parquet', hive_partitioning = false)")
        names, rows = found.columns, found.fetchall()
    columns = [name.removesuffix("_cents") for name in names]
    kept = [name for name in columns if name not in {"amount_usd", "list_amount_usd"}]
    expected = select(whole, f"SELECT {', '.join(kept)} FROM {view}")  # noqa: S608  # names of columns
    amounts = {name for name in kept if name in {"amount", "list_amount"}}

    def exact(row: Any) -> tuple[Any, ...]:
        pairs = zip(kept, row, strict=True)
        return tuple(
            Decimal(value) if name in amounts and value is not None else values(value) for name, value in pairs
        )

    at = [columns.index(name) for name in kept]
    mine = sorted((exact([row[i] for i in at]) for row in rows), key=repr)
    # 1 and 1.00 are the same amount and another text: compare numbers.
    assert len(mine) == len(expected) > 0
    assert sorted(map(numbers, mine)) == sorted(map(numbers, map(exact, expected)))
    if "amount_usd" in columns:
        cents, dollars = columns.index("amount"), columns.index("amount_usd")
        assert all(row[cents] is None or row[dollars] * 100 == row[cents] for row in rows)


def test_sums_of_months_are_those_of_the_report(whole: Path, tmp_path: Path) -> None:
    exported(whole, tmp_path / "set")
    report = json.loads(archiver("report", "spend", "--by", "month", "--json", "--db", str(whole)).stdout)
    with duckdb.connect() as engine:
        sums = engine.sql(
            f"FROM read_parquet('{tmp_path}/set/daily_cost/*/*.parquet', hive_partitioning = true, "
            "hive_types_autocast = false) SELECT month, sum(amount_usd) GROUP BY month ORDER BY month"
        ).fetchall()
    assert [(month, Decimal(amount)) for month, amount in sums] == [
        (row["month"], Decimal(row["amount_usd"])) for row in report if Decimal(row["amount_usd"])
    ]


def test_twice_is_once_and_only_changed_months_are_written(whole: Path, tmp_path: Path) -> None:
    db, folder = tmp_path / "archive.db", tmp_path / "set"
    shutil.copy(whole, db)
    assert "0 unchanged" in exported(db, folder)
    before = files(folder)
    assert " 0 months written" in exported(db, folder)
    assert files(folder) == before
    changed = {"2026-01-03": [cost_row("123", workspace_id="w", model="m", description="m")]}
    Handmade(db).cost(changed, read_at="2026-06-01T00:00:00")
    assert " 1 month written" in exported(db, folder)
    after = files(folder)
    assert {name for name in after if after[name] != before[name]} == {
        "daily_cost/month=2026-01/data.parquet",
        "manifest.json",
    }


def test_types_ranges_and_the_manifest(tmp_path: Path) -> None:
    db, folder = tmp_path / "archive.db", tmp_path / "set"
    handmade = Handmade(db)
    handmade.names(NameKind.WORKSPACE, {"w": "Invented"}, read_at="2026-01-01T00:00:00")
    tiny = "0.000000000000000001"
    rows = {
        day: [
            cost_row(tiny, workspace_id="w", model="m", description="m"),
            cost_row("5", currency="EUR", description="e"),
        ]
        for day in days("2026-01-30", "2026-02-02")
    }
    handmade.cost(rows, read_at="2026-06-01T00:00:00")
    handmade.usage({"2026-02-01": [usage_row(2**53 + 1, model="m")]}, read_at="2026-06-01T00:00:00")
    assert exported(db, folder, "--report", "cost", "--since", "2026-02-02").startswith(
        f"{folder}: 4 rows; 1 month written"
    )
    table = pq.read_table(folder / "daily_cost" / "month=2026-02" / "data.parquet", partitioning=None)
    schema = {one.name: str(one.type) for one in table.schema}
    assert (schema["date"], schema["amount_cents"], schema["amount_usd"]) == (
        "date32[day]", "decimal128(38, 18)", "decimal128(38, 20)",
    )  # fmt: skip
    # The month is whole, although a later day was asked for.
    assert sorted(map(str, set(table.column("date").to_pylist()))) == ["2026-02-01", "2026-02-02"]
    assert set(table.column("amount_usd").to_pylist()) == {Decimal(tiny).scaleb(-2), None}
    exported(db, folder)
    tokens = pq.read_table(folder / "daily_tokens" / "month=2026-02" / "data.parquet", partitioning=None)
    assert tokens.column("uncached_input_tokens").to_pylist() == [2**53 + 1]
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    assert manifest["organization_id"] == "org_invented"
    assert manifest["partitions"]["daily_cost/month=2026-01"]["rows"] == 4
    before = files(folder)
    refused = exported(db, folder, "--as-of", "2026-01-01", code=2)
    assert "nothing was archived as of 2026-01-01" in refused
    assert files(folder) == before


@pytest.mark.parametrize("view", VIEWS)
def test_months_outside_the_bounds_are_not_written(whole: Path, tmp_path: Path, view: str) -> None:
    months = {month for (month,) in select(whole, f"SELECT DISTINCT substr(date, 1, 7) FROM {view}")}  # noqa: S608  # ours
    first = min(map(str, months))
    for arguments, expected in (
        (("--until", f"{first}-05"), {first}),
        (("--since", f"{first}-05"), months),
        (("--since", "2030-01-01"), set()),
        (("--until", f"{first}-01"), set()),
    ):
        folder = tmp_path / f"set {arguments}"
        exported(whole, folder, *arguments, code=0 if expected else 3)
        written = {path.parent.name.removeprefix("month=") for path in (folder / view).rglob("data.parquet")}
        assert written == expected, arguments


def test_a_folder_that_is_not_ours_is_left_alone(whole: Path, tmp_path: Path) -> None:
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "a.txt").write_text("mine", encoding="utf-8")
    assert "no export wrote it" in exported(whole, tmp_path / "letters", code=2)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "manifest.json").write_text("{", encoding="utf-8")
    assert "is not a manifest" in exported(whole, tmp_path / "broken", code=2)
    (tmp_path / "other").mkdir()
    other = {"format": 1, "organization_id": "org_other", "partitions": {}}
    (tmp_path / "other" / "manifest.json").write_text(json.dumps(other), encoding="utf-8")
    assert "is of another organization" in exported(whole, tmp_path / "other", code=2)
    (tmp_path / "file").write_text("x", encoding="utf-8")
    assert archiver("export", "parquet", str(tmp_path / "file"), "--db", str(whole)).returncode == 2


def test_killed_at_any_time_every_file_is_whole(whole: Path, tmp_path: Path) -> None:
    folder = tmp_path / "set"
    command = [sys.executable, "-m", "archiver", "export", "parquet", str(folder), "--db", str(whole)]
    for i in range(int(os.environ.get("ARCHIVER_EXPORT_KILLS", "6"))):
        child = subprocess.Popen(command, env=environment(), stderr=subprocess.DEVNULL)
        if i % 2:
            time.sleep(0.5 + 0.12 * i)
        else:  # while a file is half written, whatever the speed of the machine
            while child.poll() is None and not list(folder.rglob("new.*")):
                time.sleep(0.001)
        child.send_signal(signal.SIGKILL)
        child.wait()
        for path in folder.rglob("data.parquet"):
            pq.read_table(path, partitioning=None)
    exported(whole, folder)
    assert files(folder).keys() == {*fresh(whole, tmp_path / "fresh")}
    assert not [path for path in folder.rglob(".*") if path.is_file()]


def fresh(db: Path, folder: Path) -> dict[str, bytes]:
    exported(db, folder)
    return files(folder)


def test_a_query_is_written_as_parquet(whole: Path, tmp_path: Path) -> None:
    target = tmp_path / "result.parquet"
    sql = "SELECT date, model, amount, amount_microcents, amount_usd, NULL AS never, x'00ff' AS bytes FROM daily_cost"
    done = archiver("query", sql, "--parquet", str(target), "--db", str(whole))
    assert done.returncode == 0, done.stderr
    table = pq.read_table(target)
    assert [str(one.type) for one in table.schema] == [
        "string",
        "string",
        "string",
        "int64",
        "double",
        "string",
        "binary",
    ]
    assert sorted(map(repr, (tuple(row.values()) for row in table.to_pylist()))) == sorted(
        map(repr, select(whole, sql))
    )
    empty = archiver("query", "SELECT 1 AS a WHERE 0", "--parquet", str(target), "--db", str(whole))
    assert (empty.returncode, pq.read_table(target).num_rows) == (0, 0)
    twice = archiver("query", "SELECT 1 AS a, 2 AS a", "--parquet", str(target), "--db", str(whole))
    assert (twice.returncode, "two columns are named 'a'" in twice.stderr) == (2, True)
    both = archiver("query", "SELECT 1", "--parquet", str(target), "--csv", "--db", str(whole))
    assert both.returncode == 2
