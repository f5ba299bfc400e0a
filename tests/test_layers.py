"""Layers: which packages may import which others and which libraries, and limits on the source.

No file contains a path of the machine on which it was written, or the name of a package index.
"""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

TOP = Path(__file__).parents[1]
RECORDED = TOP / "tests/acceptance/test_recorded_answers.py"
SOURCES = sorted((TOP / "archiver").rglob("*.py"))

LEVELS = {
    "archiver": 11,
    "archiver.__main__": 11,
    "archiver.cli": 10,
    "archiver.mcp": 9,
    "archiver.web": 8,
    "archiver.crawl": 8,
    "archiver.offline": 6,
    "archiver.api": 5,
    "archiver.store": 5,
    "archiver.simulator": 5,
    "archiver.plan": 4,
    "archiver.reports": 3,
    "archiver.answer": 2,
    "archiver.model": 1,
    "archiver.clock": 0,
    "archiver.errors": 0,
}
"""The level of each package: imports point to lower levels. `archiver` itself has the version, for all to import."""

ONLY_IN = {
    "click": {"archiver.cli"},
    "rich": {"archiver.cli"},
    "aiohttp": {"archiver.api", "archiver.simulator"},
    "yarl": {"archiver.api", "archiver.simulator"},
    "aiosqlite": {"archiver.store"},
    "datasette": {"archiver.web"},
    "jinja2": {"archiver.offline", "archiver.web"},
    "uvicorn": {"archiver.web"},
    "sqlite3": {"archiver.store", "archiver.cli", "archiver.web"},
    "xlsxwriter": {"archiver.offline"},
}

NEVER_IMPORTED = [
    ("archiver.api", "archiver.store"),
    ("archiver.store", "archiver.api"),
    ("archiver.offline", "archiver.api"),
    ("archiver.web", "archiver.api"),
    ("archiver.web", "archiver.crawl"),
]


def module_of(path: Path) -> str:
    parts = path.relative_to(TOP).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def package_of(module: str) -> str:
    parts = module.split(".")
    return next(".".join(parts[:n]) for n in (2, 1) if ".".join(parts[:n]) in LEVELS)


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
    return found


@pytest.mark.parametrize("path", SOURCES, ids=module_of)
def test_imports_point_down(path: Path) -> None:
    own = package_of(module_of(path))
    for name in imports(path):
        if not name.startswith("archiver.") or name == "archiver.__version__":
            continue
        package = package_of(name)
        allowed = package in {own, "archiver"} or LEVELS[package] < LEVELS[own]
        assert allowed, f"{module_of(path)} imports {name}"
        assert (own, package) not in NEVER_IMPORTED, f"{module_of(path)} imports {name}"


def test_no_import_cycles() -> None:
    """Neither directly nor through other files, and not for types alone either."""
    known = {module_of(path) for path in SOURCES}
    needs = {module_of(path): imports(path) & known - {module_of(path), "archiver"} for path in SOURCES}
    while free := {module for module, needed in needs.items() if not needed}:
        needs = {module: needed - free for module, needed in needs.items() if module not in free}
    assert not needs


@pytest.mark.parametrize("path", SOURCES, ids=module_of)
def test_libraries_are_imported_in_their_packages_alone(path: Path) -> None:
    for name in imports(path):
        packages = ONLY_IN.get(name.split(".")[0])
        assert packages is None or package_of(module_of(path)) in packages, f"{module_of(path)} imports {name}"


def test_task_groups_are_in_crawl_run_alone() -> None:
    users = [module_of(path) for path in SOURCES if "create_task_group" in path.read_text("utf-8")]
    assert users == ["archiver.crawl.run"]


def test_the_model_needs_the_standard_library_alone() -> None:
    names = {name.split(".")[0] for name in imports(TOP / "archiver/model.py")}
    assert names <= {"__future__", "dataclasses", "datetime", "enum", "typing", "collections", "urllib"}


def test_statements_are_in_sql_files_alone() -> None:
    statement = re.compile(r'"\s*(SELECT|INSERT|UPDATE|DELETE|CREATE|DROP)\s', re.IGNORECASE)
    # `migrate` has the SQL of its ledger, `demo` and `query` print examples to type, and `as_of` replaces the first
    # words of a view's definition.
    allowed = {"archiver.store.migrate", "archiver.cli.demo", "archiver.cli.query", "archiver.store.read.as_of"}
    found = {module_of(path) for path in SOURCES if statement.search(path.read_text("utf-8"))}
    assert found <= allowed


@pytest.mark.parametrize("path", SOURCES, ids=module_of)
def test_files_and_functions_are_short(path: Path) -> None:
    text = path.read_text("utf-8")
    assert text.count("\n") <= 330
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or 0) - node.lineno + 1
            assert length <= 45, f"{node.name} has {length} lines"


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files"], cwd=TOP, capture_output=True, text=True, check=False)
    return [TOP / name for name in listed.stdout.splitlines() if (TOP / name).is_file()]


def test_no_file_contains_a_path_of_this_machine_or_a_package_index() -> None:
    strange = re.compile(r"(?:^|[^\w.-])/(?:work|root|home)/\w|pypi\.org|pythonhosted|registry\.npmjs|\.\./shared")
    for path in tracked():
        if path.suffix in {".png", ".svg", ".gz"} or path == Path(__file__):
            continue
        text = path.read_text("utf-8")
        if path == RECORDED:  # it reads recordings outside of the repository, and is skipped without them
            text = text.replace("../shared", "", 1)
        match = strange.search(text)
        assert match is None, f"{path.relative_to(TOP)}: {match}"


def test_no_requirement_names_a_host() -> None:
    for path in (TOP / "requirements").glob("*.txt"):
        text = path.read_text("utf-8")
        assert "://" not in text
        assert "--hash=sha256:" in text
