"""The built wheel, installed elsewhere, runs."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from archiver import __version__
from archiver.store.migrate import shipped_migrations
from scripts.hatch_build import RUNTIME, SHA256
from tests.support import environment

TOP = Path(__file__).parents[1]


def build_wheel(source: Path, folder: Path) -> Path:
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir"]
    subprocess.run([*build, str(folder), str(source)], check=True, capture_output=True)
    (built,) = folder.glob("claude_usage_archiver-*.whl")
    return built


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(TOP, tmp_path_factory.mktemp("wheel"))


def test_the_wheel_carries_migrations_statements_and_types(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    for migration in shipped_migrations():
        assert f"archiver/migrations/{migration.name}" in names
    assert "archiver/store/queries.sql" in names
    assert "archiver/py.typed" in names
    assert {"archiver/web/templates/base.html", "archiver/web/static/archiver.css"} <= set(names)
    assert not [name for name in names if name.startswith("tests")]


def test_the_wheel_carries_the_pages_with_the_tested_chart_runtime_and_its_licences(wheel: Path) -> None:
    built = zipfile.ZipFile(wheel)
    assert hashlib.sha256(built.read(RUNTIME)).hexdigest() == SHA256
    templates = [f"templates/{one.name}" for one in (TOP / "archiver/offline/page/templates").iterdir()]
    assert "templates/page.html" in templates
    for name in (*templates, "page.css", "page.js", "vega-licenses.txt"):
        shipped = built.read(f"archiver/offline/page/{name}")
        assert shipped == (TOP / "archiver" / "offline" / "page" / name).read_bytes()
    assert b"University of Washington" in built.read("archiver/offline/page/vega-licenses.txt")


def test_the_source_archive_builds_the_same_wheel(wheel: Path, tmp_path: Path) -> None:
    """It does not hold the chart runtime: the build makes that."""
    make = "from hatchling.build import build_sdist; build_sdist(__import__('sys').argv[1])"
    subprocess.run([sys.executable, "-c", make, str(tmp_path)], cwd=TOP, check=True, capture_output=True)
    (made,) = tmp_path.glob("claude_usage_archiver-*.tar.gz")
    with tarfile.open(made) as archive:
        archive.extractall(tmp_path / "source", filter="data")
    (source,) = (tmp_path / "source").iterdir()
    assert not (source / RUNTIME).exists()
    again = zipfile.ZipFile(build_wheel(source, tmp_path))
    first = zipfile.ZipFile(wheel)
    assert {name: again.read(name) for name in again.namelist()} == {
        name: first.read(name) for name in first.namelist()
    }


def test_the_installed_wheel_archives_and_queries(wheel: Path, tmp_path: Path) -> None:
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


def pins(name: str) -> dict[str, str]:
    text = (TOP / "requirements" / name).read_text("utf-8")
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", text, re.MULTILINE))


@pytest.mark.parametrize("name", ["runtime.txt", "build.txt"])
def test_every_lock_is_a_part_of_the_one_that_is_tested(name: str) -> None:
    assert pins(name).items() <= pins("dev.txt").items()


def test_the_demo_installs_what_runs_and_nothing_that_tests() -> None:
    assert not pins("runtime.txt").keys() & {"pytest", "mypy", "ruff", "playwright", "vl-convert-python"}
    assert 'setup" runtime' in (TOP / "scripts" / "demo").read_text("utf-8")


def test_the_containerfile_is_sound() -> None:
    """No builder is needed: a linter reads it, and what matters is looked for."""
    file = Path(__file__).parents[1] / "Containerfile"
    done = subprocess.run(
        [Path(sys.executable).with_name("hadolint"), file], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")
    last = file.read_text("utf-8").rpartition("\nFROM ")[2]
    user = re.findall(r"^USER (\S+)$", last, re.MULTILINE)[-1]
    assert user.partition(":")[0] not in {"0", "root"}
    assert re.search(r"^VOLUME /archive$", last, re.MULTILINE)
    assert re.search(r'^HEALTHCHECK .* CMD \["archiver", "status"', last, re.MULTILINE)
    assert "--require-hashes" in last
