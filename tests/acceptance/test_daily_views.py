"""The daily views equal the sums of the rows of whatever series they use for a day, also after changes."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from archiver.model import BucketWidth, Report
from archiver.plan.scope import Scope
from archiver.reports import USAGE
from archiver.simulator import Settings, background
from archiver.store.read.verify import verify_archive
from tests.archives import set_counts
from tests.support import NOW, archiver, day, select, sync

if TYPE_CHECKING:
    from pathlib import Path

    from archiver.simulator import Simulator

SUMS = ", ".join(f"sum({name})" for name in USAGE.measures)
BY_DAY = f"SELECT date(bucket_start), api_key_id, model, {SUMS} FROM usage WHERE bucket_width = ? GROUP BY 1, 2, 3"  # noqa: S608  # names from above
DAILY = f"SELECT date, api_key_id, model, {SUMS} FROM daily_tokens GROUP BY 1, 2, 3"  # noqa: S608  # the same


def scope(width: BucketWidth, since: str = "2026-01-10") -> Scope:
    return Scope((Report.USAGE,), (width,), group_by=("finest",), since=day(since), until=day("2026-01-15"))


@pytest.mark.parametrize("width", list(BucketWidth))
def test_a_daily_view_sums_its_series(api: Simulator, db: Path, width: BucketWidth) -> None:
    sync(api, db, scope(width, "2026-01-13"))
    assert select(db, DAILY) == select(db, BY_DAY, width)
    assert verify_archive(db) == []


@pytest.mark.parametrize("width", [BucketWidth.HOUR, BucketWidth.MINUTE])
def test_late_rows_reach_the_daily_view(tmp_path: Path, width: BucketWidth) -> None:
    db = tmp_path / "archive.db"
    wide = scope(width, "2026-01-14")
    early = Settings(first_day=day("2025-12-20").date(), now=NOW, size=0.1, late=0.5)
    with background(early) as api:
        sync(api, db, wide)
        before = select(db, DAILY)
    with background(Settings(first_day=day("2025-12-20").date(), now=NOW, size=0.1)) as api:
        assert sync(api, db, wide).rows.changed > 0
    assert select(db, DAILY) != before
    assert select(db, DAILY) == select(db, BY_DAY, width)
    assert verify_archive(db) == []


def test_a_filtered_series_has_no_sums_of_days(api: Simulator, db: Path) -> None:
    filtered = Scope(
        (Report.USAGE,), (BucketWidth.HOUR,), (("none"),), (("service_tier", ("batch",)),), since=day("2026-01-13")
    )
    sync(api, db, filtered)
    assert select(db, "SELECT count(*) FROM _usage_day") == [(0,)]
    assert verify_archive(db) == []


@pytest.mark.parametrize(
    "change", ["UPDATE _usage_day SET output_tokens = output_tokens + 1", "DELETE FROM _usage_day"]
)
def test_sums_of_days_that_were_changed_are_found_and_repaired(api: Simulator, db: Path, change: str) -> None:
    sync(api, db, scope(BucketWidth.HOUR))
    expected = select(db, DAILY)
    with closing(sqlite3.connect(db)) as connection, connection:
        connection.execute(change)
    assert archiver("verify", "--db", str(db)).returncode == 8
    sync(api, db, scope(BucketWidth.HOUR))
    assert verify_archive(db) == []
    assert select(db, DAILY) == expected


def test_a_sum_of_the_daily_view_that_does_not_fit_is_an_error_and_not_a_number(api: Simulator, db: Path) -> None:
    sync(api, db, scope(BucketWidth.HOUR))
    set_counts(db, "_usage_day", 2**63 - 1)
    done = archiver("query", "SELECT sum(output_tokens) FROM daily_tokens", "--db", str(db))
    assert done.returncode == 2
    assert "does not fit 64 bits" in done.stderr


def test_the_largest_counts_of_a_day_have_a_sum(api: Simulator, db: Path) -> None:
    for hour in (3, 4, 5):
        api.add_usage(day("2026-01-13") + timedelta(hours=hour), {"output": 2**52}, model="huge")
    sync(api, db, scope(BucketWidth.HOUR))
    assert select(db, "SELECT max(output_tokens) FROM _usage_day") == [(3 * 2**52,)]
    assert verify_archive(db) == []


def test_a_name_is_that_of_its_time(api: Simulator, db: Path) -> None:
    sync(api, db, scope(BucketWidth.DAY))
    (key, before) = select(db, "SELECT id, name FROM api_key ORDER BY id LIMIT 1")[0]
    with closing(sqlite3.connect(db)) as connection, connection:
        renamed = int(day("2026-01-12").timestamp()) + 3600
        connection.execute("UPDATE _name SET learnt_at = 0")
        connection.execute("INSERT INTO _name VALUES ('api_key', ?, ?, 'renamed', '{}')", (key, renamed))
    rows = select(db, "SELECT DISTINCT date >= '2026-01-12', api_key_name FROM daily_tokens WHERE api_key_id = ?", key)
    assert sorted(rows) == [(0, before), (1, "renamed")]


def test_months_are_the_sums_of_their_days_and_have_the_number_of_missing_ones(api: Simulator, db: Path) -> None:
    sync(api, db, Scope(since=day("2025-12-10"), until=day("2026-01-15")))
    months = "SELECT substr(date, 1, 7), sum(output_tokens) FROM daily_tokens GROUP BY 1"
    assert select(db, "SELECT month, sum(output_tokens) FROM monthly_tokens GROUP BY 1") == select(db, months)
    costs = "SELECT substr(date, 1, 7), sum(amount_microcents) FROM daily_cost GROUP BY 1"
    assert select(db, "SELECT month, sum(amount_microcents) FROM monthly_cost GROUP BY 1") == select(db, costs)
    for view in ("monthly_tokens", "monthly_cost"):
        gaps = select(db, f"SELECT DISTINCT month, gap_days FROM {view} ORDER BY 1")  # noqa: S608  # names from above
        assert gaps == [("2025-12", 9), ("2026-01", 17)]


def test_the_cache_hit_rate_is_what_was_read_of_all_input(api: Simulator, db: Path) -> None:
    sync(api, db, scope(BucketWidth.DAY))
    for uncached, created, read, rate in select(
        db,
        "SELECT uncached_input_tokens, cache_creation_input_tokens, cache_read_input_tokens, cache_hit_rate "
        "FROM cache_efficiency",
    ):
        assert rate == pytest.approx(read / (uncached + created + read))


def test_a_month_has_the_name_of_its_end(api: Simulator, db: Path) -> None:
    sync(api, db, Scope(group_by=("finest",), since=day("2025-12-20"), until=day("2026-01-15")))
    (workspace, before) = select(db, "SELECT id, name FROM workspace ORDER BY id LIMIT 1")[0]
    with closing(sqlite3.connect(db)) as connection, connection:
        connection.execute("UPDATE _name SET learnt_at = 0")
        renamed = int(day("2026-01-05").timestamp()) + 3600
        connection.execute("INSERT INTO _name VALUES ('workspace', ?, ?, 'AAA renamed', '{}')", (workspace, renamed))
    for view in ("monthly_cost", "monthly_tokens"):
        rows = select(db, f"SELECT DISTINCT month, workspace_name FROM {view} WHERE workspace_id = ?", workspace)  # noqa: S608
        assert sorted(rows) == [("2025-12", before), ("2026-01", "AAA renamed")]
