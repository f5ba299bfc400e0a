"""`export parquet|delta --series`: the buckets of one series, as the archive's views have them, by other engines."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest
from deltalake import DeltaTable

from archiver.model import BucketWidth, NameKind, Report
from archiver.plan.scope import Scope
from archiver.simulator import Settings, background
from tests.handmade import Handmade, cost_row, days, usage_row
from tests.support import NOW, archiver, select, sync

if TYPE_CHECKING:
    from pathlib import Path

RAW_VIEWS = ("usage", "cost", "analytics_usage", "analytics_cost")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Archive the hours and days of an invented organisation."""
    db = tmp_path_factory.mktemp("series") / "archive.db"
    with background(Settings(first_day=date(2026, 1, 1), now=NOW, size=0.1)) as api:
        sync(api, db, Scope((Report.USAGE,), (BucketWidth.HOUR,)))
        sync(api, db, Scope((Report.USAGE, Report.COST, Report.ANALYTICS_COST, Report.ANALYTICS_USAGE)))
    return db


def exported(db: Path, folder: Path, *arguments: str, kind: str = "parquet", code: int = 0) -> str:
    done = archiver("export", kind, str(folder), "--db", str(db), *arguments)
    assert done.returncode == code, done.stderr
    return done.stderr


def series_of(db: Path) -> dict[int, str]:
    return {number: f"{view}_series_{number}" for view in RAW_VIEWS for (number,) in select(db, _IDS.format(view))}


_IDS = "SELECT DISTINCT series_id FROM {}"


def in_program(row: dict[str, Any]) -> tuple[Any, ...]:
    """Return the values of an exported row that a view has too, as the view writes them."""
    found = {name: value for name, value in row.items() if not name.endswith("_name") and name not in _ADDED}
    for name in ("bucket_start", "bucket_end"):
        found[name] = f"{found[name].astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    return tuple(sorted((name.removesuffix("_cents"), _plain(value)) for name, value in found.items()))


_ADDED = frozenset({"workspace", "api_key", "email", "amount_usd", "list_amount_usd", "month"})


def _plain(value: Any) -> str:
    return str(value.normalize() if isinstance(value, Decimal) else value)


def in_view(view: str, row: dict[str, Any]) -> tuple[Any, ...]:
    """Return a row of a view with amounts as numbers."""
    amounts = {"amount", "list_amount"}
    values = {n: Decimal(v) if n in amounts and v is not None else v for n, v in row.items()}
    skipped = {"series_id", "bucket_width", "group_by", "amount_microcents", "amount_usd", "list_amount_usd"}
    assert view in RAW_VIEWS
    return tuple(sorted((name, _plain(value)) for name, value in values.items() if name not in skipped))


def of_view(db: Path, view: str, number: int) -> list[tuple[Any, ...]]:
    columns = [name for (name,) in select(db, "SELECT name FROM pragma_table_info(?)", view)]
    rows = select(db, f"SELECT * FROM {view} WHERE series_id = ?", number)  # noqa: S608  # a name of ours
    return sorted(in_view(view, dict(zip(columns, row, strict=True))) for row in rows)


def read(folder: Path, table: str, kind: str = "parquet") -> list[dict[str, Any]]:
    if kind == "delta":
        rows: list[dict[str, Any]] = DeltaTable(str(folder / table)).to_pyarrow_table().to_pylist()
        return rows
    files = sorted((folder / table).rglob("*.parquet"))
    return [row for file in files for row in pq.read_table(file, partitioning=None).to_pylist()]


@pytest.mark.parametrize("kind", ["parquet", "delta"])
def test_every_bucket_of_every_series_is_exported_once(whole: Path, tmp_path: Path, kind: str) -> None:
    series = series_of(whole)
    assert len(series) == 5
    assert sorted(name.rpartition("_series")[0] for name in series.values()) == sorted((*RAW_VIEWS, "usage"))
    chosen = [word for number in series for word in ("--series", str(number))]
    exported(whole, tmp_path / "set", *chosen, kind=kind)
    for number, table in series.items():
        rows = read(tmp_path / "set", table, kind)
        expected = of_view(whole, table.rpartition("_series")[0], number)
        assert sorted(map(in_program, rows)) == expected
        assert len(expected) > 100
        for row in rows:
            start = row["bucket_start"].astimezone(UTC)
            assert row.get("month", f"{start:%Y-%m}") == f"{start:%Y-%m}"
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "set").rglob("*.parquet")}
    assert " 0 months written" in exported(whole, tmp_path / "set", *chosen, kind=kind)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "set").rglob("*.parquet")} == before
    # Daily views go into the same folder, and leave the series as they are.
    assert " 0 unchanged" in exported(whole, tmp_path / "set", kind=kind)
    partitions = json.loads((tmp_path / "set" / "manifest.json").read_text("utf-8"))["partitions"]
    assert {name.partition("/")[0] for name in partitions} >= {*series.values(), "daily_cost", "daily_tokens"}


