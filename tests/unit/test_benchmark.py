"""The benchmark finds the moment at which the first month is archived."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from scripts.benchmark.simulated import FirstMonth

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 2, 15, 12, tzinfo=UTC)
MONTH = ("2026-01-15T00:00:00Z", "2026-02-15T00:00:00Z")
HALVES = (("2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"), ("2026-02-01T00:00:00Z", "2026-02-16T00:00:00Z"))
LATER = ("2026-01-16T00:00:00Z", "2026-02-15T00:00:00Z")


@pytest.mark.parametrize(
    ("ranges", "there"),
    [
        ([("usage", "model", MONTH, "settled"), ("cost", "model", MONTH, "provisional")], True),
        ([("usage", "model", HALVES[1], "provisional"), ("usage", "model", HALVES[0], "settled")], False),
        ([*(("usage", "model", half, "settled") for half in HALVES), ("cost", "model", MONTH, "settled")], True),
        ([("usage", "model", LATER, "settled"), ("cost", "model", MONTH, "settled")], False),
        ([("usage", "model", MONTH, "missing"), ("cost", "model", MONTH, "settled")], False),
        ([("usage", "", MONTH, "settled"), ("cost", "model", MONTH, "settled")], False),
    ],
    ids=["both reports", "no cost", "ranges that meet", "a day is missing", "a gap", "the coarse series alone"],
)
def test_a_month_is_there_when_both_reports_cover_it(
    tmp_path: Path, ranges: list[tuple[str, str, tuple[str, str], str]], *, there: bool
) -> None:
    db = tmp_path / "archive.db"
    with closing(sqlite3.connect(db)) as connection:
        connection.execute("CREATE TABLE coverage (report, group_by, range_start, range_end, state)")
        rows = [(report, group_by, *times, state) for report, group_by, times, state in ranges]
        connection.executemany("INSERT INTO coverage VALUES (?, ?, ?, ?, ?)", rows)
        connection.commit()
    watch = FirstMonth(db, NOW)
    watch.start()
    watch.stop()
    assert (watch.seconds is not None) is there


def test_a_month_is_not_there_before_there_is_a_file(tmp_path: Path) -> None:
    watch = FirstMonth(tmp_path / "archive.db", NOW)
    watch.start()
    watch.stop()
    assert watch.seconds is None
