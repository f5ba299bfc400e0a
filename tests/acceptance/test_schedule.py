"""`archiver schedule`: what it prints is what the schedulers take."""

from __future__ import annotations

import json
import plistlib
import re
import shlex
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from archiver.offline.schedule import KINDS, Nightly, schedule_text
from tests.handmade import run

if TYPE_CHECKING:
    from pathlib import Path

ODD = Nightly("/opt/my tools/archiver", '/srv/50% of "it"/a $HOME.db', 4, 5, "/run/key's")


def test_a_crontab_line_runs_the_command_as_it_is() -> None:
    line = schedule_text("cron", ODD).splitlines()[1]
    minute, hour, *days, command = line.split(maxsplit=5)
    assert (minute, hour, days) == ("5", "4", ["*", "*", "*"])
    # cron takes an escaped percent sign as one, and gives the rest to a shell.
    sync, _, check = command.replace("\\%", "%").partition(" && ")
    assert shlex.split(sync) == ODD.words
    assert shlex.split(check) == ODD.check == [ODD.program, "check", "--quiet", "--db", ODD.db]
    assert "%" not in command.replace("\\%", "")


def test_a_plist_has_the_words() -> None:
    found = plistlib.loads(schedule_text("launchd", ODD).encode())
    *shell, command = found["ProgramArguments"]
    assert shell == ["/bin/sh", "-c"]
    sync, _, check = command.partition(" && ")
    assert (shlex.split(sync), shlex.split(check)) == (ODD.words, ODD.check)
    assert found["StartCalendarInterval"] == {"Hour": 4, "Minute": 5}


def test_a_unit_escapes_what_systemd_reads() -> None:
    text = schedule_text("systemd", ODD)
    start = next(line for line in text.splitlines() if line.startswith("ExecStart="))
    assert start.startswith('ExecStart="/opt/my tools/archiver" sync --quiet --db "/srv/50%% of \\"it\\"/a $$HOME.db"')
    assert "OnCalendar=*-*-* 04:05:00" in text


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    run_it = Nightly("/bin/true", "/srv/archive.db", 4, 5, "/run/key")
    service = schedule_text("systemd", run_it).partition("# ~/.config/systemd/user/archiver.timer")[0]
    path = tmp_path / "archiver.service"
    path.write_text(service, encoding="utf-8")
    done = subprocess.run(["systemd-analyze", "verify", path], capture_output=True, text=True, check=False)
    assert "archiver.service" not in done.stderr


def test_a_cron_job_of_kubernetes_reads_the_secret_and_no_key() -> None:
    text = schedule_text("kubernetes", ODD)
    assert 'schedule: "5 4 * * *"' in text
    (command,) = re.findall(r"command: (.*)", text)
    *shell, line = json.loads(command)
    assert shell == ["/bin/sh", "-c"]
    archive, key = ["--db", "/archive/archive.db"], ["--admin-key-file", "/secrets/admin-key"]
    sync, _, check = line.partition(" && ")
    assert shlex.split(sync) == ["archiver", "sync", "--quiet", *archive, *key, "--wait", "1h"]
    assert shlex.split(check) == ["archiver", "check", "--quiet", *archive]
    assert "readOnlyRootFilesystem: true" in text
    assert f"{ODD.key_file}" not in text


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
def test_kubectl_reads_the_cron_job(tmp_path: Path) -> None:
    (tmp_path / "cronjob.yaml").write_text(schedule_text("kubernetes", ODD), encoding="utf-8")
    (tmp_path / "kustomization.yaml").write_text("resources: [cronjob.yaml]\n", encoding="utf-8")
    done = subprocess.run(["kubectl", "kustomize", tmp_path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "kind: CronJob" in done.stdout


@pytest.mark.parametrize("kind", KINDS)
def test_the_command_prints_it(db: Path, kind: str) -> None:
    done = run("schedule", kind, "--at", "23:59", "--db", str(db), "--admin-key-file", "key")
    assert done.code == 0, done.stderr
    assert "59" in done.stdout
    assert kind == "kubernetes" or str(db) in done.stdout


def test_the_run_has_the_configuration_and_the_profiles_of_the_call(tmp_path: Path) -> None:
    config = tmp_path / "c.toml"
    config.write_text(
        "[profiles.a]\ndb = 'a.db'\nadmin-key-command = 'x'\n[profiles.b]\ndb = 'b.db'\nadmin-key-file = 'k'\n",
        encoding="utf-8",
    )
    for given in (["--profile=a"], ["--all-profiles"], ["--profile=a", "--profile=b"]):
        done = run("schedule", "cron", "--config", str(config), *given)
        assert done.code == 0, done.stderr
        sync, _, check = done.stdout.splitlines()[1].split("* * *")[1].partition(" && ")
        settings = ["--config", str(config), *given]
        assert shlex.split(sync)[1:] == ["sync", "--quiet", *settings, "--wait", "1h"]
        assert shlex.split(check)[1:] == ["check", "--quiet", *settings]
    units = run("schedule", "systemd", "--config", str(config), "--profile=a").stdout
    assert units.count("ExecStart=") == 2


def test_a_wrong_time_or_kind_is_a_clear_error(db: Path) -> None:
    for wrong in ("24:00", "3", "03:60", "now"):
        done = run("schedule", "cron", "--at", wrong, "--db", str(db))
        assert (done.code, f"'{wrong}' is no time" in done.stderr) == (2, True)
    assert run("schedule", "at", "--db", str(db)).code == 2
