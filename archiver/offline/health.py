"""Checks of an installation that need no network."""

from __future__ import annotations

import os
import platform
import shutil
import stat
import subprocess
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from archiver import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator

_NETWORK = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "fuse.sshfs", "9p", "afs", "ceph", "fuse.glusterfs"})
_LEAST_FREE = 100 * 1024 * 1024
_PROGRAM_SECONDS = 10
_MIBIBYTE = 1024 * 1024


class State(StrEnum):
    """The result of a check."""

    OK = "ok"
    ATTENTION = "attention"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Check:
    """One check: what it is about, its result in a sentence, and what to do."""

    name: str
    state: State
    text: str
    hint: str = ""


def check_program(sqlite_version: str) -> Check:
    """Return the versions that are in use."""
    text = f"archiver {__version__}, Python {platform.python_version()}, SQLite {sqlite_version}"
    return Check("program", State.OK, f"{text}, {platform.system()}")


def check_files(db: Path) -> Iterator[Check]:
    """Yield what the file system says about an archive or its place."""
    if db.exists():
        mode = stat.S_IMODE(db.stat().st_mode)
        if mode & 0o077:
            hint = f"chmod 600 {db}"
            yield Check("permissions", State.ATTENTION, f"others can read the archive (mode {mode:o})", hint)
        else:
            yield Check("permissions", State.OK, "only its owner can read the archive")
    folder = db.resolve().parent
    if not folder.is_dir():
        yield Check("folder", State.ATTENTION, f"{folder} is not there yet", "archiver sync makes it")
        return
    if not os.access(folder, os.W_OK):
        yield Check("folder", State.FAILED, f"{folder} cannot be written", "a sync writes next to the archive")
    free = shutil.disk_usage(folder).free
    needed = max(_LEAST_FREE, 2 * db.stat().st_size if db.exists() else 0)
    shown = f"{free // _MIBIBYTE:,} MiB free"
    if free < needed:
        hint = f"a sync and a migration need up to {needed // _MIBIBYTE:,} MiB"
        yield Check("disk", State.ATTENTION, shown, hint)
    else:
        yield Check("disk", State.OK, shown)
    kind = file_system_of(folder)
    if kind in _NETWORK:
        hint = "SQLite's write-ahead log needs a local disk: move the archive, and copy snapshots of it"
        yield Check("file system", State.FAILED, f"the archive is on {kind}, a network file system", hint)
    elif kind:
        yield Check("file system", State.OK, f"{kind}, a local one")


def file_system_of(folder: Path, mounts: Path = Path("/proc/self/mounts")) -> str:
    """Return the kind of a folder's file system; "" where it is not known."""
    try:
        lines = mounts.read_text("utf-8", "replace").splitlines()
    except OSError:
        return ""
    best, kind = "", ""
    for line in lines:
        words = line.split()
        if len(words) < 3:  # noqa: PLR2004  # device, place and kind
            continue
        place = words[1].replace("\\040", " ")
        inside = folder == Path(place) or Path(place) in folder.parents
        if inside and len(place) >= len(best):
            best, kind = place, words[2]
    return kind


def check_schedule() -> Check:
    """Return whether a scheduled run of the program is found."""
    found = [name for name, command in _SCHEDULES.items() if "archiver" in _output_of(command)]
    if found:
        return Check("schedule", State.OK, f"a run is scheduled ({', '.join(found)})")
    places = ", ".join(_SCHEDULES)
    return Check("schedule", State.ATTENTION, f"no run is scheduled in {places}", "see the guide on cron and systemd")


_SCHEDULES = {
    "crontab": ["crontab", "-l"],
    "systemd timers": ["systemctl", "--user", "list-timers", "--all", "--no-pager"],
    "launchd": ["launchctl", "list"],
}


def _output_of(command: list[str]) -> str:
    try:
        done = subprocess.run(  # noqa: S603  # fixed commands
            command, capture_output=True, text=True, timeout=_PROGRAM_SECONDS, check=False, errors="replace"
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout
