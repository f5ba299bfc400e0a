"""The program as a person or a cron job runs it: a process, its output, its exit code."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from archiver import __version__
from archiver.cli import COMMANDS
from archiver.plan.scope import Scope
from archiver.simulator import Settings, Simulator, background
from archiver.store.files import exclusive
from tests.support import FIRST_DAY, NOW, SMALL, archiver, day, environment, select, sync

if TYPE_CHECKING:
    from pathlib import Path


def run_sync(api: Simulator, db: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    wanted: dict[str, Any] = {"ANTHROPIC_ADMIN_API_KEY": api.key} | variables
    return archiver("sync", "--api-url", api.url, "--db", str(db), "--rate", "none", *arguments, **wanted)


def said(done: subprocess.CompletedProcess[str]) -> Any:
    return json.loads(done.stdout)


def test_help_lists_every_command_and_says_what_it_does() -> None:
    done = archiver("--help")
    assert done.returncode == 0
    for name, (_, sentence) in COMMANDS.items():
        assert name in done.stdout
        assert sentence.split(".")[0][:30] in done.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_has_a_help_text(command: str) -> None:
    done = archiver(command, "--help")
    assert done.returncode == 0
    options = re.findall(r"^  (--?\S.*)$", done.stdout, re.MULTILINE)
    assert options


def test_the_version_is_the_packages() -> None:
    assert archiver("--version").stdout.strip() == f"archiver, version {__version__}"


def test_sync_json_is_one_object_of_the_documented_shape(shared_api: Simulator, db: Path) -> None:
    done = run_sync(shared_api, db, "--json")
    assert done.returncode == 0
    assert "\n" in done.stderr
    result = said(done)
    assert result["outcome"] == "ok"
    assert result["exit_code"] == 0
    assert result["windows"] == {"planned": 6, "fetched": 6, "unchanged": 0, "failed": 0, "left": 0}
    assert set(result["rows"]) == {"inserted", "updated", "removed", "unchanged"}
    assert result["from"] == "2025-11-01T00:00:00Z"
    assert result["to"] == "2026-01-16T00:00:00Z"
    assert result["failures"] == []
    assert result["retries"] == 0


def test_quiet_says_nothing(shared_api: Simulator, db: Path) -> None:
    done = run_sync(shared_api, db, "--quiet", "--since", "2026-01-14")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_second_sync_says_that_there_is_nothing_new(shared_api: Simulator, db: Path) -> None:
    run_sync(shared_api, db, "--since", "2026-01-10")
    done = run_sync(shared_api, db, "--since", "2026-01-10")
    assert done.returncode == 0
    assert "nothing new" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("--since", "2025-11-05", "--until", "2026-01-03"),
        ("--bucket-width", "1h", "--since", "2026-01-01"),
        ("--group-by", "each", "--since", "2025-12-24"),
        ("--report", "usage", "--group-by", "model", "--group-by", "none", "--since", "2025-12-24"),
    ],
)
def test_a_dry_run_says_the_exact_number_of_requests_and_sends_none_for_rows(
    api: Simulator, db: Path, arguments: tuple[str, ...]
) -> None:
    forecast = said(run_sync(api, db, "--dry-run", "--json", *arguments))
    assert not [r for r in api.requests if "report" in r.path]
    assert not db.exists()
    assert forecast["exact"] is True
    real = said(run_sync(api, db, "--json", *arguments))
    assert forecast["requests"] == real["requests"]
    assert forecast["windows"]["planned"] == real["windows"]["planned"]


def test_a_dry_run_of_auto_is_exact_once_history_is_known(api: Simulator, db: Path) -> None:
    first = said(run_sync(api, db, "--dry-run", "--json"))
    real = said(run_sync(api, db, "--json"))
    assert first["exact"] is False
    assert first["requests"] >= real["requests"]
    api.clock.now = NOW + timedelta(days=50)
    second = said(run_sync(api, db, "--dry-run", "--json"))
    assert second["exact"] is True
    assert second["requests"] == said(run_sync(api, db, "--json"))["requests"]


def test_a_dry_run_for_people_ends_with_the_number(api: Simulator, db: Path) -> None:
    done = run_sync(api, db, "--dry-run", "--since", "2026-01-01")
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1] == "in all: 7 requests"


def test_three_years_of_both_reports_are_72_windows() -> None:
    with background(Settings(first_day=day("2023-01-10").date(), now=NOW, size=0.02)) as api:
        result = said(run_sync(api, api_db(api), "--dry-run", "--json", "--since", "2023-01-15"))
    assert result["windows"]["planned"] == 72


def api_db(api: Simulator) -> Path:
    from pathlib import Path  # noqa: PLC0415

    return Path(f"/nonexistent/{api.port}.db")


def test_auto_looks_once_and_finds_what_lies_behind_a_quiet_year(db: Path) -> None:
    first_day = day("2023-09-20").date()
    quiet = (day("2023-10-01").date(), day("2025-10-01").date())
    with background(Settings(first_day=first_day, now=NOW, size=0.05, quiet=quiet)) as api:
        sync(api, db, Scope(group_by=("none",)))
        assert select(db, "SELECT min(bucket_start) FROM usage") == [(f"{api.first_day}T00:00:00Z",)]
        coverage = "SELECT report, min(range_start), max(state = 'missing') FROM coverage GROUP BY report"
        assert [row[2] for row in select(db, coverage)] == [0, 0]
        asked = len(api.requests)
        again = sync(api, db, Scope(group_by=("none",)))
        assert len(api.requests) - asked == again.planned + 5


def test_the_bucket_in_progress_is_provisional_when_given_and_no_gap_when_not(shared_api: Simulator, db: Path) -> None:
    sync(shared_api, db, Scope(group_by=("none",), since=day("2026-01-15")))
    assert select(db, "SELECT report, range_start, range_end, state FROM coverage") == [
        ("usage", "2026-01-15T00:00:00Z", "2026-01-16T00:00:00Z", "provisional")
    ]
    assert archiver("status", "--db", str(db)).returncode == 0


def test_status_json_has_the_documented_shape(shared_api: Simulator, db: Path) -> None:
    run_sync(shared_api, db, "--group-by", "none")
    done = archiver("status", "--json", "--db", str(db))
    assert done.returncode == 0
    status = said(done)
    assert status["database"] == str(db)
    assert status["schema_version"] == 1
    assert status["organization"]["name"] == "Invented Organisation (simulated data)"
    assert status["gaps"] == []
    assert status["last_run"]["outcome"] == "ok"
    usage = next(s for s in status["series"] if s["report"] == "usage")
    assert (usage["bucket_width"], usage["group_by"], usage["filters"]) == ("1d", "", "")
    assert [(r["start"], r["end"], r["state"]) for r in usage["ranges"]] == [
        ("2025-11-01T00:00:00Z", "2025-12-11T00:00:00Z", "settled"),
        ("2025-12-11T00:00:00Z", "2026-01-16T00:00:00Z", "provisional"),
    ]


def test_a_hole_in_an_answer_is_missing_and_filled_by_the_next_run(api: Simulator, db: Path) -> None:
    api.faults.set("missing_bucket", match="usage_report")
    done = run_sync(api, db, "--since", "2025-12-20", "--group-by", "none", "--json")
    assert done.returncode == 3
    assert said(done)["outcome"] == "partial"
    assert {f["error"] for f in said(done)["failures"]} == {"missing"}
    status = archiver("status", "--json", "--db", str(db))
    assert status.returncode == 3
    assert {gap["state"] for gap in said(status)["gaps"]} == {"missing"}
    api.faults.clear()
    assert run_sync(api, db, "--since", "2025-12-20", "--group-by", "none").returncode == 0
    assert archiver("status", "--db", str(db)).returncode == 0


def test_a_refused_key_is_exit_4_and_names_the_request(api: Simulator, db: Path) -> None:
    for key in ("sk-ant-admin01-wrong", api.settings.refused_key):
        done = run_sync(api, db, "--json", ANTHROPIC_ADMIN_API_KEY=key)
        assert done.returncode == 4
        assert said(done)["outcome"] == "auth"
        assert "request id req_" in done.stderr
        assert key not in done.stdout + done.stderr


def test_an_answer_that_breaks_the_contract_is_exit_6_and_archives_nothing(api: Simulator, db: Path) -> None:
    api.faults.set("float_tokens", match="usage_report")
    api.faults.set("nan_amount", match="cost_report")
    done = run_sync(api, db, "--json", "--since", "2026-01-10")
    assert done.returncode == 6
    result = said(done)
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
    assert said(done)["windows"]["failed"] == 1
    assert "run the same command again" in done.stderr
    api.faults.clear()
    assert run_sync(api, db, "--since", "2026-01-10").returncode == 0
    assert select(db, "SELECT DISTINCT state FROM coverage") == [("provisional",)]


def test_no_network_is_exit_5(db: Path) -> None:
    done = archiver(
        "sync", "--api-url", "http://127.0.0.1:9", "--db", str(db), "--json", ANTHROPIC_ADMIN_API_KEY="sk-invented"
    )
    assert done.returncode == 5
    assert said(done)["outcome"] == "temporary"
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
    assert said(done)["outcome"] == "locked"
    assert f"process {os.getpid()}" in done.stderr
    assert not shared_api.requests or shared_api.requests[-1].status == 200


def test_the_time_limit_is_exit_10(db: Path) -> None:
    with background(Settings(first_day=FIRST_DAY, now=NOW, size=SMALL.size, latency=0.2)) as api:
        done = run_sync(api, db, "--json", "--max-runtime", "2s", "--bucket-width", "1h", "--concurrency", "1")
    assert done.returncode == 10
    assert said(done)["outcome"] == "time_limit"


BAD = {
    "an unknown option": ["--colour", "red"],
    "no date": ["--since", "yesterday"],
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
    assert "rror: " in done.stderr
    assert "Traceback" not in done.stderr
    assert name == "an empty range" or not db.exists()


def test_no_key_is_exit_2_and_says_where_to_get_one(shared_api: Simulator, db: Path) -> None:
    done = run_sync(shared_api, db, ANTHROPIC_ADMIN_API_KEY="")
    assert done.returncode == 2
    assert "hint: set ANTHROPIC_ADMIN_API_KEY" in done.stderr


def test_two_different_keys_in_the_environment_are_an_error(shared_api: Simulator, db: Path) -> None:
    done = run_sync(shared_api, db, ANTHROPIC_ADMIN_KEY="sk-ant-another")
    assert done.returncode == 2
    assert "they differ" in done.stderr
    assert run_sync(shared_api, db, "--since", "2026-01-14", ANTHROPIC_ADMIN_KEY=shared_api.key).returncode == 0


@pytest.mark.parametrize("source", ["file", "stdin", "command"])
def test_the_key_comes_from_a_file_standard_input_or_a_command(
    shared_api: Simulator, db: Path, tmp_path: Path, source: str
) -> None:
    file = tmp_path / "key"
    file.write_text(shared_api.key + "\n")
    arguments = {
        "file": ["--admin-key-file", str(file)],
        "stdin": ["--admin-key-file", "-"],
        "command": ["--admin-key-command", f"cat '{file}'"],
    }[source]
    common = ["sync", "--api-url", shared_api.url, "--db", str(db), "--since", "2026-01-14", "--quiet"]
    assert archiver(*common, *arguments, stdin=shared_api.key).returncode == 0


def test_every_option_has_its_variable(shared_api: Simulator, db: Path) -> None:
    done = archiver(
        "sync",
        ANTHROPIC_ADMIN_API_KEY=shared_api.key,
        ARCHIVER_API_URL=shared_api.url,
        ARCHIVER_DB=str(db),
        ARCHIVER_RATE="none",
        ARCHIVER_SINCE="2026-01-10",
        ARCHIVER_UNTIL="2026-01-12",
        ARCHIVER_REPORT="usage",
        ARCHIVER_GROUP_BY="none model,workspace_id",
        ARCHIVER_BUCKET_WIDTH="1d 1h",
        ARCHIVER_JSON="1",
    )
    result = said(done)
    assert (result["from"], result["to"]) == ("2026-01-10T00:00:00Z", "2026-01-12T00:00:00Z")
    series = select(db, "SELECT bucket_width, group_by FROM series ORDER BY 1, 2")
    assert series == [("1d", ""), ("1d", "model,workspace_id"), ("1h", ""), ("1h", "model,workspace_id")]


def test_a_configuration_sets_options_and_dimensions(shared_api: Simulator, db: Path, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(
        f'db = "{db}"\napi-url = "{shared_api.url}"\nrate = "none"\nreport = ["usage"]\nsince = "2026-01-10"\n'
        'dimensions = ["model", "speed"]\n'
    )
    done = archiver("sync", "--config", str(config), ANTHROPIC_ADMIN_API_KEY=shared_api.key)
    assert done.returncode == 0, done.stderr
    assert select(db, "SELECT report, group_by FROM series") == [("usage", "model,speed")]


@pytest.mark.parametrize(
    "text", ["colour = 1", "rate =", 'dimensions = "model"', 'dimensions = ["colour"]', "[rate]\nx = 1", "\xff"]
)
def test_a_bad_configuration_is_exit_2(shared_api: Simulator, db: Path, tmp_path: Path, text: str) -> None:
    config = tmp_path / "config.toml"
    config.write_bytes(text.encode("latin-1"))
    done = run_sync(shared_api, db, "--config", str(config))
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_files_are_private_whatever_the_umask(shared_api: Simulator, db: Path) -> None:
    script = (
        f"umask 000; exec {sys.executable} -m archiver sync --api-url {shared_api.url} --db {db} --since 2026-01-14 -q"
    )
    subprocess.run(["sh", "-c", script], env=environment(ANTHROPIC_ADMIN_API_KEY=shared_api.key), check=True)
    for file in db.parent.glob("archive.db*"):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file


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


def test_migrate_says_that_there_is_nothing_to_do(shared_api: Simulator, db: Path) -> None:
    run_sync(shared_api, db, "--since", "2026-01-14")
    for arguments in ([], ["--check"]):
        done = archiver("migrate", "--db", str(db), *arguments)
        assert (done.returncode, done.stdout) == (0, "the archive is up to date: schema 1\n")


def test_demo_archives_thirteen_months_and_shows_spend(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "archiver", "demo"],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert "invented" in done.stdout
    lines = done.stdout.splitlines()
    months = [line for line in lines if re.match(r"20\d\d-\d\d ", line)]
    assert len(months) in {13, 14}
    commands = [line.strip() for line in lines if " --db archiver-demo.db" in line]
    assert len(commands) == 3
    for command in commands:
        arguments = command.split(" ", 1)[1]
        program = f"{sys.executable} -m archiver {arguments}"
        done = subprocess.run(
            ["sh", "-c", program], cwd=tmp_path, env=environment(), capture_output=True, text=True, check=True
        )
        assert done.stdout
