"""`archiver status`: what makes it exit 3, ages in words, and the keys of its JSON."""

from __future__ import annotations

import json
import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING

import anyio
import pytest

from archiver.model import DAY, BucketWidth, Report, Series, Window
from archiver.offline.status import age
from archiver.store.archive import held_archive, open_archive
from archiver.store.statements import sql
from tests.handmade import Done, Handmade, cost_row, days, run, seconds, usage_row

if TYPE_CHECKING:
    from pathlib import Path

READ_AT = "2026-01-04T03:00:00"
NOON = seconds("2026-01-05T12:00:00")  # 36 hours after the end of the 3rd


@pytest.fixture(autouse=True)
def _noon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: float(NOON))


@pytest.fixture
def made(db: Path) -> Handmade:
    """Return an archive of three whole days of cost and usage."""
    made = Handmade(db)
    made.cost({day: [cost_row("10000", description="d")] for day in days("2026-01-01", "2026-01-03")}, read_at=READ_AT)
    made.usage({day: [usage_row(100)] for day in days("2026-01-01", "2026-01-03")}, read_at=READ_AT)
    return made


def status(db: Path, *arguments: str) -> Done:
    return run("status", *arguments, "--db", str(db))


async def _create(path: Path) -> None:
    async with open_archive(path):
        pass


async def _fail(path: Path, window: Window) -> None:
    async with open_archive(path) as archive:
        await archive.record_failure(window, NOON)


def test_nothing_archived_is_exit_3_with_a_sentence(db: Path) -> None:
    with held_archive(db, now=0):
        anyio.run(_create, db)
    done = status(db)
    assert done.code == 3
    assert done.stdout.splitlines()[-1] == "nothing is archived yet: run archiver sync"
    assert "no gaps" not in done.stdout


def test_an_archive_without_gaps_is_exit_0(made: Handmade) -> None:
    done = status(made.path)
    assert done.code == 0
    assert done.stdout.splitlines()[-1] == "no gaps"
    assert "read 2026-01-04T03:00:00Z (33 hours ago) or later" in done.stdout


@pytest.mark.parametrize(("max_age", "code"), [("36h", 0), ("35h59m", 3)])
def test_max_age_is_of_the_end_of_the_newest_whole_bucket(made: Handmade, max_age: str, code: int) -> None:
    done = status(made.path, "--max-age", max_age)
    assert done.code == code
    for report in ("cost", "usage"):
        sentence = f"{report} is stale: its newest complete bucket ended 2026-01-04T00:00:00Z, 36 hours ago"
        assert (sentence in done.stdout) == (code == 3)


def test_max_age_is_of_each_report(made: Handmade) -> None:
    made.cost({"2026-01-04": [cost_row("10000", description="d")]}, read_at="2026-01-05T03:00:00")
    done = status(made.path, "--max-age", "24h")
    assert done.code == 3
    assert "usage is stale" in done.stdout
    assert "cost is stale" not in done.stdout


def test_a_day_in_progress_is_no_complete_bucket(made: Handmade) -> None:
    rows = {"2026-01-05": [usage_row(100)]}
    made.usage(rows, read_at="2026-01-05T11:00:00")
    assert "usage is stale" in status(made.path, "--max-age", "24h").stdout


def test_gaps_are_exit_3_and_counted(made: Handmade) -> None:
    start = seconds("2026-01-04")
    window = Window(Series(Report.COST, BucketWidth.DAY, ("description", "workspace_id")), start, start + DAY)
    with held_archive(made.path, now=0):
        anyio.run(_fail, made.path, window)
    done = status(made.path)
    assert done.code == 3
    assert done.stdout.splitlines()[-1] == "1 gap; run archiver sync to retry it"
    (gap,) = json.loads(status(made.path, "--json").stdout)["gaps"]
    assert gap == {
        "report": "cost",
        "bucket_width": "1d",
        "group_by": "description,workspace_id",
        "start": "2026-01-04T00:00:00Z",
        "end": "2026-01-05T00:00:00Z",
        "state": "failed",
    }


