"""Queries as of a time return what the archive contained at that time."""

from __future__ import annotations

import json
import random
import sqlite3
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from archiver.model import BucketWidth, Report
from archiver.plan.scope import Scope
from tests.faults import put, row
from tests.raw_server import raw_server
from tests.support import NOW, archiver, day, sync

if TYPE_CHECKING:
    from pathlib import Path

    from archiver.simulator import Simulator

SQL = {
    "usage": "SELECT bucket_start, model, workspace_id, output_tokens, uncached_input_tokens FROM usage "
    "WHERE bucket_end <= '2026-01-15' ORDER BY 1, 2, 3",
    "cost": "SELECT bucket_start, workspace_id, description, amount FROM cost ORDER BY 1, 2, 3, 4",
    "analytics_usage": "SELECT bucket_start, model, workspace_id, output_tokens, requests FROM analytics_usage "
    "WHERE bucket_end <= '2026-01-15' ORDER BY 1, 2, 3, 4",
    "analytics_cost": "SELECT bucket_start, model, workspace_id, amount, list_amount FROM analytics_cost "
    "WHERE bucket_end <= '2026-01-15' ORDER BY 1, 2, 3, 4",
    "claude_code": "SELECT date, actor_id, terminal_type, tool, model, sessions, accepted, amount FROM claude_code "
    "WHERE date < '2026-01-15' ORDER BY 1, 2, 3, 4, 5, 6",
    "daily_cost_by_key": "SELECT date, sum(amount_microcents) FROM daily_cost_by_key WHERE date < '2026-01-15' "
    "GROUP BY date ORDER BY date",
    "daily_cost": "SELECT date, sum(amount_microcents) FROM daily_cost GROUP BY date ORDER BY date",
}


def ask(db: Path, sql: str, *arguments: str) -> Any:
    done = archiver("query", "--db", str(db), "--json", sql, *arguments)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("seed", range(3))
