"""The command line as a process, with its output and exit code."""

from __future__ import annotations

import re
import stat
import subprocess
import sys
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from archiver import __version__
from archiver.cli import COMMANDS
from archiver.plan.scope import Scope
from archiver.simulator import Settings, Simulator, background
from tests.support import NOW, archiver, day, environment, printed_json, run_sync, select, sync

if TYPE_CHECKING:
    from pathlib import Path


def test_help_lists_every_command_with_its_first_sentence() -> None:
    done = archiver("--help")
    assert done.returncode == 0
    for name, (_, sentence) in COMMANDS.items():
        assert re.search(rf"^  {name} +{re.escape(sentence)}$", done.stdout, re.MULTILINE)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command_is_the_same_by_both_ways(command: str) -> None:
    done = archiver(command, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"Usage: archiver {command} ")
    assert "\nExamples:\n" in done.stdout
    assert archiver("help", command).stdout == done.stdout


WRONG = {
    ("stats",): ("no such command: 'stats'; did you mean 'status'?", "archiver --help"),
    ("status", "--jsn"): ("no such option: '--jsn'; did you mean '--json'?", "archiver status --help"),
    ("schema", "daily"): ("invalid value for '[VIEW]': 'daily' is not one of", "archiver schema --help"),
    ("report", "spned"): ("no such report: 'spned'; did you mean 'spend'?", "archiver report --help"),
    ("snapshot",): ("missing argument 'FILE'", "archiver snapshot --help"),
    ("sync", "--since", "someday"): ("invalid value for '--since': ", "archiver sync --help"),
    ("help", "stats"): ("no such command: 'stats'; did you mean 'status'?", "archiver --help"),
}


@pytest.mark.parametrize("arguments", WRONG)
def test_a_wrong_word_is_an_error_and_a_hint(arguments: tuple[str, ...]) -> None:
    message, hint = WRONG[arguments]
    done = archiver(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    first, second = done.stderr.splitlines()
    assert first.startswith(f"error: {message}")
    assert second == f"hint: see {hint}"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_the_script_of_a_shell(shell: str) -> None:
    done = archiver("completion", shell)
    assert done.returncode == 0
    assert f"_ARCHIVER_COMPLETE={shell}_complete" in done.stdout
    assert archiver("completion", SHELL=f"/bin/{shell}").stdout == done.stdout


def test_completion_for_a_shell_that_is_not_known_is_exit_2() -> None:
    done = archiver("completion", SHELL="")
    assert done.returncode == 2
    assert "name it" in done.stderr


def test_help_imports_nothing_that_a_command_needs() -> None:
    """Imports would take longer than printing the help."""
    script = "import sys, archiver.cli; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    heavy = {"aiohttp", "aiosqlite", "anyio", "datasette", "jinja2", "msgspec", "platformdirs", "rich", "sqlite3"}
    assert heavy.isdisjoint(done.stdout.split())


def test_the_version_is_the_packages() -> None:
    assert archiver("--version").stdout.strip() == f"archiver, version {__version__}"


def test_sync_json_is_one_object_of_the_documented_shape(shared_api: Simulator, db: Path) -> None:
    done = run_sync(shared_api, db, "--json")
    assert done.returncode == 0
    assert "\n" in done.stderr
    result = printed_json(done)
    assert result["outcome"] == "ok"
    assert result["exit_code"] == 0
    assert result["windows"] == {"planned": 6, "fetched": 6, "unchanged": 0, "failed": 0, "left": 0}
    assert set(result["rows"]) == {"inserted", "updated", "removed", "unchanged"}
    assert result["from"] == "2025-10-20T00:00:00Z"  # when the oldest user was added
    assert result["to"] == "2026-01-16T00:00:00Z"
    assert result["failures"] == []
    assert result["retries"] == 0


def test_quiet_prints_nothing(shared_api: Simulator, db: Path) -> None:
    done = run_sync(shared_api, db, "--quiet", "--since", "2026-01-14")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_second_sync_reports_that_nothing_is_new(shared_api: Simulator, db: Path) -> None:
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
def test_a_dry_run_shows_the_exact_number_of_requests_and_sends_none_for_rows(
    api: Simulator, db: Path, arguments: tuple[str, ...]
) -> None:
    forecast = printed_json(run_sync(api, db, "--dry-run", "--json", *arguments))
    assert not [r for r in api.requests if "report" in r.path]
    assert not db.exists()
    assert forecast["exact"] is True
    real = printed_json(run_sync(api, db, "--json", *arguments))
    assert forecast["requests"] == real["requests"]
    assert forecast["windows"]["planned"] == real["windows"]["planned"]


def test_a_dry_run_of_auto_is_exact_once_history_is_known(api: Simulator, db: Path) -> None:
    first = printed_json(run_sync(api, db, "--dry-run", "--json"))
    real = printed_json(run_sync(api, db, "--json"))
    assert first["exact"] is False
    assert first["requests"] >= real["requests"]
    api.clock.now = NOW + timedelta(days=50)
    second = printed_json(run_sync(api, db, "--dry-run", "--json"))
    assert second["exact"] is True
    assert second["requests"] == printed_json(run_sync(api, db, "--json"))["requests"]


def test_the_text_of_a_dry_run_ends_with_the_number(api: Simulator, db: Path) -> None:
    done = run_sync(api, db, "--dry-run", "--since", "2026-01-01")
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1] == "in all: 8 requests"


