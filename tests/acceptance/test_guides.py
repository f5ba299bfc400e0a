"""The guides of other programs, typed and run as written, where the program is here.

Lines of `sh` run in a shell, and blocks of Python in a Python. Spark and Polars are large: name a Python that has
them in `SPARK_PYTHON` and `POLARS_PYTHON`.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from datetime import UTC, date, datetime
from importlib.util import find_spec
from pathlib import Path

import duckdb
import pytest

from archiver.model import BucketWidth, Report
from archiver.plan.scope import Scope
from archiver.simulator import Settings, background
from tests.support import environment, run_sync, select, sync

TOP = Path(__file__).parents[2]
GUIDES = TOP / "docs" / "guides"
# They need another program or a network, or do not end.
NOT_RUN = re.compile(
    r"^(pip|python3? -m pip|archiver serve|archiver sync|archiver export \w+ (s3|gs|az)://|sudo|podman|kubectl)"
)
# Reports of last month and the like are of days that this archive does not have.
FINE = {0, 3}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with three months of an invented organisation, as a reader of the guides has it."""
    folder = tmp_path_factory.mktemp("guides")
    db = folder / "archive.db"
    # The first time is before the delivery that the guide corrects.
    for now in (datetime(2026, 2, 2, 12, tzinfo=UTC), datetime(2026, 3, 5, 12, tzinfo=UTC)):
        with background(Settings(first_day=date(2025, 12, 1), now=now, size=0.1)) as api:
            for reports in (tuple(Report)[:2], (Report.ANALYTICS_COST, Report.ANALYTICS_USAGE)):
                sync(api, db, Scope(reports))
            sync(api, db, Scope((Report.USAGE,), (BucketWidth.HOUR,)))
            assert run_sync(api, db, "--focus").returncode == 0
    hours = select(db, "SELECT DISTINCT series_id FROM usage WHERE bucket_width = '1h'")[0][0]
    assert hours, "the guides export the series of hours"
    shutil.copytree(TOP / "examples", folder / "examples")
    (folder / "hours").write_text(str(hours), "utf-8")
    return folder


def blocks(guide: str) -> list[tuple[str, str]]:
    """Return the blocks of a guide in order, with their languages."""
    return re.findall(r"```(sh|python|sql|toml)\n(.*?)```", (GUIDES / guide).read_text("utf-8"), re.DOTALL)


def lines(block: str) -> list[str]:
    return [line for line in block.splitlines() if line.strip() and not NOT_RUN.match(line)]


def python_of(line: str) -> str | None:
    """Return the Python that a line or a block needs; None where it is not here."""
    for name, variable in (("spark", "SPARK_PYTHON"), ("polars", "POLARS_PYTHON"), ("pl.", "POLARS_PYTHON")):
        if name in line:
            return os.environ.get(variable)
    return None if "pandas" in line and find_spec("pandas") is None else sys.executable


def run_in_shell(line: str, folder: Path) -> None:
    python = python_of(line) if line.startswith("python examples") else sys.executable
    if python is None:
        return
    typed = re.sub(r"^python ", f"{python} ", line)
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    variables = environment(PATH=path, ARCHIVER_DB=str(folder / "archive.db"), XDG_CONFIG_HOME=str(folder))
    done = subprocess.run(
        ["sh", "-c", typed], cwd=folder, env=variables, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode in FINE, f"{line}: {done.stderr}"
    assert "Traceback" not in done.stderr


def run_in_python(block: str, folder: Path) -> None:
    python = python_of(block)
    if python is None:
        return
    if "spark." in block and "SparkSession" not in block:
        block = f"from pyspark.sql import SparkSession\nspark = SparkSession.builder.getOrCreate()\n{block}"
    variables = {**os.environ, "PYTHONPATH": str(TOP)}
    done = subprocess.run(
        [python, "-c", block], cwd=folder, env=variables, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, f"{block}: {done.stderr}"


def run_in_duckdb(block: str, folder: Path) -> None:
    # The extension for SQLite is installed over the network.
    if "INSTALL" not in block:
        with duckdb.connect() as connection:
            connection.execute(f"SET file_search_path = '{folder}'")
            assert connection.execute(block).fetchall()


@pytest.mark.parametrize("guide", ["chargeback.md", "duckdb.md", "excel.md", "focus.md", "kubernetes.md", "spark.md"])
def test_a_guide_works_as_written(guide: str, folder: Path) -> None:
    series = (folder / "hours").read_text("utf-8")
    found = blocks(guide)
    assert found
    for language, text in found:
        block = text.replace("--series 3", f"--series {series}").replace("series_3", f"series_{series}")
        if language == "sh":
            for line in lines(block):
                run_in_shell(line, folder)
        elif language == "python":
            run_in_python(block, folder)
        elif language == "toml":
            (folder / "archiver").mkdir(exist_ok=True)
            (folder / "archiver" / "teams.toml").write_text(block, "utf-8")
        elif guide == "duckdb.md":
            run_in_duckdb(block, folder)


def test_grafana_reads_the_copy_of_its_guide(folder: Path) -> None:
    """The line of the crontab makes the copy, and each statement has rows in it."""
    guide = (GUIDES / "grafana.md").read_text("utf-8")
    (line,) = re.findall(r"\*  (archiver snapshot .*)", guide)
    run_in_shell(line.replace("/var/lib/grafana/", ""), folder)
    statements = [text for language, text in blocks("grafana.md") if language == "sql"]
    assert len(statements) >= 4
    start, end = (int(datetime(2026, month, 1, tzinfo=UTC).timestamp()) * 1000 for month in (1, 3))
    for statement in statements:
        text = statement.replace("$__from", str(start)).replace("$__to", str(end))
        rows = select(folder / "usage.db", text)
        assert rows, statement
    series = select(folder / "usage.db", statements[0].replace("$__from", str(start)).replace("$__to", str(end)))
    whole = select(
        folder / "archive.db",
        "SELECT sum(amount_microcents) FROM daily_cost WHERE date BETWEEN '2026-01-01' AND '2026-02-28'",
    )
    assert sum(round(float(str(value)) * 1e8) for *_, value in series) == whole[0][0]
