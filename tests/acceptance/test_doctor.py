"""`archiver doctor`: what is wrong with an installation, and never the key."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from archiver.offline.health import file_system_of
from archiver.plan.scope import Scope
from tests.archives import set_organization
from tests.support import archiver, day, sync

if TYPE_CHECKING:
    from pathlib import Path

    from archiver.simulator import Simulator


def checked(db: Path, *arguments: str, code: int = 3, **variables: Any) -> dict[str, Any]:
    done = archiver("doctor", "--json", "--db", str(db), *arguments, **variables)
    assert done.returncode == code, done.stderr
    key = variables.get("ANTHROPIC_ADMIN_API_KEY")
    assert not key or key not in done.stdout + done.stderr
    found = {one["name"]: one for one in json.loads(done.stdout)["checks"]}
    assert json.loads(done.stdout)["ok"] is (code == 0)
    return found


def test_a_sound_archive_and_key(api: Simulator, db: Path) -> None:
    sync(api, db, Scope(since=day("2026-01-01")))
    found = checked(db, "--api-url", api.url, ANTHROPIC_ADMIN_API_KEY=api.key)
    assert found["archive"]["state"] == found["permissions"]["state"] == found["disk"]["state"] == "ok"
    assert found["key"]["state"] == "ok"
    assert found["last run"]["text"].startswith("ok, ")
    # The simulator's clock is that of an invented day, so the two clocks differ.
    assert found["clock"]["state"] == "attention"
    assert "answers for Invented Organisation" in found["API"]["text"]


def test_a_key_of_another_organisation(api: Simulator, db: Path) -> None:
    sync(api, db, Scope(since=day("2026-01-10")))
    set_organization(db, "org_other")
    found = checked(db, "--api-url", api.url, ANTHROPIC_ADMIN_API_KEY=api.key)
    assert found["organisation"]["state"] == "failed"


def test_nothing_there_yet(tmp_path: Path) -> None:
    found = checked(tmp_path / "none" / "archive.db", ANTHROPIC_ADMIN_API_KEY="", ANTHROPIC_ADMIN_KEY="")
    assert found["archive"]["state"] == "failed"
    assert "make one with archiver sync" in found["archive"]["hint"]
    assert found["folder"]["state"] == "attention"
    assert found["key"]["state"] == "failed"
    assert "API" not in found


def test_the_wrong_key_an_api_that_is_away_and_open_permissions(api: Simulator, db: Path) -> None:
    sync(api, db, Scope(since=day("2026-01-10")))
    db.chmod(0o644)
    found = checked(
        db, "--api-url", "http://127.0.0.1:9", ANTHROPIC_ADMIN_API_KEY="sk-ant-api03-an-invented-key-of-a-kind"
    )
    assert found["key"]["state"] == "attention"
    assert "cannot read the reports" in found["key"]["text"]
    assert found["API"]["state"] == "failed"
    assert found["permissions"]["state"] == "attention"
    assert found["permissions"]["hint"] == f"chmod 600 {db}"
    offline = checked(db, "--offline")
    assert "API" not in offline
    text = archiver("doctor", "--offline", "--db", str(db)).stdout
    assert text.splitlines()[0].split()[:2] == ["ok", "program"]


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/srv/share/usage", "nfs4"),
        ("/srv/share", "nfs4"),
        ("/srv/sharing", "ext4"),
        ("/mnt/my disk/a", "cifs"),
        ("/x", "ext4"),
    ],
)
def test_the_file_system_is_that_of_the_nearest_mount(tmp_path: Path, folder: str, kind: str) -> None:
    mounts = tmp_path / "mounts"
    lines = ["/dev/sda1 / ext4 rw 0 0", "server:/x /srv/share nfs4 rw 0 0", "//s/d /mnt/my\\040disk cifs rw 0 0", "odd"]
    mounts.write_text("\n".join(lines), encoding="utf-8")
    path = type(tmp_path)(folder)
    assert file_system_of(path, mounts) == kind
    assert file_system_of(path, tmp_path / "none") == ""
