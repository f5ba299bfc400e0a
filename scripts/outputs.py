"""Write the outputs of commands into README.md and docs/start.md.

Each `text` block of a page is replaced by what the commands of the `sh` block before it print.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tempfile
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from archiver.simulator import Settings, background

if TYPE_CHECKING:
    from collections.abc import Callable

    from archiver.simulator import Simulator

TOP = Path(__file__).parents[1]
PAGES = (TOP / "README.md", TOP / "docs" / "start.md")
INVENTED = Settings(first_day=date(2025, 10, 1), now=datetime(2026, 1, 15, tzinfo=UTC))

_BLOCK = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)
_VOLATILE = (
    (r"(?m)^last run .*$", "last run      2026-01-15T00:00:12Z to 2026-01-15T00:00:20Z: ok"),
    (r"the local clock (says|shows) [^,]+", r"the local clock \1 2026-11-25T17:30:10Z"),
    (r"\(\d+ days ago\)", "(314 days ago)"),
    (r"\b[0-9.]+ MiB, schema (\d+), SQLite [0-9.]+", r"2.0 MiB, schema \1, SQLite 3.40.1"),
)
"""Patterns of output that differs between runs or machines, and their fixed replacements."""


def refresh(page: str, run: Callable[[str], str]) -> str:
    """Return the page with new outputs; `run` runs one command line and returns what it printed."""
    printed = ""

    def replace(block: re.Match[str]) -> str:
        nonlocal printed
        language, text = block.groups()
        if language == "sh":
            printed = "".join(run(line) for line in text.splitlines() if line.startswith("archiver "))
        return f"```text\n{printed}```" if language == "text" else block.group()

    return _BLOCK.sub(replace, page)


def environment(api: Simulator) -> dict[str, str]:
    """Return the environment of a reader who has set key, API address and archive."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ARCHIVER_", "ANTHROPIC_"))}
    return kept | {
        "ANTHROPIC_ADMIN_API_KEY": api.key,
        "ARCHIVER_API_URL": api.url,
        "ARCHIVER_DB": "usage.db",
        "ARCHIVER_RATE": "none",
    }


def run_in(folder: Path, variables: dict[str, str]) -> Callable[[str], str]:
    """Return a function that runs a command line in a folder.

    It returns the output with its varying parts replaced.

    Raises:
        AssertionError: The command failed.
    """

    def run(line: str) -> str:
        words = shlex.split(line, comments=True)[1:]
        # Neither of them ends by itself. The caller runs a simulator already.
        if words[0] in {"simulate", "serve"}:
            return ""
        command = [sys.executable, "-m", "archiver", *words]
        done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False)  # noqa: S603  # the program itself
        assert done.returncode == 0, f"{line}: {done.stderr}"
        printed = done.stdout + done.stderr
        for pattern, fixed in _VOLATILE:
            printed = re.sub(pattern, fixed, printed)
        return printed

    return run


def refreshed(path: Path, folder: Path, api: Simulator) -> str:
    """Return a page with new outputs; its commands run in `folder`."""
    page = path.read_text("utf-8")
    run = run_in(folder, environment(api))
    if path.name != "README.md":
        return refresh(page, run)
    # The README shows the real API, with which there is no warning about the simulator's frozen clock.
    return refresh(page, lambda line: re.sub(r"(?m)^warning: the local clock .*\n", "", run(line)))


def main() -> None:
    """Write all pages with new outputs."""
    for path in PAGES:
        with background(INVENTED) as api, tempfile.TemporaryDirectory() as folder:
            path.write_text(refreshed(path, Path(folder), api), "utf-8")
        print(f"wrote {path.relative_to(TOP)}")


if __name__ == "__main__":
    main()
