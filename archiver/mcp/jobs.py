"""The functions that the assistant's tools run in child processes."""

from __future__ import annotations

import math
import time
from datetime import date
from itertools import islice
from pathlib import Path
from typing import Any

from archiver.errors import ConfigurationError, TimeLimitError
from archiver.offline.python import Archive
from archiver.offline.status import problems_of, status_to_json
from archiver.offline.tables.write import distinct
from archiver.store.read.reader import open_archive_reader
from archiver.store.read.sandbox import Limits, run_query

QUERY_SECONDS, QUERY_MEBIBYTES = 20.0, 256
MAX_ROWS = 500
_MAX_CHARACTERS = 200_000


def status(path: str) -> dict[str, Any]:
    """Return what `archiver status --json` prints.

    Raises:
        ArchiverError: The archive cannot be read.
    """
    now = time.time()
    with open_archive_reader(Path(path)) as reader:
        found = reader.status()
    return status_to_json(found, problems_of(found, None, now), now)


def report(path: str, name: str, options: dict[str, Any]) -> dict[str, Any]:
    """Return the rows and the notes of a report.

    `options` are those of `Archive.report`.

    Raises:
        ArchiverError: The archive cannot be read, or the report cannot have these options.
    """
    days = {one: _day(options[one]) for one in ("since", "until") if options.get(one)}
    with Archive(Path(path)) as archive:
        result = archive.report(name, **(options | days))
    rows, is_cut = _bounded(result.rows)
    return {"rows": rows, "is_cut": is_cut, "notes": list(result.notes), "is_known": result.is_known}


def query(path: str, statement: str, parameters: dict[str, Any]) -> dict[str, Any]:
    """Return the first rows of a statement that only reads.

    Raises:
        ArchiverError: See `run_query`.
    """
    limits = Limits(QUERY_SECONDS, QUERY_MEBIBYTES)
    try:
        with run_query(Path(path), statement, parameters, limits, time.process_time) as result:
            names = distinct(result.columns)
            found = [dict(zip(names, map(_as_json, row), strict=True)) for row in islice(result.rows, MAX_ROWS + 1)]
    except TimeLimitError as error:
        raise TimeLimitError(error.message, hint="limit the rows, or ask for a report") from None
    rows, is_cut = _bounded(found)
    return {"rows": rows, "is_cut": is_cut}


def _as_json(value: Any) -> Any:
    """Return a value that JSON has: bytes as hexadecimal digits, and no infinite number."""
    if isinstance(value, bytes):
        return value.hex()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _bounded(rows: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], bool]:
    """Return as many of the rows as an assistant can read, and whether there are more."""
    kept: list[dict[str, Any]] = []
    size = 0
    for row in rows[:MAX_ROWS]:
        size += sum(len(str(value)) + len(name) for name, value in row.items())
        if size > _MAX_CHARACTERS:
            break
        kept.append(row)
    return kept, len(kept) < len(rows)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ConfigurationError(f"{text!r} is no day", hint="write it as 2026-10-05") from None