def test_sums_of_hours_are_those_of_the_report(whole: Path, tmp_path: Path) -> None:
    hours = next(n for (n,) in select(whole, "SELECT DISTINCT series_id FROM usage WHERE bucket_width = '1h'"))
    exported(whole, tmp_path / "set", "--series", str(hours))
    sums: dict[tuple[str, str], int] = {}
    for row in read(tmp_path / "set", f"usage_series_{hours}"):
        place = (f"{row['bucket_start'].astimezone(UTC):%Y-%m}", row["workspace"])
        sums[place] = sums.get(place, 0) + row["output_tokens"]
    done = archiver("report", "tokens", "--by", "month", "--by", "workspace", "--json", "--db", str(whole))
    assert sums == {(one["month"], one["workspace"]): one["output_tokens"] for one in json.loads(done.stdout)}


def test_names_times_ranges_and_earlier_times(tmp_path: Path) -> None:
    db, folder = tmp_path / "archive.db", tmp_path / "set"
    handmade = Handmade(db)
    handmade.names(NameKind.WORKSPACE, {"w": "Before"}, read_at="2026-01-01T00:00:00")
    handmade.names(NameKind.API_KEY, {"k": "Key"}, read_at="2026-01-01T00:00:00")
    rows = {day: [cost_row("0.000000000000000001", workspace_id="w")] for day in days("2026-01-30", "2026-02-02")}
    handmade.cost(rows, read_at="2026-06-01T00:00:00")
    hours = {
        "2026-02-01T11:00:00": [usage_row(2**53 + 1, workspace_id="w", api_key_id="k", model="m")],
        "2026-02-01T12:00:00": [usage_row(7, model="m")],
    }
    handmade.usage_by_hour(hours, read_at="2026-06-01T00:00:00")
    handmade.names(NameKind.WORKSPACE, {"w": "After"}, read_at="2026-02-01T12:00:00")
    exported(db, folder, "--series", "1", "--series", "2", "--series", "2")
    money, tokens = read(folder, "cost_series_1"), read(folder, "usage_series_2")
    # An hour has the name of its end, and the hour from 11 to 12 o'clock ended as the new name was seen.
    assert [(row["workspace"], row["api_key"], row["uncached_input_tokens"]) for row in tokens] == [
        ("Before", "Key", 2**53 + 1),
        ("(default workspace)", "(no API key)", 7),
    ]
    assert tokens[0]["bucket_start"] == datetime(2026, 2, 1, 11, tzinfo=UTC)
    assert tokens[0]["bucket_end"] == datetime(2026, 2, 1, 12, tzinfo=UTC)
    assert [row["workspace_name"] for row in money] == ["Before", "Before", "After", "After"]
    assert {row["amount_usd"] for row in money} == {Decimal("1e-20")}
    assert {file.parent.name for file in (folder / "cost_series_1").rglob("*.parquet")} == {
        "month=2026-01",
        "month=2026-02",
    }
    # A month is written whole, although a later day was asked for, and the other is left.
    handmade.cost({"2026-02-01": [cost_row("9", workspace_id="w")]}, read_at="2026-07-01T00:00:00")
    assert ": 2 rows; 1 month written, 0 unchanged\n" in exported(db, folder, "--series", "1", "--since", "2026-02-02")
    assert [row["amount_cents"] for row in read(folder, "cost_series_1")][2] == 9
    # A month that began before the day asked for is not taken for one without rows.
    assert ": 2 rows; 0 months written, 1 unchanged\n" in exported(db, folder, "--series", "1", "--since", "2026-02-20")
    exported(db, tmp_path / "then", "--series", "1", "--as-of", "2026-06-02")
    assert {row["amount_cents"] for row in read(tmp_path / "then", "cost_series_1")} == {Decimal("1e-18")}
    # All rows of a month are taken back: its file goes.
    handmade.cost({day: [] for day in days("2026-01-30", "2026-01-31")}, read_at="2026-08-01T00:00:00")
    assert "1 removed" in exported(db, folder, "--series", "1")
    assert [f"{row['bucket_start']:%m}" for row in read(folder, "cost_series_1")] == ["02", "02"]


def test_earlier_times_are_those_of_the_series(tmp_path: Path) -> None:
    """Hours are no whole day, and another series of the same report was archived before."""
    db, folder = tmp_path / "archive.db", tmp_path / "set"
    Handmade(db).usage({"2026-01-01": [usage_row(5, model="m")]}, read_at="2026-02-01T00:00:00")
    hours = {"2026-01-01T03:00:00": [usage_row(7, model="m")]}
    Handmade(db).usage_by_hour(hours, read_at="2026-03-01T00:00:00")
    exported(db, folder, "--series", "2", "--as-of", "2026-03-02")
    assert [row["uncached_input_tokens"] for row in read(folder, "usage_series_2")] == [7]
    refused = exported(db, folder, "--series", "2", "--as-of", "2026-02-02", code=2)
    assert "nothing was archived as of 2026-02-02" in refused
    assert len(read(folder, "usage_series_2")) == 1


def test_what_is_no_series_is_a_clear_error(whole: Path, tmp_path: Path) -> None:
    db = tmp_path / "archive.db"
    shutil.copy(whole, db)
    refused = exported(db, tmp_path / "set", "--series", "77", code=2)
    assert "there is no series 77" in refused
    assert "1: usage 1h by api_key_id" in refused
    assert not (tmp_path / "set").exists()
    with background(Settings(first_day=date(2026, 1, 1), now=NOW, size=0.1)) as api:
        sync(api, db, Scope((Report.CLAUDE_CODE,)))
    number = select(db, "SELECT max(series_id) FROM _bucket")[0][0]
    assert "use --report claude-code" in exported(db, tmp_path / "set", "--series", str(number), code=2)
