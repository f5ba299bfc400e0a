"""A first sync fetches the newest month first, back to the oldest object; later runs check older history."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from archiver.crawl import names
from archiver.model import to_text
from archiver.plan.calendar import EARLIEST_HISTORY
from archiver.plan.scope import Scope
from archiver.simulator import Settings, background
from tests.faults import status
from tests.raw_server import Good, raw_server
from tests.support import NOW, archived, day, printed_json, run_sync, select, sync, truth

if TYPE_CHECKING:
    from pathlib import Path

    from archiver.simulator import Simulator

NONE = Scope(group_by=("none",))
FIRST = "SELECT report, min(range_start) FROM coverage GROUP BY report ORDER BY report"


def test_two_hundred_days_of_both_reports_take_few_requests(db: Path) -> None:
    first_day = (NOW - timedelta(days=200)).date()
    with background(Settings(first_day=first_day, now=NOW, size=0.05)) as api:
        summary = sync(api, db)
        assert summary.exit_code == 0
        assert summary.requests == len(api.requests) <= 48
        days = [truth(api, "usage", "1d", (), day(str(first_day)))]
    assert select(db, "SELECT count(DISTINCT bucket_start) FROM usage")[0][0] == len({row[0] for row in days[0]})


def test_after_five_report_requests_the_newest_month_of_both_reports_is_archived(db: Path) -> None:
    with background(Settings(first_day=day("2025-03-01").date(), now=NOW, size=0.05)) as api, raw_server(api) as server:
        reports = 0

        def spoil(good: Good) -> bytes:
            nonlocal reports
            reports += 1
            return good.bytes() if reports <= 5 else status(401)(good)

        server.spoil = spoil
        done = run_sync(api, db, "--api-url", server.url, "--concurrency", "1", "--json")
    assert done.returncode == 4
    starts: dict[str, str] = dict(
        select(db, "SELECT report, min(range_start) FROM coverage WHERE state != 'missing' GROUP BY report")
    )
    assert max(starts.values()) <= "2025-12-15T00:00:00Z"
    assert min(starts.values()) > "2025-10-01T00:00:00Z"
    ends: dict[str, str] = dict(
        select(db, "SELECT report, max(range_end) FROM coverage WHERE state != 'missing' GROUP BY report")
    )
    assert ends == {"usage": "2026-01-16T00:00:00Z", "cost": "2026-01-15T00:00:00Z"}
    line = next(line for line in done.stderr.splitlines() if line.startswith("archived so far: "))
    assert f"usage 1d {starts['usage'][:10]} to 2026-01-15" in line
    assert f"cost 1d {starts['cost'][:10]} to 2026-01-14" in line


@pytest.fixture
def young_objects(monkeypatch: pytest.MonkeyPatch) -> None:
    """All objects were created on 2025-11-01, as if the older ones had been deleted."""
    monkeypatch.setattr(names, "creation_times", lambda _: [int(day("2025-11-01").timestamp())])


@pytest.mark.usefixtures("young_objects")
def test_rows_before_the_oldest_object_and_behind_a_quiet_year_are_found_by_later_runs(db: Path) -> None:
    quiet = (day("2023-10-01").date(), day("2025-10-10").date())
    settings = Settings(first_day=day("2023-09-20").date(), now=NOW, size=0.05, quiet=quiet)
    with background(settings) as api:
        assert sync(api, db, NONE).exit_code == 0
        assert select(db, FIRST) == [("cost", "2025-11-01T00:00:00Z"), ("usage", "2025-11-01T00:00:00Z")]
        assert sync(api, db, NONE).exit_code == 0
        for report in ("usage", "cost"):
            assert archived(db, report, "1d", ()) == truth(api, report, "1d", (), day("2023-09-01"))
        assert select(db, FIRST) == [("cost", "2023-09-20T00:00:00Z"), ("usage", "2023-09-20T00:00:00Z")]
        assert select(db, "SELECT count(*) FROM coverage WHERE state IN ('missing', 'failed')") == [(0,)]
        before = len(api.requests)
        again = sync(api, db, NONE)
        assert len(api.requests) - before == again.planned + 6


@pytest.mark.usefixtures("young_objects")
def test_the_coarse_pass_takes_six_requests_of_a_report_in_a_run_and_ends(api: Simulator, db: Path) -> None:
    """It covers 2023-01-01 to 2025-11-01, which is 34 windows of at most 31 days."""
    spare = []
    for _ in range(8):
        before = len(api.requests)
        summary = sync(api, db, NONE)
        spare.append(len(api.requests) - before - summary.planned - 6)
    assert spare == [12, 12, 12, 12, 12, 8, 0, 0]


@pytest.mark.usefixtures("young_objects")
def test_a_coarse_window_that_fails_costs_nothing_and_is_fetched_again(api: Simulator, db: Path) -> None:
    with raw_server(api) as server:

        def spoil(good: Good) -> bytes:
            return good.bytes(b"{}") if dict(good.query)["starting_at"] < "2025" else good.bytes()

        server.spoil = spoil
        summary = sync(api, db, NONE, api_url=server.url)
        assert summary.exit_code == 0
        assert [text for text in summary.warnings if text.startswith("could not check for usage before 2023-0")]
    assert select(db, "SELECT empty_until, first_bucket FROM _history") == [(EARLIEST_HISTORY, None)] * 2


def test_without_any_list_the_coarse_pass_comes_first(
    api: Simulator, db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refused(_client: object, kind: str, **_more: object) -> str:
        return f"cannot read the names of every {kind}: refused"

    monkeypatch.setattr("archiver.crawl.names.read_names", refused)
    assert sync(api, db, NONE).exit_code == 0
    assert select(db, FIRST) == [("cost", "2025-11-01T00:00:00Z"), ("usage", "2025-11-01T00:00:00Z")]
    before = len(api.requests)
    again = sync(api, db, NONE)
    assert len(api.requests) - before == again.planned + 2  # the first bucket is known now


# --since ------------------------------------------------------------------------------------------------------------


def begins(db: Path) -> str:
    [(_, cost), (_, usage)] = select(db, FIRST)
    assert cost == usage
    return str(usage[:10])


def test_the_since_of_a_first_run_is_the_beginning_until_a_run_widens_it(api: Simulator, db: Path) -> None:
    sync(api, db, Scope(group_by=("none",), since=day("2026-01-01")))
    sync(api, db, NONE)
    assert begins(db) == "2026-01-01"
    sync(api, db, Scope(group_by=("none",), since=day("2026-01-08")))
    sync(api, db, NONE)
    assert begins(db) == "2026-01-01"
    sync(api, db, Scope(group_by=("none",), since=day("2025-12-20")))
    assert begins(db) == "2025-12-20"
    assert sync(api, db, NONE).range == (int(day("2025-12-20").timestamp()), int(day("2026-01-16").timestamp()))
    assert run_sync(api, db, "--group-by", "none", "--since", "auto").returncode == 0
    assert begins(db) == "2025-10-20"
    assert to_text((sync(api, db, NONE).range or (0, 0))[0]) == "2025-10-20T00:00:00Z"


def test_a_first_run_of_all_history_is_not_narrowed_by_a_later_since(api: Simulator, db: Path) -> None:
    sync(api, db, NONE)
    sync(api, db, Scope(group_by=("none",), since=day("2026-01-08")))
    assert to_text((sync(api, db, NONE).range or (0, 0))[0]) == "2025-10-20T00:00:00Z"


# The end of a run ---------------------------------------------------------------------------------------------------


def test_a_run_ends_with_its_range_its_money_and_the_next_command(api: Simulator, db: Path) -> None:
    done = run_sync(api, db, "--since", "2026-01-10")
    cents = sum(Decimal(row[-1]) for row in truth(api, "cost", "1d", (), day("2026-01-10")))
    line = next(line for line in done.stderr.splitlines() if line.startswith("cost of "))
    assert Decimal(line.removeprefix("cost of 5 days: ").removesuffix(" USD")) == cents / 100
    assert "in the archive: usage 1d 2026-01-10 to 2026-01-15, cost 1d 2026-01-10 to 2026-01-14" in done.stderr
    assert done.stderr.splitlines()[-1] == f"next: archiver report spend --db {db}"


def test_a_dry_run_shows_minutes_at_the_rate(api: Simulator, db: Path) -> None:
    arguments = ("--dry-run", "--since", "2025-11-01", "--bucket-width", "1h")
    done = run_sync(api, db, *arguments, "--rate", "1/min")
    assert done.stdout.splitlines()[-1] == "in all: 20 requests, about 10 min at 1 requests/min"
    assert printed_json(run_sync(api, db, *arguments, "--json"))["requests"] == 20


def test_a_dry_run_of_a_first_sync_knows_the_oldest_object(api: Simulator, db: Path) -> None:
    plan = printed_json(run_sync(api, db, "--dry-run", "--json"))
    assert {one["start"] for one in plan["plan"]} == {"2025-10-20T00:00:00Z"}
    assert plan["probes"] == 12
    assert plan["requests"] == printed_json(run_sync(api, db, "--json"))["requests"]