def test_suspects_and_a_collapse_are_exit_3(made: Handmade) -> None:
    with closing(sqlite3.connect(made.path)) as connection, connection:
        connection.execute(sql("upsert_suspect"), (1, seconds("2026-01-02"), b"digest", NOON))
    done = status(made.path)
    assert done.code == 3
    assert done.stdout.splitlines()[-1].startswith("1 suspect bucket: the last answer lost more than half")
    assert "suspect: cost 1d by description,workspace_id, 2026-01-02T00:00:00Z" in done.stdout
    (suspect,) = json.loads(status(made.path, "--json").stdout)["suspects"]
    assert suspect["bucket_start"] == "2026-01-02T00:00:00Z"
    with closing(sqlite3.connect(made.path)) as connection, connection:
        connection.execute("DELETE FROM _suspect")
        value = {"collapses": [{"report": "cost", "bucket_width": "1d", "message": "3 days lost 67%"}]}
        connection.execute(sql("upsert_memory"), {"key": "collapse", "value": json.dumps(value)})
    done = status(made.path)
    assert done.code == 3
    assert done.stdout.splitlines()[-1] == "in the last sync cost 1d collapsed: 3 days lost 67%"
    assert json.loads(status(made.path, "--json").stdout)["collapses"] == value["collapses"]


def test_json_has_the_documented_keys(made: Handmade) -> None:
    found = json.loads(status(made.path, "--json", "--max-age", "1h").stdout)
    assert set(found) >= {
        "database", "schema_version", "sqlite_version", "bytes", "organization", "series", "gaps", "last_run"
    }  # fmt: skip
    assert found["database"] == str(made.path)
    assert found["bytes"] == made.path.stat().st_size
    assert (found["organization"], found["gaps"], found["last_run"]) == (None, [], None)
    assert found["series"][1] == {
        "report": "cost",
        "bucket_width": "1d",
        "group_by": "description,workspace_id",
        "filters": "",
        "ranges": [{"start": "2026-01-01T00:00:00Z", "end": "2026-01-04T00:00:00Z", "state": "provisional"}],
    }
    assert found["newest_complete"] == {"cost": "2026-01-04T00:00:00Z", "usage": "2026-01-04T00:00:00Z"}
    assert len(found["problems"]) == 2


@pytest.mark.parametrize(
    ("length", "words"),
    [
        (-5, "0 minutes"),
        (119, "1 minute"),
        (3599, "59 minutes"),
        (3600, "1 hour"),
        (47 * 3600, "47 hours"),
        (48 * 3600, "2 days"),
        (1000 * DAY, "1,000 days"),
    ],
)
def test_ages_are_in_words(length: float, words: str) -> None:
    assert age(length) == words


def test_the_age_is_that_of_the_days_and_not_of_their_reading(db: Path) -> None:
    read_late = Handmade(db)
    three = days("2026-01-01", "2026-01-03")
    read_late.cost({day: [cost_row("1", description="d")] for day in three}, read_at="2026-01-05T06:00:00")
    read_late.usage({day: [usage_row(1)] for day in three}, read_at="2026-01-05T06:00:00")
    assert status(db, "--max-age", "37h").code == 0
    assert status(db, "--max-age", "35h").code == 3


def test_gaps_of_usage_come_before_those_of_cost(made: Handmade) -> None:
    for report, group_by in ((Report.COST, ("description", "workspace_id")), (Report.USAGE, ("model",))):
        series = Series(report, BucketWidth.DAY, group_by)
        window = Window(series, seconds("2025-12-30T00:00:00"), seconds("2025-12-31T00:00:00"))
        with held_archive(made.path, now=NOON):
            anyio.run(_fail, made.path, window)
    assert [gap["report"] for gap in json.loads(status(made.path, "--json").stdout)["gaps"]] == ["usage", "cost"]
