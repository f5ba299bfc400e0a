"""The simulator shares no code with the archiver, which tests compare with it."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import archiver.simulator

PACKAGE = Path(archiver.simulator.__file__).parent


def test_it_imports_nothing_of_the_archiver_but_itself() -> None:
    allowed = {*sys.stdlib_module_names, "aiohttp", "msgspec"}
    for path in PACKAGE.glob("*.py"):
        for name in _imported(path):
            assert name.partition(".")[0] in allowed or name.startswith("archiver.simulator"), (path, name)


def _imported(path: Path) -> set[str]:
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return plain | {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