def test_three_years_of_both_reports_are_72_windows() -> None:
    with background(Settings(first_day=day("2023-01-10").date(), now=NOW, size=0.02)) as api:
        result = printed_json(run_sync(api, api_db(api), "--dry-run", "--json", "--since", "2023-01-15"))
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
        sync(api, db, Scope(group_by=("none",)))  # the second part of the coarse pass, and the last
        asked = len(api.requests)
        again = sync(api, db, Scope(group_by=("none",)))
        assert len(api.requests) - asked == again.planned + 6


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
    status = printed_json(done)
    assert status["database"] == str(db)
    assert status["schema_version"] == 1
    assert status["organization"]["name"] == "Invented Organisation (simulated data)"
    assert status["gaps"] == []
    assert status["last_run"]["outcome"] == "ok"
    usage = next(s for s in status["series"] if s["report"] == "usage")
    assert (usage["bucket_width"], usage["group_by"], usage["filters"]) == ("1d", "", "")
    assert [(r["start"], r["end"], r["state"]) for r in usage["ranges"]] == [
        ("2025-10-20T00:00:00Z", "2025-12-11T00:00:00Z", "settled"),
        ("2025-12-11T00:00:00Z", "2026-01-16T00:00:00Z", "provisional"),
    ]


def test_files_are_private_whatever_the_umask(shared_api: Simulator, db: Path) -> None:
    script = (
        f"umask 000; exec {sys.executable} -m archiver sync --api-url {shared_api.url} --db {db} --since 2026-01-14 -q"
    )
    subprocess.run(["sh", "-c", script], env=environment(ANTHROPIC_ADMIN_API_KEY=shared_api.key), check=True)
    for file in db.parent.glob("archive.db*"):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file


def test_migrate_reports_that_there_is_nothing_to_do(shared_api: Simulator, db: Path) -> None:
    run_sync(shared_api, db, "--since", "2026-01-14")
    for arguments in ([], ["--check"]):
        done = archiver("migrate", "--db", str(db), *arguments)
        assert (done.returncode, done.stdout) == (0, "the archive is up to date: schema 1\n")


def test_demo_archives_a_year_of_months_and_shows_spend(tmp_path: Path) -> None:
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
    assert len(commands) == 4
    for command in commands:
        arguments = command.split(" ", 1)[1]
        program = f"{sys.executable} -m archiver {arguments}"
        done = subprocess.run(
            ["sh", "-c", program], cwd=tmp_path, env=environment(), capture_output=True, text=True, check=True
        )
        assert done.stdout or (tmp_path / "overview.html").exists()
