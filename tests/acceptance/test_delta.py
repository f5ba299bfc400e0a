"""`export delta`: tables of exact rows, a transaction for each month that changed, and whole at any time."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from datetime import date
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest
from deltalake import DeltaTable, write_deltalake
from pyarrow import fs

from archiver.errors import ConfigurationError, StorageError
from archiver.model import Report
from archiver.offline.export import stores
from archiver.offline.export.dataset import export_dataset
from archiver.offline.export.formats import DeltaTables, ParquetFiles
from archiver.offline.export.stores import store_of
from archiver.offline.export.tables import views_of
from archiver.plan.scope import Scope
from archiver.simulator import Settings, background
from archiver.store.read.reader import open_archive_reader
from tests.handmade import Handmade, cost_row
from tests.support import NOW, archiver, environment, select, sync

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

VIEWS = ("daily_cost", "daily_tokens", "daily_cost_by_key", "daily_cost_by_person", "claude_code")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Archive three months of all reports of an invented organisation."""
    db = tmp_path_factory.mktemp("delta") / "archive.db"
    reports = (Report.USAGE, Report.COST, Report.ANALYTICS_COST, Report.CLAUDE_CODE)
    with background(Settings(first_day=date(2026, 1, 1), now=NOW, size=0.1)) as api:
        sync(api, db, Scope(reports))
    return db


def exported(db: Path, folder: Path | str, *arguments: str, kind: str = "delta", code: int = 0) -> str:
    done = archiver("export", kind, str(folder), "--db", str(db), *arguments)
    assert done.returncode == code, done.stderr
    return done.stderr


def rows(table: Any) -> list[str]:
    """Return the rows of a table in one order."""
    return sorted(map(repr, table.to_pylist()))


def read(folder: Path, view: str, version: int | None = None) -> Any:
    return DeltaTable(str(folder / view), version=version).to_pyarrow_table()


@pytest.mark.parametrize("view", VIEWS)
def test_a_table_has_the_rows_and_types_of_the_parquet_files(whole: Path, tmp_path: Path, view: str) -> None:
    exported(whole, tmp_path / "tables")
    exported(whole, tmp_path / "files", kind="parquet")
    files = sorted((tmp_path / "files" / view).rglob("*.parquet"))
    expected = [row for file in files for row in pq.read_table(file, partitioning=None).to_pylist()]
    found = read(tmp_path / "tables", view)
    mine = found.to_pylist()
    months = {row.pop("month") for row in mine}
    assert sorted(map(repr, mine)) == sorted(map(repr, expected))
    assert len(mine) == select(whole, f"SELECT count(*) FROM {view}")[0][0] > 0  # noqa: S608  # a name of ours
    assert months == {file.parent.name.removeprefix("month=") for file in files}
    types = {one.name: str(one.type) for one in found.drop_columns("month").schema}
    assert types == {one.name: str(one.type) for one in pq.read_schema(files[0])}


def test_a_restatement_is_a_new_version_and_the_old_one_stays(whole: Path, tmp_path: Path) -> None:
    db, folder = tmp_path / "archive.db", tmp_path / "tables"
    shutil.copy(whole, db)
    exported(db, folder)
    before, first = read(folder, "daily_cost"), DeltaTable(str(folder / "daily_cost")).version()
    assert " 0 months written" in exported(db, folder)
    assert DeltaTable(str(folder / "daily_cost")).version() == first
    Handmade(db).cost(
        {"2026-01-03": [cost_row("123", workspace_id="w", model="m", description="m")]}, read_at="2026-06-01T00:00:00"
    )
    assert " 1 month written" in exported(db, folder)
    table = DeltaTable(str(folder / "daily_cost"))
    assert table.version() == first + 1
    about = table.history(1)[0]
    assert about["archiver.month"] == "2026-01"
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    assert about["archiver.digest"] == manifest["partitions"]["daily_cost/month=2026-01"]["digest"]
    assert rows(read(folder, "daily_cost", first)) == rows(before)
    now = [row for row in read(folder, "daily_cost").to_pylist() if f"{row['date']}" == "2026-01-03"]
    assert [(row["workspace_id"], f"{row['amount_cents']:.0f}") for row in now] == [("w", "123")]
    others = [row for row in before.to_pylist() if row["month"] != "2026-01"]
    kept = [row for row in read(folder, "daily_cost").to_pylist() if row["month"] != "2026-01"]
    assert sorted(map(repr, others)) == sorted(map(repr, kept))
    # As of before the second reading there was the first one again.
    assert " 1 month written" in exported(db, folder, "--as-of", "2026-05-31")
    assert rows(read(folder, "daily_cost")) == rows(before)
    assert "nothing was archived" in exported(db, folder, "--as-of", "2025-01-01", code=2)


def test_two_at_once_leave_every_month_once(whole: Path, tmp_path: Path) -> None:
    assert "percent sign" in exported(whole, tmp_path / "50%41", code=2)
    folder = tmp_path / "a b'=\u00fc"
    command = [sys.executable, "-m", "archiver", "export", "delta", str(folder), "--db", str(whole)]
    both = [subprocess.Popen(command, env=environment(), stderr=subprocess.DEVNULL) for _ in range(2)]
    assert {child.wait() for child in both} <= {0, 7}
    exported(whole, tmp_path / "alone")
    for view in VIEWS:
        table = DeltaTable((folder / view).as_uri()).to_pyarrow_table()
        whole_months = _by_month(read(tmp_path / "alone", view))
        assert _by_month(table).items() <= whole_months.items()
    exported(whole, folder)
    for view in VIEWS:
        ((number,),) = select(whole, f"SELECT count(*) FROM {view}")  # noqa: S608  # a name of ours
        assert DeltaTable((folder / view).as_uri()).to_pyarrow_table().num_rows == number


def test_a_table_of_other_rows_than_the_manifest_says_is_repaired(whole: Path, tmp_path: Path) -> None:
    folder = tmp_path / "tables"
    exported(whole, folder, "--report", "cost")
    before = read(folder, "daily_cost")
    write_deltalake(str(folder / "daily_cost"), before.slice(0, 7), mode="append")
    assert read(folder, "daily_cost").num_rows == before.num_rows + 7
    assert " 0 months written" not in exported(whole, folder, "--report", "cost")
    assert rows(read(folder, "daily_cost")) == rows(before)


def test_killed_at_any_time_every_month_is_whole(whole: Path, tmp_path: Path) -> None:
    folder = tmp_path / "tables"
    exported(whole, tmp_path / "complete")
    complete = {
        (view, month): number
        for view in VIEWS
        for month, number in _by_month(read(tmp_path / "complete", view)).items()
    }
    command = [sys.executable, "-m", "archiver", "export", "delta", str(folder), "--db", str(whole)]
    for i in range(int(os.environ.get("ARCHIVER_EXPORT_KILLS", "4"))):
        child = subprocess.Popen(command, env=environment(), stderr=subprocess.DEVNULL)
        time.sleep(0.5 + 0.12 * i)
        child.send_signal(signal.SIGKILL)
        child.wait()
        for view in VIEWS:
            if DeltaTable.is_deltatable(str(folder / view)):
                for month, number in _by_month(read(folder, view)).items():
                    assert complete[view, month] == number
    exported(whole, folder)
    for view in VIEWS:
        assert rows(read(folder, view)) == rows(read(tmp_path / "complete", view))


def _by_month(table: Any) -> dict[str, int]:
    months = table.column("month").to_pylist()
    return {month: months.count(month) for month in set(months)}


@pytest.mark.parametrize("kind", ["parquet", "delta"])
def test_an_address_of_a_store_is_a_folder_like_any(whole: Path, tmp_path: Path, kind: str) -> None:
    address = f"file://{tmp_path}/store"
    assert " 0 unchanged" in exported(whole, address, kind=kind)
    again = exported(whole, address, kind=kind)
    assert " 0 months written" in again
    exported(whole, tmp_path / "plain", kind=kind)
    manifests = [json.loads((tmp_path / one / "manifest.json").read_text("utf-8")) for one in ("store", "plain")]
    assert manifests[0] == manifests[1]


class Bucket:
    """An object store that lists objects alone, as Google's does, and makes no folders."""

    type_name = "gcs"

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    def get_file_info(self, selector: Any) -> list[fs.FileInfo]:
        assert selector.recursive
        mine = [name for name in self.objects if name.startswith(f"{selector.base_dir}/")]
        return [fs.FileInfo(name, fs.FileType.File) for name in mine]

    def open_input_stream(self, path: str) -> Any:
        if path not in self.objects:
            raise FileNotFoundError(path)
        return io.BytesIO(self.objects[path])

    @contextmanager
    def open_output_stream(self, path: str) -> Iterator[io.BytesIO]:
        with io.BytesIO() as file:
            yield file
            self.objects[path] = file.getvalue()


def test_a_store_that_lists_no_folders_is_found_again(whole: Path) -> None:
    store = stores._ObjectStore(Bucket(), "bucket/folder", "gs://bucket/folder")
    tables = views_of([Report.COST])
    with open_archive_reader(whole) as reader:
        first = export_dataset(reader, store, ParquetFiles(store), tables, None, None)
        second = export_dataset(reader, store, ParquetFiles(store), tables, None, None)
    assert (first.written > 0, first.unchanged) == (True, 0)
    assert (second.written, second.unchanged) == (0, first.written)
    assert store.names() == ["daily_cost", "manifest.json"]


def test_a_bucket_that_is_not_there_is_an_error_of_the_store(whole: Path) -> None:
    class Nowhere(Bucket):
        def get_file_info(self, selector: Any) -> list[fs.FileInfo]:  # noqa: ARG002  # as the one above
            return []

        def open_output_stream(self, path: str) -> Any:
            raise FileNotFoundError(2, f"no bucket of {path}")

    store = stores._ObjectStore(Nowhere(), "bucket/folder", "gs://bucket/folder")
    with open_archive_reader(whole) as reader, pytest.raises(StorageError, match="cannot use gs://bucket/folder"):
        export_dataset(reader, store, ParquetFiles(store), views_of([Report.COST]), None, None)


@pytest.mark.parametrize("address", ["nowhere://bucket/folder", "s3:///", "s3://", "gs://", "az://container/folder"])
def test_an_address_that_cannot_be_is_a_clear_error(whole: Path, address: str) -> None:
    done = exported(whole, address, code=2)
    assert done.startswith("error: ")
    assert "hint: " in done


def test_a_folder_has_one_format(whole: Path, tmp_path: Path) -> None:
    exported(whole, tmp_path / "set", "--report", "cost")
    assert "is of a delta dataset" in exported(whole, tmp_path / "set", kind="parquet", code=2)


def test_a_manifest_that_is_lost_costs_a_new_version_and_nothing_else(whole: Path, tmp_path: Path) -> None:
    folder = tmp_path / "tables"
    exported(whole, folder, "--report", "cost")
    before = read(folder, "daily_cost")
    (folder / "manifest.json").unlink()
    assert " 0 unchanged" in exported(whole, folder, "--report", "cost")
    assert rows(read(folder, "daily_cost")) == rows(before)


def test_without_the_library_the_error_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "deltalake", None)
    with pytest.raises(ConfigurationError) as raised:
        DeltaTables(store_of(str(tmp_path), tmp_path / "archive.db")).months("daily_cost")
    assert "[delta]" in f"{raised.value.hint}"
