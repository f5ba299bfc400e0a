"""The examples of engines have the numbers of the report, to the last digit.

DuckDB is among the requirements of the tests. Spark and Polars are large: name a Python that has them in
`SPARK_PYTHON` and `POLARS_PYTHON`.
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from archiver.plan.scope import Scope
from archiver.simulator import Settings, background
from tests.support import NOW, archiver, select, sync

EXAMPLES = Path(__file__).parents[2] / "examples"
PYTHONS = {
    "duckdb": sys.executable,
    "polars": os.environ.get("POLARS_PYTHON"),
    "spark": os.environ.get("SPARK_PYTHON"),
}
PATIENCE = 300.0


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Export some months of an invented organisation, next to its archive."""
    folder = tmp_path_factory.mktemp("engines")
    with background(Settings(first_day=date(2025, 11, 1), now=NOW, size=0.2)) as api:
        sync(api, folder / "archive.db", Scope())
    usage = select(folder / "archive.db", "SELECT DISTINCT series_id FROM usage")[0][0]
    for arguments in ((), ("--series", str(usage))):
        done = archiver("export", "parquet", str(folder / "set"), *arguments, "--db", str(folder / "archive.db"))
        assert done.returncode == 0, done.stderr
    (folder / "set" / f"usage_series_{usage}").rename(folder / "series")
    return folder


def run_example(name: str, engine: str, folder: Path) -> list[dict[str, str]]:
    """Return the rows that an example prints."""
    python = PYTHONS[engine]
    if python is None:
        pytest.skip(f"name a Python with {engine} in {engine.upper()}_PYTHON")
    program = EXAMPLES / f"{name}_{engine}.py"
    done = subprocess.run(
        [python, str(program), str(folder)], capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 0, done.stderr
    return list(csv.DictReader(done.stdout.splitlines()))


@pytest.mark.parametrize("engine", PYTHONS)
def test_tokens_by_month_and_workspace(dataset: Path, engine: str) -> None:
    found = run_example("tokens_by_month", engine, dataset / "series")
    report = archiver(
        "report", "tokens", "--by", "month", "--by", "workspace", "--csv", "--db", str(dataset / "archive.db")
    )
    expected = list(csv.DictReader(report.stdout.splitlines()))
    names = {"workspace"}
    assert sorted(map(str, found)) == sorted(
        str({name: value for name, value in row.items() if name not in names}) for row in expected
    )
    assert len(found) == 20


@pytest.mark.parametrize("engine", PYTHONS)
def test_spend_by_month_and_workspace(dataset: Path, engine: str) -> None:
    rows = run_example("spend_by_month", engine, dataset / "set")
    report = archiver("report", "spend", "--json", "--db", str(dataset / "archive.db"))
    expected = {
        (row["month"], row["workspace_id"] or "", row["workspace"]): Decimal(row["amount_usd"])
        for row in json.loads(report.stdout)
    }
    found = {(row["month"], row["workspace_id"], row["workspace"]): Decimal(row["amount_usd"]) for row in rows}
    assert found == expected
    assert len(found) == 20
