"""Run the program, and log each window at the moment it is reported as archived.

Run it as `logged_sync.py FILE WISHES ARGUMENT...`. The wishes are a JSON object: `pragmas` are set on the writing
connection, and after `die_after` windows the process ends at once, without closing anything.
"""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

import aiosqlite

from archiver.cli import main
from archiver.crawl.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Sequence

    from archiver.model import RowCounts, Window


def log_windows(file: str, die_after: int | None) -> None:
    """Make the progress of the run write each archived window to a file."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    written = 0

    def done(self: Progress, window: Window, rows: RowCounts) -> None:  # noqa: ARG001  # the signature it replaces
        nonlocal written
        series = window.series
        line = [series.report, series.bucket_width, series.group_by_text, window.start, window.end]
        os.write(descriptor, json.dumps(line).encode() + b"\n")
        written += 1
        if written == die_after:
            os._exit(9)

    Progress.done = done  # type: ignore[method-assign]


def set_pragmas(pragmas: Sequence[str]) -> None:
    """Make the writing connection set more pragmas after its own."""
    original: Any = aiosqlite.Connection.execute

    async def execute(self: aiosqlite.Connection, sql: str, *values: Any) -> Any:
        cursor = await original(self, sql, *values)
        if sql.startswith("PRAGMA synchronous"):
            for pragma in pragmas:
                await original(self, f"PRAGMA {pragma}")
        return cursor

    aiosqlite.Connection.execute = execute  # type: ignore[method-assign,assignment]


if __name__ == "__main__":
    wishes = json.loads(sys.argv[2])
    log_windows(sys.argv[1], wishes.get("die_after"))
    if wishes.get("pragmas"):
        set_pragmas(wishes["pragmas"])
    sys.argv = ["archiver", *sys.argv[3:]]
    main()
