"""A sync repairs an archive with coverage in the future, from a wrong clock or an edit."""

from __future__ import annotations

import json
import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from archiver.model import DAY, Span, State
from archiver.plan.scope import Scope
from archiver.store.coverage import drop_future
from archiver.store.read.verify import verify_archive
from tests.handmade import Handmade, cost_row, seconds
from tests.support import NOW, day, dump, sync

if TYPE_CHECKING:
    from pathlib import Path

    from archiver.simulator import Simulator

SCOPE = Scope(group_by=("none",), since=day("2025-12-01"))
TODAY = int(day("2026-01-15").timestamp())
AHEAD = "UPDATE _span SET span_end = span_end + 31536000, state = {} WHERE span_end > 1768400000"
EDITS = {
    "coverage reaches a year ahead": AHEAD.format("state"),
    "all is settled a year ahead": AHEAD.format("'settled'"),
    "the bucket in progress is settled": "UPDATE _span SET state = 'settled' WHERE span_end > 1768400000",
    "all was read in a year": "UPDATE _span SET fetched_at = fetched_at + 31536000",
    "history begins in a year": "INSERT INTO _history VALUES ('usage', 1800000000, 1800000000)",
    "no dimension may be asked for": "INSERT INTO _memory VALUES ('group_by_cap', '0')",
}


@pytest.mark.parametrize("edit", EDITS)
def test_a_sync_repairs_what_lies_in_the_future(api: Simulator, db: Path, edit: str) -> None:
    sync(api, db, SCOPE)
    clean = dump(db)
    with closing(sqlite3.connect(db)) as connection, connection:
        connection.execute(EDITS[edit])
    assert any(one.check == "coverage" for one in verify_archive(db, int(time.time()))) is ("span" in EDITS[edit])
    summary = sync(api, db, SCOPE)
    assert summary.exit_code == 0
    assert without_state(dump(db)) == without_state(clean)
    assert verify_archive(db) == []
    assert ("recorded for future days" in " ".join(summary.warnings)) is ("span" in EDITS[edit])


def test_a_remembered_beginning_in_the_future_is_searched_for_again(api: Simulator, db: Path, tmp_path: Path) -> None:
    clean = tmp_path / "clean.db"
    sync(api, clean, Scope(group_by=("none",)))
    sync(api, db, SCOPE)
    with closing(sqlite3.connect(db)) as connection, connection:
        connection.execute(EDITS["history begins in a year"])
    sync(api, db, Scope(group_by=("none",), whole_history=True))
    assert dump(db) == dump(clean)


def without_state(text: str) -> str:
    """Leave out which of the ended days are settled: an edit that settles them early looks like another --refresh."""
    tables = json.loads(text)
    days = {
        (*one[:4], start)
        for one in tables.pop("coverage")
        for start in range(int(day(one[4][:10]).timestamp()), int(day(one[5][:10]).timestamp()), DAY)
    }
    return json.dumps([tables, sorted(days)])


def test_coverage_in_the_past_is_left_alone() -> None:
    span = Span(TODAY - 9 * DAY, TODAY, State.SETTLED, TODAY)
    assert drop_future(span, DAY, TODAY + 3600) == [span]


def test_a_bucket_in_progress_is_provisional_at_most() -> None:
    span = Span(TODAY, TODAY + DAY, State.SETTLED, int(NOW.timestamp()))
    assert drop_future(span, DAY, int(NOW.timestamp())) == [
        Span(TODAY, TODAY + DAY, State.PROVISIONAL, int(NOW.timestamp()))
    ]


@pytest.mark.parametrize(
    ("start", "read_at", "found_from"),
    [
        # From the bucket in progress when it was read, from the start of the coverage, and from now.
        ("2026-01-01", "2026-01-05T03:00:00", "2026-01-05"),
        ("2026-01-20", "2026-01-05T03:00:00", "2026-01-20"),
        ("2026-01-01", "2026-01-15T03:00:00", "2026-01-10"),
    ],
)
def test_the_finding_names_the_first_bucket_that_cannot_have_been_read(
    db: Path, start: str, read_at: str, found_from: str
) -> None:
    Handmade(db).cost({"2026-01-01": [cost_row("1", description="d")]}, read_at="2026-01-02T03:00:00")
    values = (seconds(f"{start}T00:00:00"), seconds("2026-02-01T00:00:00"), seconds(read_at))
    with closing(sqlite3.connect(db)) as connection, connection:
        connection.execute("UPDATE _span SET span_start = ?, span_end = ?, fetched_at = ?, state = 'settled'", values)
    findings = verify_archive(db, now=seconds("2026-01-10T12:00:00"))
    assert [one.start for one in findings if "extends beyond the time" in one.message] == [
        seconds(f"{found_from}T00:00:00")
    ]
