"""Runs with failures: only the failing windows are lost, and the next run fetches them."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from archiver.model import BucketWidth, Report
from archiver.plan.scope import Scope
from archiver.reports import USAGE
from archiver.simulator import Settings, background
from tests.acceptance.test_faults import run as run_hurried
from tests.faults import status
from tests.raw_server import Good, raw_server
from tests.support import FIRST_DAY, NOW, SMALL, archived, archiver, day, select, sync, truth

if TYPE_CHECKING:
    from pathlib import Path

    from archiver.simulator import Simulator

BY_WORKSPACE = (("workspace_id",),)


def run_sync(api: Simulator, db: Path, *arguments: str) -> Any:
    done = archiver(
        "sync",
        "--api-url",
        api.url,
        "--db",
        str(db),
        "--rate",
        "none",
        "--json",
        *arguments,
        ANTHROPIC_ADMIN_API_KEY=api.key,
    )
    return json.loads(done.stdout) | {"stderr": done.stderr}


@pytest.mark.parametrize("fault", ["nan_amount", "missing_bucket"])
def test_a_broken_cost_report_does_not_keep_usage_from_being_archived(api: Simulator, db: Path, fault: str) -> None:
    api.faults.set(fault, match="cost_report")
    result = run_sync(api, db, "--group-by", "none")
    assert result["exit_code"] == 3
    assert archived(db, "usage", "1d", ()) == truth(api, "usage", "1d", (), day("2025-11-01"))
    api.faults.clear()
    assert run_sync(api, db, "--group-by", "none")["exit_code"] == 0
    assert archived(db, "cost", "1d", ()) == truth(api, "cost", "1d", (), day("2025-11-01"))


def test_a_key_that_may_not_read_one_report_still_archives_the_other(api: Simulator, db: Path) -> None:
    with raw_server(api) as server:
        server.spoil = lambda good: status(403)(good) if "cost" in good.path else good.bytes()
        done = archiver(
            "sync",
            "--api-url",
            server.url,
            "--db",
            str(db),
            "--rate",
            "none",
            "--json",
            ANTHROPIC_ADMIN_API_KEY=api.key,
        )
        assert done.returncode == 4
        assert sum("cost_report" in target for target in server.asked) <= 4
    assert select(db, "SELECT count(*) > 0 FROM usage") == [(True,)]


def test_windows_that_never_answer_do_not_stop_those_behind_them(db: Path) -> None:
    with background(Settings(first_day=day("2024-01-10").date(), now=NOW, size=0.05)) as api, raw_server(api) as server:

        def spoil(good: Good) -> bytes:
            start = dict(good.query)["starting_at"]
            return status(500)(good) if "2025-01" <= start < "2025-09" else good.bytes()

        server.spoil = spoil
        scope_since = "2024-01-10"
        # Three runs are enough on a machine that is not busy. Windows that are never reached stay missing in all.
        for _ in range(10):
            summary, _ = run_hurried(server, db, Report.USAGE, since=scope_since)
            missing = select(db, "SELECT range_start FROM coverage WHERE state IN ('missing', 'failed')")
            if all("2025-01" <= str(start) < "2025-09" for (start,) in missing):
                break
        assert summary.exit_code in {3, 5}
        assert all("2025-01" <= str(start) < "2025-09" for (start,) in missing)
        covered = select(db, "SELECT min(range_start), max(range_end) FROM coverage WHERE state = 'provisional'")
        assert covered[0][1] == "2026-01-16T00:00:00Z"


def test_a_lower_cap_of_dimensions_is_learnt_kept_and_planned_with(db: Path) -> None:
    with background(Settings(first_day=FIRST_DAY, now=NOW, size=SMALL.size, group_by_cap=3)) as api:
        scope = Scope((Report.USAGE,), since=day("2025-12-20"))
        summary = sync(api, db, scope)
        assert summary.exit_code == 0, summary.failures
        passes = [tuple(text.split(",")) for (text,) in select(db, "SELECT DISTINCT group_by FROM coverage")]
        assert set().union(*passes) == set(USAGE.default_dimensions)
        assert {len(one) for one in passes} == {3}
        for group_by in passes:
            assert archived(db, "usage", "1d", group_by) == truth(api, "usage", "1d", group_by, day("2025-12-20"))
        assert select(db, "SELECT count(*) FROM coverage WHERE state = 'missing'") == [(0,)]
        before = len(api.requests)
        sync(api, db, scope)
        assert not [r for r in api.requests[before:] if r.status == 400]


def test_a_list_beyond_a_learnt_cap_is_refused(db: Path) -> None:
    with background(Settings(first_day=FIRST_DAY, now=NOW, size=SMALL.size, group_by_cap=2)) as api:
        result = run_sync(api, db, "--group-by", "model,api_key_id,workspace_id", "--since", "2026-01-10")
        assert result["exit_code"] == 2
        assert "one request may ask for 2" in result["stderr"]


def test_a_window_that_takes_too_long_is_requested_in_halves(api: Simulator, db: Path) -> None:
    with raw_server(api) as server:

        def spoil(good: Good) -> bytes | None:
            asked = dict(good.query)
            days = day(asked["ending_at"][:10]) - day(asked["starting_at"][:10])
            return None if days > timedelta(days=3) else good.bytes()

        server.spoil = spoil
        summary, _ = run_hurried(server, db, Report.USAGE)
        assert summary.exit_code == 0, summary.failures
        assert summary.planned == summary.fetched > 2
    since = day("2026-01-06")
    assert archived(db, "usage", "1d", ("workspace_id",)) == truth(api, "usage", "1d", ("workspace_id",), since)


def test_a_wait_beyond_the_run_ends_it_and_the_next_run_respects_it(api: Simulator, db: Path) -> None:
    with raw_server(api) as server:
        server.spoil = status(429, retry_after="1800")
        summary, waited = run_hurried(server, db, Report.USAGE)
        assert summary.exit_code == 5
        assert waited < 10
        server.spoil = None
        asked = len(server.asked)
        with pytest.raises(Exception, match="no request before 2026-01-15T13:00:0"):
            run_hurried(server, db, Report.USAGE)
        assert len(server.asked) == asked
        assert run_hurried(server, db, Report.USAGE, later=1900)[0].exit_code == 0


def test_a_400_for_a_day_that_has_ended_is_a_gap_and_no_success(api: Simulator, db: Path) -> None:
    with raw_server(api) as server:
        server.spoil = status(400)
        summary, _ = run_hurried(server, db, Report.COST, since="2026-01-13", until="2026-01-14")
        assert summary.exit_code != 0
        assert select(db, "SELECT state FROM coverage") in ([("missing",)], [("failed",)])


@pytest.mark.parametrize("where", ["body", "error", "header", "type", "field"])
def test_a_key_in_a_response_is_shown_nowhere(api: Simulator, db: Path, where: str) -> None:
    key = api.key

    def spoil(good: Good) -> bytes:
        if where == "body":
            return good.bytes(f"<html>{key}</html>".encode())
        if where == "error":
            return good.bytes(json.dumps({"type": "error", "error": {"message": key}}).encode())
        if where == "header":
            return good.bytes(b"{}", 404, request_id=key)
        if where == "type":
            return good.bytes(content_type=key)
        decoded = json.loads(good.body)
        for bucket in decoded["data"]:
            for row in bucket["results"]:
                row[key] = key
        return good.bytes(json.dumps(decoded).encode())

    with raw_server(api) as server:
        server.spoil = spoil
        done = archiver(
            "sync", "--api-url", server.url, "--db", str(db), "--rate", "none", "--json", "-v", "--since", "2026-01-10",
            ANTHROPIC_ADMIN_API_KEY=key,
        )  # fmt: skip
    printed = done.stdout + done.stderr
    assert key[:-1] not in printed
    for file in db.parent.iterdir():
        assert key.encode() not in file.read_bytes()


def test_verbose_shows_each_request_with_its_id_and_never_the_key(api: Simulator, db: Path) -> None:
    common = ["sync", "--api-url", api.url, "--db", str(db), "--rate", "none", "--since", "2026-01-10", "--verbose"]
    done = archiver(*common, ANTHROPIC_ADMIN_API_KEY=api.key)
    lines = [line for line in done.stderr.splitlines() if "request=GET" in line]
    assert len(lines) == 8
    assert all("request_id=req_" in line and "bytes=" in line and "seconds=" in line for line in lines)
    done = archiver(*common, "--log-format", "json", ANTHROPIC_ADMIN_API_KEY=api.key)
    objects = [json.loads(line) for line in done.stderr.splitlines()]
    assert all(list(one)[:3] == ["time", "level", "message"] for one in objects)
    logged = [one for one in objects if one["message"] == "request"]
    assert len(logged) == 8
    assert any("starting_at=2026-01-10" in one["query"] for one in logged)
    assert api.key not in done.stderr


def test_a_larger_refresh_unsettles_nothing_and_loses_no_restatement(api: Simulator, db: Path) -> None:
    scope = Scope((Report.USAGE,), group_by=("none",), since=day("2025-11-05"))
    wide = Scope((Report.USAGE,), group_by=("none",), since=day("2025-11-05"), refresh_days=300)
    sync(api, db, scope)
    sync(api, db, wide)
    api.amend(day("2025-11-10").date(), 2)
    sync(api, db, wide)
    assert select(db, "SELECT count(*) > 0 FROM restatement") == [(1,)]
    assert select(db, "SELECT state FROM coverage ORDER BY range_start") == [("settled",), ("provisional",)]


def test_filters_whose_values_look_alike_are_different_series(shared_api: Simulator, db: Path) -> None:
    for values in (("a", "b"), ("a&model=b",)):
        filters = (("model", values),)
        sync(shared_api, db, Scope((Report.USAGE,), group_by=("none",), since=day("2026-01-10"), filters=filters))
    assert len(select(db, "SELECT DISTINCT filters FROM coverage")) == 2


def test_planning_years_of_minutes_takes_no_time(shared_api: Simulator, db: Path) -> None:
    """A regression: it took a minute and could not be interrupted."""
    scope = Scope((Report.USAGE,), (BucketWidth.MINUTE,), ("each",), since=day("2023-01-01"))
    summary = sync(shared_api, db, scope, max_runtime=3.0)
    assert summary.exit_code == 10
    assert summary.planned == 6 * 1111
    assert select(db, "SELECT count(*) FROM _span") < [(2 * summary.fetched + 20,)]


def test_a_slow_answer_of_the_coarse_pass_is_requested_in_halves(api: Simulator, db: Path) -> None:
    """A regression: it ended with exit code 1."""
    with raw_server(api) as server:

        def spoil(good: Good) -> bytes:
            asked = dict(good.query)
            days = day(asked["ending_at"][:10]) - day(asked["starting_at"][:10])
            return status(504)(good) if days > timedelta(days=20) else good.bytes()

        server.spoil = spoil
        summary, _ = run_hurried(server, db, Report.USAGE, since="auto")
    assert summary.exit_code == 0, summary.failures
    assert archived(db, "usage", "1d", ("workspace_id",)) == truth(
        api, "usage", "1d", ("workspace_id",), day("2025-11-01")
    )


def test_an_error_message_with_an_escaped_key_is_not_shown(api: Simulator, db: Path) -> None:
    escaped = api.key.replace("-", "\\u002d")
    with raw_server(api) as server:
        server.spoil = lambda good: good.bytes(b'{"error": {"message": "' + escaped.encode() + b'"}}', 400)
        done = archiver(
            "sync", "--api-url", server.url, "--db", str(db), "--rate", "none", "--since", "2026-01-10", "--json",
            ANTHROPIC_ADMIN_API_KEY=api.key,
        )  # fmt: skip
    assert api.key[:-1] not in done.stdout + done.stderr
    assert "its message contains the admin key and is not shown" in done.stdout


def test_lists_that_fit_and_lists_that_do_not_leave_no_gap_behind_a_learnt_cap(db: Path) -> None:
    with background(Settings(first_day=FIRST_DAY, now=NOW, size=SMALL.size, group_by_cap=3)) as api:
        four = "model,workspace_id,service_tier,api_key_id"
        result = run_sync(api, db, "--group-by", "model", "--group-by", four, "--since", "2026-01-01")
        assert result["exit_code"] == 2
        assert run_sync(api, db, "--group-by", "model", "--since", "2026-01-01")["exit_code"] == 0
    assert archiver("status", "--db", str(db)).returncode == 0


def test_answers_of_another_organisation_in_the_headers_alone_are_refused(api: Simulator, db: Path) -> None:
    with raw_server(api) as server:
        run_hurried(server, db, Report.USAGE)
        server.spoil = lambda good: good.bytes(anthropic_organization_id="another")
        with background(Settings(seed=2, first_day=FIRST_DAY, now=NOW, size=SMALL.size)) as other:
            server.upstream = other
            with pytest.raises(Exception, match="archives organisation"):
                run_hurried(server, db, Report.USAGE)
