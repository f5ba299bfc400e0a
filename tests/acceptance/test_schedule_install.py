"""`archiver schedule --install`, with schedulers that write down what they are asked."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.support import archiver

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

CRONTAB = """#!/bin/sh
if [ "$1" != -l ]; then cat > "$HOME/crontab"; exit; fi
if [ -f "$HOME/refused" ]; then echo "you are not allowed" >&2; exit 1; fi
cat "$HOME/crontab" 2>/dev/null || { echo "no crontab for me" >&2; exit 1; }
"""
RECORDER = """#!/bin/sh
echo "$(basename "$0") $*" >> "$HOME/calls"
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Make a home with schedulers and a key."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for name, text in (("crontab", CRONTAB), ("systemctl", RECORDER), ("launchctl", RECORDER)):
        (tools / name).write_text(text, encoding="utf-8")
        (tools / name).chmod(0o755)
    (tmp_path / "key").write_text("sk-ant-admin01-invented", encoding="utf-8")
    return tmp_path


def install(
    home: Path, kind: str, *more: str, db: str = "archive.db", key: str = "key"
) -> subprocess.CompletedProcess[str]:
    at = ("--db", str(home / db), "--admin-key-file", str(home / key))
    path = f"{home / 'bin'}{os.pathsep}{os.environ['PATH']}"
    return archiver("schedule", kind, "--install", *at, *more, HOME=str(home), PATH=path)


def test_a_crontab_keeps_its_lines_and_has_ours_once(home: Path) -> None:
    crontab = home / "crontab"
    crontab.write_text("MAILTO=me\n0 1 * * *  other\n", encoding="utf-8")
    for more, said in (((), "added"), ((), "has the line already"), (("--at", "04:30"), "replaced")):
        done = install(home, "cron", *more)
        assert (done.returncode, said in done.stderr) == (0, True), done.stderr
    lines = crontab.read_text("utf-8").splitlines()
    assert lines[:2] == ["MAILTO=me", "0 1 * * *  other"]
    assert [line.split()[:2] for line in lines[2:]] == [["30", "4"]]
    assert install(home, "cron", db="second.db").returncode == 0
    assert len(crontab.read_text("utf-8").splitlines()) == 4


def test_a_line_of_another_archive_or_profile_is_left_alone(home: Path) -> None:
    config = home / "config.toml"
    names = ("a", "ab")
    profiles = [f"[profiles.{one}]\ndb = '{one}.db'\nadmin-key-file = '{home}/key'\n" for one in names]
    config.write_text("".join(profiles), encoding="utf-8")
    path = f"{home / 'bin'}{os.pathsep}{os.environ['PATH']}"
    for given in (["--profile=ab"], ["--profile=a"], ["--profile=a", "--profile=ab"], ["--profile=a"]):
        done = archiver("schedule", "cron", "--install", "--config", str(config), *given, HOME=str(home), PATH=path)
        assert done.returncode == 0, done.stderr
    assert install(home, "cron", db="archive.db2").returncode == 0
    assert install(home, "cron").returncode == 0
    assert len((home / "crontab").read_text("utf-8").splitlines()) == 5


def test_a_new_place_of_the_program_replaces_the_line(home: Path) -> None:
    assert install(home, "cron").returncode == 0
    crontab = home / "crontab"
    minute, hour, *rest = crontab.read_text("utf-8").split(maxsplit=6)
    crontab.write_text(" ".join([minute, hour, *rest[:3], "/old/archiver", rest[4]]), encoding="utf-8")
    assert "replaced" in install(home, "cron").stderr
    assert "/old/archiver" not in crontab.read_text("utf-8").partition("&&")[0]


def test_a_crontab_that_cannot_be_read_is_not_written(home: Path) -> None:
    (home / "crontab").write_text("0 1 * * *  other\n", encoding="utf-8")
    (home / "refused").touch()
    done = install(home, "cron")
    assert (done.returncode, "you are not allowed" in done.stderr) == (7, True)
    assert (home / "crontab").read_text("utf-8") == "0 1 * * *  other\n"


def test_units_are_written_and_enabled(home: Path) -> None:
    for _ in range(2):
        done = install(home, "systemd")
        assert done.returncode == 0, done.stderr
    folder = home / ".config" / "systemd" / "user"
    assert sorted(one.name for one in folder.iterdir()) == ["archiver.service", "archiver.timer"]
    assert f"--db {home}/archive.db" in (folder / "archiver.service").read_text("utf-8")
    assert "OnCalendar=*-*-* 03:15:00" in (folder / "archiver.timer").read_text("utf-8")
    calls = (home / "calls").read_text("utf-8").splitlines()
    assert calls == ["systemctl --user daemon-reload", "systemctl --user enable --now archiver.timer"] * 2
    for name in ("second.db", "archive.d", "archive.db2"):
        other = install(home, "systemd", db=name)
        assert (other.returncode, "runs another archive" in other.stderr) == (2, True)


def test_an_agent_is_written_and_loaded(home: Path) -> None:
    assert install(home, "launchd").returncode == 0
    assert "runs another archive" in install(home, "launchd", db="archive.d").stderr
    path = home / "Library" / "LaunchAgents" / "archiver.nightly.plist"
    assert path.exists()
    assert install(home, "launchd", "--at", "04:30").returncode == 0
    assert (home / "calls").read_text("utf-8").splitlines() == [
        f"launchctl load {path}", f"launchctl unload {path}", f"launchctl load {path}",
    ]  # fmt: skip
    assert "<integer>30</integer>" in path.read_text("utf-8")


def test_what_cannot_be_installed_is_a_clear_error(home: Path) -> None:
    assert "from its own tools" in install(home, "kubernetes").stderr
    missing = install(home, "cron", key="nothing")
    assert (missing.returncode, "is no file" in missing.stderr) == (2, True)
    (home / "bin" / "systemctl").write_text("#!/bin/sh\necho no bus >&2; exit 1\n", encoding="utf-8")
    failed = install(home, "systemd")
    assert (failed.returncode, "failed: no bus" in failed.stderr) == (7, True)
