"""Where the key and the options come from: files, standard input, commands, variables, the configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support import archiver, printed_json, run_sync, select

if TYPE_CHECKING:
    from pathlib import Path

    from archiver.simulator import Simulator


def test_no_key_is_exit_2_with_a_hint_where_to_get_one(shared_api: Simulator, db: Path) -> None:
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
    result = printed_json(done)
    assert (result["from"], result["to"]) == ("2026-01-10T00:00:00Z", "2026-01-12T00:00:00Z")
    series = select(db, "SELECT bucket_width, group_by FROM _series ORDER BY 1, 2")
    assert series == [("1d", ""), ("1d", "model,workspace_id"), ("1h", ""), ("1h", "model,workspace_id")]


def test_a_configuration_sets_options_and_dimensions(shared_api: Simulator, db: Path, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(
        f'db = "{db}"\napi-url = "{shared_api.url}"\nrate = "none"\nreport = ["usage"]\nsince = "2026-01-10"\n'
        'dimensions = ["model", "speed"]\n'
    )
    done = archiver("sync", "--config", str(config), ANTHROPIC_ADMIN_API_KEY=shared_api.key)
    assert done.returncode == 0, done.stderr
    assert select(db, "SELECT report, group_by FROM _series") == [("usage", "model,speed")]


@pytest.mark.parametrize(
    "text", ["colour = 1", "rate =", 'dimensions = "model"', 'dimensions = ["colour"]', "[rate]\nx = 1", "\xff"]
)
def test_a_bad_configuration_is_exit_2(shared_api: Simulator, db: Path, tmp_path: Path, text: str) -> None:
    config = tmp_path / "config.toml"
    config.write_bytes(text.encode("latin-1"))
    done = run_sync(shared_api, db, "--config", str(config))
    assert done.returncode == 2
    error, *_ = done.stderr.splitlines()
    assert error.startswith("error: ")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("text", "error", "hint"),
    [
        ("conurrency = 4", "has an unknown key 'conurrency'; did you mean 'concurrency'?", "the keys are account-id, "),
        ('concurrency = "4"', "the configuration's 'concurrency' is '4'", "write a whole number"),
        ("group-by-cap = true", "is True", "write a whole number of at least 1"),
        ("[budgets]\ntotal = -1", "a budget in ", "write an amount in dollars, as 5000"),
    ],
)
def test_a_mistake_in_the_configuration_is_named_with_what_to_write(
    db: Path, tmp_path: Path, text: str, error: str, hint: str
) -> None:
    config = tmp_path / "config.toml"
    config.write_text(text)
    done = archiver("sync", "--db", str(db), "--config", str(config))
    assert done.returncode == 2
    first, second = done.stderr.splitlines()
    assert error in first
    assert second.startswith(f"hint: {hint}")


@pytest.mark.parametrize("day", ["9999-12-31", "2201-01-01", "9999"])
def test_a_day_after_all_days_is_a_usage_error(db: Path, day: str) -> None:
    done = archiver("report", "spend", "--since", day, "--db", str(db))
    assert done.returncode == 2
    assert "bug" not in done.stderr
