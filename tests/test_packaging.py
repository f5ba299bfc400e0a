"""The built wheel, installed elsewhere, runs."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from archiver import __version__
from archiver.store.migrate import shipped_migrations
from tests.support import environment

TOP = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir"]
    subprocess.run([*build, str(folder), str(TOP)], check=True, capture_output=True)
    (built,) = folder.glob("claude_usage_archiver-*.whl")
    return built


def test_the_wheel_carries_migrations_statements_and_types(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    for migration in shipped_migrations():
        assert f"archiver/migrations/{migration.name}" in names
    assert "archiver/store/queries.sql" in names
    assert "archiver/py.typed" in names
    assert {"archiver/web/templates/dashboard.html", "archiver/web/static/archiver.css"} <= set(names)
    assert not [name for name in names if name.startswith("tests")]


def test_the_installed_wheel_archives_and_answers(wheel: Path, tmp_path: Path) -> None:
    """The locked libraries come from this environment; the program comes from the wheel alone."""
    target = tmp_path / "installed"
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(target), str(wheel)]
    subprocess.run(install, check=True, capture_output=True)
    variables = environment(PYTHONPATH=str(target))
    where = "import archiver; print(archiver.__file__, archiver.__version__)"
    found = subprocess.run(
        [sys.executable, "-c", where], cwd=tmp_path, env=variables, capture_output=True, text=True, check=True
    )
    assert found.stdout.split() == [str(target / "archiver" / "__init__.py"), __version__]
    demo = [sys.executable, "-m", "archiver", "demo", "--quiet"]
    subprocess.run(demo, cwd=tmp_path, env=variables, capture_output=True, check=True)
    query = [
        sys.executable,
        "-m",
        "archiver",
        "query",
        "--csv",
        "--db",
        "archiver-demo.db",
        "SELECT count(*) > 0 FROM cost",
    ]
    done = subprocess.run(query, cwd=tmp_path, env=variables, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[1] == "1"
