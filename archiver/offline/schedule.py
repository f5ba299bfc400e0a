"""A nightly run for cron, systemd, launchd and Kubernetes."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from importlib.resources import files
from string import Template
from xml.sax.saxutils import escape

KINDS = ("cron", "systemd", "launchd", "kubernetes")


@dataclass(frozen=True, slots=True)
class Nightly:
    """A run every night.

    Attributes:
        program: The command of this program, an absolute path.
        db: The archive, an absolute path.
        hour: The hour of the local time.
        key_file: The file with the admin key; empty: a name that has to be changed.
        arguments: Further arguments of `sync`.
    """

    program: str
    db: str
    hour: int
    minute: int
    key_file: str = ""
    arguments: tuple[str, ...] = ()

    @property
    def words(self) -> list[str]:
        """The words of the command."""
        key = self.key_file or "/path/to/admin-key"
        return [
            self.program,
            "sync",
            "--quiet",
            "--db",
            self.db,
            "--admin-key-file",
            key,
            "--wait",
            "1h",
            *self.arguments,
        ]


def schedule_text(kind: str, run: Nightly) -> str:
    """Return what to install for one of KINDS; its comments say how."""
    values = {"cron": _cron, "systemd": _systemd, "launchd": _launchd, "kubernetes": _kubernetes}[kind](run)
    template = files("archiver.offline.schedules").joinpath(f"{kind}.txt").read_text("utf-8")
    return Template(template).substitute(
        values, hour=run.hour, minute=run.minute, time=f"{run.hour:02d}:{run.minute:02d}"
    )


def _cron(run: Nightly) -> dict[str, str]:
    commands = {"command": run.words, "check": [run.program, "check", "--quiet", "--db", run.db]}
    # A percent sign ends a command in a crontab.
    return {name: shlex.join(words).replace("%", "\\%") for name, words in commands.items()}


def _systemd(run: Nightly) -> dict[str, str]:
    return {"command": " ".join(map(_systemd_word, run.words))}


def _systemd_word(word: str) -> str:
    # A percent sign begins a specifier in a unit file, a dollar sign a variable.
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return escaped if escaped and not set(escaped) & set(" \t\"'\\;") else f'"{escaped}"'


def _launchd(run: Nightly) -> dict[str, str]:
    return {"words": "\n".join(f"    <string>{escape(word)}</string>" for word in run.words)}


def _kubernetes(run: Nightly) -> dict[str, str]:
    words = ["sync", "--quiet", "--db", "/archive/archive.db", "--admin-key-file", "/secrets/admin-key", *run.arguments]
    return {"arguments": "\n".join(f"            - {json.dumps(word)}" for word in words)}  # JSON is YAML too
