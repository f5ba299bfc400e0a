"""Every end of a run has its documented exit code and a message with a hint."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from archiver.simulator import Settings, Simulator, background
from archiver.store.files import exclusive
from tests.support import FIRST_DAY, INVENTED_KEY, NOW, SMALL, archiver, printed_json, run_sync, select

if TYPE_CHECKING:
    from pathlib import Path


def test_a_hole_in_an_answer_is_missing_and_filled_by_the_next_run(api: Simulator, db: Path) -> None:
    api.faults.set("missing_bucket", match="usage_report")
    done = run_sync(api, db, "--since", "2025-12-20", "--group-by", "none", "--json")
    assert done.returncode == 3
    assert printed_json(done)["outcome"] == "partial"
    assert {f["error"] for f in printed_json(done)["failures"]} == {"missing"}
    status = archiver("status", "--json", "--db", str(db))
    assert status.returncode == 3
    assert {gap["state"] for gap in printed_json(status)["gaps"]} == {"missing"}
    api.faults.clear()
    assert run_sync(api, db, "--since", "2025-12-20", "--group-by", "none").returncode == 0
    assert archiver("status", "--db", str(db)).returncode == 0


def test_a_refused_key_is_exit_4_and_names_the_request(api: Simulator, db: Path) -> None:
    for key in ("sk-ant-admin01-wrong", api.settings.refused_key):
        done = run_sync(api, db, "--json", ANTHROPIC_ADMIN_API_KEY=key)
        assert done.returncode == 4
        assert printed_json(done)["outcome"] == "auth"
        assert "request id req_" in done.stderr
        assert key not in done.stdout + done.stderr


def test_an_answer_that_breaks_the_contract_is_exit_6_and_archives_nothing(api: Simulator, db: Path) -> None:
    api.faults.set("float_tokens", match="usage_report")
    api.faults.set("nan_amount", match="cost_report")
    done = run_sync(api, db, "--json", "--since", "2026-01-10")
    assert done.returncode == 6
    result = printed_json(done)
    assert result["outcome"] == "contract"
    assert result["windows"]["failed"] == 2
    assert all(failure["request_id"] for failure in result["failures"])
    assert "data[" in result["failures"][0]["message"]
    assert select(db, "SELECT (SELECT count(*) FROM usage) + (SELECT count(*) FROM cost)") == [(0,)]
    assert select(db, "SELECT DISTINCT state FROM coverage") == [("failed",)]


def test_one_bad_window_among_good_ones_is_exit_3(api: Simulator, db: Path) -> None:
    api.faults.set("negative_tokens", match="usage_report")
    done = run_sync(api, db, "--json", "--since", "2026-01-10")
    assert done.returncode == 3
    assert printed_json(done)["windows"]["failed"] == 1
    assert "run the same command again" in done.stderr
    api.faults.clear()
    assert run_sync(api, db, "--since", "2026-01-10").returncode == 0
    assert select(db, "SELECT DISTINCT state FROM coverage") == [("provisional",)]


def test_no_network_is_exit_5(db: Path) -> None:
    done = archiver(
        "sync", "--api-url", "http://127.0.0.1:9", "--db", str(db), "--json", ANTHROPIC_ADMIN_API_KEY=INVENTED_KEY
    )
    assert done.returncode == 5
    assert printed_json(done)["outcome"] == "temporary"
    assert "Connection refused" in done.stderr


def test_another_organisations_key_is_refused(api: Simulator, db: Path) -> None:
    run_sync(api, db, "--since", "2026-01-14")
    with background(Settings(seed=2, first_day=FIRST_DAY, now=NOW, size=SMALL.size)) as other:
        done = run_sync(other, db, "--since", "2026-01-14")
    assert done.returncode == 2
    assert "archives organisation" in done.stderr


def test_a_held_archive_is_exit_11_and_names_the_holder(shared_api: Simulator, db: Path) -> None:
    with exclusive(db):
        done = run_sync(shared_api, db, "--json")
    assert done.returncode == 11
    assert printed_json(done)["outcome"] == "locked"
    assert f"process {os.getpid()}" in done.stderr
    assert not shared_api.requests or shared_api.requests[-1].status == 200


def test_the_time_limit_is_exit_10(db: Path) -> None:
    with background(Settings(first_day=FIRST_DAY, now=NOW, size=SMALL.size, latency=0.2)) as api:
        done = run_sync(api, db, "--json", "--max-runtime", "2s", "--bucket-width", "1h", "--concurrency", "1")
    assert done.returncode == 10
    assert printed_json(done)["outcome"] == "time_limit"


BAD = {
    "an unknown option": ["--colour", "red"],
    "no date": ["--since", "someday"],
    "an empty range": ["--since", "2026-01-05", "--until", "2026-01-05"],
    "an unknown report": ["--report", "invoice"],
    "an unknown width": ["--bucket-width", "1w"],
    "an unknown dimension": ["--group-by", "colour"],
    "dimensions of no chosen report": ["--report", "cost", "--group-by", "model"],
    "too many dimensions": ["--group-by", "workspace_id,api_key_id,model,service_tier,context_window,speed"],
    "no rate": ["--rate", "fast"],
    "no concurrency": ["--concurrency", "0"],
    "plain http": ["--api-url", "http://example.com"],
    "no key file": ["--admin-key-file", "/nonexistent/key"],
    "no duration": ["--max-runtime", "soon"],
    "no configuration": ["--config", "/nonexistent/config.toml"],
    "a failing command": ["--admin-key-command", "false"],
    "two sources of the key": ["--admin-key-file", "-", "--admin-key-command", "echo x"],
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_exit_2_with_a_sentence_and_makes_no_file(shared_api: Simulator, db: Path, name: str) -> None:
    done = run_sync(shared_api, db, *BAD[name])
    assert done.returncode == 2
    assert "error: " in done.stderr
    assert "Usage: " not in done.stderr
    assert "Traceback" not in done.stderr
    assert name == "an empty range" or not db.exists()


@pytest.mark.parametrize(
    ("content", "code"), [(b"not a database", 8), (b"SQLite format 3\0" + bytes(100), 8)], ids=["text", "foreign"]
)
@pytest.mark.parametrize("command", ["sync", "status", "query", "migrate"])
def test_what_is_no_archive_has_its_exit_code_everywhere(
    shared_api: Simulator, db: Path, command: str, content: bytes, code: int
) -> None:
    db.write_bytes(content)
    more = {"query": ["SELECT 1"], "sync": ["--api-url", shared_api.url]}.get(command, [])
    done = archiver(command, "--db", str(db), *more, ANTHROPIC_ADMIN_API_KEY=shared_api.key)
    assert done.returncode == code
    assert db.read_bytes() == content