def test_every_earlier_state_can_be_queried(api: Simulator, db: Path, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311  # repeatable chance
    scope = Scope(
        tuple(Report), group_by=(("model", "workspace_id"), ("workspace_id", "description")), since=day("2025-12-20")
    )
    states: list[tuple[str, dict[str, Any]]] = []
    for step in range(5):
        api.clock.now = NOW + timedelta(hours=step)
        sync(api, db, scope)
        moment = (NOW + timedelta(hours=step, minutes=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
        states.append((moment, {view: ask(db, sql) for view, sql in SQL.items()}))
        for _ in range(3):
            changed = (day("2025-12-20") + timedelta(days=chance.randrange(24))).date()
            action = chance.choice(["amend", "remove", "restore", "add"])
            if action == "amend":
                api.amend(changed, chance.choice([2, 3]), model="claude-opus-4-5-20251101")
            elif action == "remove":
                api.remove(changed, service_tier="batch")
            elif action == "restore":
                api.restore(changed)
            else:
                api.add_usage(
                    day(changed.isoformat()) + timedelta(hours=5), {"output": chance.randrange(1, 99)}, model="new"
                )
    assert len({json.dumps(state) for _, state in states}) >= 3
    for moment, state in states:
        for view, sql in SQL.items():
            assert ask(db, sql, "--as-of", moment) == state[view], (moment, view)


@pytest.mark.parametrize("report", Report)
def test_an_unknown_field_is_read_as_it_was_then(api: Simulator, db: Path, report: Report) -> None:
    """A field that is new in the API is a part of a row, also of a row before it changed."""
    view = report.value.replace("-", "_")
    sql = f"SELECT extra FROM {view} WHERE extra IS NOT NULL"  # noqa: S608  # the name of a view
    scope = Scope((report,), group_by=("none",), since=day("2026-01-13"), until=day("2026-01-14"))
    with raw_server(api) as server:
        for hours, colour in enumerate(("red", "blue")):
            api.clock.now = NOW + timedelta(hours=hours)
            server.spoil = row(put("colour", colour))
            assert sync(api, db, scope, api_url=server.url).exit_code == 0
    (now,) = ask(db, sql)
    assert json.loads(now["extra"]) == {"colour": "blue"}
    (then,) = ask(db, sql, "--as-of", "2026-01-15T12:45:00Z")
    assert json.loads(then["extra"]) == {"colour": "red"}


def test_before_the_first_sync_nothing_was_known(api: Simulator, db: Path) -> None:
    sync(api, db, Scope(group_by=("none",), since=day("2026-01-01")))
    assert ask(db, "SELECT count(*) AS n FROM usage", "--as-of", "2025-12-31") == [{"n": 0}]


def test_daily_views_look_back_to_the_series_of_that_time(api: Simulator, db: Path) -> None:
    """A regression: the finer series of today hid the days of the coarser series of that time."""
    sync(api, db, Scope((Report.USAGE,), group_by=(("model",),), since=day("2025-12-20")))
    sql = "SELECT sum(output_tokens) AS tokens, count(*) AS rows FROM daily_tokens WHERE date < '2026-01-15'"
    before = ask(db, sql)
    api.clock.now = NOW + timedelta(hours=5)
    sync(api, db, Scope((Report.USAGE,), since=day("2025-12-20")))
    assert ask(db, sql) != before
    assert ask(db, sql, "--as-of", "2026-01-15T13:00:00Z") == before


def test_a_repair_keeps_the_history(api: Simulator, db: Path) -> None:
    scope = Scope((Report.USAGE,), group_by=("none",), since=day("2025-12-20"))
    sync(api, db, scope)
    sql = "SELECT bucket_start, output_tokens FROM usage WHERE bucket_end < '2026-01-15' ORDER BY 1"
    before = ask(db, sql)
    with closing(sqlite3.connect(db)) as connection:
        connection.execute("UPDATE _usage_fact SET output_tokens = 1 WHERE bucket_start = 1767225600")
        connection.commit()
    assert archiver("verify", "--db", str(db)).returncode == 8
    api.clock.now = NOW + timedelta(hours=5)
    sync(api, db, scope)
    assert ask(db, sql) == before
    assert ask(db, sql, "--as-of", "2026-01-15T13:00:00Z") == before


def test_a_series_of_half_a_day_is_not_used_for_that_day(api: Simulator, db: Path) -> None:
    sync(api, db, Scope((Report.USAGE,), group_by=("none",), since=day("2026-01-01")))
    by_day = "SELECT date, sum(output_tokens) FROM daily_tokens GROUP BY 1"
    expected = archiver("query", by_day, "--csv", "--db", str(db)).stdout
    noon = day("2026-01-10") + timedelta(hours=12)
    hours = Scope((Report.USAGE,), (BucketWidth.HOUR,), group_by=("finest",), since=noon, until=day("2026-01-13"))
    sync(api, db, hours)
    assert archiver("query", by_day, "--csv", "--db", str(db)).stdout == expected
    assert archiver("query", by_day, "--csv", "--db", str(db), "--as-of", "2030-01-01").stdout == expected


def test_a_day_that_was_half_there_is_not_shown_as_if_it_had_been_whole(api: Simulator, db: Path) -> None:
    noon = day("2026-01-10") + timedelta(hours=12)
    hours = Scope((Report.USAGE,), (BucketWidth.HOUR,), group_by=("none",), since=noon, until=day("2026-01-12"))
    sync(api, db, hours)
    api.clock.now = NOW + timedelta(days=1)
    whole = Scope((Report.USAGE,), (BucketWidth.HOUR,), group_by=("none",), since=day("2026-01-10"), until=noon)
    sync(api, db, whole)
    moment = (NOW + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    dates = archiver("query", "SELECT DISTINCT date FROM daily_tokens ORDER BY 1", "--csv", "--db", str(db))
    assert dates.stdout == "date\n2026-01-10\n2026-01-11\n"
    dates = archiver(
        "query", "SELECT DISTINCT date FROM daily_tokens ORDER BY 1", "--csv", "--db", str(db), "--as-of", moment
    )
    assert dates.stdout == "date\n2026-01-11\n"


def test_a_report_as_of_a_time_shows_a_month_as_it_was_archived_then(api: Simulator, db: Path) -> None:
    scope = Scope((Report.COST,), group_by=("finest",), since=day("2025-11-01"), refresh_days=90)
    asked = ("report", "workspaces", "--month", "2025-11", "--csv", "--db", str(db))
    sync(api, db, scope)
    closed = archiver(*asked).stdout
    api.clock.now = NOW + timedelta(days=1)
    api.amend(day("2025-11-12").date(), 2)
    sync(api, db, scope)
    assert archiver(*asked).stdout != closed
    moment = (NOW + timedelta(hours=12)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert archiver(*asked, "--as-of", moment).stdout == closed


@pytest.mark.parametrize("again", [False, True])
def test_a_day_without_rows_was_no_gap_then(api: Simulator, db: Path, *, again: bool) -> None:
    for quiet in ("2026-01-03", "2026-01-04", "2026-01-10"):
        api.remove(day(quiet).date())
    scope = Scope((Report.COST,), group_by=("finest",), since=day("2026-01-01"))
    sync(api, db, scope)
    months = "SELECT DISTINCT month, gap_days FROM monthly_cost"
    expected = ask(db, months)
    moment = (NOW + timedelta(minutes=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    if again:
        api.clock.now = NOW + timedelta(hours=5)
        sync(api, db, Scope((Report.COST,), group_by=("finest",), since=day("2026-01-01"), refresh_days=90))
    assert ask(db, months, "--as-of", moment) == expected
    assert ask(db, months, "--as-of", "2020-01-01") == []
